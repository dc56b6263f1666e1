"""Models side by side against plain PyTorch, one model at a time; the best epoch is kept; divergence stays alone."""

import pytest
import torch
from asserts import assert_close, assert_refused
from torch import nn
from torch.nn import functional

from pwlact.competitive import make
from pwlact.experiments.letters.cells import Cell, Training, order
from pwlact.experiments.letters.fitting import Schedule, accuracies, fit, logits_of
from pwlact.experiments.letters.parts import Part, Parts
from pwlact.experiments.letters.tuning import Contest, cross_entropy, run
from pwlact.experiments.perceptrons import Shape, Stack
from pwlact.models import MLP

CELLS = [Cell(1e-2), Cell(3e-3), Cell(3e-3, decay=0.1)]


def twin(shape, activation, parameters, number):
    """The same model as a module."""
    model = MLP(
        shape.inputs, shape.classes, width=shape.units, depth=shape.depth,
        activation=lambda units: make(activation, units), normalise=shape.normalise, residual=shape.residual,
    )  # fmt: skip
    names = {"weight": "linear.weight", "bias": "linear.bias", "scale": "norm.weight", "shift": "norm.bias"}
    state = {}
    for name, p in parameters.items():
        part, own = name.split(".", 1)
        layer = int(part.removeprefix("layer").removeprefix("activation"))
        if part.startswith("activation"):
            place = f"layers.{layer}.activation.{own}"
        else:
            place = f"layers.{layer}.{names[own]}" if layer < shape.depth else f"classifier.{own}"
        state[place] = p[number].detach().clone()
    model.load_state_dict(state | {key: value for key, value in model.state_dict().items() if key not in state})
    return model


