"""torch.func over x, over values, over both: a batch equals its examples one at a time."""

import copy
import pickle

import pytest
import torch
from asserts import assert_close
from torch.func import functional_call, grad, stack_module_state, vmap

from pwlact.pwl import Knots, PiecewiseLinearActivation, pwl

# torch's own forward mode compiles its decompositions so
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")

# shape of x, shape of values, channel_dim: of one example
EXAMPLES = {
    "scalar": ((), (5,), 1),
    "shared": ((3, 4), (5,), 1),
    "first": ((3, 4), (3, 5), 0),
    "middle": ((2, 3, 4), (3, 5), 1),
    "last": ((2, 4, 3), (3, 5), -1),
    "negative": ((3, 2, 4), (3, 5), -3),
    "groups": ((2, 6), (3, 5), 1),
    "groups_in_front": ((4, 2, 2), (2, 5), -3),
    "empty": ((3, 0), (3, 5), 0),
}
# which dimension of x and of values is the batch
WHERE = [(0, None), (None, 0), (0, 0), (-1, None), (-1, 0), (1, 1), (0, -1), (None, -2)]


def batch(shape, where, size=2):
    """Tensor of examples, the batch in the dimension `where`."""
    if where is None:
        return torch.randn(shape, dtype=torch.float64)
    return torch.randn(size, *shape, dtype=torch.float64).movedim(0, where if where < 0 else min(where, len(shape)))


def dims_for(shapes, where):
    return tuple(None if d is None else (d if d < 0 else min(d, len(s))) for s, d in zip(shapes, where, strict=True))


def one_by_one(function, tensors, where, size=2):
    """What vmap promises: the function of each example, stacked."""
    each = [
        function(*[t if d is None else t.select(d, i) for t, d in zip(tensors, where, strict=True)])
        for i in range(size)
    ]
    if isinstance(each[0], tuple):
        return tuple(torch.stack(parts) for parts in zip(*each, strict=True))
    return torch.stack(each)


FUNCTIONS = {
    "f": lambda dim: lambda x, y: pwl(x, y, -2.0, 2.0, dim),
    "gradients": lambda dim: grad(lambda x, y: pwl(x, y, -2.0, 2.0, dim).square().sum(), (0, 1)),
    "gradient_of_x": lambda dim: grad(lambda x, y: pwl(x, y, -2.0, 2.0, dim).square().sum()),
    "gradient_of_values": lambda dim: grad(lambda x, y: pwl(x, y, -2.0, 2.0, dim).square().sum(), 1),
    "second": lambda dim: grad(lambda x, y: grad(lambda a: pwl(a, y, -2.0, 2.0, dim).pow(3).sum())(x).sum(), (0, 1)),
    "tangent": lambda dim: lambda x, y: torch.func.jvp(lambda a, b: pwl(a, b, -2.0, 2.0, dim), (x, y), (x, y))[1],
    "gradient_tangent": lambda dim: (
        lambda x, y: torch.func.jvp(
            grad(lambda a, b: pwl(a, b, -2.0, 2.0, dim).square().sum(), (0, 1)), (x, y), (y.sum() + x, x.sum() + y)
        )[1]
    ),
}


@pytest.mark.parametrize("where", WHERE, ids=str)
@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_batch_equals_its_examples(function, name, where):
    *shapes, dim = EXAMPLES[name]
    where = dims_for(shapes, where)
    tensors = [batch(shape, d) for shape, d in zip(shapes, where, strict=True)]
    f = FUNCTIONS[function](dim)
    together, right = vmap(f, in_dims=where)(*tensors), one_by_one(f, tensors, where)
    torch.testing.assert_close(together, right, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", EXAMPLES)
def test_batches_of_batches(name):
    shape, size, dim = EXAMPLES[name]
    x = torch.randn(3, *shape, 2, dtype=torch.float64)
    values = torch.randn(*size, 2, dtype=torch.float64)
    f = lambda a, y: pwl(a, y, -2.0, 2.0, dim)
    # over x outside, over both inside: x 3 by 2, values 2
    nested = vmap(vmap(f, in_dims=(-1, -1)), in_dims=(0, None))(x, values)
    for i in range(3):
        for j in range(2):
            assert_close(nested[i, j], f(x[i, ..., j], values[..., j]))


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_batch_on_every_kernel(dtype):
    x, values = torch.randn(4, 2, 6, 33).to(dtype), torch.randn(4, 3, 9)
    right = torch.stack([pwl(a, y) for a, y in zip(x, values, strict=True)])
    assert_close(vmap(pwl)(x, values), right)  # avx2 contracts y + w r within whole vectors only


def test_batches_without_examples():
    assert vmap(lambda x: pwl(x, torch.zeros(5)))(torch.zeros(0, 3)).shape == (0, 3)


def test_batches_without_examples_of_values():
    assert vmap(pwl)(torch.zeros(0, 2, 3), torch.zeros(0, 3, 5)).shape == (0, 2, 3)


def test_per_example_gradients_of_shared_values():
    x, values = torch.randn(6, 3, 4), torch.randn(3, 9)
    per_example = vmap(grad(lambda y, a: pwl(a, y, channel_dim=0).square().sum()), in_dims=(None, 0))(values, x)
    whole = grad(lambda y: pwl(x, y).square().sum())(values)
    assert per_example.shape == (6, 3, 9)
    assert_close(per_example.sum(0), whole)


@pytest.mark.parametrize("channels", [None, 3])
def test_an_ensemble_of_modules(channels):
    knots = Knots(9, -2.0, 2.0)
    modules = [PiecewiseLinearActivation(knots, channels=channels, start=s) for s in ("silu", "relu", "gelu")]
    parameters, buffers = stack_module_state(modules)
    x = torch.randn(5, 3)
    call = lambda p, b, a: functional_call(modules[0], (p, b), (a,))
    together = vmap(call, in_dims=(0, 0, None))(parameters, buffers, x)
    assert_close(together, torch.stack([m(x) for m in modules]))
    gradients = vmap(grad(lambda p, b, a: call(p, b, a).square().sum()), in_dims=(0, 0, None))(parameters, buffers, x)
    for i, module in enumerate(modules):
        (right,) = torch.autograd.grad(module(x).square().sum(), module.values)
        assert_close(gradients["values"][i], right)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"])
def test_copies_of_a_module_compute_the_same_and_share_nothing(duplicate):
    module = PiecewiseLinearActivation(Knots(9, -1.0, 2.0), channels=4, groups=2, channel_dim=-1, start="silu")
    x = torch.randn(3, 4)
    right = module(x)
    right.sum().backward()
    again = duplicate(module)
    assert torch.equal(again(x), right)
    again.values.data.zero_()
    assert torch.equal(module(x), right)
