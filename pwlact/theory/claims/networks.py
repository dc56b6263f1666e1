"""Claims of the correlation paper about trained networks, measured from committed runs of `pwlact cifar`."""

from typing import Any

import numpy as np

from pwlact.theory.claims.drafts import CORRELATION
from pwlact.theory.claims.ledger import Claim, Measurement, above, below, near, weigh
from pwlact.theory.claims.studies import Study, from_studies

_VGG = "pwlact cifar --arch vgg11 --mode backprop --epochs 20"
_RESNET = "pwlact cifar --arch resnet10 --mode backprop --epochs 20"
_VGG_FILE, _VGG_RELU_FILE = "cifar-vgg11-backprop", "cifar-vgg11-relu"
_RESNET_FILE, _RESNET_LOCAL_FILE = "cifar-resnet10-backprop", "cifar-resnet10-local"


def _test(study: Study) -> tuple[float, int]:
    return 100 * study["test"]["accuracy"], study["test"]["n"]


def _accuracy(stated: float) -> Any:
    def measure(study: Study) -> Measurement:
        percent, n = _test(study)
        return weigh(near(f"test accuracy in %, n = {n} images, one run:", percent, stated, 1.0))

    return measure


def _parity(name: str, other: str) -> Any:
    def measure(first: Study, second: Study) -> Measurement:
        (a, n), (b, _) = _test(first), _test(second)
        return weigh(
            near(f"accuracy of {name} less that of {other} in points, n = {n} images, one run each:", a - b, 0, 1.0)
        )

    return measure


def _all_swish(study: Study) -> Measurement:
    r2 = [layer["r2"] for layer in study["layers"]]
    return weigh(above(f"least R^2 of a Swish fit over {len(r2)} layers", min(r2), 0.99))


def _betas(study: Study, first: int, last: int) -> list[float]:
    return [layer["beta"] for layer in study["layers"][first : last + 1]]


def _layer_beta(first: int, last: int, low: float, high: float) -> Any:
    def measure(study: Study) -> Measurement:
        betas = _betas(study, first, last)
        name = f"mean beta of layers {first} to {last} (n = {len(betas)})"
        return weigh(above(name, np.mean(betas), low), below("the same", np.mean(betas), high))

    return measure


def _broad_to_sharp(study: Study) -> Measurement:
    layers = len(study["layers"])
    third = max(layers // 3, 1)
    early, late = np.mean(_betas(study, 0, third - 1)), np.mean(_betas(study, layers - third, layers - 1))
    return weigh(above(f"beta of the last third over that of the first third ({layers} layers)", late / early, 1.0))


def _faster(resnet: Study, vgg: Study) -> Measurement:
    def epochs(study: Study) -> int:
        curve = np.array([record["val_accuracy"] for record in study["history"]])
        return int((curve >= curve.max() - 0.05).argmax()) + 1

    return weigh(
        below("epochs to within 5 points of the best, ResNet-10 less VGG-11", epochs(resnet) - epochs(vgg), -1)
    )


def _cleaner(resnet: Study, vgg: Study) -> Measurement:
    mean = [float(np.mean([layer["r2"] for layer in study["layers"]])) for study in (resnet, vgg)]
    return weigh(above("mean R^2 of the Swish fits, ResNet-10 less VGG-11", mean[0] - mean[1], 0.0))


_claim = CORRELATION.claim
_VGG_AND_RELU, _RESNET_AND_VGG = f"{_VGG}; the same with --mode relu", f"{_RESNET}; {_VGG}"
# those without a measurement wait for their experiment
NETWORK_CLAIMS: tuple[Claim, ...] = (
    _claim(
        "vgg11-accuracy",
        "VGG-11, learnt activations, 20 epochs of CIFAR-10: about 88 % test accuracy",
        from_studies(_accuracy(88.0), _VGG_FILE),
        _VGG,
    ),
    _claim(
        "vgg11-relu-parity",
        "VGG-11 with learnt activations is comparable to its ReLU baseline",
        from_studies(_parity("learnt", "ReLU"), _VGG_FILE, _VGG_RELU_FILE),
        _VGG_AND_RELU,
    ),
    _claim(
        "vgg11-swish-layers",
        "VGG-11's learnt activations are Swish-like across all layers",
        from_studies(_all_swish, _VGG_FILE),
        _VGG,
    ),
    _claim("vgg11-convergence", "VGG-11 with learnt activations converges cleanly", None, _VGG),
    _claim(
        "resnet10-accuracy",
        "ResNet-10, learnt activations, 20 epochs of CIFAR-10: about 90 % test accuracy",
        from_studies(_accuracy(90.0), _RESNET_FILE),
        _RESNET,
    ),
    _claim(
        "resnet10-faster",
        "ResNet-10 converges faster than VGG-11",
        from_studies(_faster, _RESNET_FILE, _VGG_FILE),
        _RESNET_AND_VGG,
    ),
    _claim(
        "resnet10-cleaner",
        "ResNet-10 learns cleaner activation shapes than VGG-11",
        from_studies(_cleaner, _RESNET_FILE, _VGG_FILE),
        _RESNET_AND_VGG,
    ),
    _claim("evolution", "in training a sigmoid gate appears midway and ends as a stable Swish", None, _RESNET),
    _claim(
        "layer-beta-early",
        "layers 0 to 2: broad, beta about 1.5 (1.5 to 2.0 elsewhere in the draft)",
        from_studies(_layer_beta(0, 2, 1.25, 2.0), _RESNET_FILE),
        _RESNET,
    ),
    _claim(
        "layer-beta-mid",
        "layers 3 to 6: steeper, beta about 2.5",
        from_studies(_layer_beta(3, 6, 2.0, 3.0), _RESNET_FILE),
        _RESNET,
    ),
    _claim(
        "layer-beta-late",
        "layers 7 to 9: nearly ReLU, beta about 3 to 5",
        from_studies(_layer_beta(7, 9, 3.0, 5.0), _RESNET_FILE),
        _RESNET,
    ),
    _claim(
        "layer-progression",
        "earlier layers are broader, later layers sharper",
        from_studies(_broad_to_sharp, _RESNET_FILE),
        _RESNET,
    ),
    _claim(
        "theory-matches-networks",
        "activations learnt in networks match the theory's",
        None,
        "pwlact cifar --arch resnet10 --mode backprop; pwlact swish RUN",
    ),
    _claim(
        "local-equals-backprop",
        "local correlation training is a usable alternative to backprop (accuracy)",
        from_studies(_parity("local", "backprop"), _RESNET_LOCAL_FILE, _RESNET_FILE),
        "pwlact cifar --arch resnet10 --mode local --epochs 20",
    ),
    _claim(
        "gradient-approximates-ce",
        "the correlation gradient approximates the cross-entropy gradient of the "
        "activations when inputs are Gaussian, separation moderate and the network not too deep",
        None,
        "pwlact cifar --arch resnet10 --mode local",
    ),
    _claim(
        "early-layers-benefit",
        "earlier layers benefit most from the correlation objective",
        None,
        "pwlact cifar --arch resnet10 --mode local",
    ),
    _claim(
        "gaussian-preactivations",
        "CIFAR-10 pre-activations are approximately Gaussian within a class (batch norm, central limit)",
        None,
        "pwlact cifar --arch resnet10 --mode backprop",
    ),
)
