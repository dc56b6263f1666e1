"""Activations, model and update rule by the names in a config."""

import torch
from torch import nn

from pwlact.experiments.cifar.config import CLASSES, FIXED, CifarConfig
from pwlact.models import ActivationFactory, build
from pwlact.pwl import Knots, PiecewiseLinearActivation
from pwlact.training import Backprop, LocalCorrelation, UpdateRule


def make_activation(config: CifarConfig) -> ActivationFactory:
    """Factory of the activations that `config.mode` names; learnable ones start from ReLU."""
    if not config.learns:
        return lambda channels: FIXED[config.mode]()
    knots = Knots(config.knots, config.low, config.high)
    own = config.sharing == "channel"
    return lambda channels: PiecewiseLinearActivation(knots, channels=channels if own else None, start="relu")


def make_model(config: CifarConfig, device: torch.device) -> nn.Module:
    """Freshly initialised model that `config` names, on `device`, its convolutions with channels last."""
    model = build(config.arch, width=config.width, activation=make_activation(config), classes=CLASSES).to(device)
    for parameter in model.parameters():
        if parameter.ndim == 4:  # as the images are
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    if config.compile:
        model.compile()
    return model


def make_rule(config: CifarConfig, model: nn.Module) -> UpdateRule:
    """Update rule that `config.mode` names."""
    if config.mode != "local":
        return Backprop(
            model,
            lr=config.lr,
            act_lr=config.activation_rate,
            precision=config.precision,
            recipe=config.training,
        )
    return LocalCorrelation(
        model,
        classes=CLASSES,
        lr=config.lr,
        act_lr=config.activation_rate,
        rest=config.rest,
        estimator=config.estimator,
        solver=config.solver,
        smoothness=config.smoothness,
        memory=config.memory,
        every=config.every,
        positions=config.positions,
        precision=config.precision,
        recipe=config.training,
        seed=config.seed,
    )
