"""Multi-layer perceptrons for vectors, with any activation."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pwlact import checks
from pwlact.models.layers import ActivationFactory


def relu(units: int) -> nn.Module:
    """ReLU, for any number of units."""
    return nn.ReLU()


class HiddenLayer(nn.Module):
    """h = dropout(f(norm(W a + b))), plus a where `residual` and the sizes agree.

    Layer norm takes mean and deviation over the units of one example: an answer does not depend on what else is in its
    batch, a batch may hold one example, and training and use compute the same, none of which is so with batch norm.

    Args:
        inputs: size of a.
        width: number of units; the activation may give another number of results.
        activation: makes the activation f for a number of units; it acts on the last dimension.
        dropout: share of the results that are zeroed while training.
        normalise: whether there is a norm.
        residual: whether a is added.

    Attributes:
        outputs: size of h.

    References:
        Ba, Kiros, Hinton, "Layer normalization", 2016.
        Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout", 2014.
        He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        activation: ActivationFactory,
        *,
        dropout: float = 0.0,
        normalise: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, width)
        self.norm = nn.LayerNorm(width) if normalise else nn.Identity()
        self.activation = activation(width)
        self.dropout = nn.Dropout(dropout)
        self.outputs = _width_after(self.activation, width)
        self.residual = residual and self.outputs == inputs

    def forward(self, a: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """(..., inputs) -> (..., outputs)."""
        h = self.dropout(self.activation(self.norm(self.linear(a))))
        return h + a if self.residual else h


class MLP(nn.Module):
    """`depth` hidden layers, then one linear classifier.

    Args:
        inputs: size of x.
        classes: number of classes.
        width: units of every hidden layer.
        depth: number of hidden layers; 0 for a linear classifier.
        activation: makes an activation for a number of units; called once a layer. Such that change the number of
            results, like parallel paths, make the next layer wider.
        dropout: share of each hidden layer's results that are zeroed while training.
        normalise: whether W a + b is normalised over the units.
        residual: whether what a hidden layer receives is added to what it gives, from the second on, where sizes agree.

    Raises:
        InputError: a number is out of its range.

    Examples:
        >>> from pwlact.competitive import make
        >>> model = MLP(784, 26, width=32, depth=3, activation=lambda units: make("sparsemax", units), residual=True)
        >>> model(torch.zeros(5, 784)).shape
        torch.Size([5, 26])
    """

    def __init__(
        self,
        inputs: int,
        classes: int,
        *,
        width: int = 128,
        depth: int = 1,
        activation: ActivationFactory = relu,
        dropout: float = 0.0,
        normalise: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("inputs", inputs, 1),
            ("classes", classes, 2),
            ("width", width, 1),
            ("depth", depth, 0),
        ):
            checks.at_least(name, value, least)
        if not 0 <= dropout < 1:
            raise checks.InputError(f"dropout must be a share from 0 to below 1, got {dropout!r}")
        self.layers = nn.Sequential()
        for layer in range(depth):
            hidden = HiddenLayer(
                inputs, width, activation, dropout=dropout, normalise=normalise, residual=residual and layer > 0
            )
            self.layers.append(hidden)
            inputs = hidden.outputs
        self.classifier = nn.Linear(inputs, classes)

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch classes"]:
        """Vectors (..., inputs) -> logits (..., classes)."""
        return self.classifier(self.layers(x))


def _width_after(activation: nn.Module, width: int) -> int:
    # what depends on the examples of a batch while training must take a batch of one
    training = activation.training
    with torch.no_grad():
        found = activation.eval()(torch.zeros(1, width))
    activation.train(training)
    return found.shape[-1]
