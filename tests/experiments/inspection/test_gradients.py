"""Gradients of cross-entropy and correlation objective: against finite differences, projections, and whole runs."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from asserts import assert_refused
from torch import nn

from pwlact.data import Images
from pwlact.experiments.inspection import gradients as measure
from pwlact.experiments.inspection.gradients import (
    _ascent,
    _compare,
    _halves,
    _look,
    _spread,
    cosine,
    random_cosine,
    visible,
)
from pwlact.files import to_json
from pwlact.pwl import Knots, PiecewiseLinearActivation

KNOTS = Knots(7, -2.0, 2.0)


class Toy(nn.Module):
    """x -> W f(x + b) for x of shape (n, C): small enough for everything to be written out."""

    def __init__(self, channels=3, own=False):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(channels))
        self.activation = PiecewiseLinearActivation(KNOTS, channels=channels if own else None, start="silu")
        self.linear = nn.Linear(channels, 10)

    def forward(self, x):
        return self.linear(self.activation(x + self.bias))


@pytest.fixture(params=[False, True], ids=["shared", "a channel"])
def toy(request):
    model = Toy(own=request.param).double().eval()
    model.activation.values.data += 0.1 * torch.randn_like(model.activation.values)
    return model


def batches(n=200, parts=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (n,), generator=generator)
    x = torch.randn(n, 3, generator=generator, dtype=torch.float64) + 0.2 * labels[:, None]
    return list(zip(x.tensor_split(parts), labels.tensor_split(parts), strict=True))


def hats(x):
    """phi_s(x), with linear tails, (..., N)."""
    t = KNOTS.positions().numpy()
    h = t[1] - t[0]
    segment = np.clip(np.floor((x - t[0]) / h), 0, len(t) - 2).astype(int)
    w = (x - t[segment]) / h
    one = np.eye(len(t))
    return (1 - w)[..., None] * one[segment] + w[..., None] * one[segment + 1]


def written_out(model):
    """CE and J as functions of the knot values (functions, N), in numpy."""
    x, y = (torch.cat(parts).numpy() for parts in zip(*batches(), strict=True))
    phi = hats(x + model.bias.detach().numpy())
    weight, bias = (part.detach().numpy() for part in (model.linear.weight, model.linear.bias))

    def outputs(values):
        values = np.broadcast_to(values, (3, KNOTS.count))
        return np.einsum("ncs,cs->nc", phi, values)

    def cross_entropy(values):
        logits = outputs(values) @ weight.T + bias
        return (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]).sum()

    def objective(values):
        f = outputs(values)
        rho = np.array([[np.corrcoef(f[:, c], y == k)[0, 1] for k in range(10)] for c in range(3)])
        return (rho * np.abs(rho)).sum(axis=1).mean()

    return cross_entropy, objective


def slope(function, values, step=1e-5):
    values = values.copy()
    found = np.zeros_like(values)
    for place in np.ndindex(values.shape):
        ends = []
        for sign in (1, -1):
            moved = values.copy()
            moved[place] += sign * step
            ends.append(function(moved))
        found[place] = (ends[0] - ends[1]) / (2 * step)
    return found


def test_gradients_are_those_of_the_formulas(toy):
    seen = _look(toy, batches(), 0)["layer0"]
    values = toy.activation.values.detach().numpy().reshape(-1, KNOTS.count)
    cross_entropy, objective = written_out(toy)
    assert seen.images == 200
    np.testing.assert_allclose(seen.descent.numpy(), -slope(cross_entropy, values), rtol=1e-5, atol=1e-7)
    # the objective is computed in float32
    np.testing.assert_allclose(
        _ascent(toy.activation, seen, "sample").numpy(), slope(objective, values), rtol=1e-3, atol=1e-5
    )


def test_gaussian_gradient_of_normal_inputs_is_that_of_the_samples():
    """Where classes are normal, both statistics are the same up to noise; where they are not, they are not."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(10, (40_000,), generator=generator)
    noise = torch.randn(40_000, 3, generator=generator, dtype=torch.float64)
    skewed = noise.exp()
    model = Toy().double().eval()
    agreement = []
    for x in (noise, (skewed - skewed.mean()) / skewed.std()):
        seen = _look(model, [(0.3 * x + 0.25 * (labels[:, None] - 4.5), labels)], 0)["layer0"]
        agreement.append(float(cosine(*(_ascent(model.activation, seen, name) for name in ("sample", "gaussian")))))
    assert agreement[0] > 0.99
    assert agreement[1] < 0.95


def test_objective_is_blind_to_shift_and_scale(toy):
    seen = _look(toy, batches(), 0)["layer0"]
    y = toy.activation.values.detach().reshape(-1, KNOTS.count)
    for name in ("sample", "gaussian", "shuffled 0"):
        j = _ascent(toy.activation, seen, name)
        assert float(j.norm()) > 1e-4
        for blind in (torch.ones_like(y), y):
            assert float(cosine(j, blind).abs().max()) < 1e-4
        torch.testing.assert_close(visible(j, y), j, rtol=1e-3, atol=1e-5)


