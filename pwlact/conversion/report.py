"""What a conversion did: every activation replaced, every activation left and why."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Replaced:
    """One activation that was replaced.

    Attributes:
        name: path of the new module in the model; empty where it is the model itself.
        was: what stood there, as source would write it.
        became: the new activation.
        error: largest |new - old| between the first and the last knot; NaN where not measured.
        error_twice: the same on an interval twice as wide, where the tails count.
        note: what to know about this place, such as why it is shared; mostly empty.
    """

    name: str
    was: str
    became: str
    error: float
    error_twice: float
    note: str = ""


@dataclass(frozen=True)
class Left:
    """One activation that stays as it is.

    Attributes:
        name: path of the module that holds or calls it.
        what: the activation.
        why: the reason, one line.
    """

    name: str
    what: str
    why: str


@dataclass
class ConversionReport:
    """Every activation of a model, replaced or left; prints as a table.

    Attributes:
        replaced: what was replaced, in the order of the modules.
        left: what was not, with reasons.
        difference: largest difference between the outputs on the example before and after; None without one.
    """

    replaced: list[Replaced] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    difference: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain dicts, lists, numbers and text."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{_count(len(self.replaced), 'activation')} replaced, {len(self.left)} left"]
        if self.replaced:
            rows = [
                (r.name or "(model)", r.was, r.became, f"{r.error:.2g}", f"{r.error_twice:.2g}", r.note)
                for r in self.replaced
            ]
            lines += table(("replaced", "was", "became", "error", "beyond", ""), rows)
        if self.left:
            lines += [
                "",
                *table(("left", "what", "why"), [(row.name or "(model)", row.what, row.why) for row in self.left]),
            ]
        if self.difference is not None:
            lines += ["", f"largest difference of the outputs on the example: {self.difference:.2g}"]
        return "\n".join(lines)


@dataclass
class BakedLayer:
    """One activation that was baked.

    Attributes:
        name: path of the module in the model; empty where it is the model itself.
        was: the learnable activation.
        became: the fixed function.
        worst: largest |new - old| between the first and the last knot, over all functions of the layer.
        mean: the mean of it.
        seen_worst: the largest at the inputs that the layer has on the example; NaN without one.
        seen_mean: the mean of it.
        note: how well a Swish fits; empty otherwise.
    """

    name: str
    was: str
    became: str
    worst: float
    mean: float
    seen_worst: float = float("nan")
    seen_mean: float = float("nan")
    note: str = ""


@dataclass
class BakeReport:
    """How far each baked activation is from the learnt one; prints as a table.

    Attributes:
        layers: the activations, in the order of the modules.
        difference: largest difference between the outputs on the example before and after; None without one.
    """

    layers: list[BakedLayer]
    difference: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain dicts, lists, numbers and text."""
        return asdict(self)

    def __str__(self) -> str:
        seen = self.difference is not None
        head = ("baked", "became", "worst", "mean", *(("seen worst", "seen mean") if seen else ()), "")
        rows = [
            (
                layer.name or "(model)",
                layer.became,
                *(f"{number:.2g}" for number in (layer.worst, layer.mean)),
                *(f"{number:.2g}" for number in (layer.seen_worst, layer.seen_mean) if seen),
                layer.note,
            )
            for layer in self.layers
        ]
        lines = [f"{_count(len(rows), 'activation')} baked", *table(head, rows)]
        if seen:
            lines += ["", f"largest difference of the outputs on the example: {self.difference:.2g}"]
        return "\n".join(lines)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Lines of a table with columns as wide as their widest cell."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    written = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]]
    lines = [f"  {line}".rstrip() for line in written]
    return [lines[0], "  " + "-" * (max(map(len, lines)) - 2), *lines[1:]]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
