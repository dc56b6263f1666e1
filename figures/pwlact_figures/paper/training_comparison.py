"""Figure S9: accuracy of all kinds of activation over the seeds, curves over the epochs, and what baking costs."""

import math
from statistics import mean, stdev
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pwlact.checks import InputError
from pwlact_figures.paper import network_runs as runs
from pwlact_figures.paper.figure import PaperFigure
from pwlact_figures.paper.network_runs import NetworkRun
from pwlact_figures.paper.panels import title_panel
from pwlact_figures.paper.results import MissingResultError, Results
from pwlact_figures.style import BLACK, PAGE_INCHES

MARKS = {"silu": "D", "backprop": "o"}
"""What others are compared with, and its mark."""
PARTS = ("validation", "test")
FITTED = {"knots": ("o", "Swish, fitted to the knots"), "inputs": ("D", "Swish, fitted to the inputs")}
"""What Swishes were fitted to: the mark of each and its name."""


def compute(results: Results) -> dict[str, Any]:
    """Every architecture and width of which two kinds or more are there; all seeds."""
    groups = []
    for arch in runs.ARCHS:
        there = runs.finished(results, arch)
        for width in dict.fromkeys(run.width for run in there):
            chosen = [run for run in there if run.width == width]
            if len({run.kind for run in chosen}) > 1:
                groups.append(_group(results, chosen))
    if not groups:
        command = runs.study(runs.ARCHS, ("silu", "backprop", "local"))
        raise MissingResultError(f"{results.folder / runs.FOLDER} lacks runs of two kinds: `{command}` makes them")
    return {"groups": groups}


def _group(results: Results, chosen: list[NetworkRun]) -> dict[str, Any]:
    """The runs of one architecture and width."""
    found = [(run, _scores(results, run)) for run in chosen]
    _check_comparable(results, found)
    kinds = {
        kind: [score for run, score in found if run.kind == kind] for kind in dict.fromkeys(r.kind for r in chosen)
    }
    first = found[0][1]
    return {
        "arch": runs.ARCHS[chosen[0].arch],
        "width": chosen[0].width,
        "epochs": first["epochs"][-1],
        "n": first["n"],
        "kinds": {kind: _summary(scores) for kind, scores in kinds.items()},
        "differences": {
            other: {kind: _difference(kinds[kind], kinds[other]) for kind in kinds if kind != other}
            for other in MARKS
            if other in kinds
        },
        "baking": {run.kind: baked for run in chosen if (baked := _baking(results, run))},
    }


def _scores(results: Results, run: NetworkRun) -> dict[str, Any]:
    """Accuracies of a run in per cent, at the end and, on validation images, after each epoch."""
    record = runs.read_result(results, run)
    with runs.reading(results, f"{run.name}/{runs.RESULT}", run.command):
        history = record["history"]
        return {
            "seed": run.seed,
            "validation": 100 * runs.known(record["val"]["accuracy"]),
            "test": 100 * runs.known(record["test"]["accuracy"]),
            "n": {"validation": int(record["val"]["n"]), "test": int(record["test"]["n"])},
            "epochs": [int(row["epoch"]) for row in history],
            "curve": [None if (value := runs.number(row["val_accuracy"])) is None else 100 * value for row in history],
            "training_loss": runs.number(history[-1]["train_loss"]),
        }


def _check_comparable(results: Results, found: list[tuple[NetworkRun, dict[str, Any]]]) -> None:
    first, score = found[0]
    for run, other in found[1:]:
        for what in ("n", "epochs"):
            if other[what] != score[what]:
                raise InputError(
                    f"{results.folder / run.name} has other {'numbers of images' if what == 'n' else 'epochs'} than "
                    f"{first.name}: they do not compare; `{run.command}` makes it anew"
                )


