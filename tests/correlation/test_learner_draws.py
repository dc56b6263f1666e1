"""Positions that a CorrelationLearner looks at."""

import pytest
import torch
from learning import alone, learner_of


def coded(images=6, channels=4, side=5):
    """x whose every entry tells image, channel and position: 10,000 n + 100 c + p."""
    n, c = torch.arange(images)[:, None, None], torch.arange(channels)[None, :, None]
    return (10_000 * n + 100 * c + torch.arange(side * side)).reshape(images, channels, side, side).float()


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "channels at the end"])
def test_samples_are_of_every_image_and_keep_their_channel(layout):
    learner = learner_of(alone(), positions=8)
    x, dim = coded(), 1
    if layout == "channels_last":
        x = x.contiguous(memory_format=torch.channels_last)
    elif layout == "channels at the end":
        x, dim = x.movedim(1, -1), -1
    samples = learner._sample(x, dim)
    assert samples.shape == (6, 8, 4)
    image, rest = samples.long() // 10_000, samples.long() % 10_000
    assert torch.equal(image, torch.arange(6)[:, None, None].expand(-1, 8, 4))
    assert torch.equal(rest // 100, torch.arange(4).expand(6, 8, -1))
    place = rest[..., :1] % 100
    assert torch.equal(rest % 100, place.expand(-1, -1, 4))  # channels of one position stay together
    assert len(place.unique()) > 15  # drawn for each image anew
    assert not torch.equal(samples, learner._sample(x, dim))  # and for each step


def test_positions_are_drawn_uniformly():
    learner = learner_of(alone(), positions=8)
    x = coded(images=500, channels=1)
    seen = (learner._sample(x, 1).long() % 100).flatten().bincount(minlength=25)
    assert seen.sum() == 4000
    # 160 each, give or take a deviation of 12.4
    assert (seen - 160).abs().max() < 5 * 12.4


@pytest.mark.parametrize("positions", [25, 26, None])
def test_few_positions_are_taken_whole(positions):
    learner = learner_of(alone(), positions=positions)
    assert torch.equal(learner._sample(coded(), 1), coded().flatten(2).transpose(1, 2))


def test_draws_depend_on_the_seed():
    first, again, other = (learner_of(alone(), positions=8, seed=seed) for seed in (3, 3, 4))
    drawn = first._sample(coded(), 1)
    assert torch.equal(drawn, again._sample(coded(), 1))
    assert not torch.equal(drawn, other._sample(coded(), 1))


def test_draws_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    learner_of(alone(), positions=8)._sample(coded(), 1)
    assert torch.equal(torch.get_rng_state(), before)
