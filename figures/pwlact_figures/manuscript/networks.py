"""What the text says of trained networks."""

from collections.abc import Callable
from statistics import mean, stdev
from typing import Any

from pwlact.experiments.comparison import LATE, binomial_error
from pwlact_figures.manuscript.latex import at_least, thousands
from pwlact_figures.paper import MissingResultError, Results, network_runs

ARCH, WIDTH = "resnet10", 0.25
COMPARED = ("backprop", "local", "silu")
_PAIRS = (
    *((kind, other) for kind in ("local-half-rate", "local-twice-rate") for other in ("backprop", "silu")),
    ("local-moving", "backprop"),
    ("local-moving-channel", "local-moving"),
    ("derived", "silu"),
    ("gelu", "silu"),
    ("relu", "silu"),
)
_LOCAL = tuple(kind for kind in network_runs.LOOKS if kind.startswith("local"))


def runs_of(results: Results, kind: str, arch: str = ARCH, width: float = WIDTH) -> list[dict[str, Any]]:
    """Results of all seeds of a kind at a width, the study's, by seed; none where there are none."""
    return [
        network_runs.read_result(results, run)
        for run in network_runs.finished(results, arch)
        if (run.kind, run.width) == (kind, width)
    ]


def common(results: Results, arch: str = ARCH, kinds: tuple[str, ...] = COMPARED) -> dict[str, list[dict[str, Any]]]:
    """Runs of these kinds, with the seeds that all of them have.

    Raises:
        MissingResultError: there is no such seed.
    """
    network_runs.widest(results, arch, kinds)  # says which command makes what is missing
    found = {kind: {run["seed"]: run for run in runs_of(results, kind, arch)} for kind in kinds}
    seeds = sorted(set.intersection(*(set(runs) for runs in found.values())))
    return {kind: [runs[seed] for seed in seeds] for kind, runs in found.items()}


def percent(runs: list[dict[str, Any]], part: str = "val") -> float:
    """Mean accuracy in per cent."""
    return 100 * mean(run[part]["accuracy"] for run in runs)


def train_loss(runs: list[dict[str, Any]]) -> float:
    """Mean training loss of the last epoch, in nats."""
    return mean(run["history"][-1]["train_loss"] for run in runs)


def least_r2(runs: list[dict[str, Any]]) -> float | None:
    """Least R^2 of a Swish fit over all layers and runs; None where activations are fixed."""
    return min((layer["r2"] for run in runs for layer in run["layers"]), default=None)


def final(run: dict[str, Any]) -> float:
    """Validation accuracy at the end."""
    return run["val"]["accuracy"]


def late(run: dict[str, Any]) -> float:
    """Mean validation accuracy of the last epochs, which swings less from run to run."""
    return mean(network_runs.known(record["val_accuracy"]) for record in run["history"][-LATE:])


def difference(
    first: list[dict[str, Any]], second: list[dict[str, Any]], accuracy: Callable[[dict[str, Any]], float] = final
) -> tuple[float, float]:
    """Mean difference in validation accuracy, in points, seed by seed, and its standard error.

    Of one seed the error is that of two independent binomials.
    """
    pairs = [[(accuracy(run), run["val"]["n"]) for run in pair] for pair in zip(first, second, strict=True)]
    points = [100 * (a - b) for (a, _), (b, _) in pairs]
    if len(points) > 1:
        return mean(points), stdev(points) / len(points) ** 0.5
    squares = [p * (1 - p) / n for p, n in pairs[0]]
    return points[0], 100 * sum(squares) ** 0.5


