"""Batches of images that are kept in memory as bytes, made by tensor operations on whole batches."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from pwlact import checks
from pwlact.checks import InputError
from pwlact.data.images import CHANNELS, SIZE, Images

SHIFT = 4


def channel_statistics(images: Images) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """Mean and standard deviation of each channel over all pixels, in units of full brightness (0..1).

    Exact up to rounding in float64: both come from the histogram of the 256 values of a byte.

    Returns:
        mean and (population) standard deviation, float64, each of shape (3,).

    Raises:
        InputError: there are no images.
    """
    _not_empty(images)
    counts = torch.stack(
        [torch.bincount(images.images[:, channel].reshape(-1), minlength=256) for channel in range(CHANNELS)]
    ).to(torch.float64)
    frequencies = counts / counts.sum(dim=1, keepdim=True)
    values = torch.arange(256, dtype=torch.float64, device=counts.device) / 255
    mean = frequencies @ values
    variance = (frequencies * (values - mean[:, None]).square()).sum(dim=1)
    return mean, variance.sqrt()


@dataclass(frozen=True)
class _Draws:
    """What chance decides in one epoch: which image at each place, and its flip and shift in pixels."""

    order: Int64[Tensor, " images"]
    flips: Bool[Tensor, " images"]
    shifts: Int64[Tensor, "images 2"]


class Batches:
    """Batches of normalised images, the same in every run that has the same seed.

    With augmentation, each epoch shuffles the images, mirrors each with probability 1/2 and shifts it by
    -4..4 pixels down and across; what comes in from outside is zero, the mean of the channel. Without it,
    images come in the given order. Chance depends on the seed and the number of the epoch alone, not on
    earlier epochs or the device: a resumed run sees the same batches.

    Attributes:
        batch_size: images in each batch but the last, which has what is left.
    """

    def __init__(
        self,
        images: Images,
        batch_size: int,
        *,
        mean: Tensor,
        std: Tensor,
        augment: bool,
        seed: int,
        device: torch.device | str = "cpu",
        memory_format: torch.memory_format = torch.channels_last,
        drop_last: bool = False,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        """Keep the images on `device`, ready to be cut into batches.

        Args:
            images: n images.
            batch_size: images in a batch, at least 1.
            mean: mean of each channel (of the training images), in units of full brightness, shape (3,).
            std: standard deviation of each channel (of the training images), in the same units, shape (3,).
            augment: whether to shuffle, mirror and shift.
            seed: 0 or above; not used without augmentation.
            device: where batches are made.
            memory_format: how batches lie in memory.
            drop_last: whether to leave out a last batch of fewer than `batch_size` images.
            share: (i, m) gives part i of m of every batch, for m processes that train together. With augmentation
                the parts are equally long: what is left over, fewer than m images of a batch, is not used.

        Raises:
            InputError: no images, or no batch left by `drop_last`; `batch_size` or `seed` too small; `mean`
                or `std` is not three finite numbers; a `std` is not above 0.
        """
        _not_empty(images)
        self._part, self._parts = share
        why = f"each of {self._parts} processes takes a part" if self._parts > 1 else ""
        self.batch_size = checks.at_least("batch_size", batch_size, self._parts, why)
        if drop_last and len(images) < batch_size:
            raise InputError(f"drop_last leaves no batch: batch_size {batch_size}, but {len(images)} images")
        self._seed = checks.at_least("seed", seed, 0)
        self._augment, self._drop_last, self._memory_format = augment, drop_last, memory_format
        # channels last: a row of pixels is contiguous, and shifting an image moves whole rows
        self._pixels = images.images.to(device).permute(0, 2, 3, 1).contiguous()
        self._labels = images.labels.to(device)
        self._scale, self._offset = _normalisation(mean, std, self._pixels.device)

    def __len__(self) -> int:
        whole, rest = divmod(len(self._labels), self.batch_size)
        least = self._parts if self._augment else 1
        return whole + (rest >= least and not self._drop_last)

    def epoch(self, number: int) -> Iterator[tuple[Float[Tensor, "batch 3 32 32"], Int64[Tensor, " batch"]]]:
        """The batches of epoch `number` (0 or above): images, normalised to float32, and labels.

        Raises:
            InputError: `number` is below 0.
        """
        checks.at_least("epoch", number, 0)
        return self._augmented(_draw(len(self._labels), self._seed, number)) if self._augment else self._plain()

    def _plain(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            mine = slice(start + self._part, min(start + self.batch_size, len(self._labels)), self._parts)
            if mine.start < mine.stop:
                yield self._finish(self._normalise(self._pixels[mine])), self._labels[mine]

    def _augmented(self, draws: _Draws) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            length = min(self.batch_size, len(self._labels) - start) // self._parts
            part = slice(start + self._part * length, start + (self._part + 1) * length)
            chosen = draws.order[part].to(self._labels.device)
            pixels = _flip(self._pixels.index_select(0, chosen), draws.flips[part])
            rows = _shift(self._normalise(pixels), draws.shifts[part])
            yield self._finish(rows), self._labels.index_select(0, chosen)

    def _normalise(self, pixels: UInt8[Tensor, "batch 32 32 3"]) -> Float[Tensor, "batch 32 96"]:
        return pixels.reshape(-1, SIZE, SIZE * CHANNELS).float().mul_(self._scale).add_(self._offset)

    def _finish(self, rows: Float[Tensor, "batch 32 96"]) -> Float[Tensor, "batch 3 32 32"]:
        images = rows.view(-1, SIZE, SIZE, CHANNELS).permute(0, 3, 1, 2)
        return images.contiguous(memory_format=self._memory_format)


def _normalisation(mean: Tensor, std: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Scale a and offset b of shape (96,), a row of pixels, with a byte + b = (byte / 255 - mean) / std."""
    for name, values in (("mean", mean), ("std", std)):
        if tuple(values.shape) != (CHANNELS,) or not values.isfinite().all():
            raise InputError(f"{name} must be {CHANNELS} finite numbers, got {values.tolist()}")
    if not (std > 0).all():
        raise InputError(f"std must be above 0, got {std.tolist()}: a channel is the same in all pixels")
    mean, std = mean.to(torch.float64), std.to(torch.float64)
    # a whole row of 96 numbers: broadcasting over a last dimension of 3 is several times slower
    rows = [values.repeat(SIZE).to(device, torch.float32) for values in (1 / (255 * std), -mean / std)]
    return rows[0], rows[1]


