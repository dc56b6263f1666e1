"""convert: every form in which a model may hold an activation, and all that must survive."""

import copy
import pickle

import pytest
import torch
from asserts import assert_refused
from torch import nn
from torch.nn import functional as F
from unconverted import SMOOTH, STRAIGHT, Branching, Calls, Functional, H, PreActivation, Reused, inputs, the_one

from pwlact.conversion import KINDS, REPLACED, convert
from pwlact.models import activations, build
from pwlact.pwl import Knots, PiecewiseLinearActivation


@pytest.mark.parametrize("name", STRAIGHT)
def test_straight_functions_are_exact_everywhere(name):
    model, report = convert(nn.Sequential(KINDS[name].module()))
    x = torch.cat([inputs(100), torch.tensor([0.0, -0.0, 1e15, -1e15, 1e-15, -1e-15, float("nan"), float("inf")])])
    expected = torch.where(x > 0, x, STRAIGHT[name] * x)
    torch.testing.assert_close(model(x), expected, rtol=1e-5, atol=1e-6, equal_nan=True)
    assert report.replaced[0].error < 1e-8
    assert report.replaced[0].error_twice < 1e-8


def largest_second_derivative(function):
    x = torch.linspace(-3, 3, 9001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
    return torch.autograd.grad(slope.sum(), x)[0].abs().max().item()


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_start_within_the_bound_of_interpolation(name):
    old = KINDS[name].module().double()
    model, report = convert(nn.Sequential(nn.Linear(1, 1), old).double())
    x = torch.linspace(-3, 3, 9001, dtype=torch.float64)
    wrong = (model[1](x) - old(x)).abs().max().item()
    assert 1e-6 < wrong <= H**2 * largest_second_derivative(old) / 8 * 1.001
    assert report.replaced[0].error == pytest.approx(wrong, rel=0.05)
    x = torch.linspace(-6, 6, 9001, dtype=torch.float64)
    assert report.replaced[0].error_twice == pytest.approx((model[1](x) - old(x)).abs().max().item(), rel=0.01)


@pytest.mark.parametrize("knots", [Knots(2, -1.0, 1.0), Knots(4, -1.0, 1.0), Knots(65, -8.0, 8.0)], ids=str)
def test_start_is_the_old_function_at_the_knots_asked_for(knots):
    for old in (nn.LeakyReLU(0.3), nn.ELU(2.0), nn.GELU("tanh"), nn.Softplus(3.0, 5.0)):
        activation = convert(nn.Sequential(old), knots=knots).model[0]
        t = knots.positions()
        assert activation.knots == knots
        torch.testing.assert_close(activation.values.detach().double(), old(t), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [KINDS[name] for name in REPLACED], ids=lambda kind: kind.name)
def test_every_function_and_method_is_found(kind):
    x = inputs(50).clamp(-2.9, 2.9)
    for function in kind.functions:
        model, report = convert(Calls(function))
        assert len(report.replaced) == 1
        assert report.replaced[0].name == "activation_1"
        torch.testing.assert_close(model(x), function(x.clone()), atol=0.01, rtol=0.01)
        assert not report.left
    for method in kind.methods:
        model, report = convert(Calls(lambda x, method=method: getattr(x, method)()))
        assert report.replaced[0].was == f"x.{method}()"
        torch.testing.assert_close(model(x), function(x.clone()), atol=0.01, rtol=0.01)


def test_arguments_of_a_call_are_those_of_the_start():
    for function in (
        lambda x: F.leaky_relu(x, 0.4),
        lambda x: F.elu(x, alpha=0.3),
        lambda x: F.softplus(input=x, beta=2),
        lambda x: F.gelu(x, approximate="tanh"),
    ):
        x = Knots().positions(torch.float32)
        torch.testing.assert_close(convert(Calls(function)).model(x), function(x), rtol=1e-5, atol=1e-6)


def test_only_what_is_asked_for_is_replaced():
    model = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.ReLU6(), nn.GELU(), nn.Softmax(-1), nn.PReLU())
    replaced, report = convert(model, replace=("tanh", nn.GELU))
    kept = [0, 2, 4, 5]
    assert [type(replaced[i]) for i in kept] == [type(model[i]) for i in kept]
    assert [row.name for row in report.replaced] == ["1", "3"]
    why = {row.name: row.why for row in report.left}
    assert why == {
        "0": "not in replace=",
        "2": "not in replace=",
        "4": "it is no function of one number",
        "5": "it is learnable already",
    }
    assert [row.name for row in convert(model).report.replaced] == ["0", "3"]


