"""The paper's tables, as LaTeX."""

from statistics import stdev
from typing import Any

from pwlact_figures.manuscript import networks
from pwlact_figures.manuscript.latex import at_least, escape, floating, tabular, thousands
from pwlact_figures.manuscript.sources import Sources
from pwlact_figures.paper.network_runs import ARCHS, LOOKS


def tables(sources: Sources) -> dict[str, str]:
    """File name without suffix -> content.

    Raises:
        MissingResultError: a result is not there.
        InputError: a result is damaged.
    """
    return {"noise": _noise(sources), "networks": networks_table(sources), "errata": _errata(sources)}


def _noise(sources: Sources) -> str:
    rows = [_level(row) for row in sources.figure("unit-results")["sweep"].values()]
    caption = (
        "Optimum for 20 classes at three levels of noise, and its Swish fit over the knots ($\\pm$ standard error). "
        "Where $x_0$ ends at the bound of its range, the fit does not determine $\\beta$."
    )
    content = tabular("rrrrr", ("$\\sigma$", "$R$", "$\\beta$", "$x_0$", "$R^2$"), rows)
    return floating(content, caption, "tab:noise")


def _level(record: dict[str, Any]) -> tuple[str, ...]:
    fit = record["swish"]
    beta = f"{fit['beta']:.2f}"
    if not fit["at_bound"]:
        beta += f" $\\pm$ {fit['stderr']['beta']:.1f}"
    x0 = "bound" if "x0" in fit["at_bound"] else f"{fit['x0']:.2f}"
    return (f"{record['sigma']:g}", f"{record['reward']:.5f}", beta, x0, f"{fit['r2']:.4f}")


def networks_table(sources: Sources) -> str:
    """Every kind of run at the study's width: seeds, accuracies, loss, worst Swish."""
    rows = []
    for arch, name in ARCHS.items():
        for kind, (label, _) in LOOKS.items():
            runs = networks.runs_of(sources.results, kind, arch)
            if runs:
                rows.append((name if not any(row[0] == name for row in rows) else "", escape(label), *_scores(runs)))
    first = networks.runs_of(sources.results, "silu")[0]
    val, test = (thousands(first[part]["n"]) for part in ("val", "test"))
    caption = (
        f"CIFAR-10 at width {networks.WIDTH:g}, {first['config']['epochs']} epochs: accuracy in \\% (mean over seeds, "
        f"$\\pm$ standard deviation where there are several; validation $n = {val}$, test "
        f"$n = {test}$), training loss, and the least $R^2$ of a Swish over all layers and seeds."
    )
    head = ("", "activations", "seeds", "validation", "test", "loss", "least $R^2$")
    return floating(tabular("llrrrrr", head, rows), caption, "tab:networks", wide=True)


def _scores(runs: list[dict[str, Any]]) -> tuple[str, ...]:
    cells = [str(len(runs))]
    for part in ("val", "test"):
        spread = stdev(100 * run[part]["accuracy"] for run in runs) if len(runs) > 1 else None
        cells.append(f"{networks.percent(runs, part):.1f}" + (f" $\\pm$ {spread:.1f}" if spread is not None else ""))
    least = networks.least_r2(runs)
    return (*cells, f"{networks.train_loss(runs):.3f}", "--" if least is None else at_least(least, 3))


def _errata(sources: Sources) -> str:
    wanted = [claim for claim in sources.claims() if claim["verdict"] in {"fails", "holds with a correction"}]
    rows = [
        (escape(claim["stated"]), escape(claim["measured"]), "fails" if claim["verdict"] == "fails" else "corrected")
        for claim in sorted(wanted, key=lambda claim: claim["verdict"] != "fails")
    ]
    body = " \\\\[2pt]\n".join(" & ".join(row) for row in rows)
    # a table over pages: floats cannot break
    return (
        "\\onecolumn\n\\begingroup\\footnotesize\n\\begin{longtable}{@{}p{0.27\\textwidth}p{0.56\\textwidth}l@{}}\n"
        "\\caption{Claims of the draft that fail or need a correction.}\\label{tab:errata}\\\\\n"
        "\\toprule\nstated & measured & verdict \\\\\n\\midrule\n\\endfirsthead\n"
        "\\toprule\nstated & measured & verdict \\\\\n\\midrule\n\\endhead\n"
        f"{body} \\\\\n\\bottomrule\n\\end{{longtable}}\n\\endgroup\n\\twocolumn\n"
    )
