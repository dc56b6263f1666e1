"""`pwlact figure`: files, what is missing, bad names."""

from pathlib import Path


def test_a_figure_is_drawn_and_repeats_bit_for_bit(pwlact, tmp_path: Path) -> None:
    outcome = pwlact("figure", "2", "--out", tmp_path / "deep" / "a", "--json")
    assert outcome.status == 0
    assert outcome.json["missing"] == {}
    files = [Path(file) for file in outcome.json["files"]]
    assert [file.name for file in files] == ["figure-2-twenty-classes.pdf", "figure-2-twenty-classes.png"]
    before = [file.read_bytes() for file in files]
    assert before[0].startswith(b"%PDF")
    assert before[1].startswith(b"\x89PNG")
    assert pwlact("figure", "twenty-classes", "--out", tmp_path / "deep" / "a").status == 0
    assert [file.read_bytes() for file in files] == before


def test_a_figure_without_its_result_is_named_and_the_others_drawn(pwlact, tmp_path: Path) -> None:
    outcome = pwlact("figure", "8", "2", "--out", tmp_path / "out", "--results", tmp_path, "--json")
    assert outcome.status == 1
    assert list(outcome.json["missing"]) == ["8"]
    assert len(outcome.json["files"]) == 2
    assert "figure 8 is missing" in outcome.stderr
    assert "`pwlact study" in outcome.stderr


def test_an_unknown_figure_is_refused(pwlact, tmp_path: Path) -> None:
    outcome = pwlact("figure", "9", "--out", tmp_path)
    assert outcome.status == 2
    assert "got '9'" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
