"""Finished training runs side by side: groups that differ in nothing but the seed, and how far their means are apart.

On the command line: pwlact compare runs/study
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from pwlact.checks import InputError
from pwlact.experiments.cifar import FIXED, CifarConfig
from pwlact.experiments.layer_swishes import layer_swishes
from pwlact.training import read_result
from pwlact.training.run_folder import CONFIG, RESULT

PARTS = ("val", "test")
SCORES = ("val", "late", "test")
LATE = 5
"""Epochs at the end over which a run's late validation accuracy is averaged."""
IGNORED = frozenset({"arch", "mode", "seed", "device", "compile", "keep_epochs", "data"})
"""Keys of a config that are known from elsewhere, or do not change what is trained."""
OF_LOCAL = frozenset({"estimator", "solver", "smoothness", "positions", "memory", "every", "rest"})
OF_LEARNT = OF_LOCAL | {"act_lr", "sharing", "knots", "low", "high"}
USUAL = CifarConfig()
WITHOUT = {"memory": 0.0, "every": 1, "rest": 0.0, "recipe": "paper"}
"""What a run did whose config is older than the setting; today's defaults are others."""


@dataclass(frozen=True)
class _Run:
    """A finished run: its folder, its result.json, and what was trained (each setting that matters in its mode)."""

    path: Path
    result: dict[str, Any]
    settings: dict[str, Any]

    @property
    def seed(self) -> int | None:
        return self.result.get("seed")

    def score(self, name: str) -> float | None:
        """An accuracy in `SCORES`."""
        return self._late() if name == "late" else _number(self.result[name].get("accuracy"))

    def _late(self) -> float | None:
        known = _known(_number(record.get("val_accuracy")) for record in self.result["history"][-LATE:])
        return mean(known) if len(known) == LATE else None

    def images(self, part: str) -> int | None:
        return self.result[part].get("n")


def compare(paths: Sequence[Path]) -> dict[str, Any]:
    """Compare finished runs; those equal in every setting but the seed form a group.

    Args:
        paths: run folders, or folders whose sub-folders are runs; each run counts once. The first group of a network
            (architecture and width) is what its others are compared with; where every network has one group alone,
            the first of all.

    Returns:
        JSON-able; None where a run has no such thing. runs: [{path, arch, mode, width, seed, epochs, sharing,
        estimator, act_lr, parameters, val_accuracy, val_se, val_n, late_accuracy, test_accuracy, test_se, test_n,
        train_loss (nats), images_per_second, r2_min, group, curves}]; accuracies from 0 to 1; val_se and test_se as of
        `binomial_error`; late_accuracy the mean of the last `LATE` epochs on validation, as one epoch swings at a
        constant rate (None of shorter runs); r2_min of the worst Swish fit; group an index; curves {epoch,
        train_loss, val_accuracy}.
        groups: [{name, settings, seeds, n_runs, val_mean, val_sd, val_se, val_n, late_mean, late_sd, test_mean,
        test_sd, test_se, test_n, train_loss, images_per_second, r2_min, layers, to_first}]: the settings that differ
        between the runs (act_lr None: the mode's own); mean and standard deviation (n - 1) over the seeds, and the
        binomial error of one run at that mean; layers as of `layer_swishes`; to_first {group, seeds, val_mean, val_se,
        late_mean, late_se, test_mean, test_se}: index of that first group, mean and standard error of the differences
        to it over the seeds that both have, None in the first.
        notes: what was left out, and what forbids to read much into a difference.

    Raises:
        InputError: a path is not there or holds no run, a run named by itself is damaged, or none is finished.
    """
    runs, notes = _collect(paths)
    if not runs:
        raise InputError(f"no finished run to compare: {'; '.join(notes)}")
    settings = list({_text(run.settings): run.settings for run in runs}.values())
    keys = _differing(settings)
    members = [[run for run in runs if run.settings == chosen] for chosen in settings]
    groups: list[dict[str, Any]] = []
    for chosen, name, group, first in zip(settings, _names(settings, keys), members, _firsts(settings), strict=True):
        described = {"name": name, "settings": {key: chosen.get(key) for key in keys}}
        to_first = None if first == len(groups) else {"group": first} | _differences(group, members[first])
        groups.append(described | _summary(group) | {"to_first": to_first})
    rows = [_row(run) | {"group": settings.index(run.settings)} for run in runs]
    return {"runs": rows, "groups": groups, "notes": notes + _cautions(groups)}


def binomial_error(accuracy: float | None, n: int | None) -> float | None:
    """Standard error sqrt(p (1 - p) / n) of an accuracy p, for n images drawn at random; None where one is unknown."""
    if accuracy is None or not n:
        return None
    return math.sqrt(max(0.0, accuracy * (1 - accuracy)) / n)


