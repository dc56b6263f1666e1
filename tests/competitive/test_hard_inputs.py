"""-inf, +inf, NaN, ties, empty rows, types, layouts, ranks: what each map gives, and that gradients stay clean."""

import pytest
import torch
from asserts import assert_close, assert_refused, assert_same_layout
from cases import LAYOUTS, NOT_DENSE
from competitive.maps import EVERY, SIMPLEX, rows

from pwlact.competitive import (
    MAPS,
    Entmax,
    GatedReLUSoftmax,
    Relumax,
    TemperatureSoftmax,
    entmax,
    grouped_softmax,
    log_softmax,
    lwta,
    norm_direction_softmax,
    relu_times_softmax,
    relumax,
    softmax,
    sparsemax,
    temperature_softmax,
)

INF, NAN = torch.inf, torch.nan
# of these, a unit at -inf does not give 0
AT_MINUS_INFINITY = {"log-softmax", "z-plus-softmax"}
GROUPED = {"grouped-softmax", "lwta"}


def gradient(function, z):
    """Of a sum over outputs that reads no infinite one."""
    z = z.clone().requires_grad_()
    out = function(z)
    torch.where(out.isfinite(), out, 0.0).mul(torch.arange(1.0, out.shape[-1] + 1)).sum().backward()
    return z.grad


@pytest.mark.parametrize("name", [name for name in EVERY if name not in GROUPED | {"parallel-paths"}])
def test_masked_units_are_left_out(name):
    """With some units at -inf, the others do as if these were not there; the masked have gradient 0."""
    function = MAPS[name].function
    z = torch.randn(20, 4, dtype=torch.float64)
    masked = torch.cat([z[:, :2], torch.full((20, 3), -INF).double(), z[:, 2:]], -1)
    out = function(masked)
    assert_close(torch.cat([out[:, :2], out[:, 5:]], -1), function(z))
    assert (out[:, 2:5] == (-INF if name in AT_MINUS_INFINITY else 0.0)).all()
    grad = gradient(function, masked)
    assert grad.isfinite().all()
    assert (grad[:, 2:5] == 0).all()


@pytest.mark.parametrize("name", EVERY)
def test_a_row_without_units_gives_zeros_and_clean_gradients(name):
    z = torch.full((2, 4), -INF).double()
    z[1] = torch.tensor([1.0, 2.0, -INF, 3.0])
    out = MAPS[name].function(z)
    assert (out[0] == (-INF if name in AT_MINUS_INFINITY else 0.0)).all()
    grad = gradient(MAPS[name].function, z)
    assert grad.isfinite().all()
    assert (grad[0] == 0).all()
    j = MAPS[name].jacobian(z)
    assert (j[0] == 0).all()
    assert j.isfinite().all()


@pytest.mark.parametrize(
    "module",
    [Entmax(learn=True), Relumax(learn=True), TemperatureSoftmax(learn=True), GatedReLUSoftmax(), GatedReLUSoftmax(4)],
    ids=repr,
)
def test_masks_do_not_poison_parameters(module):
    z = torch.tensor([[-INF] * 4, [1.0, -INF, 0.5, -1e30], [0.0, 1e30, -INF, -INF], [INF, 1.0, 2.0, -INF]])
    out = module(z[:3] if isinstance(module, GatedReLUSoftmax) else z)
    (out * torch.arange(1.0, 5.0)).sum().backward()
    for parameter in module.parameters():
        assert parameter.grad.isfinite().all()
    assert any((parameter.grad != 0).any() for parameter in module.parameters())


@pytest.mark.parametrize("name", SIMPLEX)
def test_units_at_infinity_share_equally(name):
    z = torch.tensor([[INF, 1.0, INF, -INF, 5.0, 3.0], [INF, INF, INF, INF, INF, INF]], dtype=torch.float64)
    p = MAPS[name].function(z)
    assert p[0].tolist() == [0.5, 0, 0.5, 0, 0, 0]
    assert_close(p[1], torch.full((6,), 1 / 6, dtype=torch.float64))
    assert gradient(MAPS[name].function, z).isfinite().all()


