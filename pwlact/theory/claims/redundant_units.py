"""Claims of the competitive-activations draft about trained units, measured from committed runs of `pwlact redundancy`.

Two settings: points in the plane, one hidden layer of 16 units, every model trained to the same loss; and MNIST, one to
five hidden layers of 64 units. The base is ReLU with the same seeds.
"""

from statistics import fmean
from typing import Any

import numpy as np

from pwlact.theory.claims.drafts import COMPETITIVE
from pwlact.theory.claims.ledger import Check, Claim, Measurement, above, below, weigh
from pwlact.theory.claims.studies import Study, from_studies

TOY, MLP, GROUPS = "redundancy/toy", "redundancy/mlp-mnist", "redundancy/groups"
_TOY, _MLP, _GROUPS = (
    f"pwlact redundancy {name} --results figures/results/redundancy" for name in ("toy", "mlp", "groups")
)


def _against(study: Study, activation: str, measure: str) -> tuple[float, float, int]:
    """Mean difference from ReLU over conditions, in points, its standard error, and the number of seeds."""
    line = next(line for line in study["overall"] if line["activation"] == activation)
    found = line["against"][measure]
    return 100 * found["mean"], 100 * (found["stderr"] or float("nan")), found["n"]


def _text(what: str, activation: str, where: str, found: tuple[float, float, int]) -> str:
    return f"{what} of {activation} less ReLU's in points, {where}, {found[2]} seeds, standard error {found[1]:.2g}:"


def _lower(
    study: Study, where: str, activation: str, measure: str, what: str, most: float, *, core: bool = True
) -> Check:
    found = _against(study, activation, measure)
    return below(_text(what, activation, where, found), found[0], most, core=core)


def _higher(
    study: Study, where: str, activation: str, measure: str, what: str, least: float, *, core: bool = True
) -> Check:
    found = _against(study, activation, measure)
    return above(_text(what, activation, where, found), found[0], least, core=core)


def _depths(study: Study, activation: str, measure: str = "accuracy") -> list[float]:
    rows = sorted((row for row in study["rows"] if row["activation"] == activation), key=lambda row: row["depth"])
    return [100 * row[measure]["mean"] for row in rows]


def _restrictive(mlp: Study) -> Measurement:
    lost = [own - relu for own, relu in zip(_depths(mlp, "softmax"), _depths(mlp, "relu"), strict=True)]
    return weigh(
        _lower(mlp, "MNIST, one to five layers", "softmax", "accuracy", "test accuracy", -1.0),
        below("the same with one layer", lost[0], -1.0),
        note=f"with five layers {lost[-1]:.1f}",
    )


def _specialises(toy: Study, mlp: Study) -> Measurement:
    return weigh(
        _lower(toy, "in the plane", "softmax", "duplicate_units", "duplicated outputs", 0.0),
        _lower(mlp, "MNIST", "softmax", "duplicate_units", "duplicated outputs", 0.0),
        _higher(mlp, "MNIST", "softmax", "effective_rank", "effective rank", 0.0),
    )


def _unstable(toy: Study, mlp: Study) -> Measurement:
    rows = [row for study in (toy, mlp) for row in study["rows"] if row["activation"] == "z-times-softmax"]
    runs = sum(len(row["accuracy"]["values"]) for row in rows)
    curve = _depths(mlp, "z-times-softmax")
    return weigh(
        above(f"share of {runs} runs at the best rate that diverged", fmean(row["diverged"] for row in rows), 0.01),
        note=f"depth costs accuracy: MNIST, one to five layers, {', '.join(f'{value:.1f}' for value in curve)} %",
    )


def _too_weak(toy: Study, mlp: Study) -> Measurement:
    return weigh(
        _higher(toy, "in the plane", "z-plus-softmax", "duplicate_units", "duplicated outputs", 0.0),
        _lower(mlp, "MNIST", "z-plus-softmax", "effective_rank", "effective rank", 0.0),
        note=f"duplicated outputs with no activation at all: {_against(toy, 'identity', 'duplicate_units')[0]:.2f}",
    )


def _group_size(groups: Study) -> Measurement:
    rows = [row for row in groups["rows"] if row["kind"] == "grouped-softmax"]
    sizes = sorted({row["size"] for row in rows})

    def means(part: str) -> list[float]:
        return [fmean(row["trained"][part]["mean"] for row in rows if row["size"] == size) for size in sizes]

    share, rank = means("largest_share"), means("effective_rank")
    what = f"groups of {', '.join(map(str, sizes))}: change from the smallest to the largest"
    steady = min(abs(_ranks(sizes, curve)) for curve in (share, rank))
    return weigh(
        above(f"{what} in the largest unit's share of the gradient", share[-1] - share[0], 0.0),
        below(f"{what} in effective rank over units", rank[-1] - rank[0], 0.0),
        above("least rank correlation of the two with size", steady, 0.8, core=False),
    )


def _ranks(x: Any, y: Any) -> float:
    return float(np.corrcoef(np.argsort(np.argsort(x)), np.argsort(np.argsort(y)))[0, 1])


def _sparsemax(toy: Study, mlp: Study) -> Measurement:
    return weigh(
        _lower(toy, "in the plane", "sparsemax", "duplicate_units", "duplicated outputs", 0.0),
        _higher(toy, "in the plane", "sparsemax", "distinct", "outputs that live and repeat no other", 0.0),
        _higher(mlp, "MNIST", "sparsemax", "accuracy", "test accuracy", -0.5),
        note="the units that live are less alike; the rest are dead",
    )


def _parallel(toy: Study, mlp: Study) -> Measurement:
    return weigh(
        _higher(mlp, "MNIST", "parallel-paths", "accuracy", "test accuracy", -0.5),
        _lower(mlp, "MNIST", "parallel-paths", "dead", "dead outputs", 0.0),
        _higher(
            toy, "in the plane", "parallel-paths", "distinct", "outputs that live and repeat no other", 0.0, core=False
        ),
        _higher(mlp, "MNIST", "parallel-paths", "effective_rank", "effective rank over outputs", 0.0, core=False),
    )


_ROWS = (
    ("softmax-restrictive", "softmax is too restrictive for hidden layers", from_studies(_restrictive, MLP), _MLP),
    ("softmax-specialises", "softmax makes hidden units specialise", from_studies(_specialises, TOY, MLP), _MLP),
    (
        "z-softmax-unstable",
        "z * softmax(z) may be unstable: large z amplifies signal and competition",
        from_studies(_unstable, TOY, MLP),
        _MLP,
    ),
    (
        "z-plus-softmax-specialises",
        "z + softmax(z) competes too weakly to make units specialise",
        from_studies(_too_weak, TOY, MLP),
        _MLP,
    ),
    (
        "grouped-tradeoff",
        "group size trades competition for expressiveness",
        from_studies(_group_size, GROUPS),
        _GROUPS,
    ),
    (
        "sparsemax-benefits",
        "sparsemax combines the benefits of sparsity and competition",
        from_studies(_sparsemax, TOY, MLP),
        _TOY,
    ),
    (
        "parallel-paths",
        "competitive and plain paths side by side keep both signals useful",
        from_studies(_parallel, TOY, MLP),
        _MLP,
    ),
)

REDUNDANCY_CLAIMS: tuple[Claim, ...] = tuple(
    COMPETITIVE.claim(name, stated, measure, command) for name, stated, measure, command in _ROWS
)
