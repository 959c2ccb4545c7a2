"""The command line: `rdskd-lab distill`, `evaluate`, `train-teacher`, `report`.  Its help is meant to teach."""

import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
                  help="""Teach a small network what a large one knows, without the data that it was trained on.

A teacher network is there, its training data is not. A generator learns to paint images that the teacher is sure of
(oh), of all classes (ie), unlike each other (ds); then a student learns to answer those images as the teacher does.
""")  # fmt: skip

Data = Annotated[str, typer.Option(help="Real images to test on: digits (1,000 shipped), mnist (10,000), or a folder.")]
Device = Annotated[str, typer.Option(help="auto (CUDA, else MPS, else CPU), cpu, cuda, mps.")]


@app.command()
def distill(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for everything the run leaves; must be empty or new.")],
    method: Annotated[str, typer.Option(help="rdskd")] = "rdskd",
    preset: Annotated[
        str, typer.Option(help="classroom (2 CPU cores, minutes) or paper-mnist (the published schedule).")
    ] = "classroom",
    data: Data = "digits",
    seed: Annotated[int, typer.Option(help="Decides initial weights, latents and order; nothing else does.")] = 0,
    teacher: Annotated[str, typer.Option(help="lenet5 (shipped), or a LeNet-5 in a safetensors file.")] = "lenet5",
    off: Annotated[list[str] | None, typer.Option(help="Switch a term off: --off ds. It is still measured.")] = None,
    weight: Annotated[list[str] | None, typer.Option(help="Weigh a term: --weight ie=5.")] = None,
    anchor: Annotated[
        str, typer.Option(help="Damping: where rises are counted from: epoch (published), previous, average, none.")
    ] = "epoch",
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting of the preset: --set width=32.")
    ] = None,
    device: Device = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out from its last checkpoint.")
    ] = False,
):
    """Distil a student from a teacher without its data, and test it on real images.

    Training sees no real image. The test images are read once, at the end; the last student is the one reported.
    """
    from .runs import Config, RunError, execute

    weights = tuple((name, _number(name, value)) for name, value in _pairs(weight))
    config = Config(
        method, preset, data, seed, teacher, tuple(off or ()), weights, anchor, tuple(_pairs(change)), device
    )
    given = [p for p in set(context.params) - {"out", "resume"} if _was_given(context, p)]
    if resume and given:
        raise RunError(
            f"--resume goes on with the run as it was started; leave out {', '.join('--' + p for p in given)}"
        )
    with _stoppable() as stop:
        try:
            result = execute(config, out, resume=resume, progress=_bar, stop=stop)
        except KeyboardInterrupt:
            typer.echo(
                f"\nStopped between two steps; nothing is lost. Go on with: rdskd-lab distill --out {out} --resume",
                err=True,
            )
            raise typer.Exit(130) from None
    typer.echo(
        f"student {result['student_accuracy']:.2%} on {result['test_images']:,} real images that it never saw "
        f"(teacher {result['teacher_accuracy']:.2%}), after {result['seconds']['total']:.0f} s"
    )
    _report(out)


@app.command()
def evaluate(
    student: Annotated[Path, typer.Argument(help="A run's folder, or a student's safetensors file.")],
    data: Data = "digits",
    teacher: Annotated[str, typer.Option(help="lenet5 (shipped), or a LeNet-5 in a safetensors file.")] = "lenet5",
    device: Device = "auto",
):
    """Test a student on real images, beside its teacher."""
    from .data import load
    from .metrics import compare
    from .models import LeNet5, LeNet5Half
    from .stages import find_device
    from .weights import SHIPPED, load_weights

    test, device = load(data, "test"), find_device(device)
    shape = test.images.shape[1], len(test.classes)
    path = student / "student.safetensors" if student.is_dir() else student
    nets = [load_weights(LeNet5(*shape), SHIPPED.get(teacher, teacher)), load_weights(LeNet5Half(*shape), path)]
    found = compare(*(net.to(device) for net in nets), test)
    typer.echo(
        f"{found['test_images']:,} images of {test.name}: student {found['student_accuracy']:.2%}, "
        f"teacher {found['teacher_accuracy']:.2%}, same answer {found['agreement']:.2%}"
    )


@app.command("train-teacher")
def train_teacher(
    out: Annotated[Path, typer.Option(help="The safetensors file to write.")],
    data: Annotated[str, typer.Option(help="digits, mnist, or a folder of images.")] = "mnist",
    seed: int = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 10,
    device: Device = "auto",
):
    """Train a LeNet-5 on labelled images: Adam, batch 128, the rate falling from 1e-3 along half a cosine."""
    from .teaching import train

    for line in train(data, out, seed=seed, epochs=epochs, device=device):
        typer.echo(line)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="The folder of a finished run.")]):
    """Write a run's report.html again: one page that opens anywhere, without a network."""
    _report(folder)


# ---- private -------------------------------------------------------------------------------------------------------


def _report(folder: Path) -> None:
    try:
        from .report import write_report

        typer.echo(f"report: {write_report(folder)}")
    except ImportError as error:
        typer.echo(f"no report was written: {error}", err=True)


def _bar(steps: Iterator, phase: str, first: int, total: int) -> Iterator:
    """Progress with rate and time left; it shows where the losses are."""
    from tqdm import tqdm

    label = {"synthesise": "generator", "distill": "student  "}[phase]
    with tqdm(steps, label, total, initial=first, unit="step", file=sys.stderr, mininterval=0.5) as bar:
        for step in bar:
            if step.i % 20 == 0:
                bar.set_postfix_str(" ".join(f"{name} {value:.3f}" for name, value in step.raw.items()), refresh=False)
            yield step


@contextmanager
def _stoppable():
    """Ctrl-C and SIGTERM ask for a stop between two steps; a second one stops at once."""
    asked = []

    def ask(number, frame):
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        typer.echo("\nstopping after this step (again to stop at once) ...", err=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _was_given(context: typer.Context, parameter: str) -> bool:
    return context.get_parameter_source(parameter).name == "COMMANDLINE"


def _pairs(options: list[str] | None) -> list[tuple[str, str]]:
    for option in options or ():
        if option.count("=") != 1:
            raise ValueError(f"expected name=value, not {option!r}")
    return [tuple(option.split("=")) for option in options or ()]


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"the weight of {name} must be a number, not {text!r}") from None


def main() -> None:
    """Run the command line; an error that a person can mend is one sentence on stderr."""
    try:
        app()
    except OSError as error:
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        where = f" ({error.filename})" if error.filename else ""
        sys.exit(f"rdskd-lab: {what}{where}. What was saved before is still there; mend it and go on with --resume.")
    except (ValueError, FloatingPointError, MemoryError) as error:
        sys.exit(f"rdskd-lab: {error}")


if __name__ == "__main__":
    main()
