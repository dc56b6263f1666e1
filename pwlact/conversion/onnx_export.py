"""`export_onnx`: a model with piecewise-linear activations as an ONNX file of standard operations."""

import io
import logging
import warnings
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pwlact import checks
from pwlact.conversion.bake import bake
from pwlact.conversion.convert import copied
from pwlact.conversion.example import as_call, evaluating
from pwlact.files import write_atomically
from pwlact.pwl import PiecewiseLinearActivation

# says at every export that torchvision is not installed
_registration_log = logging.getLogger("torch.onnx._internal.exporter._registration")


def export_onnx(
    model: nn.Module,
    example: Any,
    path: Path | str,
    *,
    dynamic_batch: bool = True,
    exporter: Literal["dynamo", "legacy"] = "dynamo",
    opset: int = 18,
) -> Path:
    """Write a model as ONNX, in eval mode, its learnable activations as standard operations.

    Each activation becomes `FrozenPiecewiseLinear` in a copy of the model, about ten operations: the segment by
    multiply, add, clip and cast, then a_i + b_i u by two look-ups. Values agree with PyTorch to float32 rounding;
    NaN stays NaN; at +-inf a flat tail gives NaN where PyTorch gives the value of the edge.

    Args:
        model: with or without activations of this package.
        example: input of the model: a tensor, a tuple of arguments or a dict of keyword arguments.
        path: of the file, whose folder exists; it is written whole or not at all.
        dynamic_batch: whether the first dimension of every input tensor is free.
        exporter: "dynamo", which follows torch.export, or "legacy", which follows TorchScript and takes no keyword
            arguments.
        opset: version of the ONNX operators.

    Returns:
        the path.

    Raises:
        InputError: onnx and onnxscript are not installed, or the model is too large for one file (2 GiB).
    """
    checks.choice("exporter", exporter, ("dynamo", "legacy"))
    path = Path(path)
    learnable = any(isinstance(module, PiecewiseLinearActivation) for module in model.modules())
    model = bake(model, to="pwl").model if learnable else copied(model)
    arguments, keywords = as_call(example)
    if exporter == "legacy" and keywords:
        raise checks.InputError("exporter='legacy' takes no keyword arguments: give the example as a tuple")
    try:
        with evaluating(model), warnings.catch_warnings():
            # the exporters warn of their own deprecations and of what they do not use
            warnings.simplefilter("ignore")
            _registration_log.setLevel(logging.ERROR)
            write = _by_dynamo if exporter == "dynamo" else _by_trace
            content = write(model, arguments, keywords, dynamic_batch, opset)
    except ImportError as error:
        raise checks.InputError(f"export to ONNX needs {error.name}: pip install onnx onnxscript") from error
    write_atomically(path, lambda file: file.write(content))
    return path


def _by_dynamo(model: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any], free: bool, opset: int) -> bytes:
    shapes = None
    if free:
        # one name for all: inputs of one model have one batch
        batch = torch.export.Dim.DYNAMIC
        shapes = (
            [_first_dim(value, batch) for value in arguments],
            {k: _first_dim(v, batch) for k, v in keywords.items()},
        )
        shapes = (*shapes[0], *shapes[1].values())
    program = torch.onnx.export(
        model,
        arguments,
        kwargs=keywords or None,
        dynamo=True,
        dynamic_shapes=shapes,
        opset_version=opset,
        verbose=False,
    )
    assert program is not None
    try:
        return program.model_proto.SerializeToString()
    except ValueError as error:
        raise checks.InputError(f"the model does not fit into one ONNX file: {error}") from error


def _by_trace(model: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any], free: bool, opset: int) -> bytes:
    names = [f"input_{i}" for i, value in enumerate(arguments) if isinstance(value, Tensor)]
    buffer: Any = io.BytesIO()
    torch.onnx.export(
        model,
        arguments,
        buffer,
        dynamo=False,
        input_names=names,
        output_names=["output"],
        dynamic_axes={name: {0: "batch"} for name in [*names, "output"]} if free else None,
        opset_version=opset,
    )
    return buffer.getvalue()


def _first_dim(value: Any, batch: Any) -> Any:
    return {0: batch} if isinstance(value, Tensor) and value.ndim else None