def test_looking_leaves_the_model_as_it_was(toy):
    before = {name: value.clone() for name, value in toy.state_dict().items() if isinstance(value, torch.Tensor)}
    toy.linear.weight.requires_grad_(False)
    _look(toy, batches(), 0)
    assert [p.requires_grad for p in toy.parameters()] == [True, True, False, True]
    assert all(p.grad is None for p in toy.parameters())
    assert not toy.activation._forward_pre_hooks
    assert all(torch.equal(value, toy.state_dict()[name]) for name, value in before.items())


def test_batches_do_not_matter(toy):
    one, five = (_look(toy, batches(parts=parts), 0)["layer0"] for parts in (1, 5))
    torch.testing.assert_close(one.descent, five.descent)
    for name in ("sample", "gaussian"):
        torch.testing.assert_close(*(_ascent(toy.activation, seen, name) for seen in (one, five)), rtol=1e-4, atol=1e-6)


def test_row_is_the_mean_over_functions(toy):
    first, second = (_look(toy, batches(seed=seed), seed)["layer0"] for seed in (1, 2))
    row = _compare(toy.activation, first, second)
    y = toy.activation.values.detach().reshape(-1, KNOTS.count)
    g, j = first.descent + second.descent, _ascent(toy.activation, first + second, "sample")
    cosines, projected, seen = [], [], []
    for g_c, j_c, y_c in zip(g.numpy(), j.numpy(), y.numpy(), strict=True):
        blind = np.linalg.qr(np.stack([np.ones_like(y_c), y_c], axis=1))[0]
        p = np.eye(len(y_c)) - blind @ blind.T
        cosines.append(g_c @ j_c / np.linalg.norm(g_c) / np.linalg.norm(j_c))
        projected.append((p @ g_c) @ (p @ j_c) / np.linalg.norm(p @ g_c) / np.linalg.norm(p @ j_c))
        seen.append(np.linalg.norm(p @ g_c) / np.linalg.norm(g_c))
    assert row["sample"]["cosine"] == pytest.approx(np.mean(cosines), rel=1e-9)
    assert row["sample"]["projected"] == pytest.approx(np.mean(projected), rel=1e-9)
    assert row["seen"] == pytest.approx(np.mean(seen), rel=1e-9)
    ends = [visible(part.descent, y) for part in (first, second)]
    assert row["ceiling"]["cosine"] == pytest.approx(cosine(first.descent, second.descent).mean().item(), rel=1e-9)
    assert row["ceiling"]["projected"] == pytest.approx(cosine(*ends).mean().item(), rel=1e-9)
    halves = [visible(_ascent(toy.activation, part, "gaussian"), y) for part in (first, second)]
    assert row["gaussian"]["repeat"] == pytest.approx(cosine(*halves).mean().item(), rel=1e-9)
    draws = [cosine(g, _ascent(toy.activation, first + second, f"shuffled {i}")).abs().mean().item() for i in (0, 1)]
    assert row["chance"]["cosine"] == pytest.approx(np.mean(draws), rel=1e-9)
    assert row["chance"]["cosine"] > 0
    assert _compare(toy.activation, first, first)["ceiling"] == pytest.approx({"cosine": 1, "projected": 1})


def test_cosine():
    a = torch.tensor([[1.0, 2, 3], [1, 0, 0], [1, 1, 0], [1, 2, 3]], dtype=torch.float64)
    b = torch.tensor([[1.0, 2, 3], [0, 5, 0], [-1, -1, 0], [2, 4, 6]], dtype=torch.float64)
    expected = torch.tensor([1.0, 0, -1, 1], dtype=torch.float64)
    for scale in (1, 1e-200, 1e200):
        torch.testing.assert_close(cosine(scale * a, b / scale), expected)
    nothing = torch.tensor([[0.0, 0], [torch.nan, 1], [torch.inf, 1]])
    assert cosine(nothing, torch.ones(3, 2)).isnan().all()
    assert cosine(torch.ones(3, 2), nothing).isnan().all()


@pytest.mark.parametrize(
    "y", [[0.0, 0, 1, 2], [3.0, 3, 3, 3], [0.0, 0, 0, 0], [1e6, 1e6, 1e6, 1e6 + 1], [1e-30, 0, 0, 0]]
)
def test_visible_part(y):
    y = torch.tensor([y], dtype=torch.float64)
    g = torch.tensor([[1.0, -2, 0.5, 4]], dtype=torch.float64)
    seen = visible(g, y)
    assert seen.sum().item() == pytest.approx(0, abs=1e-12)
    assert ((seen * (y - y.mean())).sum() / y.abs().amax().clamp(min=1e-300)).item() == pytest.approx(0, abs=1e-9)
    torch.testing.assert_close(visible(seen, y), seen)
    blind = g - seen  # is a combination of 1 and y
    stack = torch.cat([torch.ones_like(y), (y - y.mean()) / y.abs().amax().clamp(min=1e-300), blind])
    assert torch.linalg.matrix_rank(stack, rtol=1e-8) == torch.linalg.matrix_rank(stack[:2], rtol=1e-8)
    assert seen.norm() > 0.1
    assert visible(torch.ones_like(y) + y, y).norm().item() <= 1e-9 * (1 + y).norm().item()


