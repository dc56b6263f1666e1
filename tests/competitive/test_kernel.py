"""The compiled kernel for float32 rows against the same maps in PyTorch's operations."""

import pytest
import torch
from asserts import assert_close
from competitive.maps import extremes, rows

from pwlact.competitive import entmax15, softmax, sparsemax
from pwlact.pwl.kernels import native, use

NAMED = {"softmax": softmax, "sparsemax": sparsemax, "entmax15": entmax15}
needs_kernel = pytest.mark.skipif(not native.has_sparse_maps(), reason="the compiled kernel was not built")


def hard(width):
    """float32 rows with everything in them, odd rows between plain ones."""
    z = torch.cat([rows(width), 0.01 * rows(width), 20 * rows(width)]).float()
    z[3], z[5, 0], z[8, -1], z[11, width // 2], z[13, :-1] = -torch.inf, torch.inf, torch.nan, -torch.inf, -torch.inf
    z[17], z[19] = torch.inf, torch.nan
    return z


def both(call):
    """What the compiled kernel gives, and what PyTorch's operations give."""
    with use("torch"):
        expected = call()
    return call(), expected


@needs_kernel
@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("width", [2, 31, 32, 33, 64, 130, 1000])
def test_kernel_is_the_twin(name, width):
    z = hard(width)
    actual, expected = both(lambda: NAMED[name](z))
    assert_close(actual, expected, rtol=1e-5, atol=3e-7)
    plain = expected.isfinite().all(-1) & (expected.sum(-1) > 0)
    assert ((actual[plain].double().sum(-1) - 1).abs() < 1e-6).all()


@needs_kernel
@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("width", [2, 31, 32, 33, 130])
def test_kernel_gradient_is_the_twin(name, width):
    z = hard(width).requires_grad_()
    g = torch.randn_like(z)
    g[11] = torch.where(z[11] == -torch.inf, torch.nan, g[11])
    p = NAMED[name](z)
    actual, expected = both(lambda: torch.autograd.grad(p, z, g, retain_graph=True)[0])
    assert_close(actual, expected, rtol=1e-5, atol=1e-6)
    assert actual[11].isfinite().all()
    assert actual[19].isnan().all()
    assert (actual[3] == 0).all()


@needs_kernel
def test_extremes_in_float32():
    z = torch.cat([extremes(), 1e20 * extremes(), 1e-30 * extremes()]).float()
    for f in (sparsemax, entmax15):
        actual, expected = both(lambda f=f: f(z))
        assert_close(actual, expected, rtol=1e-5, atol=1e-6)


@needs_kernel
@pytest.mark.parametrize("count", [1, 31, 32, 33, 500])
def test_threads_share_the_rows(count):
    z, g = torch.randn(count, 70), torch.randn(count, 70)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            p = native.sparse_forward(z, "sparsemax")
            results.append((p, native.sparse_product(p, g, "sparsemax")))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@needs_kernel
def test_the_support_is_exact():
    """tau is that of the support: p_i = z_i - tau on it, and no unit outside it is above tau."""
    z = torch.randn(200, 300)
    p = sparsemax(z)
    exact = sparsemax(z.double())
    differ = (p > 0) != (exact > 0)
    # the two may differ only where a unit stands within rounding of tau
    assert (torch.maximum(p, exact.float())[differ] < 5e-7).all()
    assert differ.sum() < 3


@needs_kernel
def test_kernel_refuses_what_it_cannot_take():
    with pytest.raises(ValueError, match="out of range"):
        native._native.forward_sparse(7, 0, 0, 1, 1, 1)
    with pytest.raises(ValueError, match="out of range"):
        native._native.product_sparse(1, 0, 0, 0, 1, 0, 1)
