"""`torch.compile` on the function and on modules: run as a script, prints what each check says as JSON."""

import json
import sys
import traceback

import pytest
import torch

from pwlact.pwl import Knots, PiecewiseLinearActivation, pwl
from pwlact.pwl.kernels import use


def network():
    return torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3), PiecewiseLinearActivation(Knots(9, -2.0, 2.0), channels=4, groups=2, start="silu"),
        torch.nn.Flatten(), PiecewiseLinearActivation(),
    )  # fmt: skip


def whole(compiler, *sizes):
    """Forward and backward of a network in one graph equal those without the compiler."""
    model = network()
    compiled = torch.compile(model, fullgraph=True, backend=compiler)
    for size in sizes:
        x = torch.randn(size, 2, 6, 6, requires_grad=True)
        inputs = [x, *model.parameters()]
        got = torch.autograd.grad(compiled(x).square().sum(), inputs)
        right = torch.autograd.grad(model(x).square().sum(), inputs)
        for a, b in zip(got, right, strict=True):
            torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-5)


def inductor():
    """Forward and backward through torch's own code generator, beside operations that it fuses."""
    x, values = torch.randn(5, 3, 4, requires_grad=True), torch.randn(3, 9, requires_grad=True)
    function = lambda a, y: pwl(a * 2, y).exp()
    got = torch.autograd.grad(torch.compile(function, fullgraph=True)(x, values).sum(), (x, values))
    right = torch.autograd.grad(function(x, values).sum(), (x, values))
    for a, b in zip(got, right, strict=True):
        torch.testing.assert_close(a, b)


def compiled_for_all(function, *batches):
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend=counter)
    counts = []
    for batch in batches:
        torch.testing.assert_close(compiled(*batch), function(*batch))
        counts.append(counter.frame_count)
    # torch compiles some graphs twice before it takes floats for constants and sizes for symbols, ReLU's too
    assert counts[1] == counts[-1] <= 3, counts


def any_batch():
    """A module of dynamic batches is not compiled for each."""
    compiled_for_all(network(), *[(torch.randn(size, 2, 6, 6),) for size in (2, 5, 9, 11)])


def any_number_of_knots():
    """The function of a dynamic number of knots is not compiled for each."""
    compiled_for_all(pwl, *[(torch.randn(size, 3, 4), torch.randn(3, size + 4)) for size in (2, 5, 9, 11)])


def types_and_layouts():
    """The result has the type and the strides of x, and the compiler knows it."""
    compiled = torch.compile(lambda x, y: pwl(x, y) * 2, fullgraph=True, backend="aot_eager")
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        for x in (torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last), torch.randn(4, 3, 2).transpose(0, 2)):
            out = compiled(x.to(dtype), values := torch.randn(3, 9))
            assert (out.dtype, out.stride()) == (dtype, x.stride())
            assert torch.equal(out, pwl(x.to(dtype), values) * 2)


def kernels():
    """What is compiled meets the kernel that is chosen when it runs."""
    compiled = torch.compile(pwl, fullgraph=True, backend="aot_eager")
    x, values = torch.randn(2000), torch.randn(33)
    for name in ("torch", "plain"):
        with use(name):
            assert torch.equal(compiled(x, values), pwl(x, values))


def second_order():
    """Double backward inside what is compiled by the plain tracer."""
    x, values = torch.randn(4, 3, requires_grad=True), torch.randn(3, 9, requires_grad=True)
    results = []
    for function in (pwl, torch.compile(pwl, fullgraph=True, backend="eager")):
        first = torch.autograd.grad(function(x, values).pow(3).sum(), (x, values), create_graph=True)
        results.append(torch.autograd.grad(sum(t.square().sum() for t in first), (x, values)))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def refusals():
    """Bad arguments are refused inside, too."""
    compiled = torch.compile(pwl, backend="eager")
    with pytest.raises(Exception, match="multiple"):
        compiled(torch.zeros(2, 3), torch.zeros(2, 5))


CHECKS = {
    "eager": lambda: whole("eager", 3, 5),
    "aot_eager": lambda: whole("aot_eager", 3, 5, 7),
    "inductor": inductor,
    "any_batch": any_batch,
    "any_number_of_knots": any_number_of_knots,
    "types_and_layouts": types_and_layouts,
    "kernels": kernels,
    "second_order": second_order,
    "refusals": refusals,
}


def main():
    results = {}
    for name, check in CHECKS.items():
        torch.manual_seed(0)
        torch._dynamo.reset()
        try:
            check()
            results[name] = ""
        except Exception:
            results[name] = traceback.format_exc()
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    import torch._dynamo.testing

    main()
