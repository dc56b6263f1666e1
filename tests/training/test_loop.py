"""The loop: epochs, records, progress, failure."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from pwlact.checks import InputError
from pwlact.training import Backprop, Score, Silent, TrainingFailed, evaluate, find_device, fit
from pwlact.training.evaluation import forward


class CountingRule:
    """Pretends that each image of step s has a loss of s nats, and one image a step is right."""

    def __init__(self, bad_step=None, bad=math.nan):
        self.steps, self.bad_step, self.bad, self.done = 0, bad_step, bad, []

    def step(self, images, labels, done):
        self.steps += 1
        self.done.append(done)
        loss = self.bad if self.steps == self.bad_step else float(self.steps * len(labels))
        return torch.tensor(loss), torch.tensor(1)

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class Listing:
    """Batches that note the epochs asked for: 8, 8 and 4 images."""

    def __init__(self, sizes=(8, 8, 4)):
        self.sizes, self.asked = sizes, []

    def __len__(self):
        return len(self.sizes)

    def epoch(self, number):
        self.asked.append(number)
        return [(torch.zeros(n, 2), torch.zeros(n, dtype=torch.int64)) for n in self.sizes]


class Recorder(Silent):
    def __init__(self):
        self.calls = []

    def begin(self, done, epochs, steps):
        self.calls.append(("begin", done, epochs, steps))

    def step(self, images, images_per_second, loss):
        assert images_per_second > 0
        self.calls.append(("step", images))

    def epoch(self, record):
        self.calls.append(("epoch", record["epoch"]))

    def end(self):
        self.calls.append(("end",))


def score():
    return Score(2.5, 0.25, 100)


def test_records_are_means_over_images():
    (record,) = fit(nn.Linear(2, 2), CountingRule(), Listing(), score, epochs=1)
    assert record.pop("seconds") > 0
    assert record.pop("images_per_second") > 0
    assert record == {
        "epoch": 1,
        "train_loss": pytest.approx((1 * 8 + 2 * 8 + 3 * 4) / 20),
        "train_accuracy": 3 / 20,
        "val_loss": 2.5,
        "val_accuracy": 0.25,
    }


def test_epochs_go_on_from_the_history():
    rule, batches, tracker, stored = CountingRule(), Listing(), Recorder(), []
    done = [{"epoch": 1}, {"epoch": 2}]
    history = fit(
        nn.Linear(2, 2),
        rule,
        batches,
        score,
        epochs=4,
        history=done,
        tracker=tracker,
        after_epoch=lambda records: stored.append(len(records)),
    )
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert len(done) == 2
    assert batches.asked == [3, 4]
    assert rule.done == pytest.approx([(6 + step) / 12 for step in range(6)])  # two epochs of three steps, of four
    assert stored == [3, 4]
    one_epoch = [("step", 8), ("step", 8), ("step", 4)]
    assert tracker.calls == [
        ("begin", 2, 4, 3),
        *one_epoch,
        ("epoch", 3),
        *one_epoch,
        ("epoch", 4),
        ("end",),
    ]


def test_nothing_left_to_do():
    batches = Listing()
    done = [{"epoch": 1}]
    assert fit(nn.Linear(2, 2), CountingRule(), batches, score, epochs=1, history=done) == done
    assert batches.asked == []


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(("step", "epoch", "within"), [(3, 1, 3), (25 + 7, 2, 7), (25 + 24, 2, 24)])
def test_loss_that_is_not_finite_stops_training(bad, step, epoch, within):
    tracker, stored = Recorder(), []
    with pytest.raises(TrainingFailed) as error:
        fit(
            nn.Linear(2, 2),
            CountingRule(step, bad),
            Listing((4,) * 25),
            score,
            epochs=3,
            tracker=tracker,
            after_epoch=stored.append,
        )
    expected = f"training loss is {bad} at epoch {epoch}, step {within}: lower lr or act_lr"
    assert str(error.value) == expected
    assert tracker.calls[-1] == ("end",)
    assert len(stored) == epoch - 1


def test_rate_too_high_fails_in_one_line(net, toy):
    model = net(learns=False)
    rule = Backprop(model, lr=1e30)
    with pytest.raises(TrainingFailed, match=r"^training loss is (nan|inf) at epoch 1, step [23]: lower lr"):
        fit(model, rule, toy, score, epochs=1)


def test_model_learns_in_training_mode_and_is_scored_in_evaluation_mode(net, toy):
    model = net()
    modes = []
    model.register_forward_pre_hook(lambda module, _: modes.append(module.training))

    def scored():
        return evaluate(model, toy.epoch(0))

    model.eval()
    fit(model, Backprop(model), toy, scored, epochs=2)
    assert modes == ([True] * 3 + [False] * 3) * 2


def test_evaluation_is_the_mean_over_images_and_changes_nothing(net, toy):
    model = net()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    toy.batch_size = 7  # the last batch has three images
    score = evaluate(model, toy.epoch(0))
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    with torch.no_grad():
        logits = model.eval()(toy.images)
    assert score.n == 24
    assert score.loss == pytest.approx(functional.cross_entropy(logits, toy.labels).item(), rel=1e-5)
    assert score.accuracy == int((logits.argmax(1) == toy.labels).sum()) / 24


def test_loss_is_computed_in_float32_of_bfloat16_logits(net, toy):
    model = net().eval()
    logits = []
    model.register_forward_hook(lambda _, __, output: logits.append(output))
    loss, _ = forward(model, toy.images, toy.labels, "bf16")
    assert logits[0].dtype == torch.bfloat16
    assert loss.dtype == torch.float32
    assert loss == functional.cross_entropy(logits[0].float(), toy.labels, reduction="sum")


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert find_device("auto") == find_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match=r"^device 'cuda' is not available here; available: cpu \(or auto\)$"):
        find_device("cuda")
    with pytest.raises(InputError, match=r"^device must be one of auto, cuda, mps, cpu; got 'tpu'$"):
        find_device("tpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert find_device("auto") == torch.device("mps")