def numbers(results: Results) -> dict[str, str]:
    """Keys "net.*": set-up, accuracies, differences, shapes."""
    found = common(results)
    local, backprop, silu = (found[kind] for kind in ("local", "backprop", "silu"))
    one, count = local[0], len(local)
    config = one["config"]
    (to_backprop, error_b), (to_silu, error_s) = difference(local, backprop), difference(local, silu)
    over = f"standard errors over seeds {error_b:.1f} and {error_s:.1f}"
    text = {
        "net.width": f"{WIDTH:g}",
        "net.epochs": str(config["epochs"]),
        "net.knots": str(config["knots"]),
        "net.train_n": thousands(network_runs.training_images(one)),
        "net.val_n": thousands(one["val"]["n"]),
        "net.test_n": thousands(one["test"]["n"]),
        "net.seeds_text": _seeds(local),
        "net.error_text": f"standard errors {error_b:.1f} and {error_s:.1f}" if count == 1 else over,
        "net.local_backprop": f"{to_backprop:+.1f}",
        "net.local_silu": f"{to_silu:+.1f}",
        "net.local.act_lr": "$10^{-3}$" if config["act_lr"] in (None, 1e-3) else f"{config['act_lr']:g}",
        "net.local.every": str(config["every"]),
        "net.local.moving": f"{100 * (1 - config['rest']):g}",
        "net.local.memory": f"{config['memory']:g}",
        "net.local.estimator": {"gaussian": "Gaussian", "sample": "sampled"}[config["estimator"]],
        "net.local.runs": str(sum(len(runs_of(results, kind, arch)) for kind in _LOCAL for arch in network_runs.ARCHS)),
    }
    text |= {"net.vgg.seeds": _seeds(common(results, "vgg11", ("local", "backprop"))["local"])}
    for name, arch, accuracy in (
        ("net.vgg", "vgg11", final),
        ("net.late", ARCH, late),
        ("net.vgg.late", "vgg11", late),
    ):
        for other in ("backprop", "silu"):
            text[f"{name}.local_{other}"] = _apart(results, arch, "local", other, accuracy)
    for kind, other in _PAIRS:
        text[f"net.{kind}_{other}"] = _apart(results, ARCH, kind, other)
        text[f"net.vgg.{kind}_{other}"] = _apart(results, "vgg11", kind, other)
    text |= {"net.late.epochs": str(LATE)}
    for name, arch, kind in (
        ("net.full", ARCH, "backprop"),
        ("net.full.moving", ARCH, "local-moving"),
        ("net.full.relu", ARCH, "relu"),
        ("net.full.vgg", "vgg11", "backprop"),
        ("net.full.vgg.moving", "vgg11", "local-moving"),
        ("net.full.vgg.relu", "vgg11", "relu"),
    ):
        text |= _full_width(results, arch, kind, name)
    for kind, runs in found.items():
        text[f"net.{kind}.val"] = f"{percent(runs):.1f}"
        if (least := least_r2(runs)) is not None:
            text |= {f"net.{kind}.loss": f"{train_loss(runs):.3f}", f"net.{kind}.r2_least": at_least(least, 3)}
    return text


def _apart(
    results: Results, arch: str, kind: str, other: str, accuracy: Callable[[dict[str, Any]], float] = final
) -> str:
    """Accuracy of a kind less that of another, in points, with its standard error."""
    pair = common(results, arch, (kind, other))
    points, error = difference(pair[kind], pair[other], accuracy)
    return f"${points:+.1f} \\pm {error:.1f}$"


def _full_width(results: Results, arch: str, kind: str, name: str) -> dict[str, str]:
    """Keys "NAME.val" and "NAME.test": accuracy of the first run at full width and its binomial error."""
    runs = runs_of(results, kind, arch, 1.0)
    if not runs:
        command, place = network_runs.study([arch], [kind], 1.0, 1), results.folder / network_runs.FOLDER
        raise MissingResultError(f"{place} lacks {arch} with {kind} at full width: `{command}` makes it")
    scores = {part: (runs[0][part]["accuracy"], runs[0][part]["n"]) for part in ("val", "test")}
    return {
        f"{name}.{part}": f"${100 * p:.1f} \\pm {100 * (binomial_error(p, n) or 0.0):.1f}$"
        for part, (p, n) in scores.items()
    }


def _seeds(runs: list[dict[str, Any]]) -> str:
    return "one seed" if len(runs) == 1 else f"means of {len(runs)} seeds"
