"""Batches: what augmentation does, checked against a slow twin, and that chance repeats."""

import pytest
import torch
from torch.nn import functional

from pwlact.data import Batches, Images, channel_statistics, cifar_shaped
from pwlact.data.batches import _draw

MEAN = torch.tensor([0.49, 0.48, 0.45], dtype=torch.float64)
STD = torch.tensor([0.25, 0.24, 0.26], dtype=torch.float64)


def random_images(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)
    # labels that tell the images apart
    return Images(images, torch.arange(count))


def batches(images, size=8, augment=True, seed=0, **options):
    return Batches(images, size, **{"mean": MEAN, "std": STD, "augment": augment, "seed": seed} | options)


def normalised(images):
    return ((images.to(torch.float64) / 255 - MEAN[:, None, None]) / STD[:, None, None]).float()


def slow_twin(images, draws):
    """One image at a time: normalise, mirror, pad, cut out."""
    result = []
    for index, flip, (down, right) in zip(
        draws.order.tolist(), draws.flips.tolist(), draws.shifts.tolist(), strict=True
    ):
        image = normalised(images.images[index])
        image = image.flip(2) if flip else image
        padded = functional.pad(image, (4, 4, 4, 4))
        result.append(padded[:, 4 - down : 36 - down, 4 - right : 36 - right])
    return torch.stack(result)


def epoch(batches, number=0):
    parts = list(batches.epoch(number))
    return torch.cat([x for x, _ in parts]), torch.cat([labels for _, labels in parts])


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_augmented_batches_equal_the_slow_twin(memory_format):
    images = random_images(53)
    images = Images(images.images.contiguous(memory_format=memory_format), images.labels)
    x, labels = epoch(batches(images, seed=5), 3)
    draws = _draw(53, seed=5, epoch=3)
    torch.testing.assert_close(x, slow_twin(images, draws), rtol=1e-6, atol=1e-6)
    assert torch.equal(labels, draws.order)


def test_draws_reach_every_flip_and_shift_and_are_even():
    draws = _draw(20_000, seed=0, epoch=0)
    assert torch.equal(draws.order.sort().values, torch.arange(20_000))
    # 5 standard deviations of a mean of 20,000 fair coins
    assert abs(draws.flips.double().mean() - 0.5) < 0.018
    pairs = (draws.shifts[:, 0] + 4) * 9 + draws.shifts[:, 1] + 4
    counts = pairs.bincount(minlength=81)
    assert len(counts) == 81
    # expected 247 each, standard deviation 16
    assert counts.min() > 247 - 90
    assert counts.max() < 247 + 90


def test_pixels_from_outside_are_zero():
    white = Images(torch.full((200, 3, 32, 32), 255, dtype=torch.uint8), torch.zeros(200, dtype=torch.int64))
    x, _ = epoch(batches(white))
    shifts = _draw(200, 0, 0).shifts
    zeros = (x == 0).sum(dim=(1, 2, 3))
    assert torch.equal(zeros, 3 * (1024 - (32 - shifts[:, 0].abs()) * (32 - shifts[:, 1].abs())))


def test_without_augmentation_images_come_in_the_given_order():
    images = random_images(21)
    for number in (0, 1):
        x, labels = epoch(batches(images, augment=False), number)
        torch.testing.assert_close(x, normalised(images.images), rtol=1e-6, atol=1e-6)
        assert torch.equal(labels, images.labels)


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize(
    ("count", "size", "drop_last", "sizes"),
    [
        (1, 1, False, [1]),
        (1, 256, False, [1]),
        (7, 256, False, [7]),
        (9, 4, False, [4, 4, 1]),
        (9, 4, True, [4, 4]),
        (8, 4, False, [4, 4]),
        (8, 8, True, [8]),
    ],
)
def test_sizes_types_and_memory_format(augment, count, size, drop_last, sizes):
    made = batches(random_images(count), size, augment, drop_last=drop_last)
    parts = list(made.epoch(0))
    assert [len(labels) for _, labels in parts] == sizes
    assert len(made) == len(sizes)
    for x, labels in parts:
        assert x.shape == (len(labels), 3, 32, 32)
        assert (x.dtype, labels.dtype) == (torch.float32, torch.int64)
        assert x.is_contiguous(memory_format=torch.channels_last)


