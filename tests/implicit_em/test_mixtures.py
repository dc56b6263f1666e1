"""Toy mixtures: the layer fitted by gradients against scikit-learn's EM, and collapse without and with control."""

import math

import pytest
import torch

from pwlact.implicit_em import (
    Objective,
    PrototypeLayer,
    dead_components,
    descend,
    effective_components,
    responsibility_entropy,
)

F64 = torch.float64
SEEDS, K = 20, 3
# name -> means, standard deviations, weights
MIXTURES = {
    "apart": ([[-5.0, 1.0], [5.0, 2.0], [1.0, 7.0]], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]),
    "overlapping": ([[-2.0, 1.0], [2.0, 2.0], [1.0, 4.5]], [1.0, 1.2, 0.8], [1.0, 1.0, 1.0]),
    "unbalanced": ([[-4.0, 1.0], [4.0, 2.0], [1.0, 6.0]], [1.0, 0.7, 1.3], [0.8, 0.15, 0.05]),
}


def drawn(name, n):
    """Samples of a mixture."""
    means, deviations, weights = (torch.tensor(value, dtype=F64) for value in MIXTURES[name])
    component = torch.multinomial(weights, n, replacement=True)
    return means[component] + deviations[component, None] * torch.randn(n, 2, dtype=F64)


@pytest.mark.parametrize(("distance", "kind"), [("diagonal", "diag"), ("full", "full")])
@pytest.mark.parametrize("name", MIXTURES)
def test_descent_ends_where_em_ends(name, distance, kind):
    mixture = pytest.importorskip("sklearn.mixture")
    x = drawn(name, 400)
    layer = PrototypeLayer(2, K, distance, volume={"log-det": 1}, weights="learned").double()
    layer.place(x)
    with torch.no_grad():
        layer.means += 0.6  # well apart, k-means alone would be there
    factor = layer.factor().detach()
    em = mixture.GaussianMixture(
        K,
        covariance_type=kind,
        means_init=layer.means.detach().numpy(),
        precisions_init=(factor.square() if kind == "diag" else factor @ factor.mT).numpy(),
        weights_init=[1 / K] * K,
        reg_covar=0,
        tol=1e-9,
        max_iter=1000,
    ).fit(x.numpy())
    start = layer.loss(x).item()
    losses = descend(layer, x, Objective(), steps=150, lr=0.1)
    assert abs(losses.lse.item() + em.score(x.numpy())) < 1e-3
    assert start - losses.lse.item() > 0.02  # it was not there before
    expected = torch.from_numpy(em.means_)
    assert ((layer.means - expected).norm(dim=-1) < 0.02 * expected.norm(dim=-1)).all()
    assert (layer.log_weights().exp() - torch.from_numpy(em.weights_)).abs().max() < 0.01


def fitted(distance, penalties=None, **settings):
    """20 layers from 20 starts on the same well-separated mixture; their losses and responsibilities."""
    centres = torch.tensor([[-4.0, 0.0], [4.0, 0.0], [0.0, 5.0]], dtype=F64)
    x = centres[torch.arange(120) % K] + torch.randn(120, 2, dtype=F64)
    layer = PrototypeLayer(2, K, distance, copies=(SEEDS,), **settings).double()
    layer.place(x)
    losses = descend(layer, x, Objective(penalties), steps=150, lr=0.1)
    with torch.no_grad():
        return layer, losses, layer.distances(x), layer.responsibilities(x)


def test_distances_without_control_flatten():
    """Every precision falls towards 0: L = -log K + (mean distance) is lowest where all samples are at no distance."""
    layer, losses, _, r = fitted("diagonal")
    assert layer.factor().max() < 0.1  # it starts above 0.5, and goes on falling
    assert (losses.lse + math.log(K)).abs().max() < 0.03
    assert (responsibility_entropy(r) > 0.999 * math.log(K)).all()


def test_relu_distances_without_control_die():
    """Each hyperplane retreats until all samples lie behind it: d = 0 and no gradient is left, L = -log K exactly."""
    layer, losses, d, r = fitted("relu-linear")
    assert (d == 0).all()
    assert (losses.lse + math.log(K)).abs().max() < 1e-12
    assert (responsibility_entropy(r) - math.log(K)).abs().max() < 1e-12
    assert (torch.autograd.grad(layer.loss(torch.zeros(1, 2, dtype=F64)).sum(), layer.weight)[0] == 0).all()


def test_linear_distances_without_control_grow():
    """Signed distances have no least value: weights and biases grow, L falls below all bounds, some units die."""
    layer, losses, _, r = fitted("linear")
    assert (losses.lse < -30).all()
    assert (layer.parts().weight.norm(dim=-1) > 5).all()
    assert dead_components(r).any(-1).sum() >= SEEDS // 4
    # the flatter a start is for one unit, the sooner another takes all: never an even share for all three
    assert (effective_components(r) < 2.95).any()


CONTROLLED = {
    "log-det": ("diagonal", {}, {"volume": {"log-det": 1.0, "ridge": 0.01}}),
    "log-det-full": ("full", {}, {"volume": {"log-det": 1.0, "ridge": 0.01}}),
    "weight-norm": ("diagonal", {"weight-norm": 10.0}, {}),
    "temperature": (
        "diagonal",
        {"weight-norm": 10.0},
        {"volume": {"temperature": 1.0}, "learn_temperature": True},
    ),
    "linear": ("linear", {"weight-norm": 1.0, "balance": 10.0}, {}),
    "relu-linear": ("relu-linear", {"variance": 10.0, "decorrelation": 10.0}, {}),
}


@pytest.mark.parametrize("name", CONTROLLED)
def test_no_seed_collapses_with_control(name):
    distance, penalties, settings = CONTROLLED[name]
    _, losses, d, r = fitted(distance, penalties, **settings)
    assert not dead_components(r, 0.1).any()
    assert (responsibility_entropy(r) < 0.9 * math.log(K)).all()
    assert (effective_components(r) > 0.85 * K).all()
    assert (d.std(-2, correction=0) > 0.9).all()
    assert losses.total.isfinite().all()
    if name.startswith("log-det"):
        # every start finds the three clusters
        assert losses.total.max() - losses.total.min() < 1e-3
        assert (effective_components(r) > 0.99 * K).all()