@pytest.mark.parametrize("dimension", [1, 2, 3, 31])
def test_random_directions(dimension):
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(200_000, dimension, generator=generator, dtype=torch.float64) for _ in range(2))
    assert random_cosine(dimension) == pytest.approx(cosine(a, b).abs().mean().item(), abs=3e-3)
    if dimension <= 3:
        assert random_cosine(dimension) == pytest.approx({1: 1, 2: 2 / np.pi, 3: 0.5}[dimension])


def test_halves():
    images = Images(torch.arange(101, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 32, 32), torch.arange(101))
    first, second = _halves(images, 0)
    assert (len(first), len(second)) == (51, 50)
    assert sorted([*first.labels.tolist(), *second.labels.tolist()]) == list(range(101))
    for half in (first, second):
        assert torch.equal(half.images[:, 0, 0, 0].long(), half.labels)
        assert not torch.equal(half.labels, half.labels.sort()[0])
    assert not torch.equal(_halves(images, 1)[0].labels, first.labels)


@pytest.mark.parametrize("most", [1, 2, 3, 8, 20, 21, 100])
def test_epochs_are_spread(most):
    kept = list(range(1, 21))
    some = _spread(kept, most)
    assert len(some) == min(most, 20)
    assert some[-1] == 20
    assert set(some) <= set(kept)
    assert some == sorted(set(some))
    if most > 1:
        assert some[0] == 1
        gaps = [b - a for a, b in pairwise(some)]
        assert max(gaps) - min(gaps) <= 1


@pytest.fixture(scope="module")
def records(runs):
    return {name: measure(run, images=60) for name, run in runs.items()}


def test_records_of_runs(runs, records):
    layers = {"local": 9, "channel": 9, "silu": 8}
    for name, record in records.items():
        assert (record["n"], record["positions"], record["dimension"]) == (60, 16, 7)
        assert record["epochs"] == list(runs[name].weights)
        assert [layer["name"] for layer in record["layers"]] == [f"layer{i}" for i in range(layers[name])]
        for layer in record["layers"]:
            assert [row["epoch"] for row in layer["epochs"]] == record["epochs"]
        to_json(record)
    assert records["local"]["epochs"] == [1, 2]
    assert records["channel"]["epochs"] == [2]
    assert [layer["functions"] for layer in records["channel"]["layers"]] == [4, 4, 4, 8, 8, 16, 16, 32, 32]
    assert {layer["functions"] for name in ("local", "silu") for layer in records[name]["layers"]} == {1}


@pytest.mark.parametrize("name", ["local", "silu"])
def test_shares_of_one_function_multiply(records, name):
    """j lies in the range of P, so cos(g, j) = |P g| / |g| cos(P g, P j)."""
    for layer in records[name]["layers"]:
        for row in layer["epochs"]:
            for estimator in ("sample", "gaussian"):
                pair = row[estimator]
                assert pair["cosine"] == pytest.approx(row["seen"] * pair["projected"], abs=1e-3)
                assert abs(pair["projected"]) > 1e-6


def test_epochs_differ_and_repeat(runs, records):
    first, second = (records["local"]["layers"][3]["epochs"][i] for i in range(2))
    assert first["sample"] != second["sample"]
    assert measure(runs["local"], images=60) == records["local"]
    last = measure(runs["local"], images=60, epochs=1)
    assert last["epochs"] == [2]
    assert last["layers"][3]["epochs"] == [second]
    assert measure(runs["local"], images=60, epochs=1, seed=1)["layers"] != last["layers"]


def test_progress_is_told(runs):
    told = []
    measure(runs["local"], images=20, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2)]


def test_network_that_computes_nan(runs):
    run = runs["local"]
    broken = run.model()
    broken.stem.weight.data.fill_(torch.nan)

    class Broken(type(run)):
        def model_with_knots(self, epoch=None):
            return broken

    record = measure(Broken(**vars(run)), images=20)
    assert np.isnan(record["layers"][0]["epochs"][0]["sample"]["cosine"])
    to_json(record)


def test_one_class(runs):
    """J is 0 for every f: there is no direction to compare with."""
    run = runs["local"]
    one = torch.where(run.val.labels == 3)[0].repeat(3)
    record = measure(replace(run, val=Images(run.val.images[one], run.val.labels[one])), images=20)
    row = record["layers"][0]["epochs"][0]
    assert np.isnan(row["sample"]["cosine"])
    assert np.isfinite(row["ceiling"]["cosine"])
    to_json(record)


@pytest.mark.parametrize(("setting", "value"), [("images", 19), ("images", 1.5), ("epochs", 0)])
def test_bad_settings(runs, setting, value):
    assert_refused(lambda: measure(runs["local"], **{setting: value}), setting, repr(value))
