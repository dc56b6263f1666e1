"""Greedy pretraining and fine-tuning: order, freezing, resuming to the same bits, control kept or dropped."""

import copy
import io

import pytest
import torch
from asserts import assert_refused
from torch import nn

from pwlact.implicit_em import Losses, Objective, PrototypeLayer
from pwlact.training import TrainingFailed
from pwlact.training.greedy import FineTuner, GreedyPretrainer

EPOCHS = 2
CONTROL = Objective({"variance": 1.0, "decorrelation": 1.0})


def samples(n=50):
    """Three clusters in the plane, and their numbers."""
    generator = torch.Generator().manual_seed(3)
    y = torch.arange(n) % 3
    centres = torch.tensor([[-4.0, 0.0], [4.0, 0.0], [0.0, 5.0]])
    return centres[y] + torch.randn(n, 2, generator=generator), y


def layers(seed=0):
    """Three layers of two kinds."""
    torch.manual_seed(seed)
    return [
        PrototypeLayer(2, 5, volume={"log-det": 1.0, "ridge": 0.1}, output="negated"),
        PrototypeLayer(5, 4, "linear"),
        PrototypeLayer(4, 3, "relu-linear"),
    ]


def pretrainer(stack=None, **settings):
    settings = {"epochs": EPOCHS, "batch_size": 16, **settings}
    own = [Objective(), Objective({"weight-norm": 1.0, "balance": 1.0}), CONTROL]
    return GreedyPretrainer(stack or layers(), own, **settings)


def bits(module):
    return [value.clone() for value in module.state_dict().values()]


def same(left, right):
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def test_layers_learn_in_turn_on_frozen_outputs():
    x, _ = samples()
    stack = layers()
    trainer = pretrainer(stack)
    start = [bits(layer) for layer in stack]
    trainer.run(x, most=EPOCHS)
    assert (trainer.layer, trainer.epoch, trainer.done) == (1, 0, False)
    assert not same(bits(stack[0]), start[0])
    assert same(bits(stack[1]), start[1])
    assert not any(parameter.requires_grad for parameter in stack[0].parameters())
    first = bits(stack[0])
    assert torch.equal(trainer.inputs(x), torch.cat([stack[0](part) for part in x.split(16)]))
    trainer.run(x)
    assert trainer.done
    assert same(bits(stack[0]), first)
    assert not same(bits(stack[1]), start[1])
    assert not any(parameter.requires_grad for parameter in trainer.stack().parameters())
    assert torch.equal(trainer.stack()(x), stack[2](stack[1](stack[0](x))))
    history = list(trainer.history)
    assert trainer.run(x) == history  # nothing is left to do


def test_objective_falls_and_history_tells():
    x, _ = samples()
    heard = []
    trainer = pretrainer(epochs=6, lr=0.05)
    history = trainer.run(x, progress=heard.append)
    assert heard == history
    assert [(r["layer"], r["epoch"]) for r in history] == [(i, e) for i in (1, 2, 3) for e in range(1, 7)]
    for number in (0, 6, 12):
        assert history[number + 5]["objective"] < history[number]["objective"]
    assert set(history[0]) == {"layer", "epoch", "objective", "lse"}
    last = history[-1]
    assert last["objective"] == pytest.approx(last["lse"] + last["variance"] + last["decorrelation"])


