"""The command line: `rdskd-lab distill`, `compare`, `evaluate`, `doctor` and more.  Its help is meant to teach."""

import os
import signal
import sys
import textwrap
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Annotated

import typer

from . import __version__
from .datasets import SETS, DataWarning
from .methods.checks import known
from .methods.rdskd import PRESETS
from .methods.registry import METHODS
from .networks.architectures import NETWORKS
from .networks.foreign import NetworkNote, NetworkWarning
from .networks.weights import SHIPPED
from .objective import ANCHORS

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""Train a small network to answer as a large one does, without its training data.

You have a trained network, the teacher, but no longer the data it was trained on. So a generator is trained to
make images that the teacher is sure of, of all classes, and unlike each other. Then a student is trained to answer
these images as the teacher does.

\b
Begin with     rdskd-lab distill --out runs/first
then open      runs/first/report.html
and read       rdskd-lab distill --help
""",
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"rdskd-lab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and leave.")
    ] = False,
):
    pass


NAMES = ", ".join(name + " (shipped)" * record.shipped for name, record in SETS.items())
Data = Annotated[str, typer.Option(help=f"Real images: {NAMES}, or an image folder.")]
Student = Annotated[
    str,
    typer.Option(
        help="The student: a network by name, or package.module:factory; pair: the one that belongs to the teacher."
    ),
]
Teacher = Annotated[
    str,
    typer.Option(
        help=f"{', '.join(SHIPPED)} (shipped), a LeNet-5's weights file, "
        f"{', '.join(name for name in NETWORKS if name not in SHIPPED)} with --weights, or your own as "
        "package.module:factory; else the shipped one that suits data and method."
    ),
]
Weights = Annotated[str, typer.Option(help="The teacher's weights: safetensors, or a state dict of torch.save.")]
Channels = Annotated[
    int, typer.Option(min=0, show_default=False, help="Of your own teacher: channels of its images, 1 or 3.")
]
Size = Annotated[int, typer.Option(min=0, show_default=False, help="Of your own teacher: pixels per side.")]
Classes = Annotated[int, typer.Option(min=0, show_default=False, help="Of your own teacher: number of classes.")]
Mean = Annotated[
    str,
    typer.Option(
        help="Of your own teacher: what is subtracted from pixels in [0, 1]; a number per channel, with commas."
    ),
]
Std = Annotated[str, typer.Option(help="Of your own teacher: what they are then divided by; a number per channel.")]
Takes = Annotated[
    str,
    typer.Option(
        help="What your own teacher expects. normalised: images prepared with --mean and --std. pixels, in [0, 1], or "
        "bytes, in [0, 255]: it normalises inside, with that mean and std."
    ),
]
Head = Annotated[
    str, typer.Option(help="The teacher's last layer, as fc or model.head; else it is found by running it.")
]
Device = Annotated[str, typer.Option(help="auto (CUDA, else MPS, else CPU), cpu, cuda or mps.")]


def _table() -> str:
    """Write the settings of each preset for the help: the papers', then those for two cores."""
    papers = {name: settings for name, settings in PRESETS.items() if name.startswith("paper")}
    others = {name: settings for name, settings in PRESETS.items() if name not in papers}
    return (
        "Presets of rdskd, with the settings that --set changes (explained in rdskd_lab/methods/method.py; the "
        f"presets of the other methods are beside it):\n\n\b\n{_columns(papers)}\n\n\b\n{_columns(others)}"
    )


def _columns(presets: dict) -> str:
    columns = [asdict(settings) for settings in presets.values()]
    names = [name for name in columns[0] if name != "weights"]
    rows = [("setting", *presets), *((name, *(column[name] for column in columns)) for name in names)]
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    pads = [str.ljust] + [str.rjust] * len(columns)
    return "\n".join(
        " ".join(pad(str(cell), n) for pad, cell, n in zip(pads, row, widths, strict=True)) for row in rows
    )


def _terms() -> str:
    """Write the terms of rdskd for the help, from their own words."""
    words = {key: term.words for key, term in METHODS["rdskd"].terms().items()}
    lines = [f"{key}  {w.name}. {w.purpose.partition('. ')[0]}." for key, w in words.items()]
    return "\n".join(textwrap.fill(line, 76, subsequent_indent="    ") for line in lines)


