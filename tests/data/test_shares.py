"""Batches cut into parts for several processes."""

import pytest
import torch

from pwlact.checks import InputError
from pwlact.data import Batches, cifar_shaped

IMAGES = cifar_shaped(23, 0)
THIRD = torch.full((3,), 0.3)


def batches(share, *, augment, size=8):
    return Batches(IMAGES, size, mean=THIRD, std=THIRD, augment=augment, seed=3, share=share)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_plain_parts_are_the_whole(count):
    whole = list(batches((0, 1), augment=False).epoch(0))
    parts = [list(batches((rank, count), augment=False).epoch(0)) for rank in range(count)]
    for step, (images, labels) in enumerate(whole):
        for rank, part in enumerate(parts):
            if rank < len(labels):
                assert torch.equal(part[step][0], images[rank::count])
                assert torch.equal(part[step][1], labels[rank::count])
    assert sum(len(labels) for part in parts for _, labels in part) == 23


def test_a_process_without_images_of_the_last_batch_has_none():
    sizes = [[len(labels) for _, labels in batches((r, 3), augment=False, size=22).epoch(0)] for r in range(3)]
    assert sizes == [[8, 1], [7], [7]]


@pytest.mark.parametrize("count", [2, 3, 8])
def test_augmented_parts_are_equally_long_and_without_overlap(count):
    whole = [(images, labels) for images, labels in batches((0, 1), augment=True).epoch(4)]
    parts = [batches((rank, count), augment=True) for rank in range(count)]
    got = [list(part.epoch(4)) for part in parts]
    assert {len(part) for part in parts} == {len(steps) for steps in got}
    for step in range(len(got[0])):
        length = len(whole[step][1]) // count
        joined = torch.cat([steps[step][0] for steps in got])
        assert [len(steps[step][1]) for steps in got] == [length] * count
        assert torch.equal(joined, whole[step][0][: length * count])
        assert torch.equal(torch.cat([steps[step][1] for steps in got]), whole[step][1][: length * count])


def test_a_last_batch_too_small_to_be_shared_is_left_out():
    both = batches((0, 2), augment=True, size=22)
    assert len(both) == len(list(both.epoch(1))) == 1
    assert len(batches((0, 1), augment=True, size=22)) == 2


def test_a_batch_smaller_than_the_processes():
    with pytest.raises(InputError, match="batch_size must be a whole number of at least 4, got 3: each of 4 processes"):
        batches((0, 4), augment=True, size=3)