def test_infinity_where_the_magnitude_is_kept():
    z = torch.tensor([1.0, INF, -INF, 3.0])
    assert relu_times_softmax(z).tolist() == [0, INF, 0, 0]
    assert MAPS["z-times-softmax"].function(z).tolist() == [0, INF, 0, 0]
    assert MAPS["z-plus-softmax"].function(z).tolist() == [1, INF, -INF, 3]
    assert norm_direction_softmax(z).tolist() == [INF, INF, 0, INF]
    assert log_softmax(z).tolist() == [-INF, 0, -INF, -INF]
    assert lwta(z, 2).tolist() == [0, INF, 0, 3]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("place", [0, 3])
def test_nan_makes_its_row_nan_and_no_other(name, place):
    z = torch.randn(3, 4)
    z[1, place] = NAN
    z[2, 1] = -INF
    out = MAPS[name].function(z)
    assert out[[0, 2]].isfinite().logical_or(out[[0, 2]] == -INF).all()
    if name in GROUPED:
        groups = out[1].view(2, 2)
        assert groups[place // 2].isnan().all()
        assert groups[1 - place // 2].isfinite().all()
    elif name == "parallel-paths":
        assert torch.cat([out[1, 4:], out[1, place, None]]).isnan().all()
    else:
        assert out[1].isnan().all()


@pytest.mark.parametrize("name", EVERY)
def test_ties_are_treated_alike(name):
    z = torch.tensor([2.0, 1.0, 2.0, 2.0, 1.0, 2.0], dtype=torch.float64)
    out = MAPS[name].function(z)[:6]
    assert len({*out[[0, 2, 3, 5]].tolist()}) == 1
    assert len({*out[[1, 4]].tolist()}) == 1


@pytest.mark.parametrize("name", SIMPLEX)
@pytest.mark.parametrize("shape", [(), (1,), (3, 1), (2, 1, 1)])
def test_a_unit_alone_takes_all(name, shape):
    z = torch.randn(shape, requires_grad=True)
    p = MAPS[name].function(z)
    assert (p == 1).all()
    assert p.shape == shape
    p.sum().backward()
    assert (z.grad == 0).all()


@pytest.mark.parametrize("name", [name for name in EVERY if name not in GROUPED | {"parallel-paths"}])
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 5), (2, 0, 3)])
def test_empty_tensors(name, shape):
    z = torch.randn(shape, requires_grad=True)
    out = MAPS[name].function(z)
    assert out.shape == shape
    out.sum().backward()
    assert z.grad.shape == shape


def test_empty_batches_of_groups():
    for f in (grouped_softmax, lwta):
        assert f(torch.randn(0, 6), 3).shape == (0, 6)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_types_are_computed_in_float32(name, dtype):
    z = (3 * torch.randn(20, 200)).to(dtype)
    out = MAPS[name].function(z)
    assert out.dtype == dtype
    exact = MAPS[name].function(z.double())
    assert_close(out, exact.to(dtype), rtol=2 * torch.finfo(dtype).eps, atol=2 * torch.finfo(dtype).eps)
    if MAPS[name].facts.simplex:
        assert (out.double().sum(-1) - 1).abs().max() < 4 * torch.finfo(dtype).eps