DISTILL = f"""Distil a student without any data.

The method is rdskd unless --method says otherwise. First a generator is trained to make images that minimise a sum of
terms:

\b
{_terms()}

oh and ie are damped: each enters as exp(loss - anchor), where the anchor is an earlier value of the same loss. The
further a loss has risen above its anchor, the harder it pulls. Then a student is trained to give the teacher's answers
to these images. Real images only test the last student, at the end.

\b
rdskd-lab distill --out runs/a                 the whole method
rdskd-lab distill --out runs/b --off ds        what does diversity do?
rdskd-lab distill --out runs/c --anchor none   what does damping do?
rdskd-lab distill --out runs/a --resume        after Ctrl-C or a crash
rdskd-lab distill --out runs/d --from runs/a --student lenet5
                                               same generator, another student
"""


@app.command(help=DISTILL, epilog=_table())
def distill(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for all files of the run: new, or empty.")],
    method: Annotated[str, typer.Option(help=f"{', '.join(METHODS)}.")] = "rdskd",
    preset: Annotated[str, typer.Option(help=f"{', '.join(PRESETS)}; see below.")] = "classroom",
    data: Annotated[
        str,
        typer.Option(
            help=f"Real images to test the student on: {NAMES}, an image folder, or none. Left out: none for a "
            "teacher of your own, else digits."
        ),
    ] = "",
    seed: Annotated[int, typer.Option(help="Decides initial weights, latents and order.")] = 0,
    teacher: Teacher = "",
    weights: Weights = "",
    student: Student = "pair",
    channels: Channels = 0,
    size: Size = 0,
    classes: Classes = 0,
    mean: Mean = "",
    std: Std = "",
    takes: Takes = "normalised",
    head: Head = "",
    off: Annotated[
        list[str] | None, typer.Option(metavar="TERM", help="Switch a term off, as --off ds; it is still measured.")
    ] = None,
    weight: Annotated[
        list[str] | None, typer.Option(metavar="TERM=NUMBER", help="Change a term's weight, as --weight ie=5.")
    ] = None,
    anchor: Annotated[
        str,
        typer.Option(
            help=f"Anchor rule of the damping: {', '.join(ANCHORS)}, or none (no damping); else the method's own, "
            "which is epoch."
        ),
    ] = "",
    strength: Annotated[
        float, typer.Option(help="Strength b of the damping, exp(b (loss - anchor)) / b; 0 to 50, else 1, as released.")
    ] = 1.0,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a setting, as --set width=32; see below."),
    ] = None,
    device: Device = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume the run in --out where it was cut; same result.")
    ] = False,
    from_run: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Use the generator of the run in this folder as it is, and train another student, with settings of "
            "its own (student_steps, student_lr, temperature and the like).",
        ),
    ] = "",
):
    """Distil a student without any data; DISTILL is what a person reads."""
    from .networks.registry import WITH_BATCHNORM
    from .reporting.run_report import PROMISE
    from .runs.config import Config, check_code, check_same, read_config, resolve
    from .runs.execute import execute
    from .runs.reuse import like
    from .runs.run_folder import NO_DATA, command

    asked = _asked(context) | {
        "off": tuple(off or ()),
        "weight": tuple((name, _number(f"weight of {name}", value)) for name, value in _pairs("--weight", weight)),
        "change": tuple(_pairs("--set", change)),
    }
    given = {name: asked[name] for name in asked if _was_given(context, name)}
    if resume:
        config = read_config(out)
        check_code(config, out)
        config = replace(config, device=given.pop("device", config.device))
        check_same(config, given)
    elif from_run:
        config = resolve(like(Path(from_run), given)).config
    else:
        config = resolve(Config(**asked)).config
        if not teacher and config.teacher in WITH_BATCHNORM.values():
            note = f"{method} matches BatchNorm statistics, so the teacher is {config.teacher}, which has some"
            print(f"rdskd-lab: note: {note}", file=sys.stderr)
    if config.data == NO_DATA:
        note = "no real image is used (--data none); --data FOLDER tests the student on real ones"
        print(f"rdskd-lab: {note}", file=sys.stderr)
    with _stoppable() as stop:
        try:
            found = execute(config, out, resume=resume, progress=_bar if sys.stderr.isatty() else _lines, stop=stop)
        except KeyboardInterrupt:
            begun = (out / "config.json").exists()
            then = f"Resume with: {command('distill', '--out', out, '--resume')}" if begun else "Nothing was begun."
            print(f"rdskd-lab: stopped. {then}", file=sys.stderr)
            sys.exit(128 + (stop() or signal.SIGINT))
    if made := found.get("without_data"):
        print(f"student: trained in {found['seconds']['total']:,.0f} s; it gives the teacher's answer on")
        for name, on in made.items():
            share, k = min((share, k) for k, share in enumerate(on["by_class"]) if share is not None)
            print(f"  {on['agreement']:7.2%} of {on['images']:,} {name} images; least in class {k}: {share:.2%}")
        print(PROMISE)
        return _report(out)
    print(
        f"student: {found['student_accuracy']:.2%} of {found['test_images']:,} real images it had never seen, after "
        f"{found['seconds']['total']:,.0f} s\n"
        f"teacher: {found['teacher_accuracy']:.2%} of the same; both give the same answer on {found['agreement']:.2%}"
    )
    _report(out)


