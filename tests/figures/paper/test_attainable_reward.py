"""Shares of the attainable reward: read, drawn, and refused where damaged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pwlact.checks import InputError
from pwlact_figures.paper import MissingResultError, Results
from pwlact_figures.paper.attainable_reward import KINDS, compute, draw
from pwlact_figures.style import style


def test_shares_are_rewards_over_the_optimum() -> None:
    data = compute(Results())
    assert [panel["kind"] for panel in data["panels"]] == list(KINDS)
    for panel in data["panels"]:
        record = json.loads(
            next(
                Results().folder.glob(f"networks/resnet10-{panel['kind']}-w{panel['width']:g}-s0/inspect.json")
            ).read_text()
        )
        for shown, layer in zip(panel["layers"], record["optimality"]["layers"], strict=True):
            assert shown["share"] == pytest.approx(layer["reward"] / layer["optimum"])
            assert shown["share"] <= 1 + 1e-9


def test_every_share_is_drawn_on_labelled_axes() -> None:
    data = compute(Results())
    with style():
        figure = draw(data)
    for axes, panel in zip(figure.axes, data["panels"], strict=True):
        drawn = np.array(axes.lines[0].get_ydata(), dtype=float)
        assert drawn.tolist() == [layer["share"] for layer in panel["layers"]]
        low, high = axes.get_ylim()
        for line in axes.lines[:2]:
            heights = np.array(line.get_ydata(), dtype=float)
            assert ((heights >= low) & (heights <= high)).all()
        assert "layer" in axes.get_xlabel()
    assert "reward" in figure.axes[0].get_ylabel()


def test_missing_and_damaged_inspections_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingResultError, match="pwlact study"):
        compute(Results(tmp_path))
    folder = Path(shutil.copytree(Results().folder, tmp_path / "results"))
    for path in folder.glob("networks/resnet10-local-*/inspect.json"):
        record = json.loads(path.read_text())
        del record["optimality"]
        path.write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"resnet10-local.*pwlact study"):
        compute(Results(folder))
