"""Gaussianity of a network's inputs: what is sampled, which groups are tested, and that batch norm changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from asserts import assert_refused
from scipy import stats
from torch import nn

from pwlact.data import Images
from pwlact.experiments.inspection import gaussianity as measure
from pwlact.experiments.inspection.gaussianity import QQ_POINTS, _groups, _look, _qq, _shuffled
from pwlact.experiments.inspection.normality import normality
from pwlact.files import to_json
from pwlact.models import activations


@pytest.fixture(scope="module")
def record(runs):
    return measure(runs["local"], images=100)


def look(run, seed=0):
    return _look(run.model(), run.batches(run.val, 40), seed)


def inputs(run):
    """Every layer's whole input, (n, C, positions), taken by hooks of our own."""
    seen, model = {}, run.model()
    for name, module in activations(model):
        module.register_forward_pre_hook(
            lambda _, x, name=name: seen.setdefault(name, []).append(x[0].flatten(2).double())
        )
    with torch.no_grad():
        for images, _ in run.batches(run.val, 40).epoch(0):
            model(images)
    return {name: torch.cat(parts).numpy() for name, parts in seen.items()}


@pytest.mark.parametrize("name", ["local", "channel", "silu"])
def test_each_sample_is_one_position_of_its_image(runs, name):
    run = runs[name]
    whole = inputs(run)
    layers = look(run)
    assert [layer.name for layer in layers] == list(whole)
    for layer in layers:
        x = whole[layer.name]
        assert layer.after.shape == x.shape[:2] == (100, x.shape[1])
        # all channels of an image at the same position
        assert (np.abs(x - layer.after[:, :, None]).max(axis=1).min(axis=1) < 1e-12).all()
    first = layers[0]
    where = np.abs(whole[first.name] - first.after[:, :, None]).max(axis=1).argmin(axis=1)
    assert len(set(where)) > 60  # of 1,024 positions


def test_summaries_are_those_of_the_samples(runs, record):
    run = runs["local"]
    labels = run.val.labels.numpy()
    layers = look(run)  # batches do not matter: 100 images are one batch there
    batch_of_all = _look(run.model(), run.batches(run.val), 0)
    assert len(layers) == len(batch_of_all) == 9
    for layer, row in zip(batch_of_all, record["layers"], strict=True):
        p, w = [], []
        for k in range(10):
            for channel in layer.after[labels == k].T:
                if np.ptp(channel) > 0:
                    test = stats.shapiro(channel)
                    w.append(test.statistic)
                    p.append(test.pvalue)
        assert row["channels"] == layer.after.shape[1]
        assert row["within"]["tests"] == len(p)
        assert row["within"]["tests"] + row["within"]["left_out"] == 10 * row["channels"]
        assert row["within"]["w"]["median"] == pytest.approx(np.median(w), rel=1e-6)
        assert row["within"]["rejected"]["uncorrected"] == pytest.approx(np.mean(np.array(p) <= 0.05))


def test_batch_norm_changes_only_the_sign_of_the_skewness(runs):
    run = runs["local"]
    model = run.model()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.2, 3)
        norm.weight.data[::3] *= -1
        nn.init.uniform_(norm.bias, -2, 2)
        norm.running_mean.add_(torch.rand_like(norm.running_mean))
    layers = _look(model, run.batches(run.val), 0)
    signs = {(name, c): float(w.sign()) for name, w in _weights(model).items() for c, w in enumerate(w)}
    groups = _groups(run.val.labels.numpy())
    for layer in layers:
        assert layer.before is not None
        assert np.abs(layer.before - layer.after).max() > 0.1
        sign = np.array([signs[layer.name, c] for c in range(layer.after.shape[1])])
        for group in groups:
            after, before = normality(layer.after[group].T), normality(layer.before[group].T)
            # the network computes in float32
            for name in ("excess_kurtosis", "w", "d"):
                np.testing.assert_allclose(getattr(before, name), getattr(after, name), rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(sign * before.skewness, after.skewness, rtol=1e-4, atol=1e-4)


def _weights(model):
    """Weight of the batch norm in front of each activation of a pre-activation ResNet."""
    pairs = [norm for block in model.blocks for norm in (block.norm1, block.norm2)] + [model.norm]
    return {f"layer{i}": norm.weight.detach() for i, norm in enumerate(pairs)}


def test_record_agrees_before_and_after_the_norm(record):
    for layer in record["layers"]:
        for name in ("w", "d", "excess_kurtosis", "skewness"):  # weights of norms are positive after so few steps
            for part, value in layer["within"][name].items():
                assert layer["before_norm"][name][part] == pytest.approx(value, rel=1e-3, abs=1e-4)


class Plain(nn.Module):
    """An activation behind another thing than a batch norm, after one that passed elsewhere."""

    def __init__(self):
        super().__init__()
        self.norm, self.activation = nn.BatchNorm1d(3), nn.ReLU()

    def forward(self, x):
        return self.activation(self.norm(x) + x)


class One:
    def __init__(self, x):
        self.x = x

    def epoch(self, number):
        yield self.x, torch.zeros(len(self.x), dtype=torch.int64)


def test_without_a_batch_norm_in_front():
    model = Plain().eval()
    x = torch.randn(50, 3)
    (layer,) = _look(model, One(x), 0)
    assert layer.before is None
    np.testing.assert_allclose(layer.after, (model.norm(x) + x).detach().numpy(), rtol=1e-6)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())