@app.command()
def evaluate(
    context: typer.Context,
    student: Annotated[Path, typer.Argument(help="The folder of a run, or a student's weights file.")],
    data: Annotated[str | None, typer.Option(help="As for distill; else the run's own, or digits.")] = None,
    teacher: Annotated[str, typer.Option(help="As for distill; else the run's own.")] = "",
    weights: Weights = "",
    network: Annotated[
        str,
        typer.Option(
            help="The student's network by name, or package.module:factory; else the run's own, or of a weights file "
            "the one that belongs to the teacher (pair)."
        ),
    ] = "pair",
    channels: Channels = 0,
    size: Size = 0,
    classes: Classes = 0,
    mean: Mean = "",
    std: Std = "",
    takes: Takes = "normalised",
    head: Annotated[
        str, typer.Option(help="Not used here, and taken so that the options of distill can be repeated.")
    ] = "",
    device: Device = "auto",
):
    """Test a student on real images.

    Prints how many images the student and its teacher get right, and how often both give the same answer. Without
    data (--data none) it prints only how often both give the same answer, on procedural images.
    """
    from .distillation import find_device
    from .evaluation.accuracy import compare
    from .methods.checks import as_logits
    from .networks.weights import load_weights
    from .runs.config import Config, check_code, read_config, resolve
    from .runs.result import read_result
    from .runs.run_folder import NO_DATA, RunError, command

    of_run, path = student.is_dir(), student / "student.safetensors" if student.is_dir() else student
    config = read_config(student) if of_run else Config()
    if of_run and not path.exists():
        finish = command("distill", "--out", student, "--resume")
        raise RunError(f"the run in {student} is not finished; finish it: {finish}")
    asked, without = _asked(context), config.data == NO_DATA
    given = {name: asked[name] for name in asked if _was_given(context, name) and name not in ("student", "device")}
    given |= {"student": network} if _was_given(context, "network") else {}
    if of_run:
        config = check_code(config, student, given, ", or name the networks yourself (--teacher, --network)")
    config = replace(config, **({"weights": ""} if teacher else {}) | given)
    if without and config.data != NO_DATA and config.takes != "normalised":
        shown = resolve(replace(config, data=NO_DATA)).load("test")  # as in training
        config = replace(config, mean=shown.mean, std=shown.std)
    elif without and config.data != NO_DATA and config.teacher not in SHIPPED and not (config.mean and config.std):
        usual = (0.5,) * config.channels  # what a folder's pictures are taken to be, too
        config = replace(config, mean=config.mean or usual, std=config.std or usual)
        print(
            f"rdskd-lab: note: the run knew no mean and std of real images, so {config.mean[0]:g} and "
            f"{config.std[0]:g} are taken; if the teacher was trained with others, give them (--mean, --std)",
            file=sys.stderr,
        )
    setup = resolve(config)
    place, test = find_device(device), setup.load("test")
    if of_run and set(answered := read_result(student)["classes"]) == set(test.classes):
        test = test.numbered_as(answered)  # other data may have the same classes in another order
    networks = list(setup.networks(test))
    load_weights(networks[1], path)
    for i, who in enumerate(("teacher", "student")):
        networks[i], count = as_logits(who, networks[i], *test.images.shape[1:3], place)
        if count != len(test.classes):
            raise RunError(f"the {who} answers {count} classes, {test.name} has {len(test.classes)}; give other --data")
    found = compare(*networks, setup.labelled(networks[0], test))
    if setup.config.data == NO_DATA:
        print(f"{found['test_images']:,} images of {test.name}: same answer {found['agreement']:.2%}")
        return
    print(
        f"{found['test_images']:,} images of {test.name}: student {found['student_accuracy']:.2%}, "
        f"teacher {found['teacher_accuracy']:.2%}, same answer {found['agreement']:.2%}"
    )


