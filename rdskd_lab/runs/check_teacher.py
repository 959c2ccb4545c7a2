"""Check a teacher before an hour of computing: how it answers images that need no data, and what it forecasts.

    found = check_teacher(teacher, channels=1, size=32)        # or check(config), as the command line does
    print(found.text())

What a trained generator's own losses say forecasts nothing, since every teacher can be satisfied.  So a short RDSKD is
run, with a student, and that student is then asked about procedural images, which it has not seen: a student that
agrees with its teacher on generated images only has learnt little of the teacher.
"""

import time
import warnings
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn

from ..batch import Batch, read
from ..distillation import Distillation
from ..evaluation.accuracy import logits_of
from ..evaluation.image_quality import rare
from ..methods import checks
from ..methods.baselines import untrained
from ..methods.image_pool import warp
from ..methods.procedural_images import scaled_leaves
from ..methods.rdskd import PRESETS, RDSKD
from ..networks.foreign import NetworkWarning
from ..reporting.history import flat
from ..torch_state import seeded
from .config import NO_DATA, Config, resolve

IMAGES = 1_000  # of each kind that the teacher is shown
SHORT = replace(PRESETS["classroom"], generator_steps=150, student_steps=600)  # 15 s of computing
STRENGTHS = (1.0, 4.0, 64.0)  # factors by which procedural images are multiplied
SURE, FLAT = 0.99, 2.0  # mean confidence in noise: saturated above; flat below this many times 1 / K


@dataclass(frozen=True)
class Seen:
    """How a teacher answers one kind of images."""

    confidence: float  # mean probability of its answers
    classes: int  # that at least a tenth of an even share of the images is taken for
    entropy: float  # of the answers' classes, in nats; ln K if all are as frequent


@dataclass(frozen=True)
class CheckUp:
    """What was found; `text()` says it in sentences."""

    classes: int
    logits: tuple[float, float]  # between these are nine tenths of its logits on procedural images
    seen: dict[str, Seen]  # noise, procedural images, an untrained generator's
    batchnorm: int  # layers with running statistics
    shift: float  # how far procedural images move the first of them: standard deviations of its running statistics
    stronger: dict[float, Seen]  # procedural images, multiplied by a factor
    warped: float  # share of procedural images whose class stays when they are warped as a student's pool is
    agreement: dict[str, float]  # of the short run's student with its teacher: generated, procedural, noise
    forecast: float  # accuracy of pure RDSKD's student relative to its teacher's, `classroom`
    notes: tuple[str, ...] = ()  # what may go wrong

    def text(self) -> str:
        """Return all of it as lines."""
        k, (low, high) = self.classes, self.logits
        lines = [f"answers {k} classes with logits; nine tenths of them lie between {low:.1f} and {high:.1f}"]
        kinds = {"noise": "noise", "procedural": "procedural images", "untrained": "an untrained generator's images"}
        lines += [
            f"{words}: its top class gets {seen.confidence:.0%} on average, and {seen.classes} of {k} classes occur"
            for words, seen in zip(kinds.values(), self.seen.values(), strict=True)
        ]
        lines.append(f"BatchNorm layers with statistics: {self.batchnorm or 'none'}")
        lines.append(f"slightly warped, {self.warped:.0%} of procedural images keep their class")
        agreed = ", ".join(f"{share:.0%} of {kind}" for kind, share in self.agreement.items())
        lines.append(f"a student of a short run gives the teacher's answer on {agreed} images")
        lines.append(
            f"forecast: plain rdskd reaches about {self.forecast:.0%} of this teacher's accuracy (a rank more than a "
            "number); --method any-teacher costs the same and loses less where that is low"
        )
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def row(self) -> dict:
        """Return all of it as one flat row of a table."""
        return dict(flat(asdict(self)))


def check(config: Config) -> CheckUp:
    """Check the teacher of a configuration; no data are looked at."""
    setup = resolve(replace(config, method="rdskd", preset="classroom", data=NO_DATA))
    blank = setup.load("test")
    channels, size = blank.images.shape[1:3]
    teacher, _ = setup.networks(blank)
    return check_teacher(teacher, channels=channels, size=size, seed=config.seed, head=config.head)


def check_teacher(
    teacher: nn.Module, *, channels: int = 1, size: int = 32, seed: int = 0, head: str = "", seconds: float = 15.0
) -> CheckUp:
    """Check a teacher of images (N, channels, size, size); it is refused as a run would refuse it.

    The short run is cut after `seconds`, which a large teacher needs; where it is not cut, the same seed gives the same
    numbers.
    """
    given = teacher
    teacher, classes = checks.check_teacher(teacher, channels, size, "cpu", head)
    objective = RDSKD.objective(SHORT)
    student = seeded(seed, small_student, channels, classes)
    with warnings.catch_warnings(action="ignore", category=NetworkWarning):  # of the teacher they came just now
        run = Distillation(given, student, objective, SHORT, seed=seed, channels=channels, size=size, head=head)
    rng = torch.Generator().manual_seed(seed + 6)
    leaves = scaled_leaves(IMAGES, channels, size, rng)
    kinds = {
        "noise": torch.randn(IMAGES, channels, size, size, generator=rng),
        "procedural": leaves,
        "untrained": torch.no_grad()(untrained(run).sample)(IMAGES, rng).images,
    }
    answers = {kind: logits_of(teacher, images.split(100)) for kind, images in kinds.items()}
    kept = logits_of(teacher, warp(leaves, 1.0, rng).split(100)).argmax(1) == answers["procedural"].argmax(1)
    layers, shift = _batchnorm(teacher, leaves[:100])
    logits = answers["procedural"].flatten()[:100_000]
    facts = dict(
        classes=classes,
        logits=tuple(torch.quantile(logits, q).item() for q in (0.05, 0.95)),
        seen={kind: _seen(logits) for kind, logits in answers.items()},
        batchnorm=layers,
        shift=shift,
        stronger={factor: _seen(logits_of(teacher, (leaves * factor).split(100))) for factor in STRENGTHS},
        warped=kept.float().mean().item(),
    )
    cut = _train(run, seconds)
    kinds["generated"] = torch.no_grad()(run.source.sample)(IMAGES, rng).images
    agreement = {kind: _agreement(run, kinds[kind]) for kind in ("generated", "procedural", "noise")}
    forecast = forecast_of(agreement, layers)
    notes = (*_notes(**facts), *cut)
    return CheckUp(**facts, agreement=agreement, forecast=forecast, notes=notes)


