"""What the draft reports of EMNIST Letters, to stand beside what is measured here on whatever letters are at hand.

Source: the homework draft, questions 1 and 2; accuracies as it prints them.
"""

from collections.abc import Mapping
from types import MappingProxyType

PERCEPTRON = {"test": 0.611}
"""Question 1.1."""

LOGISTIC = {"test": 0.696}
"""Question 1.2 (a): one rate, no penalty grid."""

LOGISTIC_GRID: Mapping[tuple[str, float, float], float] = MappingProxyType(
    {
        ("pixels", 1e-4, 1e-5): 0.6940,
        ("pixels", 1e-4, 1e-4): 0.6951,
        ("pixels", 1e-3, 1e-5): 0.7192,
        ("pixels", 1e-3, 1e-4): 0.7195,
        ("pixels", 1e-2, 1e-5): 0.6992,
        ("pixels", 1e-2, 1e-4): 0.6948,
        ("2 x 2 maxima", 1e-4, 1e-5): 0.6668,
        ("2 x 2 maxima", 1e-4, 1e-4): 0.6680,
        ("2 x 2 maxima", 1e-3, 1e-5): 0.7091,
        ("2 x 2 maxima", 1e-3, 1e-4): 0.7095,
        ("2 x 2 maxima", 1e-2, 1e-5): 0.7086,
        ("2 x 2 maxima", 1e-2, 1e-4): 0.7067,
    }
)
"""Question 1.2 (c): (features, rate, penalty) -> validation accuracy; two rows stand there twice."""

LOGISTIC_BEST = {"test": 0.721}
"""Question 1.2 (c): the best of the grid."""

WIDTH: Mapping[int, dict[str, float]] = MappingProxyType(
    {
        16: {"validation": 0.781, "train": 0.793, "test": 0.784},
        32: {"validation": 0.844, "train": 0.864, "test": 0.845},
        64: {"validation": 0.881, "train": 0.909, "test": 0.880},
        128: {"validation": 0.898, "train": 0.938, "test": 0.896},
        256: {"validation": 0.909, "train": 0.949, "test": 0.908},
    }
)
"""Question 2, part 2: the best setting of each width."""

DEPTH: Mapping[int, dict[str, float]] = MappingProxyType(
    {
        1: {"validation": 0.817, "train": 0.828, "test": 0.818},
        3: {"validation": 0.792, "train": 0.803, "test": 0.793},
        5: {"validation": 0.717, "train": 0.725, "test": 0.718},
        7: {"validation": 0.630, "train": 0.637, "test": 0.635},
        9: {"validation": 0.524, "train": 0.533, "test": 0.528},
    }
)
"""Question 2, part 3: width 32 with the settings of width 256."""


def reported(row: Mapping) -> dict[str, float] | None:
    """The draft's figures for a row of the study, or None where it has none.

    Args:
        row: of `pwlact letters`.
    """
    match row["study"]:
        case "perceptron":
            return PERCEPTRON
        case "logistic" if row["features"] == "pixels":
            return LOGISTIC_BEST if row["grid"] else LOGISTIC
        case "width":
            return WIDTH.get(row["width"])
        case "depth" if row["variant"] == "as-draft":
            return DEPTH.get(row["depth"])
        case _:
            return None