@app.command("check-teacher")
def check_teacher(
    context: typer.Context,
    teacher: Teacher = "",
    weights: Weights = "",
    channels: Annotated[int, typer.Option(min=0, help="As for distill.")] = 0,
    size: Annotated[int, typer.Option(min=0, help="As for distill.")] = 0,
    classes: Annotated[int, typer.Option(min=0, help="As for distill.")] = 0,
    mean: Annotated[str, typer.Option(help="As for distill.")] = "",
    std: Annotated[str, typer.Option(help="As for distill.")] = "",
    takes: Annotated[str, typer.Option(help="As for distill.")] = "normalised",
    head: Annotated[str, typer.Option(help="As for distill.")] = "",
    seed: Annotated[int, typer.Option(help="Decides the images and the short run.")] = 0,
):
    """Check a teacher before an hour of computing: whether, how well and how it can be distilled.

    No real image is used. The teacher is shown noise, procedural images and those of an untrained generator; then
    rdskd is run for a few seconds, which forecasts how far it would get.
    """
    from .runs.check_teacher import check
    from .runs.config import Config

    print(check(Config(**_asked(context))).text())


@app.command("train-teacher")
def train_teacher(
    out: Annotated[Path, typer.Option(help="The safetensors file to write; replaced only at the end.")],
    data: Data = "mnist",
    network: Annotated[str, typer.Option(help=f"{', '.join(NETWORKS)}.")] = "lenet5",
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Decides initial weights and order.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 10,
    device: Device = "auto",
):
    """Train a teacher on labelled images.

    A LeNet-5: Adam, batch 128, learning rate 1e-3 falling to 0 along half a cosine. The shipped ones were trained so,
    in ten passes over MNIST's training images without the 5,848 that the shipped digits are from. Any other network:
    SGD, learning rate 0.1, momentum 0.9, weight decay 5e-4, on shifted and mirrored images.
    """
    from .runs.train_teacher import train

    known("network", network, NETWORKS)
    if out.suffix in (".pt", ".pth", ".bin", ".ckpt"):
        raise ValueError(f"train-teacher writes safetensors, so call the file {out.with_suffix('.safetensors')}")
    for line in train(data, out, network=network, seed=seed, epochs=epochs, device=device):
        print(line, flush=True)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="The folder of a run, finished or not.")]):
    """Write a run's report.html again.

    One page with charts and pictures, for any browser, without a network.
    """
    from .runs.config import read_config

    read_config(folder)
    _report(folder)


