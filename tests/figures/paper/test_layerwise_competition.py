"""Competition inside layers: numbers from the committed studies, drawn, and refused where damaged."""

import json
from pathlib import Path

import pytest

from pwlact.checks import InputError
from pwlact_figures.paper import MissingResultError, Results
from pwlact_figures.paper.layerwise_competition import ABLATION, END_TO_END, LOOKS, MEASURES, compute, draw
from pwlact_figures.style import style


def ablation(**accuracies: float) -> dict:
    def line(arm: str, layer: int, value: float) -> dict:
        return {"arm": arm, "layer": layer} | {m: value for m in MEASURES} | {f"{m}_sd": None for m in MEASURES}

    lines = [line(arm, layer, value / layer) for arm, value in accuracies.items() for layer in (1, 2)]
    return {"overall": [*lines, line("pixels", 0, 0.9)], "config": {"seeds": 1}}


def end_to_end(*seeds: float) -> dict:
    def epoch(number: int, value: float) -> dict:
        layers = [{"layer": layer, "effective_rank": value / layer} for layer in (1, 2)]
        return {"epoch": number, "accuracy": value, "layers": layers}

    rows = [
        {"arm": arm, "seed": seed, "epochs": [epoch(e, value / (e + 1)) for e in range(3)]}
        for arm in LOOKS
        for seed, value in enumerate(seeds)
    ]
    return {"rows": rows, "config": {"seeds": len(seeds), "depth": 2}}


def write(folder: Path, **records: dict) -> Results:
    for name, record in zip((ABLATION, END_TO_END), (records["one"], records["two"]), strict=True):
        path = folder / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record))
    return Results(folder)


def test_the_committed_studies_are_drawn() -> None:
    data = compute(Results())
    assert {"lse", "lse+both", "random", "pixels", "autoencoder"} <= {bar["arm"] for bar in data["bars"]}
    assert [curve["arm"] for curve in data["curves"]] == list(LOOKS)
    assert min(data["seeds"]) >= 5
    with style():
        figure = draw(data)
        figure.draw_without_rendering()
    assert len(figure.axes) == 3
    assert all(axes.get_xlabel() for axes in figure.axes)


def test_every_number_is_drawn_where_it_belongs(tmp_path: Path) -> None:
    data = compute(write(tmp_path, one=ablation(lse=0.5, random=0.25), two=end_to_end(0.5, 0.75)))
    assert [bar["arm"] for bar in data["bars"]] == ["lse", "random", "pixels"]  # of a stack, its first layer
    assert data["curves"][0]["effective_rank"]["mean"] == pytest.approx([31.25, 15.625, 31.25 / 3])
    assert data["curves"][0]["accuracy"]["sd"][0] == pytest.approx(25 * 0.5**0.5)
    assert data["seeds"] == [1, 2]
    json.dumps(data)
    with style():
        probe, rank, accuracy = draw(data).axes
    assert list(probe.containers[0].lines[0].get_xdata(orig=False)) == pytest.approx([50, 25, 90])
    assert [label.get_text() for label in probe.get_yticklabels()] == ["log-sum-exp", "random", "pixels"]
    assert len(rank.lines) == len(accuracy.lines) == len(LOOKS)
    assert list(rank.lines[0].get_ydata()) == pytest.approx(data["curves"][0]["effective_rank"]["mean"])
    assert accuracy.get_xlim()[0] == 1
    end = data["curves"][0]["accuracy"]
    assert accuracy.get_ylim()[0] == pytest.approx(end["mean"][-1] - end["sd"][-1] - 3)


def test_missing_and_damaged_studies_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingResultError, match="pwlact layerwise ablation"):
        compute(Results(tmp_path))
    results = write(tmp_path, one=ablation(lse=0.5), two=end_to_end(0.5))
    (tmp_path / f"{END_TO_END}.json").unlink()
    with pytest.raises(MissingResultError, match="pwlact layerwise end-to-end"):
        compute(results)
    for damage in ({"rows": []}, {"config": {}}, {"rows": [{"arm": "scratch"}]}):
        write(tmp_path, one=ablation(lse=0.5), two=end_to_end(0.5) | damage)
        with pytest.raises(InputError, match="pwlact layerwise end-to-end"):
            compute(results)
    broken = ablation(lse=0.5)
    del broken["overall"][0]["dead"]
    write(tmp_path, one=broken, two=end_to_end(0.5))
    with pytest.raises(InputError, match="pwlact layerwise ablation"):
        compute(results)
