"""`pwlact cifar`: train a network with fixed or learnt activations."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pwlact_cli import options

if TYPE_CHECKING:
    from pwlact.experiments.cifar import CifarConfig


def cifar(
    arch: Annotated[str, typer.Option(help="vgg11, vgg13, vgg16, resnet10 or resnet18.")] = "resnet10",
    mode: Annotated[
        str,
        typer.Option(
            help="How activations are had: learnt by backprop or local, or fixed: relu, silu, gelu, or derived (the "
            "Swish of the optimum for 20 classes)."
        ),
    ] = "local",
    width: Annotated[float, typer.Option(help="Factor on every layer's channels.")] = 1.0,
    recipe: Annotated[
        str, typer.Option(help="How the backbone is trained: paper (Adam, constant rate) or fast (SGD, rise and fall).")
    ] = "paper",
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training images.", show_default="paper 20, fast 12")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = 256,
    lr: Annotated[
        float | None,
        typer.Option(help="Rate of the backbone, the highest where it changes.", show_default="paper 1e-3, fast 0.5"),
    ] = None,
    act_lr: Annotated[
        float | None,
        typer.Option(
            help="Adam rate of the knot values; for eigen, share of the way.",
            show_default="backprop 1e-2, local 1e-3, eigen 0.2",
        ),
    ] = None,
    sharing: Annotated[str, typer.Option(help="One function a layer, or one a channel.")] = "layer",
    knots: Annotated[int, typer.Option(help="Number of knots.")] = 33,
    low: Annotated[float, typer.Option(help="Position of the first knot.")] = -3.0,
    high: Annotated[float, typer.Option(help="Position of the last knot.")] = 3.0,
    estimator: Annotated[
        str, typer.Option(help="How the local rule knows a layer's input: sample or gaussian (a density a class).")
    ] = "gaussian",
    solver: Annotated[
        str, typer.Option(help="Step of the local rule: adam, or eigen (exact, taken in part).")
    ] = "adam",
    smoothness: Annotated[float, typer.Option(help="Local rule: weight of the squared second differences.")] = 0.05,
    positions: Annotated[int, typer.Option(help="Local rule: positions an image for the statistics.")] = 16,
    memory: Annotated[float, typer.Option(help="Local rule: share of the statistics kept from step to step.")] = 0.95,
    every: Annotated[int, typer.Option(help="Local rule: batches a step of the knots.")] = 4,
    rest: Annotated[
        float, typer.Option(help="Local rule: share of the steps, at the end, in which the activations stay.")
    ] = 0.5,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with CIFAR-10; else $PWLACT_DATA, else ./.data.", show_default=False),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Most training images.", show_default="all")] = None,
    val_size: Annotated[int, typer.Option(help="Last training images, kept for validation.")] = 5000,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    compile_model: Annotated[bool, typer.Option("--compile", help="Compile the model with torch.compile.")] = False,
    precision: Annotated[str, typer.Option(help="bf16 (autocast) or fp32.")] = "bf16",
    keep_epochs: Annotated[
        bool, typer.Option("--keep-epochs", help="Keep the weights after every epoch, in the folder epochs.")
    ] = False,
    tracker: Annotated[str, typer.Option(help="Where else to report to: none, tensorboard or wandb.")] = "none",
    seed: options.Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Run folder.", show_default="runs/cifar-ARCH-MODE-wWIDTH-sSEED")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished run in --out.")] = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Train on CIFAR-10; activations learnt by backprop, by the local correlation objective, or fixed.

    The run folder holds config.json, metrics.jsonl, activations.npz, inputs.npz, checkpoint.pt, result.json,
    pictures and report.html.
    """
    from pwlact.checks import choice
    from pwlact.experiments.cifar import CifarConfig
    from pwlact.training import RECIPES
    from pwlact.training.tracking import TRACKERS
    from pwlact_cli.console import emit

    choice("tracker", tracker, TRACKERS)
    usual = RECIPES[choice("recipe", recipe, RECIPES)]
    config = CifarConfig(
        arch=arch, mode=mode, width=width, recipe=recipe, batch_size=batch_size, act_lr=act_lr,
        epochs=usual.epochs if epochs is None else epochs, lr=usual.lr if lr is None else lr,
        sharing=sharing, knots=knots, low=low, high=high, estimator=estimator, solver=solver, seed=seed,
        limit=limit, val_size=val_size, device=device, precision=precision, smoothness=smoothness,
        positions=positions, memory=memory, every=every, rest=rest, keep_epochs=keep_epochs, compile=compile_model,
    )  # fmt: skip
    out = out or Path("runs") / f"cifar-{arch}-{mode}-w{width:g}-s{seed}"
    record = _train(config, data, out, tracker, resume, force)
    if record is None:
        return
    _describe(record, out)
    if as_json:
        emit(record)


def _train(
    config: "CifarConfig", data: Path | None, out: Path, tracker: str, resume: bool, force: bool
) -> dict[str, Any] | None:
    """The record; of several processes only the first one's."""
    from pwlact.experiments.cifar import describe, run
    from pwlact.training import RunFolder, Together, joined
    from pwlact.training.tracking import make_tracker
    from pwlact_cli.images import load_images
    from pwlact_cli.progress import ProgressBar
    from pwlact_figures.report import write_report
    from pwlact_figures.run import draw

    images = load_images(data)
    with joined(config.device) as here:
        folder = RunFolder(out, resume=resume, force=force, writes=here.first)
        if not here.first:
            run(config, images, folder)
            return None
        log = make_tracker(tracker, out, {**asdict(config), "data": describe(images)}, out.name)
        with ProgressBar() as bar:
            record = run(config, images, folder, Together([bar, log]))
    draw(out)
    write_report(out)
    return record


def _describe(record: dict[str, Any], out: Path) -> None:
    from pwlact_cli.console import say, table

    val, test = record["val"], record["test"]
    say(
        f"{record['arch']} {record['mode']}: validation accuracy {val['accuracy']:.2%} (n = {val['n']:,}), test "
        f"{test['accuracy']:.2%} (n = {test['n']:,}), {record['images_per_second']:,.0f} images/s, "
        f"{record['parameters']:,} parameters"
    )
    if record["seconds_to_90"] is not None:
        say(f"90 % on validation after {record['seconds_to_90']:,.0f} s of training and evaluation")
    if record["layers"]:
        rows = [
            (
                layer["name"],
                f"{layer['beta']:.3g}",
                f"{layer['x0']:.3g}",
                f"{layer['r2']:.4f}",
                layer["caveat"] or "-",
            )
            for layer in record["layers"]
        ]
        table("Swish fits of the learnt activations", ("layer", "beta", "x0", "R^2", "note"), rows)
    say(f"run folder: {out}")
