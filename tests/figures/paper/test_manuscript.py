"""The paper's numbers and tables: complete, used, up to date, and they follow the results."""

import json
import re
import shutil
from pathlib import Path

import pytest

from pwlact.checks import InputError
from pwlact_figures.manuscript import Sources, contents, networks, outdated, write
from pwlact_figures.manuscript.latex import escape, floating, tabular
from pwlact_figures.manuscript.tables import networks_table, tables
from pwlact_figures.paper import FIGURES, Results, choose, draw_figure

PAPER = Path(__file__).resolve().parents[3] / "paper"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("computed")


@pytest.fixture(scope="module")
def found(cache: Path) -> dict[str, str]:
    return contents(Sources(Results(), cache))


def text() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(PAPER.glob("sections/*.tex")))


def defined(numbers: str) -> dict[str, str]:
    return dict(re.findall(r"^\\setnumber\{([^}]*)\}\{(.*)\}$", numbers, re.MULTILINE))


def test_the_papers_numbers_and_tables_are_up_to_date(found: dict[str, str]) -> None:
    assert outdated(found, PAPER) == [], "run `pwlact paper`"


def test_the_text_uses_every_number_and_no_other(found: dict[str, str]) -> None:
    used = set(re.findall(r"\\N\{([^}]*)\}", text()))
    assert used == set(defined(found["numbers.tex"]))


def test_the_text_has_every_table_and_figure_and_refers_to_them() -> None:
    body = text()
    included = set(re.findall(r"\\includegraphics\[[^]]*\]\{([^}]*)\}", body))
    assert included == {figure.stem for figure in FIGURES}
    assert set(re.findall(r"\\input\{tables/([^}]*)\}", body)) == {"noise", "networks", "errata"}
    labels = set(re.findall(r"\\label\{((?:fig|tab|sec|thm|prop|eq):[^}]*)\}", body)) | {
        "tab:noise",
        "tab:networks",
        "tab:errata",
    }
    referred = {name for group in re.findall(r"\\(?:[cC]ref|eqref)\{([^}]*)\}", body) for name in group.split(",")}
    assert referred <= labels
    assert {label for label in labels if label.startswith(("fig:", "tab:"))} <= referred


def test_references_are_cited_and_there() -> None:
    keys = set(re.findall(r"^@\w+\{([^,]+),", (PAPER / "refs.bib").read_text(encoding="utf-8"), re.MULTILINE))
    cited = {key for group in re.findall(r"\\cite[a-z]*(?:\[[^]]*\])*\{([^}]*)\}", text()) for key in group.split(",")}
    assert cited == keys


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Committed results, but the local runs of seed 0 have learnt something else."""
    folder = Path(shutil.copytree(Results().folder, tmp_path / "results"))
    for path in folder.glob("networks/resnet10-local-w0.25-s*/result.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        record["val"]["accuracy"] = 0.5
        for epoch in record["history"]:
            epoch["val_accuracy"] = 0.5
        path.write_text(json.dumps(record), encoding="utf-8")
    return folder


def test_a_changed_result_changes_number_table_and_figure(changed: Path, cache: Path, tmp_path: Path) -> None:
    before, after = Sources(Results(), cache), Sources(Results(changed), tmp_path / "computed")
    assert (
        networks.numbers(before.results)["net.local.val"] != networks.numbers(after.results)["net.local.val"] == "50.0"
    )
    old, new = (networks_table(sources) for sources in (before, after))
    assert old != new
    assert "50.0" in new
    (figure,) = choose(["training-comparison"])
    drawn = [draw_figure(figure, tmp_path / name, sources.results) for name, sources in (("a", before), ("b", after))]
    for first, second in zip(*drawn, strict=True):
        assert first.read_bytes() != second.read_bytes()


def test_only_what_changed_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"numbers.tex": "a", "tables/x.tex": "b"}
    monkeypatch.setattr("pwlact_figures.manuscript.generated.contents", lambda _: found)
    sources = Sources(Results(tmp_path), tmp_path)
    assert outdated(found, tmp_path) == list(found)
    assert write(sources, tmp_path) == [tmp_path / "numbers.tex", tmp_path / "tables" / "x.tex"]
    assert outdated(found, tmp_path) == []
    (tmp_path / "tables" / "x.tex").write_bytes(b"\xff")
    (tmp_path / "numbers.tex").touch()
    assert outdated(found, tmp_path) == ["tables/x.tex"]
    when = (tmp_path / "numbers.tex").stat().st_mtime_ns
    write(sources, tmp_path)
    assert (tmp_path / "numbers.tex").stat().st_mtime_ns == when
    assert outdated(found, tmp_path) == []


def test_latex_is_escaped() -> None:
    assert escape(r"50 % of a_b & $x$ #1 {y} ~ ^ \n <z> R²") == (
        r"50 \% of a\_b \& \$x\$ \#1 \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}n "
        r"\textless{}z\textgreater{} R\textsuperscript{2}"
    )
    made = floating(tabular("lr", ("a", "b"), [("c", "1"), ("d", "2")]), "A table.", "tab:x")
    assert "a & b \\\\\n\\midrule\nc & 1 \\\\\nd & 2 \\\\\n\\bottomrule" in made
    assert made.count("\\begin{table}") == made.count("\\end{table}") == 1


def test_tables_print_in_ascii_or_what_latex_knows(found: dict[str, str]) -> None:
    for name, content in found.items():
        strange = {mark for mark in content if ord(mark) > 0x17F}
        assert not strange, name


def test_differences_are_paired_by_seed() -> None:
    def run(accuracy: float) -> dict:
        late = [{"val_accuracy": 0.1}, *({"val_accuracy": accuracy + shift} for shift in (-0.2, 0, 0.1, 0, 0))]
        return {"val": {"accuracy": accuracy, "n": 5000}, "history": late}

    points, error = networks.difference([run(0.81), run(0.83)], [run(0.80), run(0.80)])
    assert points == pytest.approx(2)
    assert error == pytest.approx(1)  # deviation sqrt 2 over sqrt 2 seeds
    points, error = networks.difference([run(0.85), run(0.83)], [run(0.80), run(0.80)], networks.late)
    assert (points, error) == (pytest.approx(4), pytest.approx(1))
    assert networks.late(run(0.5)) == pytest.approx(0.48)
    points, error = networks.difference([run(0.81)], [run(0.80)])
    assert points == pytest.approx(1)
    assert error == pytest.approx(100 * (0.81 * 0.19 / 5000 + 0.8 * 0.2 / 5000) ** 0.5)


def test_a_damaged_result_is_one_line(changed: Path, tmp_path: Path) -> None:
    path = next(changed.glob("networks/resnet10-silu-w0.25-s0/result.json"))
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="resnet10-silu"):
        tables(Sources(Results(changed), tmp_path / "computed"))
