"""Claims of the correlation paper about trained networks, measured from the committed runs of `pwlact study`.

Accuracies are those of full-width networks, one seed; what wants a spread comes from width 0.25, three seeds.
"""

from typing import Any

import numpy as np

from pwlact.theory.claims.drafts import CORRELATION
from pwlact.theory.claims.ledger import Claim, Measurement, above, below, near, weigh
from pwlact.theory.claims.studies import Study, from_studies

SEEDS = 3
LATE = 5
_RESULTS = "--results figures/results/networks"
_FULL = f"pwlact study --arch resnet10,vgg11 --width 1 --seeds 1 --kinds relu,backprop,local-moving {_RESULTS}"
_SMALL = f"pwlact study {_RESULTS}"


def _full(run: str) -> str:
    """Result of a full-width run, such as "vgg11-relu"."""
    return f"networks/{run}-w1-s0/result"


def _small(*runs: str) -> tuple[str, ...]:
    """Results of all seeds of some runs at width 0.25."""
    return tuple(f"networks/{run}-w0.25-s{seed}/result" for run in runs for seed in range(SEEDS))


def _accuracy(stated: float) -> Any:
    """Test accuracy; that on validation images, which are more, is a detail. The error is that of drawing n images."""

    def measure(study: Study) -> Measurement:
        checks = []
        for part, name in (("test", "test"), ("val", "validation")):
            accuracy, n = study[part]["accuracy"], study[part]["n"]
            error = 100 * np.sqrt(accuracy * (1 - accuracy) / n)
            what = f"{name} accuracy in %, one run, n = {n} images, standard error {error:.2g}:"
            checks.append(near(what, 100 * accuracy, stated, 1.0, core=not checks))
        return weigh(*checks)

    return measure


def _parity(name: str, other: str) -> Any:
    """Test accuracy of one run less that of another; validation images, and more epochs, are details.

    The error given is that of two independent draws of n images: an upper bound, as the runs share theirs and
    stumble over the same ones.
    """

    def measure(*studies: Study) -> Measurement:
        checks = []
        for part, key in (("test", "test"), ("validation", "val")):
            n = studies[0][key]["n"]
            a, b = (study[key]["accuracy"] for study in studies)
            error = 100 * np.sqrt((a * (1 - a) + b * (1 - b)) / n)
            what = f"{part} accuracy of {name} less that of {other} in points, one run each, n = {n} images, "
            checks.append(near(f"{what}standard error at most {error:.2g}:", 100 * (a - b), 0, 1.0, core=not checks))
        a, b = (100 * np.mean([record["val_accuracy"] for record in study["history"][-LATE:]]) for study in studies)
        checks.append(near(f"on validation images over the last {LATE} epochs:", a - b, 0, 1.0, core=False))
        ahead = [who for who, sign in ((name, 1), (other, -1)) if all(sign * check.measured > 0 for check in checks)]
        return weigh(*checks, note="".join(f"{who} is ahead in each" for who in ahead))

    return measure


def _paired(name: str, other: str, archs: tuple[str, ...]) -> Any:
    """Validation accuracy of one kind less that of another, seed by seed: mean and standard error.

    The studies are those of the first kind and then of the other, architecture by architecture, all seeds of each;
    then one of each at full width, where activations of the first kind move to the last step. The claim falls with
    the first architecture after the last epoch; the rest are details: at a constant rate one epoch's accuracy swings,
    the mean over the last few less.
    """

    def measure(*studies: Study) -> Measurement:
        small = studies[: 2 * SEEDS * len(archs)]
        curves = [[record["val_accuracy"] for record in study["history"]] for study in small]
        checks = []
        for epochs, when in ((1, "after the last epoch"), (LATE, f"over the last {LATE} epochs")):
            percent = [100 * np.mean(curve[-epochs:]) for curve in curves]
            both = np.reshape(percent, (len(archs), 2, SEEDS))
            for arch, apart in zip(archs, both[:, 0] - both[:, 1], strict=True):
                error = apart.std(ddof=1) / np.sqrt(SEEDS)
                what = (
                    f"validation accuracy of {name} less that of {other} in points, {arch}, {when}, mean of {SEEDS} "
                    f"seeds, standard error {error:.2g}, n = {studies[0]['val']['n']} images:"
                )
                checks.append(above(what, apart.mean(), -0.5, core=not checks))
        full = np.reshape([study["val"]["accuracy"] for study in studies[len(small) :]], (len(archs), 2))
        for arch, (a, b) in zip(archs, full, strict=True):
            error = 100 * np.sqrt((a * (1 - a) + b * (1 - b)) / studies[0]["val"]["n"])
            what = (
                f"the same after the last epoch at full width, {arch}, activations that move to the last step, "
                f"one seed, standard error at most {error:.2g}:"
            )
            checks.append(above(what, 100 * (a - b), -0.5, core=False))
        return weigh(*checks)

    return measure


