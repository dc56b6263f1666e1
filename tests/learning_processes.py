"""What each process of the tests of distributed learning does; a module of its own, because spawned ones import it."""

from datetime import timedelta

import torch
from learning import PAIRS, images, learn, learner_of
from torch import distributed, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from pwlact.pwl import PiecewiseLinearActivation

CUTS = {"equal": 20, "unequal": 7}
STEPS = 3


def network():
    """Without batch norm, whose statistics belong to each process."""
    torch.manual_seed(0)
    acts = PiecewiseLinearActivation(channels=6, groups=2), PiecewiseLinearActivation(start="silu")
    return nn.Sequential(nn.Conv2d(3, 6, 1), acts[0], nn.Flatten(), nn.Linear(96, 8), acts[1], nn.Linear(8, 5))


def cases(share):
    """Values after a few steps of each kind of learner on its `share` of each batch, a slice."""
    learnt = {}
    for estimator, solver in PAIRS:
        for settings in ({}, {"every": 2, "memory": 0.5}):
            # to Adam a slope of 1e-8 is a slope: its rounding shows, in proportion to the rate
            rate = {"adam": 1e-3, "eigen": 0.5}[solver]
            learner = learner_of(network(), estimator, solver, lr=rate, **settings)
            for step in range(2 * STEPS):
                x, labels = images(seed=step)
                learn(learner, x[share], labels[share])
            name = f"{estimator} {solver} {settings}"
            learnt[name] = [*(module.values.detach() for module in learner.modules), learner.rewards]
    return learnt


def network_steps(model, learner, share):
    """Backbone and values after a few steps of both on the `share` of each batch."""
    optimiser = torch.optim.SGD(learner.backbone(), lr=0.1)
    for step in range(STEPS):
        x, labels = images(seed=step)
        with learner.observe(labels[share]):
            loss = functional.cross_entropy(model(x[share]), labels[share])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        learner.step()
    return [parameter.detach() for parameter in learner.model.parameters()]


def work(rank, folder):
    """Run everything on one of two processes and store what came out."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    out = {}
    for name, cut in CUTS.items():
        out[name] = cases(slice(cut) if rank == 0 else slice(cut, None))
    for estimator, solver in PAIRS:
        net = network()
        learner = learner_of(net, estimator, solver)
        wrapped = DistributedDataParallel(net)
        half = slice(20) if rank == 0 else slice(20, None)
        out[f"wrapped {estimator} {solver}"] = network_steps(wrapped, learner, half)
    torch.save(out, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()
