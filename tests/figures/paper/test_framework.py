"""Figures of the paper in general: catalogue, results, cache, files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from pwlact.checks import InputError
from pwlact_figures.paper import FIGURES, MissingResultError, PaperFigure, Results, choose, draw_figure
from pwlact_figures.paper import cache as caching
from pwlact_figures.paper.cache import recall
from pwlact_figures.paper.gallery import IMAGES, page, write_gallery

DOCS = Path(__file__).resolve().parents[3] / "docs"


def plot(data: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(2, 2))
    figure.subplots().plot(data["y"])
    return figure


def figure_of(compute: Callable[[Results], dict[str, Any]]) -> PaperFigure:
    return PaperFigure("s99", "a-line", "a line", compute, plot, ("pwlact unit",))


def test_the_drafts_eight_figures_are_there_in_order() -> None:
    names = [figure.name for figure in FIGURES]
    assert names[:8] == [str(number) for number in range(1, 9)]
    assert names[8:] == [f"s{number}" for number in range(1, len(names) - 7)]
    assert len({figure.slug for figure in FIGURES}) == len(FIGURES)
    for figure in FIGURES:
        assert figure.title
        assert all(command.startswith("pwlact ") for command in figure.commands)
        assert figure.commands
        assert figure.slug == figure.slug.lower().replace(" ", "-")


def test_figures_are_chosen_by_number_or_words_once_each() -> None:
    assert choose(["2"]) == choose(["twenty-classes"]) == choose(["TWENTY-classes", "2"])
    assert choose([]) == choose(["3", "all"]) == list(FIGURES)
    assert [figure.name for figure in choose(["s1", "1"])] == ["s1", "1"]
    with pytest.raises(InputError, match=r"all or one of 1 \(.*; got '9'"):
        choose(["1", "9"])


def test_the_same_data_make_the_same_bytes(tmp_path: Path) -> None:
    figure = figure_of(lambda _: {"y": [1, 2, 4]})
    first, second = (draw_figure(figure, tmp_path / name, Results(tmp_path)) for name in "ab")
    assert [path.name for path in first] == ["figure-s99-a-line.pdf", "figure-s99-a-line.png"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_what_was_computed_is_recalled_until_results_change(tmp_path: Path) -> None:
    results, folder = tmp_path / "results", tmp_path / "cache"
    results.mkdir()
    (results / "a.json").write_text('{"y": [1.5, null]}')
    calls = []

    def compute(found: Results) -> dict[str, Any]:
        calls.append(1)
        return found.read("a", "pwlact study")

    for _ in range(2):
        assert recall("stem", compute, Results(results), folder) == {"y": [1.5, None]}
    assert len(calls) == 1
    (results / "a.json").write_text('{"y": [2.5]}')
    assert recall("stem", compute, Results(results), folder) == {"y": [2.5]}
    (results / "more").mkdir()
    (results / "more" / "b.json").write_text("{}")
    recall("stem", compute, Results(results), folder)
    assert len(calls) == 3
    assert len(list(folder.iterdir())) == 1  # what is out of date is thrown away


def test_a_change_of_the_code_computes_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def compute(_: Results) -> dict[str, Any]:
        calls.append(1)
        return {}

    recall("stem", compute, Results(tmp_path / "results"), tmp_path / "cache")
    monkeypatch.setattr(caching, "_sources", lambda: b"other code")
    recall("stem", compute, Results(tmp_path / "results"), tmp_path / "cache")
    assert len(calls) == 2


def test_names_that_begin_alike_keep_their_own_files(tmp_path: Path) -> None:
    for stem in ("figure-1", "figure-1-long", "figure-1"):
        recall(stem, lambda _: {}, Results(tmp_path / "results"), tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_damaged_cache_is_computed_anew(tmp_path: Path) -> None:
    results, folder = Results(tmp_path / "results"), tmp_path / "cache"
    recall("stem", lambda _: {"y": 1}, results, folder)
    (file,) = folder.iterdir()
    file.write_text('{"y"')
    assert recall("stem", lambda _: {"y": 1}, results, folder) == {"y": 1}
    assert json.loads(file.read_text()) == {"y": 1}


def test_what_is_not_there_names_its_command(tmp_path: Path) -> None:
    results = Results(tmp_path)
    for read in (
        lambda: results.read("networks/x/result", "pwlact study"),
        lambda: results.first(("a", "networks/x/result"), "pwlact study"),
        lambda: results.activations("networks/x", "pwlact study"),
    ):
        with pytest.raises(MissingResultError, match=r"networks/x.*is not there: `pwlact study` makes it"):
            read()
    (tmp_path / "b.json").write_text("{}")
    assert results.first(("a", "b", "c"), "pwlact study") == "b"


@pytest.mark.parametrize("content", ["{", "[]", "3", "\xff"])
def test_a_damaged_result_names_its_command(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.json .*`pwlact study` makes it anew"):
        Results(tmp_path).read("a", "pwlact study")


def test_the_gallery_is_up_to_date() -> None:
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == page(FIGURES), "run `pwlact figure all --gallery`"
    assert {path.stem for path in (DOCS / IMAGES).iterdir()} == {figure.stem for figure in FIGURES}


def test_a_gallery_has_a_picture_and_the_commands_of_each_figure(tmp_path: Path) -> None:
    figure = figure_of(lambda _: {"y": [1, 2]})
    written = write_gallery(tmp_path / "page.md", [figure], Results(tmp_path / "results"), tmp_path / "out")
    assert [path.name for path in written] == [f"{figure.stem}.png", "page.md"]
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert f"(images/gallery/{figure.stem}.png)" in text
    assert "pwlact unit" in text
    assert written[0].read_bytes().startswith(b"\x89PNG")
