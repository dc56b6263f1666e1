"""Problems, small models and oracles that the tests of learning by correlation share; imported by spawned processes."""

import numpy as np
import torch
from oracles import hats
from torch import nn

from pwlact.correlation import ESTIMATORS, SOLVERS, CorrelationLearner, HatStatistics, reward
from pwlact.correlation.ascent import spread
from pwlact.pwl import Knots, PiecewiseLinearActivation, roughness

PAIRS = [(estimator, solver) for estimator in ESTIMATORS for solver in SOLVERS]
CLASSES = 5
AT_ONCE = {"memory": 0.0, "every": 1}
"""Settings of a learner that steps after each batch, by that batch alone."""


def lines(n=1000, channels=3, seed=0):
    """Five classes on a line, seen by a few channels under independent noise: x (n, C), labels (n,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % CLASSES
    return labels.float()[:, None] + 0.7 * torch.randn(n, channels, generator=generator), labels


def images(n=40, channels=3, side=4, seed=0):
    """Images (n, C, side, side) whose level tells their class, and labels (n,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (n,), generator=generator)
    return torch.randn(n, channels, side, side, generator=generator) + 0.4 * (labels - 2)[:, None, None, None], labels


def line_model(start="tanh", **sharing):
    """Batch norm, activation and read-out of three channels."""
    torch.manual_seed(1)
    activation = PiecewiseLinearActivation(Knots(), start=start, **sharing)
    return nn.Sequential(nn.BatchNorm1d(3), activation, nn.Linear(3, CLASSES))


def alone(start="silu", knots=None, **sharing):
    """One activation as a whole model."""
    return nn.Sequential(PiecewiseLinearActivation(knots or Knots(), start=start, **sharing))


def learner_of(model, estimator="sample", solver="adam", **more):
    """A learner that looks at every position and takes visible steps, unless told otherwise."""
    rate = {"adam": 5e-2, "eigen": 0.5}[solver]
    settings = {"classes": CLASSES, "positions": None, "lr": rate, **AT_ONCE, **more}
    return CorrelationLearner(model, estimator=estimator, solver=solver, **settings)


def look(learner, x, labels, model=None):
    """One observed pass of the learner's model, or of another that holds the same activations."""
    with learner.observe(labels):
        return (model or learner.model)(x)


def learn(learner, x, labels):
    """One pass and one step."""
    look(learner, x, labels)
    learner.step()


def values_of(learner):
    """Copies of all knot values."""
    return [module.values.detach().clone() for module in learner.modules]


def assert_same_values(first, second, tolerance=0.0):
    """Knot values of two learners agree to `tolerance`, bit for bit unless given."""
    for ours, theirs in zip(first.modules, second.modules, strict=True):
        torch.testing.assert_close(ours.values, theirs.values, rtol=0, atol=tolerance)


def objective(y, statistics, name="signed", smoothness=0.0):
    """J of values (N,) or (G, N) by the library's own correlations."""
    rho = statistics.correlations(spread(y, statistics.counts.shape[0]))
    return reward(rho, name).mean() - smoothness * roughness(y).mean()


def written_out(y, x, labels, knots, name="signed", smoothness=0.0):
    """J of values (N,) or (G, N) on samples x (C, n), with each correlation and bend written out; differentiable."""
    t, channels, total = knots.positions().numpy(), x.shape[0], 0.0
    for c in range(channels):
        row = y if y.ndim == 1 else y[c * y.shape[0] // channels]
        f = torch.from_numpy(hats(x[c].double().numpy(), t)) @ row
        f = f - f.mean()
        for k in np.unique(labels.numpy()):
            one = (labels == k).double()
            one = one - one.mean()
            rho = (f * one).mean() / (f.square().mean() * one.square().mean()).sqrt()
            total = total + (rho * rho.abs() if name == "signed" else rho.square()) / channels
    bends = y[..., :-2] - 2 * y[..., 1:-1] + y[..., 2:]
    return total - smoothness * bends.square().sum(-1).mean()


def clouds(seed, channels, classes=CLASSES, n=1000, dtype=torch.float64):
    """Channels (C, n) of zero mean and unit deviation, in which the classes lie in random order; labels (n,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=generator)
    means = torch.randn(channels, classes, generator=generator)
    noise = (0.3 + torch.rand(channels, 1, generator=generator)) * torch.randn(channels, n, generator=generator)
    x = means[:, labels] + noise
    return ((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)).to(dtype), labels


def cloud_statistics(seed, channels, knots, **more):
    """Hat statistics of `clouds`."""
    x, labels = clouds(seed, channels, **more)
    return HatStatistics.from_samples(x, labels, more.get("classes", CLASSES), knots)