def _draw(count: int, seed: int, epoch: int) -> _Draws:
    # SeedSequence spreads the pair: seed + epoch would give seed 1, epoch 0 the batches of seed 0, epoch 1
    state = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0])
    generator = torch.Generator().manual_seed(state)
    return _Draws(
        order=torch.randperm(count, generator=generator),
        flips=torch.randint(0, 2, (count,), generator=generator).bool(),
        shifts=torch.randint(-SHIFT, SHIFT + 1, (count, 2), generator=generator),
    )


def _flip(pixels: UInt8[Tensor, "batch 32 32 3"], flips: Bool[Tensor, " batch"]) -> Tensor:
    """The images, those with a set `flips` mirrored left to right."""
    count = len(pixels)
    # whole images are picked from both versions: index_select copies each as one block, `where` goes by byte
    choice = (torch.arange(count) + count * flips).to(pixels.device)
    return torch.cat([pixels, pixels.flip(2)]).index_select(0, choice)


def _shift(rows: Float[Tensor, "batch 32 96"], shifts: Int64[Tensor, "batch 2"]) -> Float[Tensor, "batch 32 96"]:
    """The images moved by `shifts` pixels (down, right), zero where nothing moved in."""
    count, border = len(rows), SHIFT * CHANNELS
    padded = rows.new_zeros(count, SIZE + 2 * SHIFT, (SIZE + 2 * SHIFT) * CHANNELS)
    padded[:, SHIFT:-SHIFT, border:-border] = rows
    # every window of an image, as a view of shape (batch, 9, 9, 32, 96)
    windows = padded.unfold(1, SIZE, 1).unfold(2, SIZE * CHANNELS, CHANNELS)
    down, right = (SHIFT - shifts).to(rows.device).unbind(1)
    return windows[torch.arange(count, device=rows.device), down, right]


def _not_empty(images: Images) -> None:
    if not len(images):
        raise InputError("there are no images: batches and statistics need at least 1")