def test_epochs_of_one_batch_are_steps_of_adam():
    x, _ = samples(7)
    layer = PrototypeLayer(2, 3)
    twin = copy.deepcopy(layer)
    GreedyPretrainer([layer], epochs=5, batch_size=7, lr=0.1, place=False).run(x)
    optimiser = torch.optim.Adam(twin.parameters(), lr=0.1)
    for _ in range(5):
        optimiser.zero_grad()
        twin.loss(x).backward()
        optimiser.step()
    for left, right in zip(layer.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(left, right)


@pytest.mark.parametrize("stop", range(1, 3 * EPOCHS))
def test_resuming_after_any_epoch_gives_the_same_bits(stop):
    x, _ = samples()
    whole = pretrainer()
    whole.run(x)
    part = pretrainer()
    part.run(x, most=stop)
    file = io.BytesIO()
    torch.save(part.state_dict(), file)
    part.run(x)  # what is stored is a copy
    file.seek(0)
    torch.manual_seed(99)
    state = torch.load(file, weights_only=True)
    for _ in range(2):  # a state can be loaded twice
        other = pretrainer(layers(seed=1))
        other.load_state_dict(state)
        assert (other.layer, other.epoch) == divmod(stop, EPOCHS)
        assert other.run(x) == whole.history
        assert same(bits(other.stack()), bits(whole.stack()))


def test_a_finished_state_is_finished():
    x, _ = samples()
    whole = pretrainer()
    whole.run(x)
    other = pretrainer(layers(seed=1))
    other.load_state_dict(whole.state_dict())
    assert other.done
    assert same(bits(other.stack()), bits(whole.stack()))
    assert not any(parameter.requires_grad for parameter in other.stack().parameters())


def test_the_state_is_a_copy():
    x, _ = samples()
    trainer = pretrainer()
    trainer.run(x, most=1)
    state = trainer.state_dict()
    kept = copy.deepcopy(state)
    trainer.run(x)
    assert same(state["layers"][0].values(), kept["layers"][0].values())
    assert state["history"] == kept["history"]
    assert same(state["optimiser"]["state"][0].values(), kept["optimiser"]["state"][0].values())


def test_seed_decides():
    x, _ = samples()
    runs = [pretrainer(layers(), seed=seed) for seed in (0, 0, 1)]
    for run in runs:
        run.run(x)
    assert same(bits(runs[0].stack()), bits(runs[1].stack()))
    assert not same(bits(runs[0].stack()), bits(runs[2].stack()))


def test_one_sample_and_one_component():
    trainer = GreedyPretrainer([PrototypeLayer(2, 1), PrototypeLayer(1, 1)], CONTROL, epochs=1)
    assert len(trainer.run(torch.zeros(1, 2))) == 2


def test_batches_are_even_and_shuffled_anew():
    """50 samples in batches of at most 49 are two of 25: a single one would have no variance."""
    x, _ = samples(50)
    layer = PrototypeLayer(2, 3)
    seen = []
    original = layer.distances
    layer.distances = lambda batch: (seen.append(batch), original(batch))[1]
    GreedyPretrainer([layer], epochs=2, batch_size=49, place=False).run(x)
    assert [len(batch) for batch in seen] == [25] * 4
    assert not torch.equal(seen[0], seen[2])
    for epoch in (seen[:2], seen[2:]):
        assert torch.equal(torch.cat(epoch)[:, 0].sort().values, x[:, 0].sort().values)


def test_failure_says_where():
    x, _ = samples()
    lost = PrototypeLayer(2, 2, "linear")
    nn.init.constant_(lost.bias, torch.nan)
    with pytest.raises(TrainingFailed, match="objective is nan in layer 1, epoch 1: lower lr, or add a control"):
        GreedyPretrainer([lost], epochs=1, place=False).run(x)

    class Steep(Objective):
        """0, with an infinite gradient."""

        def forward(self, layer, x):
            zero = (0 * layer.means).sum().abs().sqrt()
            return Losses(zero, zero, {})

    with pytest.raises(TrainingFailed, match="parameters are not finite in layer 1, epoch 1"):
        GreedyPretrainer([PrototypeLayer(2, 2)], Steep(), epochs=1).run(x)


def test_bad_trainers():
    assert_refused(lambda: GreedyPretrainer([]), "at least one")
    assert_refused(lambda: GreedyPretrainer([PrototypeLayer(2, 3), PrototypeLayer(2, 3)]), "layer 2", "inputs=3", "2")
    assert_refused(lambda: GreedyPretrainer([PrototypeLayer(2, 3, copies=(4,))]), "layer 1", "copies")
    assert_refused(lambda: GreedyPretrainer(layers(), [CONTROL]), "3 layers", "1")
    for name, value in (("epochs", 0), ("batch_size", 0), ("lr", 0.0), ("seed", -1)):
        assert_refused(lambda name=name, value=value: GreedyPretrainer(layers(), **{name: value}), name)
        if name != "seed":
            assert_refused(lambda name=name, value=value: tuner(layers(), **{name: value}), name)
    trainer = pretrainer()
    for x in (torch.zeros(0, 2), torch.zeros(4, 3), torch.zeros(4)):
        assert_refused(lambda x=x: trainer.run(x), "(samples, 2)", str(tuple(x.shape)))
    assert_refused(lambda: trainer.run(torch.tensor([[0.0, torch.nan]])), "finite", "1 of 2")
    assert_refused(lambda: trainer.run(torch.zeros(4, 2), most=0), "most")


def test_bad_states():
    state = pretrainer().state_dict()
    assert_refused(lambda: pretrainer().load_state_dict({}), "GreedyPretrainer")
    assert_refused(lambda: pretrainer().load_state_dict([]), "GreedyPretrainer")
    assert_refused(lambda: pretrainer().load_state_dict({**state, "format": 0}), "version")
    assert_refused(lambda: pretrainer([*layers()[:2], PrototypeLayer(4, 9)]).load_state_dict(state), "other layers")
    assert_refused(lambda: pretrainer().load_state_dict({**state, "layers": state["layers"][:2]}), "other layers")
    assert_refused(lambda: pretrainer().load_state_dict({**state, "layer": 4}), "layer 4", "3 layers")
    assert_refused(lambda: pretrainer(epochs=1).load_state_dict({**state, "epoch": 1}), "epoch 1", "1 epochs")
    assert_refused(lambda: tuner(layers()).load_state_dict(state), "FineTuner")
    assert_refused(lambda: tuner(layers()).load_state_dict(tuner(layers()[:1]).state_dict()), "another model")


def tuner(stack, **settings):
    torch.manual_seed(5)
    head = nn.Linear(stack[-1].components, 3)
    return FineTuner(stack, head, nn.functional.cross_entropy, CONTROL, **{"epochs": 3, "batch_size": 16, **settings})


def test_fine_tuning_changes_frozen_layers_and_lowers_the_task():
    x, y = samples()
    trainer = pretrainer()
    trainer.run(x)
    before = [bits(layer) for layer in trainer.layers]
    after = tuner(trainer.layers, lr=0.02, epochs=8)
    heard = []
    history = after.run(x, y, progress=heard.append)
    assert heard == history
    assert after.done
    assert history[-1]["task"] < history[0]["task"]
    assert [(record["layer"], record["epoch"]) for record in history] == [(0, e) for e in range(1, 9)]
    assert not any(same(bits(layer), old) for layer, old in zip(trainer.layers, before, strict=True))


def test_control_is_kept_or_dropped():
    x, y = samples()
    dropped, kept = tuner(layers(), epochs=20, lr=0.02), tuner(layers(), epochs=20, lr=0.02, control=1.0)
    dropped.run(x, y)
    kept.run(x, y)
    assert set(dropped.history[0]) == {"layer", "epoch", "objective", "task"}
    record = kept.history[0]
    assert record["objective"] == pytest.approx(record["task"] + record["local"])

    def local(tuner):
        with torch.no_grad():
            total, inputs = 0.0, x
            for layer in tuner.layers:
                total += float(CONTROL(layer, inputs).total)
                inputs = layer(inputs)
            return total

    assert local(kept) < local(dropped) - 0.5


def test_local_objectives_send_no_gradient_below():
    x, y = samples()
    stack = layers()
    made = FineTuner(stack, nn.Linear(3, 3), lambda out, y: 0 * out.sum(), [Objective()] * 3, control=2.0)
    made._objective(x, y)["objective"].backward()
    expected = torch.autograd.grad(2 * stack[0].loss(x), list(stack[0].parameters()))
    for parameter, gradient in zip(stack[0].parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.parametrize("stop", [1, 2])
def test_fine_tuning_resumes_to_the_same_bits(stop):
    x, y = samples()
    whole = tuner(layers(), control=0.5)
    whole.run(x, y)
    part = tuner(layers(), control=0.5)
    part.run(x, y, most=stop)
    state = part.state_dict()
    part.run(x, y)
    for _ in range(2):
        other = tuner(layers(seed=1), control=0.5)
        other.load_state_dict(state)
        assert other.run(x, y) == whole.history
        assert same(bits(other.model), bits(whole.model))


def test_bad_fine_tuning():
    x, y = samples()
    assert_refused(lambda: tuner(layers(), control=-1.0), "control")
    assert_refused(lambda: tuner(layers()).run(x, y[:4]), "50 samples", "4")
    assert_refused(lambda: tuner(layers()).run(x[:, :1], y), "(50, 1)")
    with pytest.raises(TrainingFailed, match="epoch 1 of fine-tuning"):
        tuner(layers(), lr=1e30).run(x, y)