def _collect(paths: Iterable[Path]) -> tuple[list[_Run], list[str]]:
    runs: dict[Path, _Run] = {}
    notes: list[str] = []
    for given in paths:
        path = given.parent if given.name == RESULT else given
        if not path.is_dir():
            raise InputError(f"{given} is no folder: give the folder of a run, or a folder that holds such folders")
        if (path / RESULT).exists():
            runs.setdefault(path.resolve(), _read(path))
            continue
        inner = [path] if (path / CONFIG).exists() else sorted(folder for folder in path.iterdir() if folder.is_dir())
        known = [folder for folder in inner if (folder / RESULT).exists() or (folder / CONFIG).exists()]
        if not known:
            raise InputError(f"{path} holds no run: neither it nor a folder in it has a {RESULT} or {CONFIG}")
        for folder in known:
            _add(folder, runs, notes)
    for run in runs.values():
        # a setting that only one of them knows is a difference, between that value and an unknown one
        for other in runs.values():
            if other.settings["mode"] == run.settings["mode"]:
                run.settings.update(dict.fromkeys(other.settings.keys() - run.settings.keys()))
    return list(runs.values()), list(dict.fromkeys(notes))


def _add(folder: Path, runs: dict[Path, _Run], notes: list[str]) -> None:
    """One of many: what is wrong with it is a note."""
    if not (folder / RESULT).exists():
        notes.append(f"{folder} is left out: not finished")
        return
    try:
        runs.setdefault(folder.resolve(), _read(folder))
    except InputError as error:
        notes.append(f"left out: {error}")


def _read(path: Path) -> _Run:
    result = read_result(path)
    history = result.get("history")
    whole = isinstance(history, list) and history and all(isinstance(record, dict) for record in history)
    if (
        not whole
        or not all(isinstance(result.get(key), dict) for key in PARTS)
        or not isinstance(result.get("mode"), str)
    ):
        raise InputError(f"{path / RESULT} is no result of `pwlact cifar`: it lacks mode, history, val or test")
    return _Run(path, result, _settings(result))


def _settings(result: dict[str, Any]) -> dict[str, Any]:
    """Every setting that matters in the run's mode, and the images, in one form: equal where the training is."""
    config, mode = _dict(result.get("config")), result["mode"]
    settings: dict[str, Any] = {
        "mode": mode,
        "arch": result.get("arch"),
        "data": _dict(result.get("data")).get("labels_crc32"),
    }
    idle = OF_LEARNT if mode in FIXED else OF_LOCAL if mode == "backprop" else frozenset()
    settings |= {key: value for key, value in (WITHOUT | config).items() if key not in IGNORED | idle}
    settings |= {"epochs": config.get("epochs", len(result["history"])), "test_n": result["test"].get("n")}
    if "act_lr" in settings and settings["act_lr"] == _own_rate(mode, settings.get("solver")):
        settings["act_lr"] = None
    return settings


def _own_rate(mode: str, solver: Any) -> float | None:
    """The rate of the activations where none is given; None in a mode that is not known."""
    try:
        return CifarConfig(mode=mode, solver=solver or "adam").activation_rate
    except InputError:
        return None


def _differing(settings: list[dict[str, Any]]) -> list[str]:
    """Keys with more than one value among those that have the key."""
    keys = dict.fromkeys(key for chosen in settings for key in chosen)
    return [key for key in keys if len({_text(chosen[key]) for chosen in settings if key in chosen}) > 1]


def _firsts(settings: list[dict[str, Any]]) -> list[int]:
    """For each group, the one that it is compared with: the first of its network, if networks have several."""
    networks = [_text([chosen.get("arch"), chosen.get("width")]) for chosen in settings]
    several = len(set(networks)) < len(networks)
    return [networks.index(network) if several else 0 for network in networks]


def _names(settings: list[dict[str, Any]], keys: list[str]) -> list[str]:
    names: list[str] = []
    for chosen in settings:
        told = [key for key in keys if key in chosen and key != "mode" and not _usual(key, chosen[key])]
        rest = [_shown(key, chosen[key]) if key == "arch" else f"{key}={_shown(key, chosen[key])}" for key in told]
        name = " ".join([chosen["mode"], *rest])
        names.append(name if name not in names else f"{name} ({len(names) + 1})")
    return names


def _shown(key: str, value: Any) -> str:
    if value is None:
        return "all" if key == "limit" else "unknown"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _usual(key: str, value: Any) -> bool:
    """Whether the activations learn so unless told otherwise, which needs no telling."""
    return key in OF_LEARNT and value == getattr(USUAL, key)


