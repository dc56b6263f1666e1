"""What each process of the tests of distributed training does; a module of its own, because spawned ones import it."""

from datetime import timedelta

import torch
from learning import CLASSES, images
from torch import distributed, nn

from pwlact.pwl import Knots, PiecewiseLinearActivation
from pwlact.training import Backprop, LocalCorrelation, evaluate, fit, processes

RULES = ["backprop", "sample adam", "gaussian eigen"]
BATCHES, EPOCHS = 5, 2


def network():
    """Without batch norm, whose statistics in training belong to each process; in float64, to compare finely."""
    torch.manual_seed(0)
    acts = PiecewiseLinearActivation(channels=6, groups=2), PiecewiseLinearActivation(Knots(9), start="silu")
    layers = [nn.Conv2d(3, 6, 1), acts[0], nn.Flatten(), nn.Linear(96, 8), acts[1], nn.Linear(8, CLASSES)]
    return nn.Sequential(*layers).double()


class Shares:
    """Part i of m of each of five batches of 12 images."""

    def __init__(self, rank, count):
        self.rank, self.count = rank, count

    def __len__(self):
        return BATCHES

    def epoch(self, number):
        for step in range(BATCHES):
            x, labels = images(12, seed=10 * number + step)
            part = slice(self.rank * 12 // self.count, (self.rank + 1) * 12 // self.count)
            yield x[part].double(), labels[part]


def make_rule(name, model):
    if name == "backprop":
        return Backprop(model, lr=1e-3, act_lr=1e-3)
    estimator, solver = name.split()
    settings = {"classes": CLASSES, "lr": 1e-3, "positions": None, "memory": 0.5, "every": 3}
    rate = {"adam": 1e-3, "eigen": 0.3}[solver]
    return LocalCorrelation(model, act_lr=rate, estimator=estimator, solver=solver, **settings)


def train(name, stop=None):
    """Records, final parameters and final score of a run; of one that is put away after `stop` epochs and resumed."""
    here = processes()
    model = network()
    rule = make_rule(name, model)
    shares = Shares(here.rank, here.count)

    def score():
        return evaluate(model, shares.epoch(0))

    state = {}

    def put_away(history):
        # a rule is asked for its state by all processes; the first one's is what all go on with
        now = {"rule": rule.state_dict(), "model": model.state_dict(), "history": list(history)}
        if len(history) == stop:
            state.update(now)
            raise KeyboardInterrupt

    try:
        records = fit(model, rule, shares, score, epochs=EPOCHS, after_epoch=put_away)
    except KeyboardInterrupt:
        if here.count > 1:
            box = [state]
            distributed.broadcast_object_list(box, 0)
            state = box[0]
        model = network()
        model.load_state_dict(state["model"])
        rule = make_rule(name, model)
        rule.load_state_dict(state["rule"])
        records = fit(model, rule, shares, score, epochs=EPOCHS, history=state["history"])
    final = score()
    timeless = [{k: v for k, v in r.items() if k not in {"seconds", "images_per_second"}} for r in records]
    parameters = [parameter.detach().clone() for parameter in model.parameters()]
    return {"records": timeless, "parameters": parameters, "final": [final.loss, final.accuracy, final.n]}


def buffers():
    """Batch norm's running mean, different in each process, once shared."""
    here = processes()
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, CLASSES))
    model[0].running_mean.fill_(here.rank + 1.0)
    evaluate(model, [(torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64))] if here.first else [])
    return model[0].running_mean


def work(rank, folder):
    """Run everything on one of two processes and store what came out."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    out = {name: train(name) for name in RULES}
    out["resumed"] = {name: train(name, stop=1) for name in RULES}
    out["buffers"] = buffers()
    torch.save(out, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()
