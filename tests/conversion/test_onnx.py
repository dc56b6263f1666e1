"""export_onnx: onnxruntime gives what PyTorch gives, for any batch, and the file is whole or not there."""

import numpy as np
import pytest
import torch
from asserts import assert_refused
from torch import nn

from pwlact.conversion import bake, convert, export_onnx
from pwlact.models import build
from pwlact.pwl import Knots, PiecewiseLinearActivation

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

EXPORTERS = ("dynamo", "legacy")
# what a piecewise-linear activation may cost, in operations beside constants
MOST_NODES = 13


def draw(activation):
    with torch.no_grad():
        activation.values.normal_()
    return activation


def run(path, *arrays):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return [
        torch.from_numpy(y) for y in session.run(None, dict(zip(names, (np.asarray(a) for a in arrays), strict=True)))
    ]


def operations(path):
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    return [kind for kind in kinds if kind not in {"Constant", "Identity"}]


SHARINGS = [{}, {"channels": 4}, {"channels": 4, "groups": 2}]
FLAT = [
    *SHARINGS,
    {"channels": 4, "groups": 1},
    {"knots": Knots(2, -1.0, 1.0)},
    {"knots": Knots(10, -1e-3, 2e-3)},
    {"knots": Knots(129, -8.0, 8.0), "channels": 4, "channel_dim": -1},
]
IMAGE = [*SHARINGS, {"channels": 3, "channel_dim": -1}]


class Every(nn.Module):
    """Every sharing, on 2-D and 4-D inputs, in one model: an export takes seconds."""

    def __init__(self):
        super().__init__()
        self.flat = nn.ModuleList(draw(PiecewiseLinearActivation(**more)) for more in FLAT)
        self.image = nn.ModuleList(draw(PiecewiseLinearActivation(**more)) for more in IMAGE)

    def forward(self, x, image):
        return (*(f(x) for f in self.flat), *(f(image) for f in self.image))


def hard(*shape):
    x = torch.randn(shape) * 3
    x.view(-1)[:6] = torch.tensor([0.0, -3.0, 3.0, 1e4, -1e4, float("nan")])
    return x


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_every_sharing_rank_and_grid(tmp_path, exporter):
    model = Every()
    path = export_onnx(model, (torch.randn(2, 4), torch.randn(2, 4, 2, 3)), tmp_path / "a.onnx", exporter=exporter)
    for batch in (5, 2, 1):
        x, image = hard(batch, 4) if batch > 1 else torch.randn(1, 4), hard(batch, 4, 2, 3)
        results = run(path, x, image)
        for result, expected in zip(results, model(x, image), strict=True):
            torch.testing.assert_close(result, expected.detach(), rtol=1e-5, atol=1e-5, equal_nan=True)
    assert {node.domain for node in onnx.load(path).graph.node} == {""}
    if exporter == "dynamo":
        assert len(operations(path)) <= MOST_NODES * (len(FLAT) + len(IMAGE))


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_resnet(tmp_path, exporter):
    model = build("resnet10", width=0.125, activation=lambda c: nn.ReLU())
    model = convert(model, sharing="channel").model
    for module in model.modules():
        if isinstance(module, PiecewiseLinearActivation):
            module.values.data += 0.1 * torch.randn_like(module.values)
    model(torch.randn(8, 3, 32, 32))
    path = export_onnx(model, torch.randn(2, 3, 32, 32), str(tmp_path / "a.onnx"), exporter=exporter)
    assert model.training  # put back, and the export itself was in eval mode
    x = torch.randn(3, 3, 32, 32)
    model.eval()
    torch.testing.assert_close(run(path, x)[0], model(x).detach(), rtol=1e-5, atol=1e-5)


def test_converted_forward_and_keyword_arguments(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.out = nn.Linear(3, 8), nn.Linear(8, 2)

        def forward(self, x, scale):
            return self.out(torch.nn.functional.gelu(self.fc(x)).relu()) * scale

    model = convert(Net(), sharing="channel").model
    path = export_onnx(model, {"x": torch.randn(2, 3), "scale": torch.ones(2, 1)}, tmp_path / "a.onnx")
    x, scale = torch.randn(9, 3), torch.rand(9, 1)
    torch.testing.assert_close(run(path, x, scale)[0], model(x, scale).detach(), rtol=1e-5, atol=1e-5)
    assert_refused(
        lambda: export_onnx(model, {"x": x, "scale": scale}, tmp_path / "b.onnx", exporter="legacy"), "legacy", "tuple"
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("to", ["pwl", "swish"])
def test_baked_models_need_no_helper(tmp_path, exporter, to):
    model = convert(nn.Sequential(nn.Linear(3, 4), nn.SiLU(), nn.Linear(4, 4), nn.GELU()), sharing="channel").model
    baked = bake(model, to=to).model.eval()
    path, x = tmp_path / "a.onnx", torch.randn(5, 3)
    torch.onnx.export(baked, (x,), str(path), dynamo=exporter == "dynamo", opset_version=18)
    torch.testing.assert_close(run(path, x)[0], baked(x).detach(), rtol=1e-5, atol=1e-5)


def test_fixed_batch_and_models_without_activations(tmp_path):
    path = export_onnx(nn.Linear(3, 2), torch.ones(4, 3), tmp_path / "a.onnx", dynamic_batch=False)
    assert [d.dim_value for d in onnx.load(path).graph.input[0].type.tensor_type.shape.dim] == [4, 3]


def test_a_failed_export_leaves_the_old_file(tmp_path):
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    path = tmp_path / "a.onnx"
    path.write_bytes(b"old")
    with pytest.raises(Exception, match="no"):
        export_onnx(Fails(), torch.ones(1), path, exporter="legacy")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_bad_exporter(tmp_path):
    assert_refused(
        lambda: export_onnx(nn.ReLU(), torch.ones(1), tmp_path / "a", exporter="x"), "exporter", "dynamo, legacy"
    )
