"""Reports of folders that are damaged or hold no run: one line that names the file, and nothing written."""

import numpy as np
import pytest
from asserts import assert_refused
from generated_run import write_run

from pwlact.training import ActivationHistory
from pwlact_figures.report import write_report

DAMAGE = {
    "result.json": [b"", b"{", b"[]", b"\xff\xfe", b"{}", b'{"config": {}}',
                    b'{"config": {"arch": "a", "mode": "relu"}, "history": [1], "layers": []}',
                    b'{"config": {"arch": "a", "mode": "relu"}, "history": [], "layers": [{"name": 1}]}',
                    b'{"config": {"arch": 1, "mode": "relu"}, "history": [], "layers": []}'],
    "activations.npz": [b"", b"PK\x03\x04nonsense"],
    "inputs.npz": [b"", b"PK\x03\x04nonsense"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "content"), [(name, content) for name in DAMAGE for content in DAMAGE[name]])
def test_damaged_files(tmp_path, name, content):
    folder = write_run(tmp_path / "run", epochs=1)
    (folder / name).write_bytes(content)
    assert_refused(lambda: write_report(folder), str(folder / name))
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"epoch": 1}\n{"epo', b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl"])
def test_damaged_files_of_unfinished_runs(tmp_path, name, content):
    folder = write_run(tmp_path / "run", epochs=1, finished=False)
    (folder / name).write_bytes(content)
    assert_refused(lambda: write_report(folder), str(folder / name), "damaged")


@pytest.mark.parametrize("axis", [[0.0], [0.0, np.nan], [1.0, 0.0], [0.0, np.inf]], ids=str)
def test_axes_that_are_none(tmp_path, axis):
    folder = write_run(tmp_path / "run", epochs=1)
    film = ActivationHistory(np.array(axis))
    film.append({"layer0": np.zeros(len(axis))})
    film.write(folder / "activations.npz")
    assert_refused(lambda: write_report(folder), "activations.npz", "axis")


def test_no_run(tmp_path):
    assert_refused(lambda: write_report(tmp_path), "neither result.json nor config.json")
    assert_refused(lambda: write_report(tmp_path / "nowhere"), "nowhere", "no run folder")
    (tmp_path / "file").write_text("")
    assert_refused(lambda: write_report(tmp_path / "file"), "file", "no run folder")
