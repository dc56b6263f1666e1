"""Output maps and what their answers are worth; gradients before training."""

import math

import pytest
import torch
from asserts import assert_close
from torch import nn

from pwlact.experiments.letters.depth import HE, VARIANTS, gradient_ratio, shape_of
from pwlact.experiments.letters.outputs import OUTPUT_MAPS, calibration_error, measures
from pwlact.experiments.letters.parts import Part
from pwlact.experiments.perceptrons import Shape, Stack

Z = torch.randn(200, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3
Y = torch.arange(200) % 7


def test_calibration_error_by_hand():
    p = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.0, 1.0]])
    y = torch.tensor([0, 1, 0, 1])
    # bins of 1 / 15: {0.9, 0.9}, {0.6}, {1}
    assert calibration_error(p, y) == pytest.approx((abs(1 - 1.8) + abs(1 - 0.6) + 0) / 4)
    assert calibration_error(p[3:], y[3:]) == 0
    assert calibration_error(p[3:], 1 - y[3:]) == 1


def test_confidence_on_a_boundary_belongs_to_the_bin_below():
    # exactly 6 / 15 and a little above: two bins, so an error in each counts in full
    p = torch.tensor([[6 / 15, 0.0], [6.1 / 15, 0.0]], dtype=torch.float64)
    found = calibration_error(p, torch.tensor([0, 1]))
    assert found == pytest.approx((1 - 6 / 15 + 6.1 / 15) / 2)


@pytest.mark.parametrize("name", OUTPUT_MAPS)
def test_shares_and_losses(name):
    output = OUTPUT_MAPS[name]
    p = output.shares(Z)
    assert_close(p.sum(1), torch.ones(200, dtype=torch.float64))
    z = Z.clone().requires_grad_()
    losses = output.losses(z, Y)
    assert losses.shape == (200,)
    assert (losses.detach() >= -1e-12).all()
    (g,) = torch.autograd.grad(losses.sum(), z)
    if "smoothed" not in name and "relumax" not in name:
        # a Fenchel-Young loss has the gradient p - e_y
        assert_close(g, p - nn.functional.one_hot(Y, 7), 1e-9)
    # where the target has no share, the smoothed likelihood alone says nothing
    stuck = (p.gather(1, Y[:, None])[:, 0] == 0) & (g == 0).all(1)
    assert bool(stuck.any()) == name.endswith("smoothed")


def test_measures():
    found = measures(OUTPUT_MAPS["sparsemax"], Z, Y)
    p = OUTPUT_MAPS["sparsemax"].shares(Z)
    assert found["brier"] == pytest.approx(float((p - nn.functional.one_hot(Y, 7)).square().sum(1).mean()))
    assert found["dead_targets"] == float((p[torch.arange(200), Y] == 0).double().mean()) > 0
    assert found["support"] == float((p > 0).sum()) / 200
    sure = measures(OUTPUT_MAPS["sparsemax"], 5.0 * nn.functional.one_hot(Y, 7), Y)
    assert sure == {"calibration": 0, "brier": 0, "dead_targets": 0, "support": 1}
    assert measures(OUTPUT_MAPS["softmax"], Z.float(), Y)["support"] == 7


def ratios(variant, depth):
    part = Part(torch.rand(64, 50, generator=torch.Generator().manual_seed(1)), torch.arange(64) % 5)
    stack = Stack(shape_of(variant, 50, 32, depth, 5), lambda units: nn.ReLU(), [1, 2, 3])
    return gradient_ratio(stack, part)


def test_gradients_vanish_from_small_starting_weights_only():
    assert ratios("plain", 1) == [1.0] * 3
    # E w^2 = 1 / (3 n): a layer passes a sixth of the squared gradient down
    expected = math.sqrt(1 / 6) ** 8
    assert all(expected / 5 < ratio < 5 * expected for ratio in ratios("plain", 9))
    assert all(0.1 < ratio < 10 for variant in ("he", "residual", "both") for ratio in ratios(variant, 9))


def test_he_starts_keep_the_size_of_what_relu_passes_on():
    x = torch.randn(500, 300, generator=torch.Generator().manual_seed(2))
    found = {}
    for gain in (1.0, HE):
        stack = Stack(Shape(300, 300, 6, 5, gain=gain), lambda units: nn.ReLU(), [0])
        given = stack.forward(stack.parameters(), x).given
        found[gain] = float(given[-1].square().mean() / given[0].square().mean())
    assert 0.5 < found[HE] < 2
    assert found[1.0] < 0.1
    weight = Stack(Shape(300, 300, 1, 5, gain=HE), lambda units: nn.ReLU(), [0]).parameters()
    assert float(weight["layer0.weight"].square().mean()) == pytest.approx(2 / 300, rel=0.02)
    assert not weight["layer0.bias"].any()
    assert float(weight["layer1.weight"].abs().max()) <= 300**-0.5


def test_variants_differ():
    assert len({str(options) for options in VARIANTS.values()}) == len(VARIANTS)