def test_calls_that_stay_are_reported():
    def function(x):
        return F.softmax(torch.sigmoid(x).softmax(-1), -1) + F.leaky_relu(x, x.shape[0])

    report = convert(Calls(function)).report
    assert [(row.what, row.why) for row in report.left] == [
        ("torch.sigmoid", "not in replace="),
        ("x.softmax()", "it is no function of one number"),
        ("F.softmax", "it is no function of one number"),
        ("F.leaky_relu", "its arguments are computed when the model runs"),
    ]


def test_a_class_of_the_users_is_replaced_when_named_and_a_subclass_reported_when_not():
    class Own(nn.ReLU):
        def forward(self, x):
            return F.relu(x) * 2

    model = nn.Sequential(Own())
    assert convert(model).report.left[0].why == "a subclass of ReLU; name it in replace="
    converted, report = convert(model, replace=(Own,))
    assert len(report.replaced) == 1
    torch.testing.assert_close(converted(torch.tensor([2.0, -1.0])), torch.tensor([4.0, 0.0]))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("mode", [False, True])
def test_model_that_is_an_activation(inplace, mode):
    old = nn.ReLU().train(mode)
    new, report = convert(old, inplace=inplace)
    assert isinstance(new, PiecewiseLinearActivation)
    assert new.training == mode
    assert [row.name for row in report.replaced] == [""]
    assert "(model)" in str(report)


def test_containers_nest():
    old = nn.ModuleDict({
        "a": nn.ModuleList([nn.ReLU(), nn.ModuleDict({"b": nn.GELU()})]),
        "c": nn.Sequential(nn.Sequential(nn.SiLU())),
    })  # fmt: skip
    new, report = convert(old)
    assert [row.name for row in report.replaced] == ["a.0", "a.1.b", "c.0.0"]
    assert type(new) is nn.ModuleDict
    assert list(new.state_dict()) == [
        f"{p}.{k}" for p in ("a.0", "a.1.b", "c.0.0") for k in the_one(new.c).state_dict()
    ]


@pytest.mark.parametrize("make", [Functional, Reused, Branching])
def test_keys_of_everything_else_stay(make):
    old = make()
    new = convert(old).model
    added = {
        f"{n}.{k}" for n, m in new.named_modules() if isinstance(m, PiecewiseLinearActivation) for k in m.state_dict()
    }
    assert set(new.state_dict()) - added == set(old.state_dict())
    for key, value in old.state_dict().items():
        assert torch.equal(new.state_dict()[key], value)


def test_plain_swaps_leave_the_class_and_functional_ones_the_methods():
    assert type(convert(nn.Sequential(nn.ReLU())).model) is nn.Sequential
    assert type(convert(PreActivation(True)).model) is not PreActivation  # its forward had to change
    new = convert(Reused()).model
    assert isinstance(new, Reused)
    assert new.extra() == "kept"
    assert type(new).__name__ == "Reused"


@pytest.mark.parametrize("make", [Functional, Reused])
def test_converted_models_copy_and_pickle(make):
    new = convert(make().eval(), sharing="channel", example=inputs(2, 4)).model
    with torch.no_grad():
        for p in new.parameters():
            p.normal_()
    x = inputs(7, 4)
    for other in (copy.deepcopy(new), pickle.loads(pickle.dumps(new)), convert(new).model):
        assert torch.equal(other(x), new(x))
        assert other.fc is not new.fc if make is Functional else True
        next(other.parameters()).data.add_(1)
        assert not torch.equal(next(other.parameters()), next(new.parameters()))


