"""Classes to be told apart, and what linear models look like after each epoch."""

import torch

from pwlact.experiments.letters.one_by_one import Best
from pwlact.experiments.letters.parts import Part, Parts

INPUTS = 7
SEEDS = (3, 1)


def made(counts=(100, 90, 300), classes=4, dtype=torch.float64, noise=0.5):
    """Overlapping clouds; all values are multiples of 1/64, so that sums in any order are exact."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.rand(classes, INPUTS, generator=generator, dtype=torch.float64)

    def part(count):
        y = torch.randint(classes, (count,), generator=generator)
        x = centres[y] + noise * torch.randn(count, INPUTS, generator=generator, dtype=torch.float64)
        return Part(((64 * x).round() / 64).to(dtype), y)

    return Parts(*map(part, counts), classes, "clouds")


def noting(monkeypatch):
    """Weights and biases of each call of `Best.offer` from now on, by the object that it is made to."""
    calls = {}
    offer = Best.offer

    def noted(self, weights, bias):
        calls.setdefault(id(self), []).append((weights.clone(), bias.clone()))
        offer(self, weights, bias)

    monkeypatch.setattr(Best, "offer", noted)
    return calls