@app.command("compare")
def compare_(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the runs, compare.csv and compare.html.")],
    methods: Annotated[str, typer.Option(help="Comma-separated, or all.")] = "all",
    seeds: Annotated[str, typer.Option(help="Comma-separated; three or more show a spread.")] = "0,1,2",
    budget: Annotated[str, typer.Option(help="Time for each run, as 60s, 2m or 1h; else the preset's own steps.")] = "",
    data: Data = "digits",
    preset: Annotated[str, typer.Option(help="classroom, or a paper's.")] = "classroom",
    teacher: Annotated[str, typer.Option(help="As for distill.")] = "",
    weights: Weights = "",
    student: Student = "pair",
    channels: Channels = 0,
    size: Size = 0,
    classes: Classes = 0,
    mean: Mean = "",
    std: Std = "",
    takes: Takes = "normalised",
    head: Head = "",
    device: Device = "auto",
):
    """Compare methods in one table and one page.

    Each method is run with each seed. A budget is turned into steps by a short timing of each method, so start on an
    idle machine. Finished runs are not repeated: the same command resumes where it was stopped. A teacher of your
    own is given as for distill, with the same options, and needs --data. Methods that match BatchNorm statistics get
    the shipped lenet5-bn where the others get lenet5; the table says which.
    """
    from .reporting import style
    from .runs.compare import Plan, compare, seconds
    from .runs.config import Config

    chosen = tuple(METHODS) if methods == "all" else tuple(methods.split(","))
    numbers = _seeds(seeds)
    style.load("matplotlib")  # which draws the table's picture, after all runs
    base = Config(**_asked(context))
    for line in compare(Plan(chosen, numbers, seconds(budget), base), out):
        print(line, flush=True)


study = typer.Typer(help="Test the paper's claims with many runs.")
app.add_typer(study, name="study")


@study.command("run")
def study_run(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="fluctuation, strength, diversity, accuracy or robustness.")],
    out: Annotated[Path, typer.Option(help="Folder for finished runs, NAME.csv and NAME.html.")] = Path("runs/studies"),
    scheduler: Annotated[str, typer.Option(help="A Dask scheduler, as tcp://HOST:PORT; else this machine.")] = "",
    workers: Annotated[int, typer.Option(min=0, help="Processes on this machine; 0: one for each core.")] = 0,
    minutes: Annotated[float, typer.Option(min=0, help="Start no new run after this time; 0: no limit.")] = 0.0,
    preset: Annotated[str, typer.Option(help="classroom, or a paper's; use another --out for each.")] = "classroom",
    device: Annotated[str, typer.Option(help="For each run: cpu, cuda, mps or auto.")] = "cpu",
    data: Annotated[str, typer.Option(help="Real images for all runs, as for distill; else the study's own.")] = "",
    teacher: Annotated[str, typer.Option(help="The teacher of all runs, as for distill; else the study's own.")] = "",
    weights: Weights = "",
    student: Student = "pair",
    channels: Channels = 0,
    size: Size = 0,
    classes: Classes = 0,
    mean: Mean = "",
    std: Std = "",
    takes: Takes = "normalised",
    head: Head = "",
):
    """Execute the runs of a study that are not finished.

    Finished runs are never repeated, so stop whenever you like: the same command resumes. With another teacher or
    other data, give another --out. The workers of a scheduler need this package in the same version, and --out on a
    disk that all of them can write to.
    """
    from .studies.engine import run
    from .studies.registry import STUDIES
    from .studies.scoreboard import page

    own = {key: value for key, value in _asked(context).items() if _was_given(context, key)}
    own = {key: value for key, value in own.items() if key not in ("preset", "device")}
    asked = STUDIES[known("study", name, STUDIES)].at(preset, device, own)
    for line in run(asked, out, scheduler=scheduler, workers=workers, minutes=minutes):
        print(line, flush=True)
    print(f"page:  {page(asked, out)}")


@study.command("scoreboard")
def study_scoreboard(folder: Annotated[Path, typer.Argument(help="Where the studies' tables are.")]):
    """Write SCOREBOARD.md from a folder's tables.

    It lists each claim, our number, its interval and the verdict.
    """
    from .networks.weights import write_whole
    from .runs.compare import read_table
    from .studies.registry import STUDIES
    from .studies.scoreboard import scoreboard

    paths = [(study, folder / f"{name}.csv") for name, study in STUDIES.items()]
    tables = [(study, read_table(path)) for study, path in paths if path.exists()]
    if not tables:
        raise ValueError(f"there is no study's table in {folder}; make one: rdskd-lab study run fluctuation")
    if bad := [study.name for study, rows in tables if rows and "outcome" not in rows[0]]:
        raise ValueError(f"{folder / bad[0]}.csv has no column outcome; was it saved without commas?")
    write_whole(folder / "SCOREBOARD.md", scoreboard(tables).encode())
    print(folder / "SCOREBOARD.md")


