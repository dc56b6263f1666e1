"""State of the module: knots travel with it, older states load, and every tool that carries modules accepts it."""

import copy
import io

import pytest
import torch
from asserts import assert_close
from torch import nn

from pwlact.pwl import Knots, PiecewiseLinearActivation

FINE = Knots(65, -4.5, 1.7)  # other than the default in number and range; 1.7 is not a short binary fraction
SHARINGS = [{}, {"channels": 3}, {"channels": 6, "groups": 2}]


def made(knots=None, **more):
    activation = PiecewiseLinearActivation(knots, **more).double()
    activation.values.data.normal_()
    return activation


def stored(state):
    """The state after a trip through a file that may hold weights only."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def version_1(state):
    """A state as version 1 wrote it: the values alone."""
    old = type(state)((name, tensor) for name, tensor in state.items() if not name.endswith("_extra_state"))
    old._metadata = copy.deepcopy(state._metadata)
    for entry in old._metadata.values():
        entry["version"] = 1
    return old


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("sharing", SHARINGS, ids=str)
@pytest.mark.parametrize("knots", [FINE, Knots(33, -1.0, 0.1), Knots()], ids=str)
def test_knots_come_back_with_the_values(knots, sharing, assign):
    first, second = made(knots, **sharing), made(**sharing)
    parameter = second.values
    result = second.load_state_dict(stored(first.state_dict()), assign=assign)
    assert (result.missing_keys, result.unexpected_keys) == ([], [])
    assert second.knots == knots
    assert torch.equal(first.values, second.values)
    assert isinstance(second.values, nn.Parameter)
    assert second.values.requires_grad
    assert assign or second.values is parameter
    x = torch.randn(5, first.channels or 2, dtype=torch.float64)
    if sharing.get("groups") is None:
        assert torch.equal(first(x), second(x))
    second.double().derivative(x).sum().backward()
    assert second.values.grad.shape == first.values.shape


def test_state_is_values_and_three_numbers():
    state = made(FINE).state_dict()
    assert list(state) == ["values", "_extra_state"]
    assert state["_extra_state"].tolist() == [65, -4.5, 1.7]
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())  # as safetensors wants it
    assert state._metadata[""]["version"] == 2


def test_parameters_and_buffers_are_the_values_alone():
    activation = made()
    assert [name for name, _ in activation.named_parameters()] == ["values"]
    assert not list(activation.buffers())


@pytest.mark.parametrize("plain", [False, True], ids=["metadata", "plain_dict"])
@pytest.mark.parametrize("sharing", SHARINGS, ids=str)
def test_version_1_loads_where_the_shape_fits(sharing, plain):
    knots = Knots(33, -1.0, 2.0)
    first, second = made(**sharing), made(knots, **sharing)
    old = version_1(first.state_dict())
    result = second.load_state_dict(dict(old) if plain else old)
    assert (result.missing_keys, result.unexpected_keys) == ([], [])
    assert torch.equal(first.values, second.values)
    assert second.knots == knots


def refused(module, state, *fragments, strict=True):
    before, knots, parameter = module.values.detach().clone(), module.knots, module.values
    with pytest.raises(RuntimeError) as caught:
        module.load_state_dict(state, strict=strict)
    for fragment in fragments:
        assert fragment in str(caught.value)
    assert torch.equal(module.values, before)
    assert module.knots == knots
    assert module.values is parameter


@pytest.mark.parametrize("strict", [True, False])
def test_version_1_of_another_shape_is_refused_by_its_shapes(strict):
    refused(made(), version_1(made(FINE).state_dict()), "values", "(65,)", "(33,)", "knots", strict=strict)
    refused(made(channels=3), version_1(made().state_dict()), "(33,)", "(3, 33)", strict=strict)


@pytest.mark.parametrize(
    ("own", "other"), [({}, {"channels": 3}), ({"channels": 3}, {}), ({"channels": 6}, {"channels": 6, "groups": 2})]
)
def test_other_sharing_is_refused(own, other):
    source = made(FINE, **other)
    refused(made(**own), source.state_dict(), "channels", str(tuple(source.values.shape)))


@pytest.mark.parametrize(
    ("extra", "fragments"),
    [
        (torch.tensor([33.0, 2.0, 1.0], dtype=torch.float64), ("low", "high")),
        (torch.tensor([33.5, -3.0, 3.0], dtype=torch.float64), ("33.5", "33")),
        (torch.tensor([34.0, -3.0, 3.0], dtype=torch.float64), ("34", "33")),
        (torch.tensor([33.0, float("nan"), 3.0], dtype=torch.float64), ("low", "nan")),
        (torch.tensor([33.0, -3.0, 3.0]), ("float64", "torch.float32")),
        (torch.zeros(3, dtype=torch.float64, device="meta"), ("meta",)),
        (torch.zeros(2, dtype=torch.float64), ("(2,)",)),
        ({"count": 33}, ("count",)),
    ],
    ids=["interval", "half", "count", "nan", "type", "meta", "shape", "dict"],
)
def test_knots_that_make_no_sense_are_refused(extra, fragments):
    activation = made()
    state = activation.state_dict()
    state["_extra_state"] = extra
    refused(activation, state, *fragments)


def test_knots_without_values_must_fit_the_values():
    activation = made()
    with pytest.raises(ValueError, match="65"):
        activation.load_state_dict({"_extra_state": made(FINE).get_extra_state()}, strict=False)
    assert activation.knots == Knots()


def test_a_missing_name_of_version_2_is_told():
    state = made().state_dict()
    metadata = state._metadata
    del state["_extra_state"]
    state._metadata = metadata
    with pytest.raises(RuntimeError, match="_extra_state"):
        made().load_state_dict(state)
    assert made().load_state_dict({}, strict=False).missing_keys == ["values"]


def test_nested_modules_each_take_their_own_knots():
    build = lambda a, b: nn.Sequential(nn.Linear(2, 3), made(a), nn.Sequential(made(b, channels=3)))
    first, second = build(FINE, Knots(5)), build(None, None)
    second.load_state_dict(stored(first.state_dict()))
    assert (second[1].knots, second[2][0].knots) == (FINE, Knots(5))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    old = build(None, None)
    old.load_state_dict(version_1(build(None, None).state_dict()))


def test_loading_into_another_number_of_knots_drops_the_gradient():
    activation = made()
    activation(torch.randn(4, dtype=torch.float64)).sum().backward()
    activation.load_state_dict(made(FINE).state_dict())
    assert activation.values.grad is None


def test_a_stale_optimiser_is_never_silent():
    activation = made()
    optimiser = torch.optim.Adam(activation.parameters())
    activation.antiderivative(torch.ones(3, dtype=torch.float64)).sum().backward()
    optimiser.step()
    activation.resize(65)
    assert optimiser.param_groups[0]["params"][0] is activation.values
    activation.antiderivative(torch.ones(3, dtype=torch.float64)).sum().backward()
    with pytest.raises(RuntimeError):
        optimiser.step()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_knots_keep_their_digits_in_every_type(dtype):
    activation = made(FINE).to(dtype)
    second = made().to(dtype)
    second.load_state_dict(stored(activation.state_dict()))
    assert second.knots == FINE
    assert second.values.dtype == dtype


def test_copies_are_their_own():
    first = made(FINE)
    second = copy.deepcopy(first)
    second.set_range(-1.0, 1.0)
    assert first.knots == FINE
    assert second.knots == Knots(65, -1.0, 1.0)
    assert second.values is not first.values


def test_a_module_on_the_meta_device_takes_a_state():
    with torch.device("meta"):
        empty = PiecewiseLinearActivation()
    source = made(FINE)
    empty.load_state_dict(source.state_dict(), assign=True)
    assert torch.equal(empty.values, source.values)
    assert empty.knots == FINE


def test_averaging_keeps_the_knots():
    model = nn.Sequential(made(FINE))
    average = torch.optim.swa_utils.AveragedModel(model)
    average.update_parameters(model)
    assert average.module[0].knots == FINE
    other = torch.optim.swa_utils.AveragedModel(nn.Sequential(made()))
    other.load_state_dict(stored(average.state_dict()))
    assert other.module[0].knots == FINE


def test_functional_call():
    activation = made()
    x = torch.randn(4, dtype=torch.float64)
    values = torch.randn(33, dtype=torch.float64)
    expected = activation.derivative(x)
    found = torch.func.functional_call(activation, {"values": values}, (x,))
    activation.values.data = values
    assert torch.equal(found, activation(x))
    assert not torch.equal(expected, activation.derivative(x))


def test_export_holds_the_values_alone():
    activation = PiecewiseLinearActivation(start="silu").eval()
    x = torch.randn(4, 3)
    program = torch.export.export(nn.Sequential(activation), (x,))
    assert [*program.graph_signature.parameters] == ["0.values"]
    assert not program.graph_signature.buffers
    assert_close(program.module()(x), activation(x))


def test_distributed_data_parallel(tmp_path):
    dist = torch.distributed
    if not dist.is_available():
        pytest.skip("this torch has no torch.distributed")
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    try:
        model = nn.Sequential(nn.Linear(2, 3), PiecewiseLinearActivation(channels=3))
        wrapped = nn.parallel.DistributedDataParallel(model)
        wrapped(torch.randn(5, 2)).sum().backward()
        assert model[1].values.grad.abs().sum() > 0
        again = nn.Sequential(nn.Linear(2, 3), PiecewiseLinearActivation(FINE, channels=3))
        again.load_state_dict({name.removeprefix("module."): t for name, t in wrapped.state_dict().items()})
        assert again[1].knots == Knots()
    finally:
        dist.destroy_process_group()


@pytest.mark.usefixtures("unchecked")
def test_compiled_module_follows_its_knots():
    activation = PiecewiseLinearActivation(start="silu")
    compiled = torch.compile(activation, backend="eager")
    x = torch.randn(4, 3)
    assert_close(compiled(x), activation(x))
    activation.regrid(Knots(17, -1.0, 1.0))
    assert_close(compiled(x), activation(x))
