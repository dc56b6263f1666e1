"""Summaries added up over the processes of a distributed run."""

from dataclasses import fields, replace
from typing import Any

import torch
from torch import distributed


def processes_together() -> int:
    """Number of processes in this distributed run; 1 outside of one."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def add_over_processes(summaries: list[Any]) -> list[Any]:
    """Each summary summed over all processes, in one exchange; unchanged outside a distributed run.

    Args:
        summaries: dataclasses of floating-point tensors, the same shapes in the same order on every process.

    Returns:
        new summaries in the same order.
    """
    if processes_together() == 1 or not summaries:
        return summaries
    parts = [getattr(summary, field.name) for summary in summaries for field in fields(summary)]
    flat = torch.cat([part.double().reshape(-1) for part in parts])
    distributed.all_reduce(flat)
    sums = iter(flat.split([part.numel() for part in parts]))
    return [
        replace(
            summary,
            **{
                field.name: next(sums).reshape(old.shape).to(old.dtype)
                for field in fields(summary)
                for old in [getattr(summary, field.name)]
            },
        )
        for summary in summaries
    ]