def small_student(channels: int, classes: int) -> nn.Module:
    """Make the student of the short run, which takes images of any size: 8,570 weights for one channel, ten classes."""
    return nn.Sequential(
        nn.Conv2d(channels, 8, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(5),
        nn.Flatten(),
        nn.Linear(400, classes),
    )


# Least squares over the seven MNIST teachers of the tuning half (benchmarks/any_teacher/forecast.py): RDSKD's student's
# accuracy relative to its teacher's, one seed, from the agreement on procedural images and from BatchNorm, whose
# statistics RDSKD does not look at: both teachers that failed had it.
ORIGIN, SLOPE, BATCHNORM = 0.83, 0.26, -0.30


def forecast_of(agreement: dict[str, float], batchnorm: int) -> float:
    """Forecast how much of its teacher's accuracy pure RDSKD's student reaches, in [0, 1]."""
    return min(1.0, max(0.0, ORIGIN + SLOPE * agreement["procedural"] + BATCHNORM * bool(batchnorm)))


# ---- private ---------------------------------------------------------------------------------------------------------


def _train(run: Distillation, seconds: float) -> tuple[str, ...]:
    """Do the short run, its generator in at most two thirds of the time; say where it was cut."""
    begun, cut = time.perf_counter(), []
    for steps, share, total in (
        (run.synthesise(), 0.67, SHORT.generator_steps),
        (run.distill(), 1.0, SHORT.student_steps),
    ):
        for step in steps:
            late = time.perf_counter() - begun > share * seconds and run.pool.filled >= run.settings.student_batch_size
            if late and step.i + 1 < total:
                cut.append(f"{step.i + 1} of {total} {step.phase} steps")
                break
    if not cut:
        return ()
    return (f"the short run was cut after {' and '.join(cut)}, so its forecast is rough",)


def _seen(logits: Tensor) -> Seen:
    top, label = logits.softmax(1).max(1)
    share = (count := torch.bincount(label, minlength=logits.shape[1])) / len(label)
    entropy = -(share * share.clamp_min(1e-12).log()).sum().item()
    return Seen(top.mean().item(), int((~rare(count)).sum()), entropy)


def _agreement(run: Distillation, images: Tensor) -> float:
    teacher, student = (logits_of(net, images.split(100)).argmax(1) for net in (run.teacher, run.student))
    return (teacher == student).float().mean().item()


def _batchnorm(net: nn.Module, images: Tensor) -> tuple[int, float]:
    """Count BatchNorms; and how far images move the first: median over channels, in standard deviations."""
    with torch.no_grad():
        layers = read(net, Batch(images), ("bn",)).bn
    if not layers:
        return 0, 0.0
    mean, _, running_mean, running_var = layers[0]
    return len(layers), ((mean - running_mean).abs() / running_var.clamp_min(1e-12).sqrt()).median().item()


def _notes(classes: int, seen: dict, stronger: dict, batchnorm: int, shift: float, warped: float, **_) -> tuple:
    """Say what may go wrong."""
    noise, leaves, notes = seen["noise"], seen["procedural"], []
    if noise.confidence > SURE and leaves.confidence > SURE:
        notes.append(
            "the teacher is sure of everything, noise too: its answers are saturated, and little can be read "
            "from them; give its logits, as they are before softmax, at temperature 1"
        )
    if leaves.confidence < FLAT / classes:
        notes.append("the teacher is sure of nothing: its answers are flat, as those of an untrained network are")
    best = max(stronger, key=lambda factor: stronger[factor].entropy)
    if best > 1 and leaves.entropy < 0.5 * stronger[best].entropy:
        notes.append(
            f"images {best:g} times as strong are taken for more classes: it may expect pixels up to 255, or "
            "other numbers for --mean and --std, or --takes"
        )
    if batchnorm and shift > 3:
        notes.append(
            f"procedural images move the first BatchNorm by {shift:.1f} standard deviations: check --mean, "
            "--std and --takes"
        )
    if leaves.classes < classes / 2:
        notes.append(f"procedural images reach only {leaves.classes} of {classes} classes")
    if warped < 0.5:
        notes.append(
            f"only {warped:.0%} of procedural images keep their class when slightly warped; --set augment=0 "
            "may suit it better"
        )
    return tuple(notes)
