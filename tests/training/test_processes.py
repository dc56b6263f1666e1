"""Training in two processes, each on half of every batch, is training in one on the whole."""

import pytest
import torch
import torch.multiprocessing
from training_processes import RULES, train, work

from pwlact.checks import InputError
from pwlact.training.processes import Processes, joined, processes, share_gradients, sum_over_processes, wait


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.spawn(work, (str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("name", RULES)
def test_two_processes_are_one(outcomes, name):
    alone = train(name)
    for outcome in outcomes:
        for ours, exact in zip(outcome[name]["parameters"], alone["parameters"], strict=True):
            torch.testing.assert_close(ours, exact, rtol=0, atol=1e-6)
        for ours, exact in zip(outcome[name]["records"], alone["records"], strict=True):
            assert ours == pytest.approx(exact, abs=1e-6)
        assert outcome[name]["final"] == pytest.approx(alone["final"], abs=1e-6)
    assert alone["final"][2] == 60


@pytest.mark.parametrize("name", RULES)
def test_both_hold_the_same_bits(outcomes, name):
    first, second = (outcome[name]["parameters"] for outcome in outcomes)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", RULES)
def test_resumed_between_two_steps_of_the_learner(outcomes, name):
    """Five batches an epoch, a step every three: two batches wait in the checkpoint of the first process."""
    for outcome in outcomes:
        for ours, exact in zip(outcome["resumed"][name]["parameters"], outcome[name]["parameters"], strict=True):
            torch.testing.assert_close(ours, exact, rtol=0, atol=1e-6)


def test_the_first_ones_buffers_are_scored(outcomes):
    assert [outcome["buffers"].tolist() for outcome in outcomes] == [[1.0, 1.0]] * 2


def test_alone_every_exchange_is_a_no_op(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    x, model = torch.randn(3), torch.nn.Linear(2, 2)
    with joined() as here:
        assert here == processes() == Processes(0, 1)
        assert here.first
        assert sum_over_processes(x) is x
        assert share_gradients(model) is model
        wait()


def test_variables_that_are_no_numbers(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "many")
    with (
        pytest.raises(InputError, match="the variable WORLD_SIZE of torchrun must be a whole number, got 'many'"),
        joined(),
    ):
        pass


def test_more_processes_than_gpus(monkeypatch):
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match="process 1 needs a GPU of its own, but there are 1"), joined():
        pass
