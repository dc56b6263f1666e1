"""Models of every kind of layer, data, and one step of LocoProp on them."""

import torch
from matching.transfers import activation
from torch import nn

from pwlact.matching import LocoProp


def network():
    """Every kind of layer: grouped, strided, dilated, reflecting, without a bias, linear at the end."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        nn.Tanh(),
        nn.Conv2d(6, 4, (2, 3), dilation=(1, 2), padding=(0, 2), padding_mode="reflect"),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 3, padding="same", bias=False),
        activation([0.0, 1.0, 3.0]),
        nn.Flatten(),
        nn.Linear(36, 5),
        nn.Sigmoid(),
        nn.Linear(5, 3, bias=False),
    )


def perceptron():
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4), nn.Sigmoid(), nn.Linear(4, 3))


X, Y = torch.randn(7, 4, 8, 6, dtype=torch.float64), torch.rand(7, 3, dtype=torch.float64)
FLAT = torch.randn(20, 6, dtype=torch.float64)


def backward(model, x=X, y=None):
    """A mean loss over the samples, and its gradient."""
    out = model(x)
    loss = (out - (Y if y is None else y)).square().sum(-1).mean()
    loss.backward()
    return loss


def stepped(model, x=X, y=None, **arguments):
    optimiser = LocoProp(model, **arguments)
    backward(model, x, y)
    optimiser.step()
    return optimiser


def weights(model):
    return [parameter.detach().clone() for parameter in model.parameters()]
