"""Every number of the paper's text: key -> LaTeX, taken from figures, results and the ledger."""

from typing import Any

import numpy as np

from pwlact_figures.manuscript import networks
from pwlact_figures.manuscript.latex import at_least, thousands
from pwlact_figures.manuscript.sources import Sources
from pwlact_figures.paper.network_runs import NetworkRun

_LOCAL = NetworkRun(networks.ARCH, "local", networks.WIDTH, 0)
_BACKPROP = NetworkRun(networks.ARCH, "backprop", networks.WIDTH, 0)


def numbers(sources: Sources) -> dict[str, str]:
    """All of them.

    Raises:
        MissingResultError: a result is not there; the message says which command makes it.
        InputError: a result is damaged.
    """
    return {
        **_unit(sources.figure("twenty-classes")),
        **_theory(sources),
        **networks.numbers(sources.results),
        **_inspected(sources),
        **_speed(sources),
        **_claims(sources.claims()),
    }


def _unit(data: dict[str, Any]) -> dict[str, str]:
    fit = data["swish"]
    return {
        "unit.classes": str(data["classes"]),
        "unit.sigma": f"{data['sigma']:g}",
        "unit.knots": str(len(data["knots"])),
        "unit.reward": f"{data['reward']:.5f}",
        "unit.beta": f"{fit['beta']:.2f}",
        "unit.beta_error": f"{fit['stderr']['beta']:.1f}",
        "unit.x0": f"{fit['x0']:.2f}",
        "unit.r2": f"{fit['r2']:.4f}",
        "unit.r2_percent": f"{100 * fit['r2']:.1f}",
    }


def _theory(sources: Sources) -> dict[str, str]:
    knots, tails, beyond = (sources.figure(slug) for slug in ("knots-study", "tails", "beyond-gaussian"))
    ranges = tails["ranges"]
    tail = sources.figure("correlations-against-activation")["tail"]
    at = {row["sigma"]: row["r2"] for row in tails["integral"]}
    families = {row["family"]: row for row in beyond["rows"]}
    single = next(row for row in beyond["rows"] if row["n"] == 1)
    others = [row["r2_mean"] for row in families.values() if row["n"] > 1]
    return {
        "knots.default": str(knots["default"]["knots"]),
        "knots.ratio": f"{100 * knots['default']['ratio']:.1f}",
        "tails.b_least": f"{100 * ranges['b_excess'][0]:.0f}",
        "tails.b_most": f"{100 * ranges['b_excess'][1]:.0f}",
        "tails.r2_least": at_least(ranges["tail_r2"][0], 4),
        "tails.exponential_least": f"{ranges['exponential_r2'][0]:.2f}",
        "tails.exponential_most": f"{ranges['exponential_r2'][1]:.2f}",
        "tails.ramp_least": at_least(ranges["ramp_r2"][0], 3),
        "tails.far_b": f"{tail['far']['b']:.3f}",
        "tails.far_b_predicted": f"{tail['far']['b_predicted']:.3f}",
        "integral.r2": f"{at[1.0]:.3f}",
        "beyond.gaussian": f"{single['r2_mean']:.3f}",
        "beyond.least": f"{min(others):.2f}",
        "beyond.most": f"{max(others):.2f}",
        "beyond.draws": str(beyond["draws"]),
    }


def _inspected(sources: Sources) -> dict[str, str]:
    local, backprop = (sources.results.read(f"{run.name}/inspect", run.command) for run in (_LOCAL, _BACKPROP))
    gradients, normal = local["gradients"], backprop["gaussianity"]
    related = _projected(backprop["gradients"], "sample")
    cosines = {name: float(np.nanmean(_projected(gradients, name))) for name in ("sample", "gaussian", "chance")}
    w = [layer["within"]["w"]["median"] for layer in normal["layers"]]
    text = {
        **{f"gradients.{name}": f"{_zero(value):.2f}" for name, value in cosines.items()},
        "gradients.backprop_size": f"{np.nanmean(np.abs(related)):.2f}",
        "gradients.backprop_chance": f"{np.nanmean(_projected(backprop['gradients'], 'chance')):.2f}",
        "gradients.where": f"mean over {len(gradients['layers'])} layers and {len(gradients['epochs'])} epochs, "
        f"$n = {thousands(gradients['n'])}$ images",
        "normal.w_least": f"{min(w):.2f}",
        "normal.w_most": f"{max(w):.2f}",
        "normal.w_true": f"{normal['baselines']['normal']['w']['median']:.3f}",
        "baking.n": thousands(local["baking"]["validation"]["n"]),
    }
    for kind, record in (("local", local), ("backprop", backprop)):
        change, layers = record["baking"]["validation"], record["optimality"]["layers"]
        text[f"baking.{kind}"] = f"${change['difference']:+.1f} \\pm {change['standard_error']:.1f}$"
        share = [layer["share"] for layer in layers]
        text[f"optimal.{kind}.share"] = f"{100 * float(np.median(share)):.0f}"
    layers = backprop["optimality"]["layers"]
    text["optimal.backprop.layers"] = str(len(layers))
    text["optimal.backprop.below_relu"] = str(sum(layer["relu"] > layer["reward"] for layer in layers))
    text["optimal.local.late"] = f"{100 * min(layer['share'] for layer in local['optimality']['layers'][-3:]):.0f}"
    return text


def _projected(gradients: dict[str, Any], name: str) -> np.ndarray:
    """Cosines of all layers and epochs, in what the objective sees."""
    rows = (row for layer in gradients["layers"] for row in layer["epochs"])
    return np.array([row[name]["projected"] for row in rows], dtype=float)


def _zero(value: float) -> float:
    """No -0.00 in print."""
    return 0.0 if abs(value) < 0.005 else value


def _speed(sources: Sources) -> dict[str, str]:
    data = sources.figure("speed")
    operator, step = ({row["name"]: row["ratio"] for row in data[part]["rows"]} for part in ("operator", "step"))
    return {
        "bench.width": f"{data['step']['width']:g}",
        "bench.shared.vs_gelu": f"{operator['pwl shared']:.2f}",
        "bench.backprop.vs_silu": f"{step['backprop']:.2f}",
        "bench.local.vs_backprop": f"{step['local'] / step['backprop']:.2f}",
    }


def _claims(claims: list[dict[str, str]]) -> dict[str, str]:
    verdicts = [claim["verdict"] for claim in claims]
    names = {"holds": "holds", "holds with a correction": "corrected", "fails": "fails"}
    counts = {f"claims.{name}": str(verdicts.count(verdict)) for verdict, name in names.items()}
    return {"claims.total": str(len(claims)), **counts}
