"""What `pwlact bench activation` times: ours on every backend, torch's own, naive versions, installed peers."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pwlact.experiments.naive_pwl import grid_sample, indexing, searchsorted
from pwlact.pwl import Knots, PiecewiseLinearActivation, kernels, pwl
from pwlact.pwl.start import start_values

KNOTS = Knots()
START = "silu"
GROUPS = 8
OURS, BASELINE, PEER = "ours", "baseline", "peer"

Make = Callable[[int, torch.device], nn.Module]


@dataclass(frozen=True)
class Contender:
    """One row of the benchmark.

    Attributes:
        name: of the row; without commas, as lists of names are separated by them.
        kind: "ours", "baseline" or "peer".
        make: the module for so many channels, on a device.
        peak: memory of a pass in multiples of x in float32, at most, to refuse what does not fit.
        note: what a reader should know; "" where there is nothing.
        context: entered around every pass.
        compiles: the first pass of each shape takes long.
    """

    name: str
    kind: str
    make: Make
    peak: float = 10
    note: str = ""
    context: Callable[[], AbstractContextManager[Any]] = nullcontext
    compiles: bool = False


@dataclass(frozen=True)
class Peer:
    """A package by others that is timed where it is installed.

    Attributes:
        name: of its row.
        module: what to import.
        attribute: its activation class in that module.
        make: the module from that class, for so many channels, on a device.
        peak: as in `Contender`.
        note: as in `Contender`.
    """

    name: str
    module: str
    attribute: str
    make: Callable[[Any, int, torch.device], nn.Module]
    peak: float
    note: str


def contenders(device: torch.device, *, compiled: bool = True) -> list[Contender]:
    """All that can be timed on `device`, in the order of the table."""
    return [*_ours(device), *_torch(), *_naive(compiled), *_peers()]


class _Grouped(nn.Module):
    """G functions, each for C / G consecutive channels."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.values = nn.Parameter(_start().repeat(groups, 1))

    def forward(self, x: Tensor) -> Tensor:
        return pwl(x, self.values, KNOTS.low, KNOTS.high)


class _Naive(nn.Module):
    """A naive function with knot values of its own."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.values = nn.Parameter(_start())
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.values)


class _Bisecting(nn.Module):
    """`searchsorted` with the knot positions kept ready."""

    positions: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.values = nn.Parameter(_start())
        self.register_buffer("positions", KNOTS.positions(torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        return searchsorted(x, self.values, self.positions)


class _PReLU(nn.PReLU):
    """A slope a channel, kept in float32 as all parameters here; torch's own wants it in the type of x."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.prelu(input, self.weight.to(input.dtype))


def _start() -> Tensor:
    return start_values(START, KNOTS.positions()).float()


def _placed(make: Callable[[int], nn.Module]) -> Make:
    return lambda channels, device: make(channels).to(device)


def _ours(device: torch.device) -> list[Contender]:
    shared = _placed(lambda channels: PiecewiseLinearActivation(KNOTS, start=START))
    rows = [
        Contender("pwl shared", OURS, shared),
        Contender(
            "pwl per channel",
            OURS,
            _placed(lambda channels: PiecewiseLinearActivation(KNOTS, channels=channels, start=START)),
        ),
        Contender(f"pwl {GROUPS} groups", OURS, _placed(lambda channels: _Grouped(GROUPS))),
    ]
    rows += [
        Contender(f"pwl shared ({backend})", OURS, shared, context=partial(kernels.use, backend))
        for backend in other_backends(device)
    ]
    return rows


def other_backends(device: torch.device) -> list[str]:
    """Names of the kernels that can run on `device`, without the one that runs unless another is forced."""
    usable = [name for name, why_not in kernels.available().items() if not why_not]
    fits = [name for name in usable if kernels.BACKENDS[name] in {device.type, "any"}]
    return [name for name in fits if name != kernels.active(device.type)]


def _torch() -> list[Contender]:
    return [
        Contender("relu", BASELINE, lambda channels, device: nn.ReLU()),
        Contender("silu", BASELINE, lambda channels, device: nn.SiLU()),
        Contender("gelu", BASELINE, lambda channels, device: nn.GELU()),
        Contender("prelu", BASELINE, _placed(lambda channels: _PReLU(channels)), note="one slope a channel"),
    ]


def _naive(compiled: bool) -> list[Contender]:
    def index(x: Tensor, values: Tensor) -> Tensor:
        return indexing(x, values, KNOTS.low, KNOTS.high)

    def sample(x: Tensor, values: Tensor) -> Tensor:
        return grid_sample(x, values, KNOTS.low, KNOTS.high)

    def compile_(channels: int, device: torch.device) -> nn.Module:
        # what was compiled for other shapes would count towards torch's limit, beyond which it stops compiling
        torch.compiler.reset()
        return _Naive(torch.compile(index, dynamic=False)).to(device)

    rows = [
        Contender("indexing", BASELINE, _placed(lambda channels: _Naive(index)), 18, "plain PyTorch"),
        Contender("indexing compiled", BASELINE, compile_, 18, "plain PyTorch, torch.compile", compiles=True),
        Contender("searchsorted", BASELINE, _placed(lambda channels: _Bisecting()), 18, "knots by bisection"),
        Contender("grid_sample", BASELINE, _placed(lambda channels: _Naive(sample)), 14, "tails constant"),
    ]
    return [row for row in rows if compiled or not row.compiles]


def _rational(activation: Any, channels: int, device: torch.device) -> nn.Module:
    return activation("swish", cuda=device.type == "cuda")


def _deepspline(activation: Any, channels: int, device: torch.device) -> nn.Module:
    return activation("conv", channels, size=KNOTS.count, range_=KNOTS.high, init="relu").to(device)


def _torchpwl(activation: Any, channels: int, device: torch.device) -> nn.Module:
    module = activation(channels, KNOTS.count - 1)
    with torch.no_grad():
        module.x_positions.copy_(KNOTS.positions(torch.float32))
        module.y_positions.copy_(_start())
    return module.to(device)


PEERS = (
    Peer("rational", "rational.torch", "Rational", _rational, 50, "rational_activations, degrees 5 and 4, shared"),
    Peer("deepsplines", "deepsplines.ds_modules", "DeepBSpline", _deepspline, 30, "one function a channel"),
    Peer("torchpwl", "torchpwl", "PointPWL", _torchpwl, 250, "one function a channel, knots move"),
)
"""Packages that are timed where they are installed; checked with versions 0.2.0, 1.0.0 and 0.2.0."""


def _peers() -> list[Contender]:
    return [
        Contender(peer.name, PEER, _importing(peer), peer.peak, peer.note)
        for peer in PEERS
        if find_spec(peer.module.partition(".")[0]) is not None
    ]


def _importing(peer: Peer) -> Make:
    def make(channels: int, device: torch.device) -> nn.Module:
        return peer.make(getattr(import_module(peer.module), peer.attribute), channels, device)

    return make