@app.command("doctor")
def doctor_(
    as_json: Annotated[bool, typer.Option("--json", help="For bug reports; without names or paths of yours.")] = False,
):
    """Check this machine: what is wrong, and what to type to fix it.

    Also measures a few training steps and estimates from them how long a run takes. Needs about two seconds.
    """
    from .doctor.report import doctor

    doctor(as_json)


# ---- private ---------------------------------------------------------------------------------------------------------


@app.command("class")
def class_(
    folder: Annotated[Path, typer.Argument(help="The folder of hand-ins; folders in it are read too.")],
    out: Annotated[Path | None, typer.Option(help="Where to write the tables and figures; default: FOLDER.")] = None,
    names: Annotated[
        Path | None, typer.Option(help="A file of expected names, one a line: says who is missing.")
    ] = None,
):
    """Print who solved what in a class, and where students are stuck; write class.csv and a figure per notebook.

    Each student writes one file per notebook with its last cell, lesson.hand_in("hand-in").
    """
    from .course.class_table import read_class

    table = read_class(folder, names)
    print(table.text())
    print("\nWrote " + ", ".join(str(path) for path in table.write(out or folder)))


def _report(folder: Path) -> None:
    from .networks.weights import why
    from .reporting.run_report import write_report
    from .runs.run_folder import RunError, command

    try:
        written = write_report(folder)
    except ImportError as error:
        again = f"no report was written: {error}; then: {command('report', folder)}"
        return print(f"rdskd-lab: {again}", file=sys.stderr)
    except OSError as error:
        again = f"the other files of the run are intact: free some space, then {command('report', folder)}"
        raise RunError(f"cannot make the report in {folder} ({why(error)}); {again}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunError(f"the files in {folder} are damaged, so there is no report of them ({error})") from error
    print(f"report:  {written}")


LABELS = {"synthesise": "generator", "distill": "student", "together": "both"}


def _bar(steps: Iterator, phase: str, first: int, total: int) -> Iterator:
    """Show progress on a terminal: a bar with rate, time left and losses."""
    from tqdm import tqdm

    with tqdm(steps, f"{LABELS[phase]:9}", total, initial=first, unit="step", mininterval=0.5) as bar:
        for step in bar:
            if step.i % 20 == 0:
                bar.set_postfix_str(_losses(step), refresh=False)
            yield step


def _lines(steps: Iterator, phase: str, first: int, total: int) -> Iterator:
    """Show progress in a file or a pipe: five lines a stage."""
    from tqdm import tqdm

    start, shown = time.monotonic(), {first + -(-(total - first) * k // 5) for k in range(1, 6)}
    for done, step in enumerate(steps, first + 1):
        if done in shown:
            text = "{desc}: {n_fmt}/{total_fmt} steps, {rate_fmt}, {remaining} left{postfix}"
            shown_as = {"prefix": LABELS[phase], "unit": "step", "bar_format": text, "postfix": _losses(step)}
            text = tqdm.format_meter(done, total, time.monotonic() - start, initial=first, **shown_as)
            print(text, file=sys.stderr, flush=True)
        yield step


def _losses(step) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in step.raw.items())


@contextmanager
def _stoppable() -> Iterator:
    """Let Ctrl-C, SIGTERM and a closed terminal stop the run between two steps, and a second one at once."""
    asked, numbers = [], [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # which nohup sets
        numbers.append(signal.SIGHUP)

    def ask(number, frame):
        asked.append(number)
        if len(asked) > 1:
            raise KeyboardInterrupt
        with suppress(OSError):  # of a closed terminal.  No print: the signal may come while one writes to stderr
            os.write(2, b"\nrdskd-lab: stopping after this step (once more: at once) ...\n")

    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield lambda: asked[0] if asked else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _asked(context: typer.Context) -> dict:
    """Return the parameters of a command that are fields of a run's configuration, in its types."""
    from .runs.config import Config

    names = [field.name for field in fields(Config) if field.name in context.params]
    asked = {name: context.params[name] for name in names}
    return asked | {name: _numbers(f"--{name}", asked[name]) for name in ("mean", "std") if name in asked}


def _was_given(context: typer.Context, parameter: str) -> bool:
    return getattr(context.get_parameter_source(parameter), "name", "") == "COMMANDLINE"


def _pairs(option: str, values: list[str] | None) -> list[tuple[str, str]]:
    for value in values or ():
        if value.count("=") != 1 or value.startswith("=") or value.endswith("="):
            raise ValueError(f"{option} takes NAME=VALUE, not {value!r}")
    return [tuple(value.split("=")) for value in values or ()]


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"the {name} must be a number, not {text!r}") from None


def _seeds(text: str) -> tuple[int, ...]:
    seeds = text.replace(" ", "").split(",")
    if not all(seed.isdecimal() for seed in seeds) or len(set(map(int, seeds))) < len(seeds):
        raise ValueError(f"--seeds takes different whole numbers, as 0,1,2, not {text!r}")
    return tuple(map(int, seeds))


def _numbers(option: str, text: str) -> tuple[float, ...]:
    return tuple(_number(f"numbers of {option}", part) for part in text.split(",")) if text else ()


def main(args: list[str] | None = None) -> None:
    """Run the command line; what a person can fix is one sentence on stderr, and exit status 1 (2: bad usage)."""
    out, err = Lenient(sys.stdout), Lenient(sys.stderr)
    with redirect_stdout(out), redirect_stderr(err):
        _answer(sys.argv[1:] if args is None else args)
        out.flush()
        if out.failed and not isinstance(out.failed, BrokenPipeError):  # whose reader has seen enough
            _leave(f"standard output cannot be written ({out.failed.strerror}); the work itself is done", 1)


class Lenient:
    """A stream of text whose reader may have left or whose disk may be full, which must not stop a run."""

    def __init__(self, stream):
        self.stream, self.failed = stream or open(os.devnull, "w"), None  # None where it is closed
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str):
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        self._try(self.stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._try(self.stream.flush)

    def _try(self, act, *given) -> None:
        try:
            if not self.failed:
                act(*given)
        except OSError as error:
            self.failed = error
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())  # for what Python writes as it ends


def _answer(args: list[str]) -> None:
    try:
        with _warnings_printed():
            if app(args or ["--help"], prog_name="rdskd-lab", standalone_mode=False) == 128 + signal.SIGINT:
                raise KeyboardInterrupt  # newer typers make a status of it
    except (KeyboardInterrupt, typer.Abort):
        _leave("stopped", 128 + signal.SIGINT)
    except OSError as error:
        from .networks.weights import why

        _leave(f"{error.filename or ''}: {why(error)}".lstrip(": "), 1)
    except MemoryError:
        _leave("out of memory; free some, and run again with --resume if a run was begun", 1)
    except (ValueError, ArithmeticError, ImportError) as error:
        _leave(str(error), 1)
    except Exception as error:
        if not hasattr(error, "format_message"):  # of typer, whose home differs from version to version
            raise
        said = error.format_message().rstrip(".")
        apart = "extra argument" in said and {"--set", "--weight"} & set(args)
        _leave(f"{said}; {'write NAME=VALUE without a space, and ' if apart else ''}see rdskd-lab --help", 2)


@contextmanager
def _warnings_printed() -> Iterator[None]:
    """Print our warnings about networks as sentences; other people's as ever."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def printed(message, kind, *where, **how):
            if not issubclass(kind, NetworkWarning | DataWarning):
                return show(message, kind, *where, **how)
            print(f"rdskd-lab: {'note' if kind is NetworkNote else 'warning'}: {message}", file=sys.stderr)

        warnings.simplefilter("always", NetworkWarning)
        warnings.simplefilter("once", DataWarning)  # both splits say the same
        warnings.showwarning = printed
        yield


def _leave(sentence: str, status: int) -> None:
    print("rdskd-lab:", " ".join(sentence.split()), file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
