"""`pwlact evolution`: pictures of a run's activations, and every bad input."""

from pathlib import Path

import numpy as np
import pytest

from pwlact.training import ActivationHistory


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "my-run"
    folder.mkdir()
    film = ActivationHistory(np.linspace(-3, 3, 7))
    for epoch in range(3):
        film.append({"layer0": np.maximum(film.knots, 0) * (1 + epoch), "layer1": np.tanh(film.knots) + epoch})
    film.write(folder / "activations.npz")
    return folder


def test_picture_beside_the_run(pwlact, run: Path) -> None:
    outcome = pwlact("evolution", run, "--json")
    assert outcome.status == 0
    assert outcome.json == {"files": [str(run / "evolution.png")], "layers": ["layer0", "layer1"], "epochs": 2}
    assert (run / "evolution.png").read_bytes().startswith(b"\x89PNG")
    assert "epochs 0 to 2" in outcome.stderr
    assert {path.name for path in run.iterdir()} == {"activations.npz", "evolution.png"}


def test_film_elsewhere(pwlact, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "pictures"
    outcome = pwlact("evolution", run / "activations.npz", "--gif", "--fps", 10, "--out", out, "--json")
    assert outcome.json["files"] == [str(out / "evolution.png"), str(out / "evolution.gif")]
    assert (out / "evolution.gif").read_bytes().startswith(b"GIF89a")
    assert {path.name for path in run.iterdir()} == {"activations.npz"}


def test_drawing_again_gives_the_same_bytes(pwlact, run: Path) -> None:
    pictures = []
    for path in (run, run / "activations.npz"):
        assert pwlact("evolution", path, "--gif").stdout == ""
        pictures.append([(run / name).read_bytes() for name in ("evolution.png", "evolution.gif")])
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("fps", [0, -1, "nan", 51])
def test_bad_rate(pwlact, run: Path, fps) -> None:
    outcome = pwlact("evolution", run, "--gif", "--fps", fps)
    assert outcome.status == 2
    assert "frames_per_second" in outcome.error
    assert {path.name for path in run.iterdir()} == {"activations.npz"}


def test_bad_runs(pwlact, run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04nonsense")
    for path in ("empty", "nowhere", "broken.npz"):
        outcome = pwlact("evolution", path)
        assert outcome.status == 2
        assert path in outcome.error


def test_out_where_a_file_lies(pwlact, run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        outcome = pwlact("evolution", run, "--out", out)
        assert outcome.status == 2
        assert str(tmp_path / "file") in outcome.error
    assert (tmp_path / "file").read_text() == "mine"
