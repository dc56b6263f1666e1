"""How a layer's knot values get better, given hat statistics of each of its channels."""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact.correlation.objective import Objective, reward, signs
from pwlact.correlation.statistics import HatStatistics
from pwlact.pwl import roughness


def spread(values: Float[Tensor, "*functions knots"], channels: int) -> Float[Tensor, "channels knots"]:
    """Values (N,) or (G, N) as one row a channel, for channels in G groups of neighbours."""
    if values.ndim == 1:
        return values.expand(channels, -1)
    return values.repeat_interleave(channels // values.shape[0], 0)


def gradient(
    values: Float[Tensor, "*functions knots"], statistics: HatStatistics, objective: Objective, smoothness: float
) -> tuple[Float[Tensor, "*functions knots"], Float[Tensor, ""]]:
    """Gradient in y of J = mean_c R(rho_c) - smoothness mean_g sum_s (y_{s-1} - 2 y_s + y_{s+1})^2.

    Args:
        values: y, shape (N,) or (G, N).
        statistics: of each channel, batch dimension C.
        objective: "signed" or "energy".
        smoothness: weight of the roughness.

    Returns:
        dJ/dy, in the shape of `values`, and mean_c R, a constant.
    """
    y = values.detach().float().requires_grad_()
    with torch.enable_grad():
        mean_reward = reward(statistics.correlations(spread(y, statistics.counts.shape[0])), objective).mean()
        j = mean_reward - smoothness * roughness(y).mean()
        (slope,) = torch.autograd.grad(j, y)
    return slope.to(values.dtype), mean_reward.detach()


@torch.no_grad()
def optimum(
    values: Float[Tensor, "*functions knots"],
    statistics: HatStatistics,
    objective: Objective,
    smoothness: float,
    iterations: int = 3,
) -> tuple[Float[Tensor, "*functions knots"], Float[Tensor, ""]]:
    """Knot values with a higher J than `values`, climbed to by eigenproblems; norm and left knot as in `values`.

    With the signs s_ck = sign rho_ck, the variances v_c = y'B_c y and the rewards R_c fixed at the present y, and
    means over the channels c of a function, the next y is the top generalised eigenvector of

        mean_c [sum_k s_ck D_ck D_ck' + (mean R - R_c) B_c] / v_c - smoothness P    and    mean_c B_c / v_c,

    P the matrix of the roughness. Without smoothness the maxima of J are fixed points of this, and for one channel
    it is the eigenproblem of the exact solver. Where signs change, or the penalty depends on the scale of y, a step
    may overshoot: the best y on the way is returned, which may be the first. Channels on which f is flat count
    nothing, as in J.

    Args:
        values: y, shape (N,) or (G, N), not constant.
        statistics: of each channel, batch dimension C.
        objective: "signed" or "energy".
        smoothness: weight of the roughness.
        iterations: eigenproblems in a row.

    Returns:
        values with the left knot and the norm about it of those given, NaN where the statistics are not finite; and
        mean_c R at `values`.

    References:
        Zhang, "On a self-consistent-field-like iteration for maximizing the sum of the Rayleigh quotients", 2014.
    """
    statistics = statistics.double()
    given = values.double().reshape(-1, values.shape[-1])
    first, y = given[:, :1], given - given[:, :1]
    size = y.norm(dim=-1, keepdim=True)
    before = _rewards(y, statistics, objective)
    best, highest = y, _score(y, before, smoothness)
    for _ in range(iterations):
        y = _top(*_pencil(y, statistics, objective, smoothness), y)
        y = y * size / y.norm(dim=-1, keepdim=True)
        score = _score(y, _rewards(y, statistics, objective), smoothness)
        better = score > highest
        best, highest = torch.where(better[:, None], y, best), torch.where(better, score, highest)
    best = torch.where(highest.isfinite()[:, None], first + best, torch.nan)
    return best.reshape(values.shape).to(values.dtype), before.mean().to(values.dtype)


def _rewards(y: Tensor, statistics: HatStatistics, objective: Objective) -> Tensor:
    """R of each channel, (G, C / G)."""
    rho = statistics.correlations(spread(y, statistics.counts.shape[0]))
    return reward(rho, objective).reshape(y.shape[0], -1)


def _score(y: Tensor, rewards: Tensor, smoothness: float) -> Tensor:
    """J of each function, (G,)."""
    return rewards.mean(-1) - smoothness * roughness(y)


def _pencil(y: Tensor, statistics: HatStatistics, objective: Objective, smoothness: float) -> tuple[Tensor, Tensor]:
    """Both matrices of `optimum` at y, (G, N) with left knots at 0: symmetric, the second one made definite."""
    groups, count = y.shape
    rows = spread(y, statistics.counts.shape[0])
    variance = statistics.variance(rows)
    # below, the variance is rounding of sums in float32
    weights = torch.where(variance > 1e-6 * rows.abs().amax(-1).square(), 1 / variance, 0.0)
    rho = statistics.correlations(rows)
    rewards = reward(rho, objective).reshape(groups, -1)
    excess = (rewards.mean(-1, keepdim=True) - rewards).reshape(-1)
    scaled = statistics.contrasts * weights.sqrt()[:, None, None]
    second = statistics.second_moments() * weights[:, None, None]
    mean = statistics.mean * weights.sqrt()[:, None]
    b = second - mean[:, :, None] * mean[:, None, :]
    a = (scaled.mT * signs(rho, objective)[:, None, :]) @ scaled + excess[:, None, None] * b
    a, b, second = (part.reshape(groups, -1, count, count).mean(1) for part in (a, b, second))
    one = torch.eye(count, dtype=y.dtype, device=y.device)
    bends = one.diff(n=2, dim=0)
    # sums in float32 leave B definite only to such a share of E[phi_s^2], which is 0 where knots have no mass
    mass = second.diagonal(dim1=-2, dim2=-1)
    held = torch.diag_embed(1e-5 * torch.maximum(mass, 1e-3 * mass.mean(-1, keepdim=True)).clamp(min=1e-30))
    # R is above -K, so that no function that is flat on the data comes out on top
    return a - smoothness * bends.T @ bends - rho.shape[-1] * held, b + held


def _top(a: Tensor, b: Tensor, like: Tensor) -> Tensor:
    """Top generalised eigenvectors of (A, B) on the side of `like`, left knots at 0, (G, N); NaN where A or B is."""
    finite = (a.sum((-2, -1)) + b.sum((-2, -1))).isfinite()[:, None]
    one = torch.eye(b.shape[-1], dtype=b.dtype, device=b.device)
    a, b = (torch.where(finite[..., None], part, one) for part in (a, b))
    factor = torch.linalg.cholesky_ex(b).L
    whitened = torch.linalg.solve_triangular(factor, a, upper=False)
    whitened = torch.linalg.solve_triangular(factor, whitened.mT, upper=False)
    _, vectors = torch.linalg.eigh((whitened + whitened.mT) / 2)
    y = torch.linalg.solve_triangular(factor.mT, vectors[..., -1:], upper=True)[..., 0]
    y = y - y[:, :1]
    same_side = (y * (b @ like[..., None])[..., 0]).sum(-1, keepdim=True) >= 0
    return torch.where(finite, torch.where(same_side, y, -y), torch.nan)
