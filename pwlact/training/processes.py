"""Training on several processes: who takes part, and what they exchange. Alone, every exchange is a no-op."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from pwlact.checks import InputError


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: number of this process, from 0.
        count: number of all.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and speaks."""
        return self.rank == 0


def processes() -> Processes:
    """The processes of the default group; one alone where there is none."""
    if distributed.is_available() and distributed.is_initialized():
        return Processes(distributed.get_rank(), distributed.get_world_size())
    return Processes()


@contextmanager
def joined(device: str = "auto") -> Iterator[Processes]:
    """Within, this process belongs to the group that `torchrun` started; nothing happens outside of torchrun.

    Args:
        device: "cpu" exchanges by gloo; "cuda", and "auto" where there are GPUs, by nccl, one GPU a process.

    Yields:
        this process among all.

    Raises:
        InputError: torchrun's variables are not numbers, or there are fewer GPUs than processes.
    """
    rank, count, local = _number("RANK", 0), _number("WORLD_SIZE", 1), _number("LOCAL_RANK", 0)
    if count == 1:
        yield Processes()
        return
    cuda = device != "cpu" and torch.cuda.is_available()
    if cuda:
        if local >= torch.cuda.device_count():
            raise InputError(
                f"process {rank} needs a GPU of its own, but there are {torch.cuda.device_count()}: "
                "lower --nproc-per-node, or give --device cpu"
            )
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        with warnings.catch_warnings():
            # of 1 x 1 filters in channels_last, whose gradients lie in memory as they do, under other strides
            warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
            yield Processes(rank, count)
    finally:
        distributed.destroy_process_group()


def share_gradients(model: nn.Module) -> nn.Module:
    """The model as it is to be called in training: wrapped so that gradients are averaged, or itself where alone.

    What is learnt without a gradient must be so before this call.
    """
    if processes().count == 1:
        return model
    device = next(model.parameters()).device
    return DistributedDataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)


@torch.no_grad()
def sum_over_processes(tensor: Tensor) -> Tensor:
    """The tensor summed over all processes; itself where alone."""
    if processes().count == 1:
        return tensor
    tensor = tensor.clone()
    distributed.all_reduce(tensor)
    return tensor


@torch.no_grad()
def share_buffers(model: nn.Module) -> None:
    """Give every process the first one's buffers, such as batch norm's running statistics."""
    if processes().count > 1:
        for buffer in model.buffers():
            distributed.broadcast(buffer, 0)


def wait() -> None:
    """Until all processes have come here."""
    if processes().count > 1:
        sum_over_processes(torch.zeros(1, device="cuda" if distributed.get_backend() == "nccl" else "cpu")).item()


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise InputError(f"the variable {name} of torchrun must be a whole number, got {text!r}")
    return int(text)
