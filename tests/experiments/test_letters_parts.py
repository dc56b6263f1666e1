"""Letters split into training, validation and test part: disjoint, balanced, by a seed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from asserts import assert_refused
from hypothesis import given
from hypothesis import strategies as st

from pwlact.data import LetterImages, Letters
from pwlact.experiments.letters.parts import split


def letters(train_labels, test_labels=(0, 1)):
    """The image number is written into the first three pixels, class by class as in the real files."""

    def part(labels):
        images = torch.zeros(len(labels), 28, 28, dtype=torch.uint8)
        number = torch.arange(len(labels))
        images[:, 0, 0], images[:, 0, 2] = number // 256, number % 256
        return LetterImages(images, torch.tensor(labels, dtype=torch.int64))

    classes = max(train_labels) + 1
    return Letters(part(sorted(train_labels)), part(list(test_labels)), classes, "some", Path())


def numbers(part, pooled=False):
    return ((part.x[:, 0] * 255).round() * 256 + (part.x[:, 1 if pooled else 2] * 255).round()).long().tolist()


@pytest.mark.parametrize("pooled", [False, True])
def test_each_training_image_is_in_one_part(pooled):
    data = letters([0, 1, 2] * 100, [2, 0, 1, 1])
    parts = split(data, 30, pooled=pooled)
    train, validation = numbers(parts.train, pooled), numbers(parts.validation, pooled)
    assert sorted(train + validation) == list(range(300))
    assert numbers(parts.test, pooled) == [0, 1, 2, 3]
    assert parts.test.y.tolist() == [2, 0, 1, 1]
    for part, own in ((parts.train, train), (parts.validation, validation)):
        assert part.y.tolist() == data.train.labels[own].tolist()
        assert part.x.dtype == torch.float32
        assert part.x.shape[1] == (196 if pooled else 784)
    assert (parts.classes, parts.name) == (3, "some")
    assert len(split(data).validation.y) == 4


def test_values_lie_between_0_and_1():
    data = letters([0, 1] * 3)
    data.train.images[:] = 255
    assert split(data, 2).train.x.unique().tolist() == [1.0]


@given(counts=st.lists(st.integers(2, 20), min_size=2, max_size=5), data=st.data(), seed=st.integers(0, 9))
def test_every_beginning_is_balanced(counts, data, seed):
    labels = [k for k, count in enumerate(counts) for _ in range(count)]
    validation = data.draw(st.integers(1, len(counts) * (min(counts) - 1)))
    limit = data.draw(st.none() | st.integers(len(counts), 50))
    parts = split(letters(labels), validation, seed=seed, limit=limit)
    left = [count - int((parts.validation.y == k).sum()) for k, count in enumerate(counts)]
    for part, most in ((parts.validation, counts), (parts.train, left)):
        for n in range(len(part.y) + 1):
            taken = torch.bincount(part.y[:n], minlength=len(counts)).tolist()
            unfinished = [t for t, m in zip(taken, most, strict=True) if t < m]
            # who has images left is behind by one at most
            assert not unfinished or max(taken) - min(unfinished) <= 1
    assert len(parts.validation.y) == validation
    assert len(parts.train.y) == min(limit or len(labels), len(labels) - validation)


def test_a_limit_takes_the_beginning_and_leaves_validation_alone():
    data = letters([0, 1, 2, 3] * 50)
    whole, small, smaller = (split(data, 22, limit=limit) for limit in (None, 60, 9))
    assert numbers(small.train) == numbers(whole.train)[:60]
    assert numbers(smaller.train) == numbers(whole.train)[:9]
    assert numbers(small.validation) == numbers(whole.validation)


def test_the_draw_goes_by_the_seed():
    data = letters([0, 1, 2, 3] * 50)
    draws = [numbers(split(data, 40, seed=seed).validation) for seed in (0, 0, 1, 2)]
    assert draws[0] == draws[1]
    assert len({frozenset(draw) for draw in draws}) == 3
    # neither the first nor the last images of a class, nor the classes always in the same order
    assert 20 < np.mean([number % 50 for number in draws[0]]) < 30
    assert len({tuple(data.train.labels[draw[:4]].tolist()) for draw in draws}) > 1


def test_bad_numbers_for_parts():
    data = letters([0] * 9 + [1] * 3)
    for validation in (0, -1):
        assert_refused(lambda validation=validation: split(data, validation), "validation", str(validation))
    assert split(data, 4).train.y.bincount().tolist() == [7, 1]
    for validation in (6, 11, 12, 13, 999):
        assert_refused(lambda validation=validation: split(data, validation), f"{validation} of 12", "give fewer")
    assert_refused(lambda: split(data, 2, limit=1), "limit", "at least 2")
    assert_refused(lambda: split(data, 2, seed=-1), "seed", "-1")
    # as many as test images, when there are as many as training images
    assert_refused(lambda: split(letters([0, 1], [0, 1])), "2 of 2")
