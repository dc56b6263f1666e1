"""All figures of the paper, in order."""

from pwlact.checks import InputError
from pwlact_figures.paper import (
    attainable_reward,
    autoencoders,
    beyond_gaussian,
    certificate,
    common_activations,
    correlations_against_activation,
    gradient_agreement,
    knots_study,
    layer_snapshots,
    layerwise_competition,
    letters_study,
    networks_over_training,
    noise_and_classes,
    objective_at_work,
    preactivations,
    redundant_units,
    regimes,
    setup_diagrams,
    speed,
    tails,
    training_comparison,
    twenty_classes,
    unit_results,
)
from pwlact_figures.paper.figure import PaperFigure

FIGURES: tuple[PaperFigure, ...] = tuple(
    module.FIGURE
    for module in (
        common_activations,
        twenty_classes,
        objective_at_work,
        correlations_against_activation,
        setup_diagrams,
        unit_results,
        networks_over_training,
        layer_snapshots,
        noise_and_classes,
        knots_study,
        regimes,
        certificate,
        tails,
        beyond_gaussian,
        gradient_agreement,
        preactivations,
        training_comparison,
        speed,
        attainable_reward,
        redundant_units,
        layerwise_competition,
        letters_study,
        autoencoders,
    )
)


def choose(names: list[str]) -> list[PaperFigure]:
    """The figures of these names, numbers ("2", "s1") or words ("twenty-classes"); "all" for all of them.

    Raises:
        InputError: a name that no figure has.
    """
    if not names or "all" in names:
        return list(FIGURES)
    known = {key: figure for figure in FIGURES for key in (figure.name, figure.slug)}
    for name in names:
        if name.lower() not in known:
            available = ", ".join(f"{figure.name} ({figure.slug})" for figure in FIGURES)
            raise InputError(f"figure must be all or one of {available}; got {name!r}")
    return list(dict.fromkeys(known[name.lower()] for name in names))
