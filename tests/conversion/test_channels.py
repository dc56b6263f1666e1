"""One function a channel: from the layer before, from an example, and the fall back where neither tells."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pwlact.conversion import convert
from pwlact.pwl import PiecewiseLinearActivation

BEFORE = {
    "linear": (nn.Linear(3, 5), (4, 3), 5, -1),
    "sequence": (nn.Linear(3, 5), (4, 7, 3), 5, -1),
    "conv1d": (nn.Conv1d(3, 5, 1), (4, 3, 6), 5, -2),
    "conv2d": (nn.Conv2d(3, 5, 1), (4, 3, 6, 6), 5, -3),
    "unbatched": (nn.Conv2d(3, 5, 1), (3, 6, 6), 5, -3),
    "conv3d": (nn.Conv3d(3, 5, 1), (4, 3, 2, 2, 2), 5, -4),
    "transposed": (nn.ConvTranspose2d(3, 5, 2), (4, 3, 6, 6), 5, -3),
    "batch_norm": (nn.BatchNorm2d(3), (4, 3, 6, 6), 3, 1),
    "group_norm": (nn.GroupNorm(1, 3), (4, 3, 6), 3, 1),
    "layer_norm": (nn.LayerNorm(3), (4, 7, 3), 3, -1),
    "pooled": (nn.Sequential(nn.Conv2d(3, 5, 1), nn.MaxPool2d(2), nn.Dropout()), (4, 3, 6, 6), 5, -3),
}


def activation(model):
    (found,) = [m for m in model.modules() if isinstance(m, PiecewiseLinearActivation)]
    return found


class After(nn.Module):
    def __init__(self, layer, function):
        super().__init__()
        self.layer, self.function = layer, function

    def forward(self, x):
        return self.function(self.layer(x))


class Flat(nn.Module):
    def forward(self, x):
        return F.gelu(x)


@pytest.mark.parametrize("case", BEFORE)
@pytest.mark.parametrize("form", ["sequential", "functional", "residual", "example"])
def test_the_layer_before_tells(case, form):
    layer, shape, channels, dim = BEFORE[case]
    x = torch.randn(shape)
    old = {
        "sequential": lambda: nn.Sequential(layer, nn.ReLU()),
        "functional": lambda: After(layer, F.relu),
        "residual": lambda: After(layer, lambda y: F.relu(F.dropout(1 + y, 0.0))),
        "example": lambda: nn.Sequential(layer, nn.Sequential(nn.ReLU())),
    }[form]().eval()
    new, _report = convert(old, sharing="channel", example=x if form == "example" else None)
    found = activation(new)
    assert found.values.shape == (channels, 33)
    if form != "example":
        assert found.channel_dim == dim
    torch.testing.assert_close(new(x), old(x))
    with torch.no_grad():
        found.values[0] += 1  # each function acts on its own channel
    changed = (new(x) - old(x)).abs() > 0.5
    # a batch norm in eval mode keeps the number of dimensions, so the channels are where the layer has them
    assert changed.movedim(dim, 0)[0].all()
    assert not changed.movedim(dim, 0)[1:].any()


def test_unknown_channels_are_shared_and_the_report_says_so():
    new, report = convert(Flat(), sharing="channel")
    assert activation(new).channels is None
    assert report.replaced[0].note == "shared: channels unknown without an example that comes by here"
    new, report = convert(Flat(), sharing="channel", example=torch.randn(2, 3, 4))
    assert activation(new).channels is None
    assert report.replaced[0].note == "shared: channels not told by the example"


@pytest.mark.parametrize(("shape", "channels"), [((2, 3), 3), ((2, 3, 4, 5), 3), ((2, 3, 4, 5, 6), 3), ((4,), None)])
def test_an_example_alone_tells_where_the_rank_does(shape, channels):
    x = torch.randn(shape)
    new, _ = convert(Flat(), sharing="channel", example=x)
    assert activation(new).channels == channels
    torch.testing.assert_close(new(x), F.gelu(x), atol=0.03, rtol=0)


class Concatenates(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 5, 1), nn.ReLU()

    def forward(self, x):
        return self.act(torch.cat([self.conv(x), x], 1))


class TwoWidths(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(x), self.act(x[:, :2])


def test_the_example_counts_where_layers_are_joined():
    x = torch.randn(2, 3, 4, 4)
    new, _ = convert(Concatenates(), sharing="channel", example=x)
    assert new.act.channels == 8
    assert new(x).shape == (2, 8, 4, 4)


def test_one_activation_for_several_widths_is_shared():
    new, report = convert(TwoWidths(), sharing="channel", example=torch.randn(2, 3), reused="keep")
    assert new.act.channels is None
    assert "its inputs differ in their channels" in report.replaced[0].note
    split, _ = convert(TwoWidths(), sharing="channel", example=torch.randn(2, 3))
    assert (split.act.channels, split.activation_1.channels) == (3, 2)


def test_an_example_that_comes_by_elsewhere_leaves_what_the_layers_tell():
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = (
                nn.Sequential(nn.Linear(3, 4), nn.ReLU()),
                nn.Sequential(nn.Linear(3, 5), nn.ReLU()),
            )

        def forward(self, x):
            return self.used(x)

    new, _ = convert(Half(), sharing="channel", example=torch.randn(2, 3))
    assert (new.used[1].channels, new.unused[1].channels) == (4, 5)


@pytest.mark.parametrize("form", ["tensor", "tuple", "list", "dict"])
def test_forms_of_an_example_and_the_state_it_leaves(form):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Dropout())
    model[1].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    x = torch.randn(4, 2)
    example = {"tensor": x, "tuple": (x,), "list": [x], "dict": {"input": x}}[form]
    _, report = convert(model, inplace=True, example=example)
    assert report.difference < 1e-6
    assert [m.training for m in (model, model[0], model[1], model[2], model[3])] == [True, True, False, True, True]
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_difference_is_that_of_the_outputs():
    x = torch.linspace(-10, 10, 100)[:, None]
    new, report = convert(nn.Sequential(nn.SiLU()), example=x)
    assert report.difference == pytest.approx((new(x) - F.silu(x)).abs().max().item())
    assert 0.4 < report.difference < 0.6


def test_functions_that_only_the_run_shows_are_reported():
    functions = {"f": lambda x: F.relu(x) if x.sum() > -1e9 else x}

    class Indirect(nn.Module):
        def forward(self, x):
            return functions["f"](x)

    model = nn.Sequential(Indirect(), nn.Sigmoid())
    assert [row.name for row in convert(model).report.left] == ["1"]
    _, report = convert(model, example=torch.ones(2))
    assert ("0", "F.relu", "called where tracing did not see it") in [(r.name, r.what, r.why) for r in report.left]
    assert len(report.left) == 2