def test_contiguous_memory_format_holds_the_same_numbers():
    images = random_images(5)
    x, _ = next(batches(images, memory_format=torch.contiguous_format).epoch(0))
    assert x.is_contiguous()
    assert torch.equal(x, next(batches(images).epoch(0))[0])


def test_chance_depends_on_seed_and_epoch_alone():
    images = random_images(40)
    run = batches(images, seed=1)
    earlier = [epoch(run, number)[0] for number in range(3)]
    torch.manual_seed(99)
    assert torch.equal(epoch(batches(images, seed=1), 2)[0], earlier[2])
    # the size of the batches is no part of it either
    assert torch.equal(epoch(batches(images, size=17, seed=1), 2)[0], earlier[2])
    different = [*earlier, *(epoch(batches(images, seed=seed), 0)[0] for seed in (0, 2, 2**40))]
    for index, x in enumerate(different):
        assert not any(torch.equal(x, other) for other in different[:index])
    # nor is seed + 1 in one epoch the same as the next epoch of seed
    assert not torch.equal(epoch(batches(images, seed=2), 0)[0], epoch(batches(images, seed=1), 1)[0])


def test_making_batches_leaves_the_global_generator_and_the_images_alone():
    images = random_images(10)
    before = images.images.clone()
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    epoch(batches(images))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(images.images, before)


def test_channel_statistics_are_those_of_the_pixels():
    images = random_images(30)
    mean, std = channel_statistics(images)
    pixels = images.images.to(torch.float64) / 255
    torch.testing.assert_close(mean, pixels.mean(dim=(0, 2, 3)), rtol=1e-12, atol=0)
    torch.testing.assert_close(std, pixels.std(dim=(0, 2, 3), correction=0), rtol=1e-12, atol=0)
    x, _ = epoch(batches(images, augment=False, mean=mean, std=std))
    torch.testing.assert_close(x.mean(dim=(0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(x.std(dim=(0, 2, 3)), torch.ones(3), rtol=0, atol=1e-4)


def test_bad_arguments_are_refused(refused):
    images = random_images(3)
    empty = Images(torch.zeros(0, 3, 32, 32, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))
    refused(lambda: batches(empty), "no images")
    refused(lambda: channel_statistics(empty), "no images")
    refused(lambda: batches(images, 0), "batch_size", "got 0")
    refused(lambda: batches(images, 4, drop_last=True), "drop_last", "batch_size 4", "3 images")
    refused(lambda: batches(images, seed=-1), "seed", "got -1")
    refused(lambda: batches(images).epoch(-1), "epoch", "got -1")
    refused(lambda: batches(images, mean=torch.zeros(1)), "mean must be 3 finite numbers", "[0.0]")
    refused(lambda: batches(images, mean=torch.full((3,), torch.nan)), "mean", "nan")
    flat = Images(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64))
    refused(lambda: batches(flat, std=channel_statistics(flat)[1]), "std must be above 0", "[0.0, 0.0, 0.0]")


def test_images_of_another_form_are_refused(refused):
    good = cifar_shaped(2, 0)
    refused(lambda: Images(good.images.float(), good.labels), "images must be torch.uint8", "torch.float32")
    refused(lambda: Images(good.images[:, :1], good.labels), "(2, 3, 32, 32)", "(2, 1, 32, 32)")
    refused(lambda: Images(good.images, good.labels[:1]), "labels", "(2,)", "(1,)")
    refused(lambda: Images(good.images, good.labels.int()), "labels must be torch.int64", "torch.int32")