def separable(count=60, classes=3, inputs=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % classes
    x = torch.randn(count, inputs, generator=generator) + 3 * functional.one_hot(y, inputs)
    return Part(x, y)


def parts(**kwargs):
    return Parts(separable(**kwargs), separable(30, seed=1), separable(30, seed=2), 3, "made up")


@pytest.mark.parametrize("own_inputs", [False, True])
@pytest.mark.parametrize(
    ("depth", "activation", "options"),
    [
        (1, "relu", {}),
        (3, "relu", {"normalise": True, "residual": True}),
        (2, "piecewise-linear", {"residual": True}),
        (2, "parallel-paths", {}),
        (2, "gated-relu-softmax", {"gain": 6**0.5}),
    ],
)
def test_as_one_model_at_a_time(depth, activation, options, own_inputs):
    shape = Shape(5, 4, depth, 3, **options)
    stack = Stack(shape, lambda units: make(activation, units), [0, 1, 2])
    training = Training(stack, CELLS, cross_entropy, 0)
    models = [twin(shape, activation, training.parameters, number) for number in range(3)]
    optimisers = [
        torch.optim.Adam(model.parameters(), lr=cell.rate, weight_decay=cell.decay)
        for model, cell in zip(models, CELLS, strict=True)
    ]
    generator = torch.Generator().manual_seed(7)
    for _ in range(5):
        x = torch.randn(3, 8, 5, generator=generator)
        y = torch.randint(0, 3, (3, 8), generator=generator)
        if not own_inputs:
            x, y = x[0], y[0]
        losses, answers = training.step(x, y)
        for number, (model, optimiser) in enumerate(zip(models, optimisers, strict=True)):
            own_x, own_y = (x[number], y[number]) if own_inputs else (x, y)
            optimiser.zero_grad()
            logits = model(own_x)
            loss = functional.cross_entropy(logits, own_y)
            loss.backward()
            optimiser.step()
            assert_close(losses[number], loss.detach(), 1e-4)
            assert float(answers[number]) == pytest.approx(float((logits.argmax(-1) == own_y).float().mean()))
    for number, model in enumerate(models):
        for name, p in twin(shape, activation, training.parameters, number).state_dict().items():
            assert_close(p, model.state_dict()[name], 1e-4, 2e-5)


def test_dropout_of_one_model_leaves_its_neighbours_alone():
    stack = Stack(Shape(5, 400, 1, 3), lambda units: nn.ReLU(), [0, 0, 0])
    training = Training(stack, [Cell(1e-3), Cell(1e-3, dropout=0.25), Cell(1e-3)], cross_entropy, 3)
    a = torch.ones(3, 50, 400)
    dropped = training._drop(a)
    assert dropped[0].eq(1).all()
    assert dropped[2].eq(1).all()
    assert dropped[1].unique().tolist() == pytest.approx([0, 4 / 3])
    assert float((dropped[1] == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    again = Training(stack, [Cell(1e-3), Cell(1e-3, dropout=0.25), Cell(1e-3)], cross_entropy, 3)
    assert again._drop(a).equal(dropped)
    x, y = separable().x, separable().y
    losses, _ = training.step(x, y)
    assert losses[0] == losses[2] != losses[1]


def test_no_dropout_where_answers_count():
    stack = Stack(Shape(5, 8, 1, 3), lambda units: nn.ReLU(), [0])
    training = Training(stack, [Cell(1e-3, dropout=0.9)], cross_entropy, 0)
    part = separable()
    assert_close(
        logits_of(stack, training.parameters, part)[0], twin(stack.shape, "relu", training.parameters, 0)(part.x)
    )


@pytest.mark.parametrize("values", [{"rate": 0.0}, {"rate": 1e-3, "dropout": 1.0}, {"rate": 1e-3, "decay": -1.0},
                                    {"rate": 1e-3, "dropout": -0.1}, {"rate": float("nan")}])  # fmt: skip
def test_settings_that_make_no_sense(values):
    assert_refused(lambda: Cell(**values), "got")


def test_order():
    assert order(50, 0, 1).sort().values.equal(torch.arange(50))
    assert order(50, 0, 1).equal(order(50, 0, 1))
    assert len({tuple(order(50, seed, epoch).tolist()) for seed in range(3) for epoch in range(3)}) == 9


def test_the_best_epoch_is_kept():
    # a rate so large that accuracy jumps about, with few images to answer on
    data, stack = parts(), Stack(Shape(5, 6, 1, 3), lambda units: nn.ReLU(), [0, 0])
    cells = [Cell(0.3), Cell(1e-3)]
    fitted = fit(stack, cells, cross_entropy, data, Schedule(12, 7))
    assert fitted.validation_accuracy.shape == (12, 2)
    assert accuracies(stack, fitted.parameters, data.validation).equal(fitted.validation_accuracy.amax(0))
    assert fitted.best.equal(fitted.validation_accuracy.argmax(0) + 1)
    assert int(fitted.best[0]) < 12
    assert float(fitted.train_loss[-1, 1]) < float(fitted.train_loss[0, 1])
    assert not any(p.requires_grad for p in fitted.parameters.values())


def test_a_model_that_diverges_does_so_alone():
    data = parts()
    shape, cells = Shape(5, 6, 2, 3), [Cell(1e-2), Cell(1e-2), Cell(1e-2)]

    class Starts(Stack):
        def parameters(self):
            found = super().parameters()
            found["layer0.weight"][1] = float("nan")
            return found

    found = fit(Starts(shape, lambda units: nn.ReLU(), [0, 0, 0]), cells, cross_entropy, data, Schedule(3, 10))
    sound = fit(Stack(shape, lambda units: nn.ReLU(), [0, 0, 0]), cells, cross_entropy, data, Schedule(3, 10))
    assert found.best.tolist()[1] == 0
    assert found.validation_accuracy[:, 1].eq(0).all()
    assert (
        accuracies(sound_stack := Stack(shape, lambda units: nn.ReLU(), [0, 0, 0]), found.parameters, data.test)[1]
        == -1
    )
    for name, p in sound.parameters.items():
        assert found.parameters[name][[0, 2]].equal(p[[0, 2]])
    assert accuracies(sound_stack, sound.parameters, data.test).gt(0).all()


def test_more_in_a_batch_than_there_is():
    stack = Stack(Shape(5, 6, 1, 3), lambda units: nn.ReLU(), [0])
    assert_refused(lambda: fit(stack, [Cell(1e-2)], cross_entropy, parts(), Schedule(1, 61)), "batch_size", "61", "60")
    assert_refused(lambda: Schedule(0), "epochs")
    assert_refused(lambda: Schedule(1, 0), "batch_size")


def test_a_row():
    ticks = []
    contest = Contest(
        Shape(5, 6, 1, 3), lambda units: nn.ReLU(), [Cell(1e-9), Cell(1e-2), Cell(1e-2, dropout=0.5)],
        measures=lambda z, y: {"rows": float(len(z) + y.max())},
    )  # fmt: skip
    row = run(contest, parts(), Schedule(4, 10), 2, ticks.append)
    assert ticks == [3] * 4 + [2] * 4
    assert row["chosen"] == {"rate": 1e-2, "dropout": 0.0, "decay": 0.0}
    best = [cell["validation"] for cell in row["grid"]]
    assert best[1] == max(best) > best[0]
    assert row["test"]["n"] == 2
    assert row["rows"]["values"] == [32.0, 32.0]
    assert all(len(curve) == 4 for curve in row["history"].values())
    assert row == run(contest, parts(), Schedule(4, 10), 2)
    # fresh seeds: none is the one that settings were chosen with
    alone = run(Contest(contest.shape, contest.activation, contest.cells[1:2]), parts(), Schedule(4, 10), 2)
    assert alone["grid"] == []
    assert alone["test"] == row["test"]
    assert alone["history"] == row["history"]
