"""Generated images in the shape of CIFAR-10, for demonstrations where the published ones are not at hand."""

import math
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pwlact import checks
from pwlact.checks import InputError
from pwlact.data.batch_files import RECORD_BYTES
from pwlact.data.images import CHANNELS, CLASSES, SIZE, Images
from pwlact.data.layouts import BINARY, OFFICIAL_COUNT
from pwlact.files import write_atomically, write_text

PATTERN_NAMES = tuple(f"pattern-{number}" for number in range(CLASSES))
# standard deviation of the noise, in units of full brightness: a small network gets most images right
NOISE = 0.15
# waves of a class across one image; neighbouring classes differ in direction, and in this
WAVES = (2.0, 4.0)
BLOCK = 1_000


def cifar_shaped(count: int, seed: int) -> Images:
    """`count` generated images of ten classes, each class a colour and a wave of its own, under noise.

    Class k has hue k / 10 and a sine wave at angle pi k / 10; position and brightness of the wave and a tint
    change from image to image. Classes are as equal in number as can be, in random order. They are no
    substitute for CIFAR-10: figures on them say nothing about it.

    Args:
        count: number of images, at least 1.
        seed: 0 or above; the same seed makes the same images.

    Raises:
        InputError: `count` is below 1 or `seed` below 0.
    """
    checks.at_least("count", count, 1)
    generator = torch.Generator().manual_seed(checks.at_least("seed", seed, 0))
    labels = (torch.arange(count) % CLASSES)[torch.randperm(count, generator=generator)]
    # in blocks: as float32, 50,000 images would take 600 MB
    images = torch.cat([_draw(block, generator) for block in labels.split(BLOCK)])
    return Images(images, labels)


def write_binary(directory: Path, train_count: int, test_count: int, seed: int) -> None:
    """Write generated images to `directory` in the binary layout, for `load` to read as it does CIFAR-10.

    The names of the classes, pattern-0 to pattern-9, say that the images are generated.

    Args:
        directory: the folder for the files, made if it is not there.
        train_count: number of training images, at least 5: one for each file.
        test_count: number of test images, at least 1.
        seed: 0 or above.

    Raises:
        InputError: a number is too small, the folder already holds CIFAR-10 files, or name and number of the
            images are those of the published ones, so that `load` would take them for damaged.
        OSError: the folder cannot be written.
    """
    checks.at_least("train_count", train_count, len(BINARY.train), "one image for each training file")
    checks.at_least("test_count", test_count, 1)
    _check_target(directory, {math.ceil(train_count / 5), train_count // 5, test_count})
    images = cifar_shaped(train_count + test_count, seed)
    records = torch.cat([images.labels[:, None].to(torch.uint8), images.images.flatten(1)], dim=1)
    directory.mkdir(parents=True, exist_ok=True)
    parts = (*records[:train_count].tensor_split(len(BINARY.train)), records[train_count:])
    for name, part in zip(BINARY.files, parts, strict=True):
        _write_records(directory / name, part)
    write_text(directory / BINARY.names, "".join(f"{name}\n" for name in PATTERN_NAMES))


def _check_target(directory: Path, counts: set[int]) -> None:
    present = [name for name in BINARY.files if (directory / name).exists()]
    if present:
        raise InputError(f"{directory} already holds {', '.join(present)}: give another folder, or delete them")
    if directory.resolve().name == BINARY.folder and OFFICIAL_COUNT in counts:
        raise InputError(
            f"{directory}: a file of {OFFICIAL_COUNT} generated images in a folder of this name would be "
            "taken for damaged CIFAR-10; give a folder of another name"
        )


def _write_records(path: Path, records: Tensor) -> None:
    assert records.shape[1] == RECORD_BYTES
    write_atomically(path, lambda file: file.write(records.contiguous().numpy().tobytes()))


def _draw(labels: Int64[Tensor, " images"], generator: torch.Generator) -> Tensor:
    """Images of the classes `labels`, uint8 of shape (n, 3, 32, 32)."""
    count = len(labels)
    brightness = 0.15 + 0.2 * torch.rand(count, 1, 1, 1, generator=generator)
    wave = _waves(labels, torch.rand(count, generator=generator))[:, None]
    tint = 0.05 * torch.randn(count, CHANNELS, 1, 1, generator=generator)
    noise = NOISE * torch.randn(count, CHANNELS, SIZE, SIZE, generator=generator)
    colour = _colours(labels)[:, :, None, None]
    image = 0.5 + brightness * (wave * colour + 0.5 * colour) + tint + noise
    return image.mul(255).round_().clamp_(0, 255).to(torch.uint8)


def _waves(labels: Int64[Tensor, " images"], phases: Float[Tensor, " images"]) -> Float[Tensor, "images 32 32"]:
    """sin(2 pi (f (u cos a + v sin a) + phase)), angle a and frequency f of the class, u and v in 0..1."""
    position = torch.arange(SIZE) / SIZE
    angle = math.pi * labels[:, None, None] / CLASSES
    frequency = torch.where(labels % 2 == 0, *WAVES)[:, None, None]
    along = position * torch.cos(angle) + position[:, None] * torch.sin(angle)
    return torch.sin(2 * math.pi * (frequency * along + phases[:, None, None]))


def _colours(labels: Int64[Tensor, " images"]) -> Float[Tensor, "images 3"]:
    """Red, green and blue of the hue of each class, in -1..1: cosines a third of a turn apart."""
    third = torch.arange(CHANNELS) / CHANNELS
    return torch.cos(2 * math.pi * (labels[:, None] / CLASSES - third))
