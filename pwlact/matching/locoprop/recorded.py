"""A layer of a model with hooks that keep its inputs and the gradients of its outputs."""

from typing import Any

import torch
from torch import Tensor, nn

from pwlact import checks
from pwlact.matching.locoprop.rows import Layer, input_rows, output_rows
from pwlact.matching.transfer import TransferFunction


class RecordedLayer:
    """Keeps (input, gradient of the output) of each pass that goes through the layer, forward and back.

    A pass without a gradient leaves nothing: the input is held by the graph until the gradient comes.

    Args:
        name: in the model.
        module: the layer.
        transfer: the function that follows it, on rows.

    Attributes:
        records: what was kept, oldest first.
    """

    def __init__(self, name: str, module: Layer, transfer: TransferFunction) -> None:
        self.name, self.module, self.transfer = name, module, transfer
        self.records: list[tuple[Tensor, Tensor]] = []
        # what is done here is no business of a compiler's
        hook: Any = torch.compiler.disable(self._keep)
        self._hook = module.register_forward_hook(hook, with_kwargs=True)

    def rows(self) -> tuple[Tensor, Tensor]:
        """Inputs (g, n, k) and gradients (g, n, o) of all passes, in the type of computation of the weights.

        Raises:
            InputError: there are no rows.
        """
        dtype = torch.promote_types(self.module.weight.dtype, torch.float32)
        inputs = torch.cat([input_rows(self.module, x.to(dtype)) for x, _ in self.records], 1)
        gradients = torch.cat([output_rows(self.module, g.to(dtype)) for _, g in self.records], 1)
        if not inputs.shape[1]:
            raise checks.InputError("its batch is empty")
        return inputs, gradients

    def close(self) -> None:
        """Take the hook off."""
        self._hook.remove()
        self.records.clear()

    def _keep(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
        if not output.requires_grad:
            return
        x = (args[0] if args else kwargs["input"]).detach()
        output.register_hook(lambda gradient: self.records.append((x, gradient.detach())))