def test_converting_twice_leaves_what_is_learnable():
    first = convert(Functional()).model
    second, report = convert(first)
    assert not report.replaced
    assert {row.why for row in report.left} == {"it is learnable already"}
    assert len(report.left) == 4
    torch.testing.assert_close(second.eval()(torch.ones(1, 4)), first.eval()(torch.ones(1, 4)))


def test_inplace_changes_the_model_itself_and_the_default_a_copy():
    model = Functional()
    assert convert(model).model is not model
    assert type(model) is Functional
    assert convert(model, inplace=True).model is model
    assert hasattr(model, "activation_4")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_dtype_and_mode_are_kept(dtype):
    old = nn.Sequential(nn.Linear(2, 3), nn.ReLU()).to(dtype)
    old[1].eval()
    new = convert(old).model
    assert new[1].values.dtype == dtype
    assert (new.training, new[1].training) == (True, False)
    assert new(torch.ones(1, 2, dtype=dtype)).dtype == dtype


def test_device_is_kept():
    new, _report = convert(nn.Sequential(nn.Linear(2, 3, device="meta"), nn.ReLU()), sharing="channel")
    assert new[1].values.is_meta
    assert new[1].values.shape == (3, 33)


def test_hooks_of_the_old_module_go_over_with_their_handles():
    old, calls = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), []
    handle = old[1].register_forward_hook(lambda *_: calls.append("activation"))
    old.register_forward_pre_hook(lambda *_: calls.append("model"))
    new = convert(old, inplace=True).model
    new(torch.ones(1, 2))
    assert calls == ["model", "activation"]
    handle.remove()
    new(torch.ones(1, 2))
    assert calls == ["model", "activation", "model"]


def test_tied_weights_stay_tied():
    old = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3), Calls(F.gelu))
    old[2].weight = old[0].weight
    new = convert(old).model
    assert new[2].weight is new[0].weight


@pytest.mark.parametrize("wrap", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm])
def test_parametrised_layers(wrap):
    old = nn.Sequential(wrap(nn.Linear(3, 3)), nn.ReLU()).eval()
    new, report = convert(old, sharing="channel")
    x = inputs(5, 3)
    torch.testing.assert_close(new(x), old(x))
    assert report.replaced[0].became == "33 knots on [-3, 3], 3 channels"


def test_a_parametrization_is_no_activation():
    class Positive(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, w):
            return self.relu(w)

    layer = nn.Linear(3, 3)
    nn.utils.parametrize.register_parametrization(layer, "weight", Positive())
    assert not convert(nn.Sequential(layer)).report.replaced


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_scripted_modules_are_reported():
    scripted = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    for model, name in ((scripted, ""), (nn.Sequential(scripted, nn.ReLU()), "0")):
        new, report = convert(model)
        assert [(row.name, row.why) for row in report.left] == [(name, "compiled by torch.jit: convert it before that")]
        assert len(report.replaced) == (name == "0")
        new(torch.ones(1, 2))


def test_recurrent_layers_are_reported():
    report = convert(nn.Sequential(nn.RNN(2, 2, nonlinearity="relu"), nn.LSTMCell(2, 2))).report
    assert [row.why for row in report.left] == ["its activations are inside a fused kernel"] * 2


def test_a_graph_module_stays_one():
    old = torch.fx.symbolic_trace(Reused())
    new, report = convert(old)
    assert isinstance(new, torch.fx.GraphModule)
    assert len(report.replaced) == 2
    torch.testing.assert_close(new(torch.ones(2, 4)), old(torch.ones(2, 4)))
    assert len(copy.deepcopy(new).state_dict()) == len(new.state_dict())


@pytest.mark.parametrize("arch", ["resnet10", "vgg11"])
@pytest.mark.parametrize("sharing", ["layer", "channel"])
def test_own_architectures(arch, sharing):
    old = build(arch, width=0.125, activation=lambda channels: nn.ReLU())
    x = inputs(2, 3, 32, 32)
    old(x)  # running averages
    old.eval()
    new, report = convert(old, sharing=sharing)
    assert len(report.replaced) == len(activations(old))
    assert not report.left
    wanted = build(
        arch, width=0.125, activation=lambda c: PiecewiseLinearActivation(channels=c if sharing == "channel" else None)
    )
    shapes = [m.values.shape for m in new.modules() if isinstance(m, PiecewiseLinearActivation)]
    assert shapes == [m.values.shape for m in wanted.modules() if isinstance(m, PiecewiseLinearActivation)]
    torch.testing.assert_close(new(x), old(x), rtol=1e-4, atol=1e-5)