def _all_swish(*studies: Study) -> Measurement:
    r2 = [layer["r2"] for study in studies for layer in study["layers"]]
    return weigh(above(f"least R^2 of a Swish fit over {len(r2)} layers of {len(studies)} runs", min(r2), 0.99))


def _betas(studies: tuple[Study, ...], first: int, last: int) -> tuple[np.ndarray, int]:
    """Betas of the Swish fits of these layers, all runs together, and the number of fits.

    Where a fit ends at a bound of the search, the curve is no Swish and the number means nothing. Those with a large
    standard error stay: they are the larger ones, and a mean without them would lie too low.
    """
    fits = [layer for study in studies for layer in study["layers"][first : last + 1]]
    return np.array([fit["beta"] for fit in fits if not fit["at_bound"]]), len(fits)


def _no_betas(where: str, fits: int) -> Measurement:
    """There is no beta at all: whatever was claimed of it fails."""
    return weigh(below(f"Swish fits of {where}, that end at a bound of the search, of {fits}", fits, fits - 1))


def _layer_beta(first: int, last: int, low: float, high: float) -> Any:
    def measure(*studies: Study) -> Measurement:
        last_there = min(last, len(studies[0]["layers"]) - 1)
        betas, fits = _betas(studies, first, last_there)
        where = f"layers {first} to {last_there}, {len(studies)} seeds"
        if len(betas) == 0:
            return _no_betas(where, fits)
        return weigh(
            above(f"mean beta of {where}, from {betas.min():.2g} to {betas.max():.2g}", betas.mean(), low),
            below("the same", betas.mean(), high),
            note=f"{fits - len(betas)} more of {fits} fits end at a bound of the search",
        )

    return measure


