"""snapshot and film: copies of the activations, by name."""

import json

import numpy as np
import torch
from asserts import assert_refused
from torch import nn

from pwlact.conversion import ActivationFilm, bake, snapshot
from pwlact.pwl import Knots, PiecewiseLinearActivation


def net():
    return nn.Sequential(
        PiecewiseLinearActivation(Knots(3, -1.0, 1.0)),
        nn.ModuleDict({"inner": PiecewiseLinearActivation(Knots(5, -2.0, 2.0), channels=2, start="abs")}),
    )


def test_names_knots_and_values():
    taken = snapshot(net())
    assert list(taken) == ["0", "1.inner"]
    np.testing.assert_array_equal(taken["0"]["knots"], [-1, 0, 1])
    np.testing.assert_array_equal(taken["0"]["values"], [0, 0, 1])
    np.testing.assert_array_equal(taken["1.inner"]["values"], [[2, 1, 0, 1, 2]] * 2)
    assert snapshot(nn.Linear(1, 1)) == {}


def test_a_snapshot_is_a_copy():
    model = net()
    taken = snapshot(model)
    with torch.no_grad():
        model[0].values.fill_(9.0)
    np.testing.assert_array_equal(taken["0"]["values"], [0, 0, 1])
    taken["0"]["values"][0] = 5
    assert model[0].values[0] == 9


def test_lists_are_json_and_frozen_activations_count():
    lists = json.loads(json.dumps(snapshot(net(), as_lists=True)))
    assert lists["0"] == {"knots": [-1.0, 0.0, 1.0], "values": [0.0, 0.0, 1.0]}
    assert snapshot(bake(net()).model, as_lists=True) == snapshot(net(), as_lists=True)
    assert snapshot(net().to(torch.bfloat16))["0"]["values"].dtype == np.float64


def test_film_stacks_moments():
    model, film = net(), ActivationFilm()
    for value in (1.0, 2.0):
        with torch.no_grad():
            model[0].values.fill_(value)
        film.append(model)
    film.append(snapshot(model, as_lists=True))
    assert film.values()["0"][:, 0].tolist() == [1.0, 2.0, 2.0]
    assert film.values()["1.inner"].shape == (3, 2, 5)
    assert film.knots()["1.inner"].tolist() == [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert ActivationFilm().values() == {}
    assert ActivationFilm().knots() == {}


def test_a_film_shows_one_model():
    film = ActivationFilm()
    film.append(net())
    assert_refused(lambda: film.append(nn.Sequential(PiecewiseLinearActivation(Knots(3, -1.0, 1.0)))), "film")
    other = net()
    other[0].regrid(Knots(3, -1.0, 2.0))
    assert_refused(lambda: film.append(other), "film")
    assert len(film.snapshots) == 1
