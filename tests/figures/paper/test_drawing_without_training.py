"""Every figure that needs no training: it fits its page, says what it shows, and shows what it is given."""

import json
import re

import numpy as np
import pytest
from paper_figures import MODULES, colliding, compute, drawn, outside, small, texts, under_legends, written

from pwlact_figures.paper import FIGURES, beyond_gaussian, choose, common_activations, unit_results
from pwlact_figures.style import COLUMN_INCHES, PAGE_INCHES

EACH = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
LEAST_POINTS = 6


@EACH
def test_texts_lie_on_the_page_and_not_on_each_other(module) -> None:
    figure = drawn(module)
    assert figure.get_size_inches()[0] in (COLUMN_INCHES, PAGE_INCHES)
    assert len(texts(figure)) > 5
    assert outside(figure) == []
    assert colliding(figure) == []


@EACH
def test_legends_hide_no_data(module) -> None:
    assert under_legends(drawn(module)) == []


@EACH
def test_axes_are_labelled_and_all_print_is_large_enough(module) -> None:
    figure = drawn(module)
    plots = [axes for axes in figure.axes if axes.axison and axes.get_label() != "<colorbar>"]
    for axes in plots:
        # panels that share an axis are labelled once, and categories are their own label
        outer = axes.xaxis.get_tick_params()["labelbottom"]
        assert axes.get_xlabel() or not outer or figure.get_supxlabel()
        named = any(re.search("[a-z]{3}", label.get_text()) for label in axes.get_yticklabels())
        assert axes.get_ylabel() or figure.get_supylabel() or named or plots[0].get_ylabel() == "reward R"
    for text in figure.findobj(lambda artist: hasattr(artist, "get_fontsize") and hasattr(artist, "get_text")):
        assert text.get_fontsize() >= LEAST_POINTS


@EACH
def test_something_is_drawn_and_is_finite(module) -> None:
    figure = drawn(module)
    for axes in figure.axes:
        artists = [*axes.lines, *axes.patches, *axes.collections, *axes.images]
        assert artists
        limits = [*axes.get_xlim(), *axes.get_ylim()]
        assert np.isfinite(limits).all()
        curves = [line.get_xydata() for line in axes.lines if len(line.get_xydata())]
        assert all(np.isfinite(curve).any() for curve in curves)


@pytest.mark.parametrize("module", [common_activations, unit_results, beyond_gaussian])
def test_the_same_code_computes_the_same_data(module) -> None:
    assert json.loads(compute(module)) == small(module)


@EACH
def test_computed_data_hold_no_time_and_no_machine(module) -> None:
    assert not re.search(r'"(seconds|environment|torch|platform)"', json.dumps(small(module)))


CURVES = {
    "common_activations": lambda data: data["activations"],
    "objective_at_work": lambda data: data["budgets"]["unequal"]["plain"],
    "correlations_against_activation": lambda data: data["tail"],
    "setup_diagrams": lambda data: data["rho"],
    "unit_results": lambda data: data["solvers"]["sample"],
    "noise_and_classes": lambda data: data["rows"][3],
    "knots_study": lambda data: data["studies"][0]["rows"][2],
    "regimes": lambda data: data["rows"][3],
    "certificate": lambda data: data["cases"][1],
    "tails": lambda data: data["rows"][0],
    "beyond_gaussian": lambda data: data["rows"][1]["draws"][0],
}
KEYS = {
    "common_activations": "relu",
    "objective_at_work": "positive",
    "correlations_against_activation": "deviation",
    "setup_diagrams": 0,
    "unit_results": "shortfall",
    "noise_and_classes": "reward",
    "knots_study": "ratio",
    "regimes": "top_share",
    "certificate": "rewards",
    "tails": "b",
    "beyond_gaussian": "r2",
}


@EACH
def test_the_same_data_are_the_same_bytes_and_a_changed_number_is_seen(module, tmp_path) -> None:
    name, data = module.__name__.rpartition(".")[2], small(module)
    before = written(module, data, tmp_path / "first.png")
    assert written(module, small(module), tmp_path / "second.png") == before
    place = CURVES[name](data)
    place[KEYS[name]] = json.loads(json.dumps(place[KEYS[name]]), parse_float=lambda text: 0.9 * float(text))
    assert written(module, data, tmp_path / "changed.png") != before


@EACH
def test_fonts_of_the_pdf_are_embedded(module, tmp_path) -> None:
    pdf = written(module, small(module), tmp_path / "figure.pdf")
    assert pdf.startswith(b"%PDF")
    assert b"/Type3" not in pdf.replace(b" ", b"")
    assert b"/FontFile2" in pdf


def test_catalogue_has_them_in_order() -> None:
    names = [figure.name for figure in FIGURES]
    assert names == sorted(names, key=lambda name: (name.startswith("s"), int(name.lstrip("s"))))
    assert {"1", "3", "4", "5", "6", "s1", "s2", "s3", "s4", "s5", "s6"} <= set(names)
    assert len(set(names)) == len(names)
    for module in MODULES:
        assert choose([module.FIGURE.name]) == choose([module.FIGURE.slug]) == [module.FIGURE]
        assert all(command.startswith("pwlact ") for command in module.FIGURE.commands)