def test_every_new_activation_learns():
    for model in (Functional().eval(), Reused(), Branching().eval()):
        if isinstance(model, Branching):
            model.inner.fc = nn.Linear(4, 4)
        new = convert(model).model
        new(inputs(64, 4).abs()).square().sum().backward()
        new_ones = [m for m in new.modules() if isinstance(m, PiecewiseLinearActivation)]
        assert all(m.values.grad is not None and m.values.grad.abs().sum() > 0 for m in new_ones)


@pytest.mark.parametrize("start", ["zero", "tanh", lambda t: t**2])
def test_other_starts(start):
    values = the_one(convert(nn.Sequential(nn.ReLU()), start=start).model).values
    expected = PiecewiseLinearActivation(start=start).values
    assert torch.equal(values, expected)


def test_factory_makes_the_activations():
    def to(place):
        places.append(place)
        return nn.PReLU()

    places = []
    new, report = convert(nn.Sequential(nn.Linear(2, 7), nn.ReLU()), to=to, sharing="channel", knots=Knots(5, 0.0, 1.0))
    assert isinstance(new[1], nn.PReLU)
    (place,) = places
    assert (place.name, place.channels, place.channel_dim, place.knots) == ("1", 7, -1, Knots(5, 0.0, 1.0))
    assert report.replaced[0].became == "PReLU(num_parameters=1)"


class Undeletable(nn.Module):
    def __deepcopy__(self, memo):
        raise RuntimeError("no copies\nat all")


def no_copy():
    return nn.Sequential(Undeletable(), nn.ReLU())


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ({"model": F.relu}, ("model", "nn.Module", "builtin" if not hasattr(F.relu, "__code__") else "function")),
        ({"sharing": "group"}, ("sharing", "layer, channel", "'group'")),
        ({"reused": "x"}, ("reused", "split, keep", "'x'")),
        ({"replace": ("swoosh",)}, ("replace", "relu", "'swoosh'")),
        ({"replace": "swoosh"}, ("replace", "'swoosh'")),
        ({"replace": (F.relu,)}, ("replace", "nn.ReLU")),
        ({"start": "swoosh"}, ("start", "'swoosh'")),
        ({"knots": 33}, ("knots", "Knots(count, low, high)", "33")),
        ({"model": no_copy()}, ("cannot be copied", "no copies", "inplace=True")),
        ({"example": torch.ones(1, 5)}, ("fails on the example", "mat1")),
    ],
    ids=["model", "sharing", "reused", "name", "text", "function", "start", "knots", "copy", "example"],
)
def test_bad_arguments(arguments, fragments):
    assert_refused(lambda: convert(**{"model": nn.Sequential(nn.Linear(2, 2), nn.ReLU()), **arguments}), *fragments)


def test_a_refused_example_changes_nothing_in_place():
    model = Functional()
    assert_refused(lambda: convert(model, inplace=True, example=torch.ones(1, 5)), "fails")
    assert type(model) is Functional
    assert_refused(lambda: convert(model, inplace=True, knots=33), "knots")
    assert type(model) is Functional


def test_nothing_to_do():
    for model in (nn.Linear(2, 2), nn.Sequential(), nn.Module()):
        report = convert(model).report
        assert (report.replaced, report.left) == ([], [])
        assert str(report) == "0 activations replaced, 0 left"


def test_a_second_conversion_replaces_the_first_forward():
    model = convert(Functional().eval(), replace=("relu",)).model
    again, report = convert(model, replace=("gelu",))
    assert [row.was for row in report.replaced] == ["F.gelu(x, approximate='tanh')"]
    x = inputs(5, 4)
    torch.testing.assert_close(again(x), model(x), atol=0.004, rtol=0)
    assert type(again).__mro__[1] is Functional
    assert torch.equal(pickle.loads(pickle.dumps(again))(x), again(x))
