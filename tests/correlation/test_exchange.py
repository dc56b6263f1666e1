"""Learning in two processes is learning in one, on the whole batch."""

import pytest
import torch
import torch.multiprocessing
from learning import CLASSES, PAIRS, cloud_statistics, clouds, learner_of
from learning_processes import CUTS, cases, network, network_steps, work
from torch import distributed

from pwlact.correlation import ClassMoments
from pwlact.correlation.exchange import add_over_processes
from pwlact.pwl import Knots


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What each of two processes came to."""
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.spawn(work, (str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.fixture(scope="module")
def whole():
    """The same in one process."""
    return cases(slice(None))


@pytest.mark.parametrize("cut", CUTS)
def test_halves_of_a_batch_in_two_processes_are_the_batch_in_one(outcomes, whole, cut):
    assert len(whole) == 2 * len(PAIRS)
    for name, expected in whole.items():
        for rank in range(2):
            for ours, exact in zip(outcomes[rank][cut][name], expected, strict=True):
                torch.testing.assert_close(
                    ours, exact, rtol=0, atol=2e-5, msg=lambda text, name=name: f"{name}: {text}"
                )


@pytest.mark.parametrize("cut", CUTS)
def test_both_processes_hold_the_same_bits(outcomes, cut):
    for name, ours in outcomes[0][cut].items():
        assert all(torch.equal(a, b) for a, b in zip(ours, outcomes[1][cut][name], strict=True))


@pytest.mark.parametrize(("estimator", "solver"), PAIRS)
def test_beside_distributed_data_parallel(outcomes, estimator, solver):
    first, second = (outcome[f"wrapped {estimator} {solver}"] for outcome in outcomes)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    net = network()
    exact = network_steps(net, learner_of(net, estimator, solver), slice(None))
    start = list(network().parameters())
    for ours, theirs, old in zip(first, exact, start, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
        assert (ours - old).abs().max() > 1e-3


def test_outside_a_distributed_run_nothing_changes():
    summaries = [cloud_statistics(0, 2, Knots())]
    assert add_over_processes(summaries) is summaries


def test_sums_keep_their_place_shape_and_type(monkeypatch):
    """Two processes that hold the same are played by a reduction that doubles."""
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)
    exchanges = []
    monkeypatch.setattr(distributed, "all_reduce", lambda flat: exchanges.append(flat.mul_(2)))
    x, labels = clouds(1, 3, dtype=torch.float32)
    summaries = [cloud_statistics(0, 2, Knots(5)), ClassMoments.from_samples(x.T[:, None], labels, CLASSES)]
    summaries.append(cloud_statistics(2, 3, Knots(), dtype=torch.float32))
    before = [{name: part.clone() for name, part in vars(one).items()} for one in summaries]
    added = add_over_processes(summaries)
    assert len(exchanges) == 1
    for new, old, untouched in zip(added, summaries, before, strict=True):
        assert type(new) is type(old)
        for name, part in untouched.items():
            assert torch.equal(getattr(old, name), part)
            assert getattr(new, name).dtype == part.dtype
            assert torch.equal(getattr(new, name), 2 * part)
