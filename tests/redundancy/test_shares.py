"""Shares of gradient: against loops, the half that a softmax cannot exceed, extremes."""

import pytest
import torch
from asserts import assert_close, assert_refused

from pwlact.redundancy import gradient_shares, largest_shares


def twin(gradient):
    rows = [row for row in gradient.abs().tolist() if any(row)]
    shares = [[value / sum(row) for value in row] for row in rows]
    units = gradient.shape[1]
    means = [sum(row[unit] for row in shares) / max(1, len(shares)) for unit in range(units)]
    return means, sum(max(row) for row in shares) / max(1, len(shares))


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 1), (30, 4)])
def test_equal_loops(shape):
    gradient = torch.randn(shape, dtype=torch.float64)
    if shape[0] > 1:
        gradient[2] = 0.0  # an input without gradient
    means, largest = twin(gradient)
    assert_close(gradient_shares(gradient), torch.tensor(means, dtype=torch.float64))
    assert float(largest_shares(gradient)) == pytest.approx(largest, rel=1e-12)
    batch = torch.stack([gradient, gradient * 3, -gradient])
    assert_close(largest_shares(batch), largest_shares(gradient).expand(3))
    assert_close(gradient_shares(batch)[2], gradient_shares(gradient))


def test_softmax_gives_no_unit_more_than_half():
    z = (4 * torch.randn(200, 7, dtype=torch.float64)).requires_grad_()
    (torch.randn(200, 7, dtype=torch.float64) * z.softmax(-1)).sum().backward()
    assert z.grad is not None
    assert_close(z.grad.sum(-1), torch.zeros(200, dtype=torch.float64), atol=1e-14)
    assert 1 / 7 < largest_shares(z.grad) <= 0.5
    assert_close(gradient_shares(z.grad).sum(), torch.tensor(1.0, dtype=torch.float64))


def test_extremes_and_nothing():
    big = torch.finfo(torch.float64).max
    gradient = torch.tensor([[big, -big], [5e-324, 0.0], [0.0, 0.0]], dtype=torch.float64)
    assert gradient_shares(gradient).tolist() == [0.75, 0.25]
    assert largest_shares(gradient) == 0.75
    assert largest_shares(torch.zeros(4, 3)) == 0
    assert gradient_shares(torch.zeros(4, 3)).tolist() == [0.0] * 3
    for call in (gradient_shares, largest_shares):
        assert_refused(lambda call=call: call(torch.tensor([[torch.inf, 1.0]])), "gradient must be finite")
        assert_refused(lambda call=call: call(torch.zeros(0, 3)), "(0, 3)")
