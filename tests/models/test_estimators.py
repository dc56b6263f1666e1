"""Perceptrons and activations as scikit-learn estimators through skorch: validated, searched, cloned, pickled."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

import pwlact
from pwlact.competitive import SparsemaxLoss, make, sparsemax
from pwlact.models import MLP, activations

CLASSES, INPUTS = 3, 5


@pytest.fixture(scope="module")
def samples():
    """Classes in rings, which no linear classifier tells apart, on scales that need a scaler."""
    generator = np.random.default_rng(0)
    y = np.arange(180) % CLASSES
    direction = generator.normal(size=(180, INPUTS))
    x = (1 + y[:, None]) * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return (100 * x + 1000).astype(np.float32), y


def net(activation="relu", **settings):
    torch.manual_seed(0)
    return NeuralNetClassifier(
        MLP,
        module__inputs=INPUTS,
        module__classes=CLASSES,
        module__width=24,
        module__activation=partial(make, activation),
        **{
            "criterion": nn.CrossEntropyLoss,
            "optimizer": torch.optim.Adam,
            "lr": 0.03,
            "batch_size": 30,
            "max_epochs": 12,
            "train_split": None,
            "verbose": 0,
        }
        | settings,
    )


def pipeline(activation="relu", **settings):
    return Pipeline([("scale", StandardScaler()), ("net", net(activation, **settings))])


def test_cross_validation_of_a_pipeline(samples):
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    learnt = cross_val_score(pipeline("piecewise-linear"), *samples, cv=folds, error_score="raise")
    linear = cross_val_score(pipeline(module__depth=0), *samples, cv=folds, error_score="raise")
    assert learnt.shape == (3,)
    assert learnt.min() > 0.7
    assert linear.max() < 0.6


def test_a_search_over_activations_and_shapes(samples):
    grid = {
        "net__module__activation": [partial(make, name) for name in ("identity", "piecewise-linear")],
        "net__module__depth": [1, 2],
    }
    search = GridSearchCV(pipeline(max_epochs=6), grid, cv=2, error_score="raise").fit(*samples)
    scores = search.cv_results_["mean_test_score"]
    assert scores.shape == (4,)
    assert search.best_params_["net__module__activation"].args == ("piecewise-linear",)
    assert len(search.best_estimator_["net"].module_.layers) == search.best_params_["net__module__depth"]
    assert search.predict(samples[0][:4]).shape == (4,)


def test_a_clone_begins_anew_and_learns_the_same(samples):
    x, y = samples
    first = pipeline("piecewise-linear", max_epochs=3)
    second = clone(first)
    shares = []
    for estimator in (first, second):
        torch.manual_seed(1)
        shares.append(estimator.fit(x, y).predict_proba(x))
    assert np.array_equal(*shares)
    assert shares[0].sum(1) == pytest.approx(np.ones(180), abs=1e-5)
    assert first["net"].module_ is not second["net"].module_


def test_what_was_learnt_is_pickled(samples):
    x, y = samples
    fitted = pipeline("piecewise-linear", max_epochs=3).fit(x, y)
    copy = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copy.predict_proba(x), fitted.predict_proba(x))
    ((_, ours),) = activations(fitted["net"].module_)
    ((_, theirs),) = activations(copy["net"].module_)
    assert torch.equal(ours.values, theirs.values)
    fresh = make("piecewise-linear", 24)
    assert (ours.values - fresh.values).abs().max() > 0.01


def test_activations_have_a_rate_of_their_own(samples):
    settings = {"optimizer__param_groups": [("*.activation.*", {"lr": 0.0})], "module__depth": 2, "max_epochs": 2}
    fitted = pipeline("piecewise-linear", **settings).fit(*samples)
    assert [group["lr"] for group in fitted["net"].optimizer_.param_groups] == [0.0, 0.03]
    fresh = make("piecewise-linear", 24).values
    for _, activation in activations(fitted["net"].module_):
        assert torch.equal(activation.values, fresh)


def test_a_converted_model_is_a_module_too(samples):
    def converted(**sizes):
        return pwlact.convert(MLP(**sizes)).model

    fitted = pipeline(max_epochs=2).set_params(net__module=converted).fit(*samples)
    assert fitted.predict(samples[0]).shape == (180,)
    assert any(type(m) is pwlact.PiecewiseLinearActivation for m in fitted["net"].module_.modules())


def test_sparse_shares_from_their_own_loss(samples):
    sparse = {"criterion": SparsemaxLoss, "predict_nonlinearity": sparsemax, "max_epochs": 20}
    shares = pipeline(**sparse).fit(*samples).predict_proba(samples[0])
    assert shares.sum(1) == pytest.approx(np.ones(180), abs=1e-5)
    assert 0.2 < (shares == 0).mean() < 0.67
