"""Transformers of torch.nn: their activation is a callable, and their fast path goes round it."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pwlact.conversion import convert
from pwlact.pwl import PiecewiseLinearActivation

ACTIVATIONS = {
    "relu_text": ("relu", F.relu),
    "gelu_text": ("gelu", F.gelu),
    "relu_function": (F.relu, F.relu),
    "torch_relu": (torch.relu, F.relu),
    "relu_module": (nn.ReLU(), F.relu),
    "gelu_module": (nn.GELU(), F.gelu),
    "silu_function": (F.silu, F.silu),
}
pytestmark = [
    pytest.mark.filterwarnings("ignore:enable_nested_tensor"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors"),
]


def layer(activation="relu", batch_first=True):
    return nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation=activation, batch_first=batch_first).eval()


@pytest.mark.parametrize("sharing", ["layer", "channel"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_encoder_layer_starts_as_it_was_and_uses_its_activation(name, sharing):
    given, function = ACTIVATIONS[name]
    old = layer(given)
    x = torch.randn(3, 5, 8)
    new, report = convert(old, sharing=sharing)
    assert [row.name for row in report.replaced] == ["activation"]
    assert new.activation.values.shape[:-1] == ((16,) if sharing == "channel" else ())
    t = torch.linspace(-3, 3, 33)
    torch.testing.assert_close(new.activation.values.detach().reshape(-1, 33)[0], function(t), rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(new(x), old(x), atol=0.01, rtol=0)
        new.activation.values.add_(1.0)
        assert (new(x) - old(x)).abs().max() > 0.1  # the fast path would not see it
    assert old.activation_relu_or_gelu == layer(given).activation_relu_or_gelu


@pytest.mark.parametrize("batch_first", [True, False])
def test_whole_transformer(batch_first):
    old = nn.Transformer(8, 2, 2, 1, 16, activation="gelu", batch_first=batch_first).eval()
    x = torch.randn(3, 5, 8)
    new, report = convert(old, sharing="channel", example=(x, x))
    assert [row.name for row in report.replaced] == [
        "encoder.layers.0.activation", "encoder.layers.1.activation", "decoder.layers.0.activation",
    ]  # fmt: skip
    found = [m for m in new.modules() if isinstance(m, PiecewiseLinearActivation)]
    assert {(m.channels, m.channel_dim) for m in found} == {(16, -1)}
    assert report.difference < 0.01
    assert {row.why for row in report.left} == {"its softmax is no function of one number"}


def test_padding_takes_no_nested_tensors_any_more():
    old = nn.TransformerEncoder(layer(), 2)
    new = convert(old).model
    x, mask = torch.randn(3, 5, 8), torch.zeros(3, 5, dtype=torch.bool)
    mask[0, 2:] = True
    with torch.no_grad():
        torch.testing.assert_close(
            new(x, src_key_padding_mask=mask)[~mask], old(x, src_key_padding_mask=mask)[~mask], rtol=1e-4, atol=1e-5
        )
        for inner in new.layers:
            inner.activation.values.add_(1.0)
        changed = (new(x, src_key_padding_mask=mask) - old(x, src_key_padding_mask=mask))[~mask]
    assert changed.abs().max() > 0.1
    assert old.use_nested_tensor
    untouched = convert(nn.TransformerEncoder(layer(F.tanh), 1)).model
    assert untouched.layers[0].activation is F.tanh


def test_unknown_callables_are_reported():
    _, report = convert(layer(lambda x: x * 2))
    assert "a function that is not known" in {row.why for row in report.left}
    _, report = convert(layer(F.tanh))
    assert "not in replace=" in {row.why for row in report.left}


def test_modes_of_a_layer_survive():
    new = convert(layer().train()).model
    assert new.activation.training
    assert not convert(layer()).model.activation.training
