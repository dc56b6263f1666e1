"""Claims of the draft on layer-wise implicit EM about trained layers, and its open questions, put as statements.

Measured from committed runs of `pwlact layerwise`: the ablation, layers trained one by one on images; and training end
to end, layers looked at before it and after its last epoch. Redundancy in the plane is that of `pwlact redundancy toy`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from pwlact.theory.claims.drafts import EM
from pwlact.theory.claims.ledger import Check, Claim, Measurement, above, below, weigh
from pwlact.theory.claims.studies import Study, from_studies, read_study

ABLATION, END_TO_END, TOY = "layerwise/ablation-mnist", "layerwise/end-to-end-mnist", "redundancy/toy"
_RESULTS = "--results figures/results/layerwise"
_ABLATION = f"pwlact layerwise ablation --depth 3 {_RESULTS}"
_END_TO_END = f"pwlact layerwise end-to-end {_RESULTS}"
COMPETITIVE = ("softmax", "z-times-softmax", "grouped-softmax", "sparsemax", "relumax")
"""Activations of hidden layers that stand for competition."""
_DISTINCT, _RANK = "distinct", "effective_rank"
_CHANGE = "change of the pretrained layers end to end, control dropped,"


def _of_layer(layer: dict[str, float], measure: str) -> float:
    return 1 - layer["dead"] - layer["duplicates"] if measure == _DISTINCT else layer[measure]


def _rows(study: Study, arm: str) -> list[dict[str, Any]]:
    """Of one arm, in the order of seeds."""
    rows = [row for row in study["rows"] if row["arm"] == arm]
    if not rows:
        raise KeyError(arm)
    return sorted(rows, key=lambda row: row["seed"])


def _probed(study: Study, arm: str, measure: str, layer: int = 1) -> np.ndarray:
    """A measure of a layer of the ablation in percent, a value a seed; of pixels, layer 0 and one value."""
    found = [row["layers"][layer - 1 if row["layers"][0]["layer"] else 0] for row in _rows(study, arm)]
    return 100 * np.array([_of_layer(each, measure) for each in found])


def _trained(study: Study, arm: str, measure: str, epoch: int = -1) -> np.ndarray:
    """A measure after an epoch end to end in percent, mean over layers, a value a seed."""
    found = [row["epochs"][epoch] for row in _rows(study, arm)]
    if measure == "accuracy":
        return 100 * np.array([each["accuracy"] for each in found])
    return 100 * np.array([np.mean([_of_layer(layer, measure) for layer in each["layers"]]) for each in found])


def _spread(what: str, values: np.ndarray, unit: str) -> tuple[str, float]:
    """The name of a mean over seeds with its standard error, and the mean."""
    error = f", standard error {values.std(ddof=1) / np.sqrt(len(values)):.2g}" if len(values) > 1 else ""
    return f"{what} in {unit}, {len(values)} seeds{error}:", float(values.mean())


def _more(what: str, values: np.ndarray, least: float = 0.0, *, core: bool = True, unit: str = "points") -> Check:
    return above(*_spread(what, values, unit), least, core=core)


def _less(what: str, values: np.ndarray, most: float = 0.0, *, core: bool = True, unit: str = "points") -> Check:
    return below(*_spread(what, values, unit), most, core=core)


def _greedy_specialises(study: Study) -> Measurement:
    rank, probe = (
        _probed(study, "lse", measure) - _probed(study, "random", measure) for measure in (_RANK, "accuracy")
    )
    controlled = _probed(study, "lse+both", "accuracy") - _probed(study, "random", "accuracy")
    return weigh(
        _more("log-sum-exp loss alone, MNIST: effective rank less that of random units", rank),
        _more("linear probe's accuracy less that of random units", probe),
        note=f"with variance and decorrelation controlled, the probe gains {controlled.mean():.1f} points",
    )


def _greedy_misaligned(study: Study) -> Measurement:
    own = _probed(study, "lse+both", "accuracy")
    return weigh(
        _less("probe on the best of these layers, MNIST: less one on a tied autoencoder", own - _probed(
            study, "autoencoder", "accuracy"
        ), -0.5),
        _less("less one on the pixels", own - _probed(study, "pixels", "accuracy"), -0.5),
    )  # fmt: skip


def _volume(study: Study) -> Measurement:
    random = _probed(study, "random", "accuracy")
    return weigh(
        _less("no control, MNIST: probe's accuracy less that of random units", _probed(
            study, "lse", "accuracy"
        ) - random, -10),
        _more("variance and decorrelation: the same", _probed(study, "lse+both", "accuracy") - random),
        _more("and the units neither dead nor duplicate", _probed(study, "lse+both", _DISTINCT), 99, unit="%"),
        _less("variance alone: the same", _probed(study, "lse+variance", _DISTINCT), 99, unit="%"),
        _less("decorrelation alone: probe's accuracy less that of random units", _probed(
            study, "lse+decorrelation", "accuracy"
        ) - random),
        note="it takes both",
    )  # fmt: skip


def _depth(study: Study) -> Measurement:
    def gain(arm: str) -> np.ndarray:
        return _probed(study, arm, "accuracy", 2) - _probed(study, arm, "accuracy", 1)

    return weigh(
        _more("variance and decorrelation, MNIST: probe on layer 2 less one on layer 1", gain("lse+both")),
        _more("that gain less the gain of random layers", gain("lse+both") - gain("random"), core=False),
    )


def _deep_enough() -> Measurement | None:
    study = read_study(ABLATION)
    if study is None or study.get("config", {}).get("depth", 1) < 2:
        return None
    return from_studies(_depth, ABLATION)()


def _relu_redundant(toy: Study, study: Study) -> Measurement:
    line = next(line for line in toy["overall"] if line["activation"] == "relu")
    own = np.array(line["duplicate_units"]["values"], dtype=float)
    return weigh(
        _more("ReLU, 16 units in the plane: duplicates among live units", 100 * own, 10, unit="%"),
        _more("64 units on MNIST: duplicates", _trained(study, "relu", "duplicates"), 10, core=False, unit="%"),
        note="where units are many for what they see",
    )


def _over_relu(study: Study, measure: str) -> np.ndarray:
    """Mean over `COMPETITIVE` less ReLU's, a value a seed."""
    return np.mean([_trained(study, arm, measure) for arm in COMPETITIVE], 0) - _trained(study, "relu", measure)


