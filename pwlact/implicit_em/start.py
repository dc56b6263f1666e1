"""Where prototypes start: at samples far from each other, moved to the middle of what is nearest."""

import torch
from jaxtyping import Float
from torch import Tensor

from pwlact import checks
from pwlact.implicit_em.numbers import table


def spread_samples(
    x: Float[Tensor, "n D"], count: int, generator: torch.Generator | None = None
) -> Float[Tensor, "{count} D"]:
    """So many of the samples, each drawn in proportion to its squared distance from those before (k-means++).

    Args:
        x: finite samples.
        count: how many; samples repeat only where fewer differ.
        generator: of the draws, on the device of x; torch's own unless given.

    Returns:
        rows of x, in its type, at least float32.

    Raises:
        InputError: no samples, values that are not finite, or a count below 1.

    References:
        D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    """
    checks.at_least("count", count, 1)
    x = table("x", x)
    if not bool(x.isfinite().all()):
        raise checks.InputError(
            f"x must be finite, got {int((~x.isfinite()).sum())} of {x.numel()} values that are not"
        )
    # in units of the data: squares of very large or small numbers leave the range of float32
    size = x.abs().amax().clamp(min=torch.finfo(x.dtype).tiny)
    scaled = (x / size).double()
    chosen = [int(torch.randint(len(x), (), generator=generator, device=x.device))]
    nearest = torch.full((len(x),), torch.inf, dtype=torch.float64, device=x.device)
    for _ in range(count - 1):
        nearest = torch.minimum(nearest, (scaled - scaled[chosen[-1]]).square().sum(-1))
        share = nearest / nearest.sum() if bool(nearest.sum() > 0) else torch.ones_like(nearest)
        chosen.append(int(torch.multinomial(share, 1, generator=generator)))
    return x[torch.tensor(chosen, device=x.device)]


def k_means(
    x: Float[Tensor, "n D"], count: int, generator: torch.Generator | None = None, rounds: int = 10
) -> Float[Tensor, "{count} D"]:
    """Centres from `spread_samples`, then rounds of: each goes to the mean of the samples that are nearest to it.

    Args:
        x: finite samples.
        count: how many centres.
        generator: as for `spread_samples`.
        rounds: of Lloyd's algorithm; a centre that is nearest to none stays.

    Returns:
        centres, in the type of x, at least float32.

    Raises:
        InputError: as for `spread_samples`.
    """
    centres = spread_samples(x, count, generator)
    x = x.to(centres.dtype)
    for _ in range(rounds):
        nearest = torch.cdist(x.double(), centres.double()).argmin(-1)
        own = torch.nn.functional.one_hot(nearest, count).to(x.dtype)
        number = own.sum(0)[:, None]
        # divided first: the sum of large numbers would leave their range
        means = (own / number.clamp(min=1.0).mT).mT @ x
        centres = torch.where(number > 0, means, centres)
    return centres


def spread_within(x: Float[Tensor, "n D"], centres: Float[Tensor, "K D"]) -> Float[Tensor, " D"]:
    """Standard deviation of each coordinate about the nearest centre; at least a thousandth of that about the mean.

    Args:
        x: finite samples.
        centres: in the type of x.

    Returns:
        deviations above 0; 1 in a coordinate that is the same in all samples.
    """
    nearest = centres[torch.cdist(x.double(), centres.double()).argmin(-1)]
    total = (x - x.mean(0)).square().mean(0).sqrt()
    within = (x - nearest).square().mean(0).sqrt()
    floor = torch.where(total > 0, 1e-3 * total, 1.0)
    return torch.maximum(within, floor)
