"""Models whose activations `pwlact.convert` meets: calls, reused modules, forwards that cannot be traced."""

import random

import torch
from torch import nn
from torch.nn import functional as F

from pwlact.pwl import PiecewiseLinearActivation

STRAIGHT = {"relu": 0.0, "leaky_relu": 0.01}  # no error anywhere with a knot at 0: name -> left slope
SMOOTH = ("gelu", "silu", "softplus", "mish", "elu", "celu", "selu")
H = 6 / 32


def inputs(*shape, scale=1.0):
    return torch.randn(*shape) * scale


def the_one(model):
    (found,) = [m for m in model.modules() if isinstance(m, PiecewiseLinearActivation)]
    return found


class Calls(nn.Module):
    """One call of any function in a forward."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 6)

    def forward(self, x):
        x = F.relu(self.fc(x) + 0.5, inplace=True)
        x = torch.relu(x - 0.1).sub(0.05).relu()
        return F.dropout(F.gelu(x, approximate="tanh"), 0.5, self.training)


class Reused(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.act = nn.Linear(4, 5), nn.Linear(5, 3), nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(self.second(self.act(self.first(x))))

    def extra(self):
        return "kept"


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.act = Functional(), nn.ReLU()

    def forward(self, x):
        if x.sum() > 0:
            return F.relu(self.act(self.inner(self.act(x))))
        return F.silu(self.inner(x))


class PreActivation(nn.Module):
    """The activation works in place on its input, which the shortcut then takes."""

    def __init__(self, module):
        super().__init__()
        self.fc, self.act = nn.Linear(4, 4), nn.ReLU(inplace=True) if module else None

    def forward(self, x):
        x = x + 0.0
        y = self.act(x) if self.act is not None else F.relu_(x)
        return self.fc(y) + x


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.activation_1 = nn.Linear(4, 4)

    def forward(self, x):
        return self.activation_1(x).relu()


class Custom(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.relu()

    @staticmethod
    def backward(ctx, grad):
        return 3 * grad


# each of these would be recorded wrongly, without an error, by torch.fx alone
class ComparesNone(nn.Module):
    def forward(self, x, mask=None):
        return F.relu(x) if mask is None else F.relu(x) * mask


class AsksType(nn.Module):
    def forward(self, x):
        return F.relu(x if isinstance(x, torch.Tensor) else x[0])


class Remembers(nn.Module):
    def forward(self, x):
        self.last = x
        return F.relu(x)


class NoGradient(nn.Module):
    def forward(self, x):
        with torch.no_grad():
            return F.relu(x)


class Draws(nn.Module):
    def forward(self, x):
        return F.relu(x) * random.random()


class OwnTensor(nn.Module):
    def forward(self, x):
        return F.relu(x) + torch.ones(1)


class CustomGradient(nn.Module):
    def forward(self, x):
        return Custom.apply(F.relu(x))


def helper(x):
    return F.relu(x) if x.sum() > 0 else x


class Helped(nn.Module):
    def forward(self, x):
        return helper(x)


class Switches(nn.Module):
    def forward(self, x):
        return F.relu(x) if self.training else x.neg()


def swapped_forward():
    module = Calls(F.relu)
    module.forward = lambda x: x.neg()
    return module


NOT_TRACED = {
    "None": (ComparesNone, "argument 'mask'"),
    "type": (AsksType, "argument 'x'"),
    "state": (Remembers, "changes attributes"),
    "no_grad": (NoGradient, "with statement"),
    "random": (Draws, "random numbers"),
    "tensor": (OwnTensor, "a tensor that does not come from its input"),
    "autograd": (CustomGradient, "autograd function Custom"),
    "helper": (Helped, "torch.fx cannot trace it"),
    "training": (Switches, "torch.fx cannot trace it"),
}