@pytest.mark.parametrize("name", SIMPLEX)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gradients_of_short_types(name, dtype):
    z = torch.randn(20, 30).to(dtype).requires_grad_()
    wide = z.detach().double().requires_grad_()
    g = torch.randn(20, 30).to(dtype)
    MAPS[name].function(z).backward(g)
    MAPS[name].function(wide).backward(g.double())
    assert z.grad.dtype == dtype
    # the result, of which the gradient is made, was rounded too
    assert_close(z.grad.double(), wide.grad, rtol=0, atol=12 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "parallel-paths"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dim", [1, -1])
def test_layouts_and_dimensions(name, layout, dim):
    x = torch.randn(2, 6, 4, 6, dtype=torch.float64)
    laid = LAYOUTS[layout](x)
    out = MAPS[name].function(laid, dim=dim)
    moved = MAPS[name].function(laid.movedim(dim, -1).contiguous()).movedim(-1, dim)
    assert_close(out, moved)
    closed = {"softmax", "log-softmax", "sparsemax", "entmax15", "entmax", "relumax"}
    if name in closed and layout not in NOT_DENSE:
        assert_same_layout(out, laid)


@pytest.mark.parametrize("name", SIMPLEX)
@pytest.mark.parametrize("width", [127, 128, 129, 1000, 1024])
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_wide_rows_in_float32(name, width, scale):
    """Rows beyond the width from which stripes and blocks are used."""
    z = scale * torch.randn(300, width)
    p, exact = MAPS[name].function(z), MAPS[name].function(z.double())
    assert_close(p, exact.float(), rtol=1e-4, atol=3e-7)
    assert (p.double().sum(-1) - 1).abs().max() < 1e-5


@pytest.mark.parametrize("name", SIMPLEX)
def test_rows_odd_and_even_in_one_block(name):
    z = torch.randn(300, 130)
    z[5], z[7, 3], z[9, 4], z[200, :129] = -INF, INF, NAN, -INF
    p = MAPS[name].function(z)
    plain = [i for i in range(300) if i not in {5, 7, 9, 200}]
    assert_close(p[plain], MAPS[name].function(z[plain]))
    assert (p[5] == 0).all()
    assert p[7, 3] == 1
    assert p[9].isnan().all()
    assert p[200, 129] == 1


@pytest.mark.parametrize("name", [*SIMPLEX, "log-softmax"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_arrives_at_units_without_a_share_is_not_read(name, dtype):
    z = torch.tensor([[1.0, 0.9, -INF, -INF]], dtype=dtype, requires_grad=True)
    MAPS[name].function(z).backward(torch.tensor([[1.0, 2.0, NAN, INF]], dtype=dtype))
    two = z.detach()[:, :2].requires_grad_()
    MAPS[name].function(two).backward(torch.tensor([[1.0, 2.0]], dtype=dtype))
    assert_close(z.grad[:, :2], two.grad)
    assert (z.grad[0, 2:] == 0).all()


def test_temperature_gradient_at_tiny_temperatures():
    tau = torch.tensor(1e-30, requires_grad=True)
    temperature_softmax(torch.tensor([1e30, -1e30, 1.0]), tau).square().sum().backward()
    assert tau.grad == 0


def test_parameters_out_of_range_in_tensors_give_nan():
    z = torch.randn(2, 3)
    for f, bad in ((entmax, 1.0), (relumax, 0.0), (relumax, -1.0)):
        p = f(z, torch.tensor([[bad], [1.5]]))
        assert p[0].isnan().all()
        assert p[1].isfinite().all()


def test_refused(unchecked):
    z = torch.randn(2, 6)
    for f in (softmax, sparsemax, log_softmax, entmax):
        assert_refused(lambda f=f: f(z.long()), "int64", "z.float()")
        assert_refused(lambda f=f: f(z, dim=2), "dim", "(2, 6)", "2")
        assert_refused(lambda f=f: f(z.to_sparse()), "to_dense")
    for alpha in (1.0, 0.5, NAN, INF, True):
        assert_refused(lambda alpha=alpha: entmax(z, alpha), "alpha", "above 1")
    for b in (0.0, -1.0, NAN, INF):
        assert_refused(lambda b=b: relumax(z, b), "b must")
        assert_refused(lambda b=b: temperature_softmax(z, b), "temperature")
    assert_refused(lambda: entmax(z, torch.ones(5)), "alpha", "(2, 1)", "(5,)")
    assert_refused(lambda: grouped_softmax(z, 4), "groups", "6", "4")
    assert_refused(lambda: lwta(z, 0), "groups")
    assert_refused(lambda: Entmax(2.0, learn=True), "below 2")
    assert_refused(lambda: GatedReLUSoftmax(3)(z), "3 units", "(2, 6)")
    assert_refused(lambda: GatedReLUSoftmax(gate=1.0), "gate")


def test_rows_of_the_list_have_supports_of_every_size():
    sizes = {int(size) for size in (sparsemax(rows()) > 0).sum(-1)}
    assert sizes == {1, 2, 3, 4, 5, 6}