def _summary(scores: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation over the seeds, and the binomial standard error of one accuracy at that mean."""
    summary: dict[str, Any] = {"seeds": [score["seed"] for score in scores]}
    for part in PARTS:
        values = [score[part] for score in scores]
        middle = mean(values)
        summary[part] = {
            "values": values,
            "mean": middle,
            "sd": stdev(values) if len(values) > 1 else None,
            "binomial_error": math.sqrt(max(0.0, middle * (100 - middle)) / scores[0]["n"][part]),
        }
    losses = [score["training_loss"] for score in scores if score["training_loss"] is not None]
    summary["training_loss"] = mean(losses) if losses else None
    return summary | {"epochs": scores[0]["epochs"], "curves": [score["curve"] for score in scores]}


def _difference(scores: list[dict[str, Any]], others: list[dict[str, Any]]) -> dict[str, Any]:
    """Validation accuracy less that of another kind, in points, over the seeds that both have."""
    theirs = {score["seed"]: score for score in others}
    pairs = [(score, theirs[score["seed"]]) for score in scores if score["seed"] in theirs]
    apart = [ours["validation"] - other["validation"] for ours, other in pairs]
    return {
        "seeds": [ours["seed"] for ours, _ in pairs],
        "values": apart,
        "mean": mean(apart) if apart else None,
        "error": stdev(apart) / math.sqrt(len(apart)) if len(apart) > 1 else None,
    }


def _baking(results: Results, run: NetworkRun) -> dict[str, Any] | None:
    """What it costs to put the fitted Swishes in the place of the learnt functions; None where it was not measured."""
    if run.kind not in {"backprop", "local", "local-channel", "local-moving", "local-moving-channel"}:
        return None
    if not (results.folder / run.name / runs.INSPECTION).is_file():
        return None
    part = runs.read_inspection(results, run, "baking")
    with runs.reading(results, f"{run.name}/{runs.INSPECTION}", run.command):
        found = part["validation"]
        fits = {"knots": found} | ({"inputs": part["inputs"]["validation"]} if "inputs" in part else {})
        return {
            "seed": run.seed,
            "n": int(found["n"]),
            "learnt": 100 * runs.known(found["learnt"]["accuracy"]),
            "fitted": {
                where: {
                    "swish": 100 * runs.known(fit["swish"]["accuracy"]),
                    "difference": runs.known(fit["difference"]),
                    "error": runs.known(fit["standard_error"]),
                }
                for where, fit in fits.items()
            },
        }


def draw(data: dict[str, Any]) -> Figure:
    """A row a group: accuracy at the end, differences, curves; the last row is what baking costs."""
    groups = data["groups"]
    heights = [0.95 + 0.17 * max(len(group["kinds"]), 4) for group in groups]
    baked = [(group, kind, one) for group in groups for kind, one in group["baking"].items()]
    if baked:
        heights.append(0.95 + 0.17 * max(len(baked), 3))
    figure = Figure(figsize=(PAGE_INCHES, sum(heights) + 0.15))
    blocks = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    for block, group in zip(blocks, groups, strict=False):
        left, middle, right = block.subplots(1, 3, width_ratios=(1, 1, 1.1))
        _accuracies(left, group)
        _differences(middle, group)
        _curves(right, group)
        name = f"{group['arch']}, width {group['width']:g}"
        for axes, title in ((left, name), (middle, "difference (hollow: one seed)"), (right, "over the epochs")):
            title_panel(axes, next(letters), title)
        if group["differences"]:
            # below the panels: among few points a mark of the legend looks like one of them
            handles = [_mark(other) for other in group["differences"]]
            block.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=6.5)
    if baked:
        axes = blocks[-1].subplots()
        _baked(axes, baked)
        title_panel(axes, next(letters), "learnt activations replaced by their Swish fits, without further training")
        handles = [Line2D([], [], marker="o", color=BLACK, linewidth=0, markersize=4, label="learnt")]
        handles += [
            Line2D([], [], marker=mark, color=BLACK, markerfacecolor="white", linewidth=0, markersize=4, label=name)
            for mark, name in FITTED.values()
        ]
        blocks[-1].legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=6.5)
    return figure


def _names(axes: Axes, kinds: list[str], labels: bool = True) -> None:
    axes.set_yticks(range(len(kinds)), [runs.LOOKS[kind][0] for kind in kinds] if labels else [""] * len(kinds))
    axes.set_ylim(len(kinds) - 0.5, -0.5)


def _accuracies(axes: Axes, group: dict[str, Any]) -> None:
    """A dot a seed, a stroke at their mean, and one binomial standard error to both sides of it."""
    for place, (kind, summary) in enumerate(group["kinds"].items()):
        part, colour = summary["validation"], runs.LOOKS[kind][1]
        axes.barh(place, 2 * part["binomial_error"], 0.7, left=part["mean"] - part["binomial_error"], color="0.88")
        axes.plot([part["mean"]] * 2, [place - 0.35, place + 0.35], color=colour, linewidth=1.6)
        values = part["values"]
        axes.plot(values, place + _apart(len(values)), "o", color=colour, markersize=3, markeredgecolor="white",
                  markeredgewidth=0.3)  # fmt: skip
    _names(axes, list(group["kinds"]))
    axes.set_xlabel(f"validation (%), n = {group['n']['validation']:,}")
    ends = [end for summary in group["kinds"].values() for end in _ends(summary["validation"])]
    margin = 0.05 * (max(ends) - min(ends)) or 1.0
    axes.set_xlim(min(ends) - margin, max(ends) + margin)


def _ends(part: dict[str, Any]) -> list[float]:
    """All that is drawn of a kind's accuracy."""
    return [part["mean"] - part["binomial_error"], part["mean"] + part["binomial_error"], *part["values"]]


def _differences(axes: Axes, group: dict[str, Any]) -> None:
    """Means over the seeds with their standard errors; of one seed no error is known, and the mark is hollow."""
    kinds = list(group["kinds"])
    axes.axvline(0, color=BLACK, linewidth=0.6)
    for rank, (other, found) in enumerate(group["differences"].items()):
        colour = runs.LOOKS[other][1]
        places = kinds.index
        for kind, one in found.items():
            if one["mean"] is None:
                continue
            y = places(kind) + 0.2 * (rank - 0.5)
            face = colour if one["error"] is not None else "white"
            axes.errorbar(
                one["mean"], y, xerr=one["error"], fmt=MARKS[other], color=colour, markerfacecolor=face, markersize=3.2,
                markeredgewidth=0.8, elinewidth=0.9,
            )  # fmt: skip
    _names(axes, kinds, labels=False)
    axes.set_xlabel("points (± s.e. over seeds)")


def _mark(other: str) -> Line2D:
    """What a difference to this kind looks like, for the legend."""
    name, colour = runs.LOOKS[other]
    return Line2D([], [], marker=MARKS[other], color=colour, linewidth=0.9, markersize=3.2, label=f"less {name}")


def _curves(axes: Axes, group: dict[str, Any]) -> None:
    for kind, summary in group["kinds"].items():
        colour, curves = runs.LOOKS[kind][1], [runs.numbers(curve) for curve in summary["curves"]]
        for curve in curves if len(curves) > 1 else ():
            axes.plot(summary["epochs"], curve, color=colour, linewidth=0.4, alpha=0.5)
        mark = "o" if len(summary["epochs"]) == 1 else None
        axes.plot(summary["epochs"], np.mean(curves, axis=0), marker=mark, markersize=3, color=colour, linewidth=1.1)
    axes.set(xlabel="epoch", ylabel="accuracy (%)")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _apart(count: int) -> np.ndarray:
    return np.linspace(-0.2, 0.2, count) if count > 1 else np.zeros(1)


def _baked(axes: Axes, baked: list[tuple[dict[str, Any], str, dict[str, Any]]]) -> None:
    """From the accuracy of the learnt functions to that of their Swishes."""
    names = []
    for place, (group, kind, one) in enumerate(baked):
        name, colour = runs.LOOKS[kind]
        ends = [one["learnt"], *(fit["swish"] for fit in one["fitted"].values())]
        axes.plot([min(ends), max(ends)], [place, place], color=colour, linewidth=1)
        axes.plot(one["learnt"], place, "o", color=colour, markersize=4)
        for where, fit in one["fitted"].items():
            axes.plot(fit["swish"], place, FITTED[where][0], color=colour, markerfacecolor="white", markersize=4)
        costs = [f"{fit['difference']:+.1f} ± {fit['error']:.1f}" for fit in one["fitted"].values()]
        text = f"{', '.join(costs)} points".replace("-", "−")
        axes.annotate(text, (max(ends), place), (6, 0), textcoords="offset points", va="center", fontsize=6.5)
        names.append(f"{group['arch']}, width {group['width']:g}, {name}")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.margins(x=0.05)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.35 * (high - low))  # room for the numbers
    axes.set_xlabel(f"validation accuracy (%), n = {baked[0][2]['n']:,}, seed {baked[0][2]['seed']}")


FIGURE = PaperFigure(
    "s9",
    "training-comparison",
    "Accuracy with fixed, derived and learnt activations over the seeds, and with learnt ones replaced by a Swish",
    compute,
    draw,
    (runs.study(runs.ARCHS, runs.LOOKS), "pwlact compare figures/results/networks"),
)
