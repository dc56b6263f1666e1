"""Layouts, addresses and what is kept: the operation reads memory itself, so it must read the right one."""

import math

import pytest
import torch
from asserts import assert_close, assert_same_layout
from cases import LAYOUTS, NOT_DENSE

from pwlact.pwl import pwl, pwl_reference

pytestmark = pytest.mark.usefixtures("backend")

# of x and of the values
TYPES = [
    (torch.float32, torch.float32),
    (torch.bfloat16, torch.float32),
    (torch.float32, torch.float64),
    (torch.float16, torch.float16),
]
VALUES = torch.linspace(-2.0, 3.0, 9).square()


def reference(x, values=VALUES):
    return pwl_reference(x.double(), values.double(), -3.0, 3.0).to(x.dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("offset", range(1, 16, 2))
def test_any_alignment(offset, dtype):
    x = torch.randn(100).to(dtype)[offset:]
    grad = torch.randn(100).to(dtype)[100 - len(x) :]
    for size in (len(x), 17, 16, 15, 1, 0):
        a = x[:size].requires_grad_()
        aligned = x[:size].detach().clone().requires_grad_()
        out, right = pwl(a, VALUES), pwl(aligned, VALUES)
        assert torch.equal(out, right)
        for got, expected in zip(
            torch.autograd.grad(out, a, grad[:size]), torch.autograd.grad(right, aligned, grad[:size].clone()),
            strict=True,
        ):  # fmt: skip
            assert torch.equal(got, expected)


def test_nothing_is_written_beside_the_result():
    # out and gradients are torch's own memory; x, grad and values lie here between guards
    memory = torch.full((3, 100), math.nan)
    x, grad, values = (row[20:57] for row in memory)
    for part in (x, grad):
        part.normal_()
    values[:9] = VALUES
    before = memory.clone()
    a, y = x.detach().requires_grad_(), values[:9].detach().requires_grad_()
    results = torch.autograd.grad(pwl(a, y), (a, y), grad)
    assert all(result.isfinite().all() for result in results)
    torch.testing.assert_close(memory, before, rtol=0, atol=0, equal_nan=True)


VIEWS = {
    "offset": lambda m: m.as_strided((4, 5), (5, 1), 3),
    "steps_both_ways": lambda m: m.as_strided((4, 5), (20, 3), 1),
    "overlapping_rows": lambda m: m.as_strided((4, 5), (1, 1), 2),
    "transposed": lambda m: m.as_strided((4, 5), (1, 4), 7),
    "one_value": lambda m: m.as_strided((4, 5), (0, 0), 9),
    "one_row": lambda m: m.as_strided((4, 5), (0, 2), 1),
    "odd_stride_of_a_size_one": lambda m: m.as_strided((4, 1, 5), (5, 77, 1), 0),
    "odd_strides_of_ones": lambda m: m.as_strided((1, 1, 1), (9, 0, 33), 5),
    "channels_last_of_ones": lambda m: m.as_strided((2, 3, 1, 1), (3, 1, 3, 3), 0),
    "empty_with_strides": lambda m: m.as_strided((4, 0, 5), (9, 9, 9), 0),
}


@pytest.mark.parametrize("view", VIEWS)
def test_any_view(view):
    memory = (torch.arange(120) * 0.37).sin() * 4
    x = VIEWS[view](memory)
    torch.testing.assert_close(pwl(x, VALUES), reference(x))
    values = torch.stack([VALUES + c for c in range(x.shape[1])]) if x.shape[1] else torch.stack([VALUES])
    shifts = torch.arange(max(x.shape[1], 1)).reshape(-1, *[1] * (x.ndim - 2))[: x.shape[1]]
    torch.testing.assert_close(pwl(x, values), reference(x) + shifts)
    a, y = x.detach().requires_grad_(), values.requires_grad_()
    grads = torch.autograd.grad(pwl(a, y).sum(), (a, y))
    torch.testing.assert_close(grads[1].sum(), torch.tensor(float(x.numel())))


@pytest.mark.parametrize("values_of", ["expanded", "step", "transposed", "offset"])
def test_values_of_any_layout(values_of):
    dense = torch.randn(3, 9)
    values = {
        "expanded": dense[:1].expand(3, 9),
        "step": torch.stack([dense, dense], -1).flatten(-2)[:, ::2],
        "transposed": dense.T.contiguous().T,
        "offset": torch.cat([torch.zeros(1), dense.flatten()])[1:].view(3, 9),
    }[values_of].requires_grad_()
    copy = values.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
    x, grad = torch.randn(4, 3, 5), torch.randn(4, 3, 5)
    assert torch.equal(pwl(x, values), pwl(x, copy))
    (got,) = torch.autograd.grad(pwl(x, values), values, grad)
    (right,) = torch.autograd.grad(pwl(x, copy), copy, grad)
    assert torch.equal(got, right)


@pytest.mark.parametrize("upstream", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_x_and_its_gradient_each_in_any_layout(layout, upstream):
    x = LAYOUTS[layout](torch.randn(2, 3, 4, 5)).detach().requires_grad_()
    grad = LAYOUTS[upstream](torch.randn(2, 3, 4, 5))
    values = torch.randn(3, 9, requires_grad=True)
    plain = x.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
    got = torch.autograd.grad(pwl(x, values), (x, values), grad)
    right = torch.autograd.grad(pwl(plain, values), (plain, values), grad.contiguous())
    torch.testing.assert_close(got[0], right[0], rtol=0, atol=0)
    torch.testing.assert_close(got[1], right[1], rtol=1e-5, atol=1e-5)
    if layout not in NOT_DENSE:
        assert_same_layout(got[0], x)


@pytest.mark.parametrize("types", TYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_x_and_values_are_all_that_is_kept(layout, types):
    kept = []
    x = LAYOUTS[layout](torch.randn(2, 3, 4, 5)).to(types[0]).requires_grad_()
    values = torch.randn(3, 9).to(types[1]).requires_grad_()

    def pack(tensor):
        kept.append(tensor.untyped_storage().data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        pwl(x, values)
    assert sorted(kept) == sorted([x.untyped_storage().data_ptr(), values.untyped_storage().data_ptr()])


def test_a_change_of_x_before_the_backward_pass_is_noticed():
    for change in ("x", "values"):
        x, values = torch.randn(5, requires_grad=True), VALUES.clone().requires_grad_()
        a, y = x * 1, values * 1
        out = pwl(a, y)
        (a if change == "x" else y).add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.sum().backward()


def test_the_result_is_memory_of_its_own():
    x, values = torch.randn(5), torch.linspace(-3, 3, 9)
    out = pwl(x, values)
    out.add_(1)
    torch.testing.assert_close(pwl(x, values), out - 1)
    a = x.clone().requires_grad_()
    grad = torch.ones(5)
    (grad_x,) = torch.autograd.grad(pwl(a, values), a, grad)
    grad_x.add_(1)
    assert torch.equal(grad, torch.ones(5))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_nothing_is_recorded_where_no_gradient_is_wanted(mode):
    x, values = torch.randn(5, requires_grad=True), VALUES.clone().requires_grad_()
    with mode():
        out = pwl(x, values)
    assert not out.requires_grad
    assert torch.equal(out, pwl(x, values))
    assert not pwl(x.detach(), values.detach()).requires_grad


def negated_part():
    """One number whose negation torch has put off: the memory holds 2, the tensor is -2."""
    x = torch.tensor([1 + 2j]).conj().imag
    assert x.is_neg()
    assert x.item() == -2
    return x


@pytest.mark.parametrize("argument", ["x", "values", "gradient"])
def test_numbers_whose_negation_is_put_off(argument, backend):
    line = torch.linspace(-3, 3, 9)
    if argument == "x":
        assert_close(pwl(negated_part(), line), torch.tensor([-2.0]))
    elif argument == "values":
        assert_close(pwl(torch.tensor([2.0]), torch._neg_view(line)), torch.tensor([-2.0]))
    else:
        x = torch.ones(1, requires_grad=True)
        assert_close(torch.autograd.grad(pwl(x, line), x, negated_part())[0], torch.tensor([-2.0]))


def test_numbers_that_are_zero_without_memory():
    assert_close(pwl(torch._efficientzerotensor(3), VALUES), pwl(torch.zeros(3), VALUES))


def test_values_on_another_device_are_refused():
    with pytest.raises((RuntimeError, ValueError), match="device"):
        pwl(torch.zeros(3), torch.zeros(5, device="meta"))