def _broad_to_sharp(*studies: Study) -> Measurement:
    layers = len(studies[0]["layers"])
    third = max(layers // 3, 1)
    (early, fits), (late, _) = _betas(studies, 0, third - 1), _betas(studies, layers - third, layers - 1)
    for name, betas in (("first", early), ("last", late)):
        if len(betas) == 0:
            return _no_betas(f"the {name} third of {layers} layers, {len(studies)} seeds", fits)
    return weigh(
        above(
            f"mean beta of the last third of {layers} layers over that of the first third, {len(studies)} seeds",
            late.mean() / early.mean(),
            1.0,
        ),
        note=f"of {fits} fits each, {fits - len(early)} of the first third and {fits - len(late)} of the last end at a "
        "bound of the search and do not count",
    )


def _faster(*studies: Study) -> Measurement:
    def epochs(study: Study) -> int:
        curve = np.array([record["val_accuracy"] for record in study["history"]])
        return int((curve >= curve.max() - 0.05).argmax()) + 1

    resnet, vgg = np.array([epochs(study) for study in studies]).reshape(2, SEEDS).mean(1)
    what = f"epochs to within 5 points of the best, ResNet-10 less VGG-11, means of {SEEDS} seeds"
    return weigh(below(what, resnet - vgg, -1))


def _cleaner(*studies: Study) -> Measurement:
    r2 = [np.mean([layer["r2"] for layer in study["layers"]]) for study in studies]
    resnet, vgg = np.array(r2).reshape(2, SEEDS).mean(1)
    return weigh(above(f"mean R^2 of the Swish fits, ResNet-10 less VGG-11, {SEEDS} seeds", resnet - vgg, 0.0))


def _clean(*studies: Study) -> Measurement:
    """Whether validation accuracy falls back once training has settled."""
    drops = []
    for study in studies:
        curve = np.array([record["val_accuracy"] for record in study["history"]])
        late = curve[len(curve) // 2 :]
        drops.append(100 * float((np.maximum.accumulate(late) - late).max()))
    what = f"most that validation accuracy falls back in the second half, in points, {len(drops)} seeds"
    return weigh(below(what, max(drops), 2.0))


def _gradients_agree(inspection: Study) -> Measurement:
    gradients = inspection["gradients"]
    rows = [row for layer in gradients["layers"] for row in layer["epochs"]]
    normal, sample = (np.nanmean([row[name]["projected"] for row in rows]) for name in ("gaussian", "sample"))
    chance = np.nanmean([row["chance"]["projected"] for row in rows])
    where = f"{len(gradients['layers'])} layers, {len(gradients['epochs'])} epochs, n = {gradients['n']} images"
    return weigh(
        above(f"mean cosine of both gradients in what the objective sees, normal densities, {where}", normal, 0.5),
        above("the same from samples", sample, 0.5),
        note=f"with shuffled labels the mean |cosine| is {chance:.2g}",
    )


def _early_agree_most(inspection: Study) -> Measurement:
    layers = inspection["gradients"]["layers"]
    means = [np.nanmean([row["sample"]["projected"] for row in layer["epochs"]]) for layer in layers]
    third = max(len(means) // 3, 1)
    what = "mean cosine with the cross-entropy's gradient (samples), first third of the layers less last third"
    return weigh(above(what, np.mean(means[:third]) - np.mean(means[-third:]), 0.0))


def _normal_within_classes(inspection: Study) -> Measurement:
    found = inspection["gaussianity"]
    w = [layer["within"]["w"]["median"] for layer in found["layers"]]
    normal = found["baselines"]["normal"]["w"]["median"]
    return weigh(
        above(f"median over {len(w)} layers of Shapiro and Wilk's W within a class", np.median(w), 0.97),
        above("the least layer's", min(w), 0.97, core=False),
        note=f"true normals of the same n have {normal:.3f}; batch norm, affine in a channel, changes none of these",
    )


def _evolves(inspection: Study) -> Measurement:
    """Swish in the middle and at the end, and standing still between three quarters and the end."""
    evolution = inspection["evolution"]
    middle, late = round(evolution["epochs"] / 2), round(3 * evolution["epochs"] / 4)
    layers = evolution["layers"]
    least = {epoch: min(layer["r2"][epoch] for layer in layers) for epoch in (middle, evolution["epochs"])}
    moved = max(layer["distance"][late] for layer in layers)
    where = f"over {len(layers)} layers, one run"
    return weigh(
        above(f"least R^2 of a Swish fit {where}, after epoch {middle}", least[middle], 0.99),
        above(f"the same after epoch {evolution['epochs']}", least[evolution["epochs"]], 0.99),
        below(f"most that a layer's shape still changes after epoch {late} (1 - r^2)", moved, 0.02, core=False),
        note=f"median R^2 at the end {np.median([layer['r2'][-1] for layer in layers]):.3f}",
    )


def _near_optimum(inspection: Study) -> Measurement:
    """Whether what backprop learns is what the objective calls for at the layer's own input."""
    found = inspection["optimality"]
    share, r2, relu = (np.array([layer[name] for layer in found["layers"]]) for name in ("share", "r2", "relu"))
    rewards, best = (np.array([layer[name] for layer in found["layers"]]) for name in ("reward", "optimum"))
    where = f"of {len(share)} layers, n = {found['n']} images"
    return weigh(
        above(f"median R^2 between a layer's activation and the optimum for its input, {where}", np.median(r2), 0.9),
        above("median share of the attainable reward", np.median(share), 0.9),
        note=f"a ReLU has {np.median(relu / best):.2g} of it, and more than the learnt activation in "
        f"{int((relu > rewards).sum())} layers",
    )


_claim = CORRELATION.claim
_LOCAL_INSPECTION, _BACKPROP_INSPECTION = (
    f"networks/resnet10-{kind}-w0.25-s0/inspect" for kind in ("local", "backprop")
)
NETWORK_CLAIMS: tuple[Claim, ...] = (
    _claim(
        "vgg11-accuracy",
        "VGG-11, learnt activations, 20 epochs of CIFAR-10: about 88 % test accuracy",
        from_studies(_accuracy(88.0), _full("vgg11-backprop")),
        _FULL,
    ),
    _claim(
        "vgg11-relu-parity",
        "VGG-11 with learnt activations is comparable to its ReLU baseline",
        from_studies(_parity("learnt", "ReLU"), _full("vgg11-backprop"), _full("vgg11-relu")),
        _FULL,
    ),
    _claim(
        "vgg11-swish-layers",
        "VGG-11's learnt activations are Swish-like across all layers",
        from_studies(_all_swish, *_small("vgg11-backprop")),
        _SMALL,
    ),
    _claim(
        "vgg11-convergence",
        "VGG-11 with learnt activations converges cleanly",
        from_studies(_clean, *_small("vgg11-backprop")),
        _SMALL,
    ),
    _claim(
        "resnet10-accuracy",
        "ResNet-10, learnt activations, 20 epochs of CIFAR-10: about 90 % test accuracy",
        from_studies(_accuracy(90.0), _full("resnet10-backprop")),
        _FULL,
    ),
    _claim(
        "resnet10-faster",
        "ResNet-10 converges faster than VGG-11",
        from_studies(_faster, *_small("resnet10-backprop", "vgg11-backprop")),
        _SMALL,
    ),
    _claim(
        "resnet10-cleaner",
        "ResNet-10 learns cleaner activation shapes than VGG-11",
        from_studies(_cleaner, *_small("resnet10-backprop", "vgg11-backprop")),
        _SMALL,
    ),
    _claim(
        "evolution",
        "in training a sigmoid gate appears midway and ends as a stable Swish",
        from_studies(_evolves, _BACKPROP_INSPECTION),
        "pwlact inspect figures/results/networks/resnet10-backprop-w0.25-s0",
    ),
    _claim(
        "layer-beta-early",
        "layers 0 to 2: broad, beta about 1.5 (1.5 to 2.0 elsewhere in the draft)",
        from_studies(_layer_beta(0, 2, 1.25, 2.0), *_small("resnet10-backprop")),
        _SMALL,
    ),
    _claim(
        "layer-beta-mid",
        "layers 3 to 6: steeper, beta about 2.5",
        from_studies(_layer_beta(3, 6, 2.0, 3.0), *_small("resnet10-backprop")),
        _SMALL,
    ),
    _claim(
        "layer-beta-late",
        "layers 7 to 9: nearly ReLU, beta about 3 to 5",
        from_studies(_layer_beta(7, 9, 3.0, 5.0), *_small("resnet10-backprop")),
        _SMALL,
    ),
    _claim(
        "layer-progression",
        "earlier layers are broader, later layers sharper",
        from_studies(_broad_to_sharp, *_small("resnet10-backprop")),
        _SMALL,
    ),
    _claim(
        "theory-matches-networks",
        "activations learnt in networks match the theory's",
        from_studies(_near_optimum, _BACKPROP_INSPECTION),
        "pwlact inspect figures/results/networks/resnet10-backprop-w0.25-s0",
    ),
    _claim(
        "local-equals-backprop",
        "local correlation training is a usable alternative to backprop (accuracy)",
        from_studies(
            _paired("local", "backprop", ("ResNet-10", "VGG-11")),
            *_small("resnet10-local", "resnet10-backprop", "vgg11-local", "vgg11-backprop"),
            *(_full(f"{arch}-{kind}") for arch in ("resnet10", "vgg11") for kind in ("local-moving", "backprop")),
        ),
        f"{_SMALL} && {_FULL}",
    ),
    _claim(
        "gradient-approximates-ce",
        "the correlation gradient approximates the cross-entropy gradient of the "
        "activations when inputs are Gaussian, separation moderate and the network not too deep",
        from_studies(_gradients_agree, _LOCAL_INSPECTION),
        "pwlact inspect figures/results/networks/resnet10-local-w0.25-s0",
    ),
    _claim(
        "early-layers-benefit",
        "earlier layers benefit most from the correlation objective",
        from_studies(_early_agree_most, _LOCAL_INSPECTION),
        "pwlact inspect figures/results/networks/resnet10-local-w0.25-s0",
    ),
    _claim(
        "gaussian-preactivations",
        "CIFAR-10 pre-activations are approximately Gaussian within a class (batch norm, central limit)",
        from_studies(_normal_within_classes, _BACKPROP_INSPECTION),
        "pwlact inspect figures/results/networks/resnet10-backprop-w0.25-s0",
    ),
)