def _row(run: _Run) -> dict[str, Any]:
    result, settings, history = run.result, run.settings, run.result["history"]
    row = {"path": str(run.path), "arch": result.get("arch"), "mode": result["mode"], "width": settings.get("width")}
    row |= {"seed": run.seed, "epochs": settings["epochs"], "sharing": settings.get("sharing")}
    row |= {
        "estimator": settings.get("estimator"),
        "act_lr": settings.get("act_lr"),
        "parameters": result.get("parameters"),
    }
    if "act_lr" in settings and row["act_lr"] is None:
        row["act_lr"] = _own_rate(result["mode"], settings.get("solver"))
    for part in PARTS:
        accuracy, n = run.score(part), run.images(part)
        row |= {f"{part}_accuracy": accuracy, f"{part}_se": binomial_error(accuracy, n), f"{part}_n": n}
    row |= {"late_accuracy": run.score("late")}
    row |= {"train_loss": _train_loss(run), "images_per_second": _rate(run), "r2_min": _worst_fit(run)}
    keys = ("epoch", "train_loss", "val_accuracy")
    return row | {"curves": {key: [_number(record.get(key)) for record in history] for key in keys}}


def _summary(group: list[_Run]) -> dict[str, Any]:
    summary: dict[str, Any] = {"seeds": list(_by_seed(group, _train_loss)), "n_runs": len(group)}
    for name in SCORES:
        scores = _known(_scores(group, name).values())
        summary[f"{name}_mean"] = mean(scores) if scores else None
        summary[f"{name}_sd"] = stdev(scores) if len(scores) > 1 else None
    for part in PARTS:
        n = group[0].images(part)
        summary |= {f"{part}_se": binomial_error(summary[f"{part}_mean"], n), f"{part}_n": n}
    for name, value in (("train_loss", _train_loss), ("images_per_second", _rate)):
        values = _known(_by_seed(group, value).values())
        summary[name] = mean(values) if values else None
    summary |= {"r2_min": min(_known(map(_worst_fit, group)), default=None)}
    return summary | {"layers": layer_swishes([run.result for run in group])}


def _differences(group: list[_Run], first: list[_Run]) -> dict[str, Any]:
    """Of the seeds that both groups have, since what a seed draws is then the same in both."""
    found: dict[str, Any] = {"seeds": [seed for seed in _scores(group, "val") if seed in _scores(first, "val")]}
    for name in SCORES:
        ours, theirs = _scores(group, name), _scores(first, name)
        pairs = [(ours[seed], theirs[seed]) for seed in found["seeds"]]
        apart = [one - other for one, other in pairs if one is not None and other is not None]
        found[f"{name}_mean"] = mean(apart) if apart else None
        found[f"{name}_se"] = stdev(apart) / math.sqrt(len(apart)) if len(apart) > 1 else None
    return found


def _cautions(groups: list[dict[str, Any]]) -> list[str]:
    cautions = [
        f"{group['name']}: {group['n_runs']} runs, seeds {', '.join(map(str, group['seeds']))}; "
        "those of one seed count once"
        for group in groups
        if group["n_runs"] > len(group["seeds"])
    ]
    for part, what in zip(PARTS, ("validation", "test"), strict=True):
        if len({group[f"{part}_n"] for group in groups}) > 1:
            cautions.append(f"{what} accuracies are of different numbers of images: they do not compare")
        elif groups[0][f"{part}_se"] is not None:
            group = groups[0]
            cautions.append(
                f"one standard error of one {what} accuracy of {group[f'{part}_mean']:.1%} on n = "
                f"{group[f'{part}_n']:,} images is {100 * group[f'{part}_se']:.2g} points; more seeds on the same "
                "images do not lessen it"
            )
    if len(groups) > 1 and any(len(group["seeds"]) == 1 for group in groups):
        cautions.append("a group of one seed has no spread: its difference to another group may be chance")
    return cautions


def _by_seed(group: list[_Run], value: Callable[[_Run], float | None]) -> dict[int | None, float | None]:
    """Mean over the runs of each seed, since they repeat one another; seeds rise."""
    found: dict[int | None, float | None] = {}
    for seed in sorted({run.seed for run in group}, key=lambda seed: (seed is None, seed)):
        known = _known(value(run) for run in group if run.seed == seed)
        found[seed] = mean(known) if known else None
    return found


def _scores(group: list[_Run], name: str) -> dict[int | None, float | None]:
    return _by_seed(group, lambda run: run.score(name))


def _train_loss(run: _Run) -> float | None:
    return _number(run.result["history"][-1].get("train_loss"))


def _rate(run: _Run) -> float | None:
    return _number(run.result.get("images_per_second"))


def _worst_fit(run: _Run) -> float | None:
    return min(_known(_number(_dict(layer).get("r2")) for layer in run.result.get("layers") or ()), default=None)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if known else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