def _competition(study: Study) -> Measurement:
    return weigh(
        _more("five competitive activations, MNIST: distinct live units less ReLU's", _over_relu(study, _DISTINCT)),
        _more("effective rank less ReLU's", _over_relu(study, _RANK)),
    )


def _cost(study: Study) -> Measurement:
    worst = min(COMPETITIVE, key=lambda arm: _trained(study, arm, "accuracy").mean())
    lost = (_trained(study, worst, "accuracy") - _trained(study, "relu", "accuracy")).mean()
    return weigh(
        _less("five competitive activations, MNIST: test accuracy less ReLU's", _over_relu(study, "accuracy"), -0.5),
        note=f"most with {worst}, {lost:.1f}",
    )


def _output(study: Study) -> Measurement:
    gain = _trained(study, "z-times-softmax", "accuracy") - _trained(study, "softmax", "accuracy")
    return weigh(_more("test accuracy of z * softmax(z) less that of softmax, MNIST", gain))


def _change(study: Study, arm: str, measure: str) -> np.ndarray:
    return _trained(study, arm, measure) - _trained(study, arm, measure, 0)


def _undone(study: Study) -> Measurement:
    return weigh(
        _less(f"{_CHANGE} MNIST: effective rank", _change(study, "pretrained", _RANK), -1),
        _less("units neither dead nor duplicate", _change(study, "pretrained", _DISTINCT), -1, core=False),
    )


def _kept(study: Study) -> Measurement:
    kept = _change(study, "pretrained+control", _RANK).mean()
    return weigh(
        _more(f"{_CHANGE} MNIST: units neither dead nor duplicate", _change(study, "pretrained", _DISTINCT), -1),
        _more("effective rank", _change(study, "pretrained", _RANK), -1, core=False),
        note=f"with control kept the rank changes by {kept:.1f}",
    )


def _attention(study: Study) -> Measurement:
    lost = _trained(study, "attention", "accuracy") - _trained(study, "relu", "accuracy")
    return weigh(_more("attention over learnt prototypes, MNIST: test accuracy less ReLU's", lost, -0.5))


def _ablated(measure: Callable[..., Measurement]) -> Callable[[], Measurement | None]:
    return from_studies(measure, ABLATION)


def _end_to_end(measure: Callable[..., Measurement]) -> Callable[[], Measurement | None]:
    return from_studies(measure, END_TO_END)


_ROWS = (
    (
        "relu-redundancy",
        "trained ReLU networks hold many units with overlapping features",
        from_studies(_relu_redundant, TOY, END_TO_END),
        _END_TO_END,
    ),
    (
        "competition-specialises",
        "competitive activations reduce that redundancy",
        _end_to_end(_competition),
        _END_TO_END,
    ),
    ("expressiveness-cost", "competition may cost expressiveness", _end_to_end(_cost), _END_TO_END),
    (
        "greedy-specialises",
        "greedy layer-wise training makes each layer's prototypes cover the modes",
        _ablated(_greedy_specialises),
        _ABLATION,
    ),
    ("greedy-misaligned", "greedy local objectives may not serve the task", _ablated(_greedy_misaligned), _ABLATION),
    (
        "fine-tuning-undoes",
        "end-to-end fine-tuning may undo the specialisation",
        _end_to_end(_undone),
        _END_TO_END,
    ),
    (
        "question-output",
        "a competitive layer should pass on magnitudes, which responsibilities lose",
        _end_to_end(_output),
        _END_TO_END,
    ),
    ("question-depth", "a first layer that competes gives the second a better input", _deep_enough, _ABLATION),
    (
        "question-volume",
        "competitive layers need control of their volume, and penalties can take the log-determinant's place",
        _ablated(_volume),
        _ABLATION,
    ),
    (
        "question-end-to-end",
        "training end to end keeps the competition of layers that were trained to compete",
        _end_to_end(_kept),
        _END_TO_END,
    ),
    (
        "question-attention",
        "attention-like competition among learnt prototypes can replace an activation",
        _end_to_end(_attention),
        _END_TO_END,
    ),
)

LAYERWISE_CLAIMS: tuple[Claim, ...] = tuple(
    EM.claim(name, stated, measure, command) for name, stated, measure, command in _ROWS
)
