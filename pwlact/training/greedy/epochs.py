"""What both stages of greedy training share: batches that depend on nothing but numbers, and means over them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from pwlact import checks
from pwlact.implicit_em import Objective, PrototypeLayer
from pwlact.training.loop import TrainingFailed

FORMAT = 1
"""Version of the states that are stored; one of another version is refused."""
Record = dict[str, float]
"""layer and epoch (from 1; layer 0 means all together), and the means over an epoch's batches of what was minimised."""
Progress = Callable[[Record], None]
"""Called after each epoch with its record."""


def batches(count: int, size: int, seed: int, layer: int, epoch: int) -> tuple[Tensor, ...]:
    """Numbers of the samples in each batch of an epoch: near-even parts of a shuffle that the seeds alone decide.

    Args:
        count: of samples.
        size: of a batch, at most.
        seed: of the run.
        layer: number of the layer.
        epoch: number of the epoch.
    """
    # no random state to store: an epoch is the same whether or not those before it ran in this process
    generator = torch.Generator().manual_seed((seed * 1_000_003 + layer) * 1_000_003 + epoch)
    # even parts: a rest of a few samples would have no variance to speak of
    return torch.randperm(count, generator=generator).tensor_split(math.ceil(count / size))


def mean(records: Iterable[tuple[int, Mapping[str, Tensor]]]) -> Record:
    """Means of each number over batches, weighted by their sizes.

    Args:
        records: (size, name -> number) of each batch; at least one.
    """
    records = list(records)
    total = sum(size for size, _ in records)
    names = records[0][1]
    return {name: float(sum(size * found[name].double() for size, found in records)) / total for name in names}


def ensure_finite(objective: float, module: nn.Module, where: str) -> None:
    """Let an epoch with a finite objective and finite parameters after its last step pass.

    Raises:
        TrainingFailed: one is NaN or infinite.
    """
    wrong = f"objective is {objective}"
    if math.isfinite(objective):
        if all(bool(parameter.isfinite().all()) for parameter in module.parameters()):
            return
        wrong = "parameters are not finite"
    raise TrainingFailed(f"{wrong} in {where}: lower lr, or add a control (pwlact.implicit_em.CONTROLS)")


def samples(x: Tensor, inputs: int) -> Tensor:
    """x if it is a table of finite samples.

    Raises:
        InputError: another shape, no samples, or values that are not finite.
    """
    if x.ndim != 2 or not len(x) or x.shape[1] != inputs:
        raise checks.InputError(f"x must have shape (samples, {inputs}), at least one sample, got {tuple(x.shape)}")
    if not bool(x.isfinite().all()):
        raise checks.InputError(
            f"x must be finite, got {int((~x.isfinite()).sum())} of {x.numel()} values that are not"
        )
    return x


def stacked(layers: Sequence[PrototypeLayer]) -> list[PrototypeLayer]:
    """The layers as a list if each takes what the one below gives.

    Raises:
        InputError: there is none, sizes do not fit, or a layer has copies.
    """
    if not layers:
        raise checks.InputError("layers must hold at least one PrototypeLayer, got none")
    for number, (below, above) in enumerate(pairwise(layers), 1):
        if above.inputs != below.components:
            raise checks.InputError(
                f"layer {number + 1} must have inputs={below.components}, what layer {number} gives, got {above.inputs}"
            )
    for number, layer in enumerate(layers, 1):
        if layer.parts().weight.ndim != 2:
            raise checks.InputError(f"layer {number} must be a single one, got copies: make it with copies=()")
    return list(layers)


def objectives(given: Objective | Sequence[Objective] | None, count: int) -> list[Objective]:
    """An objective a layer; one is taken for all, None for the log-sum-exp loss alone.

    Raises:
        InputError: there are more or fewer than layers.
    """
    if given is None or isinstance(given, Objective):
        return [given or Objective()] * count
    if len(given) != count:
        raise checks.InputError(f"objective must be one, or one for each of {count} layers, got {len(given)}")
    return list(given)


def ensure_fits(state: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    """Let a state of this version with all names pass.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(state, Mapping) or state.get("format") != FORMAT or any(name not in state for name in names):
        raise checks.InputError(f"the state is none of a {what} of this version: start over")
