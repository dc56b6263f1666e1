"""Histograms of every activation's input, by class."""

import numpy as np
import pytest
import torch
from torch import nn

from pwlact.checks import InputError
from pwlact.training import InputHistory, class_histograms, read_inputs
from pwlact.training.input_history import EDGES

BINS = len(EDGES) - 1


class Net(nn.Module):
    """Its one activation receives the images themselves."""

    def __init__(self):
        super().__init__()
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(3, 4)

    def forward(self, x):
        x = self.dropout(x)
        return self.classifier(self.activation(x).flatten(2).mean(2) if x.ndim > 2 else self.activation(x))


def count(*batches, **options):
    return class_histograms(Net(), list(batches), 4, **options)["layer0"]


@pytest.mark.parametrize("shape", [(50, 3), (50, 3, 2, 4)])  # at most 16 positions: all are counted
def test_counts_are_numpys(shape):
    x, labels = 3 * torch.randn(shape), torch.randint(0, 3, (50,))
    counts = count((x[:20], labels[:20]), (x[20:], labels[20:]))
    open_ends = np.concatenate([[-np.inf], EDGES[1:-1], [np.inf]])
    expected = [np.histogram(x[labels == k].double().numpy(), open_ends)[0] for k in range(4)]
    assert np.array_equal(counts, expected)
    assert counts[3].sum() == 0


def test_some_positions_of_many_and_always_the_same():
    x, labels = torch.randn(10, 3, 8, 8), torch.arange(10) % 4
    first, again = count((x, labels)), count((x, labels))
    assert first.sum() == 10 * 3 * 16
    assert np.array_equal(first, again)


def test_hard_inputs():
    x = torch.tensor([[float("nan"), float("inf"), -float("inf")], [1e30, -1e30, 0.0]])
    counts = count((x, torch.tensor([0, 1])))
    assert counts[0, [0, -1]].tolist() == [1, 1]
    assert counts[1, [0, BINS // 2, -1]].tolist() == [1, 1, 1]
    assert counts.sum() == 5


def test_the_model_is_left_as_it_was():
    model, batch = Net().train(), (torch.randn(4, 3), torch.arange(4))
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    class_histograms(model, [batch], 4, "bf16")
    assert torch.equal(torch.rand(1), expected)  # no dropout, no draw from the caller's stream
    assert model.training
    assert not model.activation._forward_pre_hooks


def test_written_and_read(tmp_path):
    history = InputHistory()
    for epoch in range(3):
        history.append({"layer0": np.full((4, BINS), epoch)})
    history.write(tmp_path / "inputs.npz")
    for path in (tmp_path, tmp_path / "inputs.npz"):
        read = read_inputs(path)
        assert np.array_equal(read.edges, EDGES)
        assert read.epochs == 2
        assert np.array_equal(read.layers["layer0"], history.layers["layer0"])
    read.cut(1)
    assert read.epochs == 1


def test_missing_or_of_something_else(tmp_path):
    with pytest.raises(InputError, match=r"holds no input histograms: inputs\.npz is not there$"):
        read_inputs(tmp_path)
    np.savez(tmp_path / "inputs.npz", edges=EDGES, epochs=np.arange(1), layer0=np.ones((1, 4, BINS + 1)))
    with pytest.raises(InputError, match="is damaged, or not the input histograms of a run"):
        read_inputs(tmp_path)