def test_groups_of_classes_and_of_all():
    labels = np.array([0] * 8 + [1] * 7 + [2] * 20 + [9] * 5003)
    np.random.default_rng(0).shuffle(labels)
    groups = _groups(labels)
    assert [len(group) for group in groups] == [8, 20, 5000]  # 7 are too few
    for group, k in zip(groups, (0, 2, 9), strict=True):
        assert (labels[group] == k).all()
        assert len(set(group)) == len(group)
    shuffled = _shuffled(groups, 0)
    assert [len(group) for group in shuffled] == [8, 20, 5000]
    assert sorted(np.concatenate(shuffled)) == sorted(np.concatenate(groups))
    assert (labels[shuffled[1]] == 9).any()
    assert any((a != b).any() for a, b in zip(_shuffled(groups, 1), shuffled, strict=True))


def test_classes_apart_are_normal_within_and_not_pooled():
    """What the comparison is for: two far classes, each normal."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200)
    x = rng.normal(size=(400, 50)) + 6 * labels[:, None]
    groups = _groups(labels)
    within = normality(x[groups[0]].T)
    pooled = normality(x[_shuffled(groups, 0)[0]].T)
    assert (within.p <= 0.05).mean() < 0.2
    assert (pooled.p <= 0.05).all()
    assert np.median(pooled.excess_kurtosis) < -1


def test_qq_curves():
    rng = np.random.default_rng(0)
    probabilities = (np.arange(QQ_POINTS) + 0.5) / QQ_POINTS
    groups = [np.arange(2000), np.arange(2000, 4000)]
    x = np.column_stack([5 + 3 * rng.uniform(size=4000) for _ in range(6)])
    curve = _qq(x, groups)
    np.testing.assert_allclose(curve["mean"], np.sqrt(12) * (probabilities - 0.5), atol=0.03)
    assert (np.array(curve["q10"]) < curve["mean"]).all()
    assert (np.array(curve["q90"]) > curve["mean"]).all()
    normal = _qq(rng.normal(size=(4000, 6)), groups)
    np.testing.assert_allclose(normal["mean"], stats.norm.ppf(probabilities), atol=0.05)
    dead = np.column_stack([x, np.zeros(4000)])
    assert _qq(dead, groups) == curve
    assert np.isnan(_qq(np.zeros((4000, 2)), groups)["mean"]).all()


def test_record(record, runs):
    assert (record["n"], record["epoch"], record["classes"], len(record["layers"])) == (100, 2, 10, 9)
    counts = torch.bincount(runs["local"].val.labels)
    assert record["samples"] == {"least": int(counts.min()), "most": int(counts.max())}
    assert len(record["qq"]["normal"]) == QQ_POINTS
    assert [layer["name"] for layer in record["qq"]["layers"]] == [layer["name"] for layer in record["layers"]]
    assert record == measure(runs["local"], images=5000)  # as many as there are
    assert record != measure(runs["local"], images=100, seed=1)
    to_json(record)


def test_classes_with_few_images(runs):
    run = runs["local"]
    kept = torch.cat([torch.where(run.val.labels == k)[0][: 10 if k < 2 else 2] for k in range(10)])
    few = replace(run, val=Images(run.val.images[kept], run.val.labels[kept]))
    record = measure(few, images=100)
    assert (record["n"], record["classes"], record["samples"]) == (36, 2, {"least": 10, "most": 10})
    none = replace(run, val=Images(run.val.images[kept[20:]], run.val.labels[kept[20:]]))
    assert_refused(lambda: measure(none), "images", "16")


def test_one_class(runs):
    run = runs["local"]
    one = torch.where(run.val.labels == 3)[0]
    record = measure(replace(run, val=Images(run.val.images[one], run.val.labels[one])))
    assert record["classes"] == 1
    for layer in record["layers"]:  # a class alone is all of them
        assert layer["pooled"]["w"]["median"] == pytest.approx(layer["within"]["w"]["median"], rel=1e-9)


def test_network_that_computes_nan(runs):
    run = runs["local"]
    broken = run.model()
    broken.stem.weight.data.fill_(torch.nan)

    class Broken(type(run)):
        def model(self, epoch=None):
            return broken

    record = measure(Broken(**vars(run)), images=100)
    assert all(layer["within"]["tests"] == 0 for layer in record["layers"])
    to_json(record)


@pytest.mark.parametrize("images", [19, 0, -1, 2.5, True])
def test_bad_numbers_of_images(runs, images):
    assert_refused(lambda: measure(runs["local"], images=images), "images", repr(images))
