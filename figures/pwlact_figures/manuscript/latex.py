"""Text and tables in LaTeX."""

import math
from collections.abc import Sequence

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "²": r"\textsuperscript{2}", "β": r"$\beta$", "ρ": r"$\rho$", "σ": r"$\sigma$", "∫": r"$\int$",
    "Σ": r"$\Sigma$", "−": r"$-$", "±": r"$\pm$", "≥": r"$\ge$", "≤": r"$\le$", "≈": r"$\approx$",
    "₀": r"\textsubscript{0}", "`": "",
}  # fmt: skip


def escape(text: str) -> str:
    """The text, printed by LaTeX as it reads; code marks (`) are left out."""
    return "".join(_SPECIAL.get(mark, mark) for mark in text)


def thousands(count: int) -> str:
    """The count with commas, which stand close also in formulas."""
    return f"{count:,}".replace(",", "{,}")


def at_least(value: float, digits: int) -> str:
    """The value, never rounded up: what is said to be at least this."""
    return f"{math.floor(value * 10**digits) / 10**digits:.{digits}f}"


def tabular(columns: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A booktabs table of cells that are LaTeX already."""
    lines = [" & ".join(row) + r" \\" for row in rows]
    parts = [f"\\begin{{tabular}}{{{columns}}}", r"\toprule", " & ".join(head) + r" \\", r"\midrule", *lines]
    return "\n".join([*parts, r"\bottomrule", r"\end{tabular}"])


def floating(content: str, caption: str, label: str, wide: bool = False) -> str:
    """A table that floats, with its caption above it."""
    kind = "table*" if wide else "table"
    return (
        f"\\begin{{{kind}}}[t]\n\\centering\\small\n\\caption{{{caption}}}\n\\label{{{label}}}\n"
        f"{content}\n\\end{{{kind}}}\n"
    )
