"""What the lab plays: a generator in training that somebody watches, and a student that may train beside it."""

from collections import deque
from collections.abc import Iterator, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ... import datasets
from ...batch import Batch, read
from ...datasets import Split
from ...datasets.dataset import ASSETS
from ...distillation import Distillation
from ...evaluation import accuracy
from ...methods import building_blocks
from ...methods.checks import check_teacher
from ...methods.method import Settings
from ...methods.registry import METHODS
from ...networks.registry import Shape, make_student, make_teacher, shipped_teacher
from ...networks.weights import load_weights
from ...runs.memory import check_generator, check_memory
from ...torch_state import buffers_kept, frozen, seeded, train_mode
from ...training import Step, learn
from .record import STUDENT, Edit

PLAYABLE = {
    name: method for name, method in METHODS.items() if method.source is building_blocks.generator
}  # those with a generator: the lab does not play sheets of pixels
RECENT = 16  # training batches that the histogram counts and that the student, while it trains, sees
ASKED = 512  # images on which a student agrees with its teacher, or does not
STARTS = {"readable": "readable.safetensors"}  # generators after 600 steps, which the lab shows as examples
PROBED = 32  # of the 40 probe latents, for the terms' course: see `Experiment.measure`


@dataclass(frozen=True)
class Look:
    """What the generator makes of the same 40 latents at one moment, and each term's gradient at these images."""

    step: int
    images: np.ndarray  # uint8 (40, C, S, S), each stretched from its darkest to its brightest pixel
    labels: np.ndarray  # (40,) the teacher's answer
    confidence: np.ndarray  # (40,) its probability
    raw: dict[str, float]  # each term's value
    norm: dict[str, float]  # of weight * gain * gradient at the images; of a term that is off: as if it were on
    share: dict[str, float]  # of the norms of the terms that are on, in [0, 1]; 0 for one that is off
    cosine: dict[str, float]  # with the gradient of the sum of those that are on, in [-1, 1]; NaN when none is


@dataclass(frozen=True)
class Measured:
    """What the fixed probe and the latest training batches say after some step."""

    raw: dict[str, float]  # each term on the probe
    certainty: float  # of the teacher, mean over the probe's images, in [1/K, 1]
    classes: float  # effective ones of the latest training batches, in [1, K]; NaN before the first


def played(settings: Settings) -> Settings:
    """Return settings as the lab plays them: without a pool, which would fill 100 MB, and what is mixed with one."""
    return replace(settings, pooled=False, procedural=0.0, balance=0.0, blend=0.0)


class Experiment:
    """Teacher, generator, objective and student from one seed.  `learning`: does the student train as well?

    `data` names the test images (a set of `datasets`, a folder) or is their Split; the shipped digits for the shipped
    teacher.  A `teacher` of your own without data takes images of `form`, channels and size; None: 1 or 3 channels by
    its first convolution, 32 x 32 pixels.  It has any number of classes, whose names are `classes`, or numbers.
    `start`: see STARTS.
    """

    def __init__(
        self,
        method: str = "rdskd",
        seed: int = 0,
        *,
        teacher: nn.Module | None = None,
        settings: Settings | None = None,
        device: torch.device | str = "cpu",
        data: str | Split | None = None,
        classes: Sequence[str] | None = None,
        start: str = "",
        form: tuple[int, int] | None = None,
    ):
        if method not in PLAYABLE:
            raise ValueError(f"the lab plays {', '.join(PLAYABLE)}; not {method!r}")
        self.method, self.seed = method, seed
        self.own_teacher = teacher is not None  # or not the one that is shipped for the digits
        data = "digits" if data is None and teacher is None else data
        self.test = data if data is None or isinstance(data, Split) else datasets.load(data, "test")
        how = replace(PLAYABLE[method], turns=building_blocks.after)  # the student trains when the learner says so
        settings = played(settings or how.presets["classroom"])
        terms = how.objective(settings)
        if self.test is None:
            channels, size = form or (_channels(teacher), 32)
            teacher, known = check_teacher(teacher, channels, size, device)
            shape = Shape(channels, size, known)
        else:
            shape = Shape(*self.test.images.shape[1:3], len(self.test.classes))
            teacher = teacher or _shipped(data, terms, shape)
        self.classes = [str(name) for name in classes or (self.test.classes if self.test else range(shape.classes))]
        if len(self.classes) != shape.classes:
            raise ValueError(f"the teacher has {shape.classes} classes, and {len(self.classes)} names were given")
        student = seeded(seed, make_student, "lenet5-half" if shape.size == 32 else "wrn-16-1", shape)
        place = dict(channels=shape.channels, size=shape.size, device=torch.device(device))
        check_generator(how, settings, **place, how="")
        self.run = Distillation(teacher, student, terms, settings, method=how, seed=seed, **place)
        check_memory(self.run, how="")
        self.objective = self.run.objective
        self.start = start
        if start:
            begin_from(self, start)
        self.learning = False
        self.answers: deque[Tensor] = deque(maxlen=RECENT)  # (N,) the teacher's classes of a batch
        self.recent: deque[Batch] = deque(maxlen=RECENT)  # empty while the student does not train
        self.student_rng = torch.Generator().manual_seed(seed + 2)

    def copy(self) -> "Experiment":
        """Return a run in the same state, which shares the teacher and the test images and nothing that changes."""
        other = copy(self)
        other.run = self.run.copy()
        other.objective = other.run.objective
        other.answers, other.recent = copy(self.answers), copy(self.recent)
        other.student_rng = deepcopy(self.student_rng)
        return other

    @property
    def done(self) -> int:
        """The generator's steps so far."""
        return self.run.done["synthesise"]

    def steps(self) -> Iterator[Step]:
        """Train the generator from here on; after each of its steps, if the student is learning, train that too.

        Never ends.  The student has random numbers of its own, so that training it changes nothing in the generator.
        """
        run = self.run
        student_steps = learn(run.student, self._batches(), run.student_objective, run.student_optimizer, "distill")
        for step in self._or_as_before(run.synthesise(endless=True)):
            self.answers.append(step.batch.logits.argmax(1))
            if self.learning:
                self.recent.append(Batch(step.batch.images, logits=step.batch.logits))
                next(student_steps)
            else:
                self.recent.clear()
            yield step

    def change(self, edit: Edit) -> bool:
        """Make an edit; return False if it changes nothing."""
        if edit.term != STUDENT:
            return edit.apply(self.objective)
        changed, self.learning = self.learning != edit.value, edit.value
        return changed

    def _or_as_before(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Yield the same steps; put latents and buffers back when the check refuses one."""
        rng, buffers = self.run.rng, list(self.run.generator.buffers())
        while True:
            before = rng.get_state(), [buffer.clone() for buffer in buffers]
            try:
                step = next(steps)
            except FloatingPointError:
                rng.set_state(before[0])
                for buffer, value in zip(buffers, before[1], strict=True):
                    buffer.copy_(value)
                raise
            yield step

    def _batches(self) -> Iterator[Batch]:
        """Yield images of the latest training batches, mixed, with the answers that the teacher gave."""
        n = self.run.settings.student_batch_size
        while True:
            images, logits = (torch.cat([getattr(b, part) for b in self.recent]) for part in ("images", "logits"))
            rows = torch.randint(len(images), (n,), generator=self.student_rng).to(images.device)
            yield Batch(images[rows], logits=logits[rows])

    def shares(self) -> np.ndarray:
        """Return how the teacher sorts the latest training batches, (K,) in [0, 1]; zeros before the first step."""
        if not self.answers:
            return np.zeros(self.run.classes)
        answers = torch.cat(list(self.answers))
        return (torch.bincount(answers, minlength=self.run.classes) / len(answers)).cpu().numpy()

    @torch.no_grad()
    def measure(self) -> Measured:
        """Measure every term on the fixed probe, and what the teacher makes of it; change nothing.

        On 32 of the latents, and asked for after every second step, it takes less than a tenth of the time that
        generator and student train (benchmarks/lab_speed.py): 40 at each step would take a quarter.
        """
        run, z = self.run, self.run.probe[:PROBED]
        with buffers_kept(run.source), train_mode(run.source, training=True):
            batch = run.show(Batch(run.source(z), z=z))
        raw = torch.stack([*(term.measure(batch) for term in run.objective.values()), batch.probs.amax(1).mean()])
        *values, certainty = raw.tolist()  # one synchronisation
        return Measured(dict(zip(run.objective, values, strict=True)), certainty, effective(self.shares()))

    @property
    def tested_on(self) -> str:
        """What the student is tested on, as "1,000 real digits"; "" where only its agreement can be measured."""
        if self.test is None:
            return ""
        return f"{len(self.test):,} real {'digits' if self.test.name.startswith('digits') else 'images'}"

    def accuracy(self) -> float:
        """Return the student's share of right answers on the test images; without any, of agreement with the teacher.

        The agreement is on images of ASKED latents that are always the same, of the generator as it is now.
        """
        run = self.run
        if self.test is not None:
            return accuracy.accuracy(run.student, self.test)
        z = run.source.latents(ASKED, torch.Generator().manual_seed(self.seed + 3))
        with torch.no_grad(), buffers_kept(run.source), train_mode(run.source, training=True), frozen(run.student):
            batch = read(run.teacher, Batch(run.source(z)))
            return (run.student(batch.images).argmax(1) == batch.logits.argmax(1)).float().mean().item()

    def look(self) -> Look:
        """Generate images of the probe latents and take each term's value and gradient there; change nothing."""
        run = self.run
        images = run.probe_images().requires_grad_()
        batch = run.show(Batch(images, z=run.probe))
        raw, pull = {}, {}
        for name, term in run.objective.items():
            loss = term.measure(batch)
            raw[name], pull[name] = loss.item(), gradient_at(images, term.asked(loss))
        asked = {name: pull[name] for name, term in run.objective.items() if term.on}
        total = sum(asked.values(), torch.zeros_like(images))
        norm = {name: g.norm().item() for name, g in pull.items()}
        asked_norms = sum(norm[name] for name in asked)
        confidence, labels = batch.probs.detach().max(1)
        share = {name: norm[name] / asked_norms if name in asked and asked_norms else 0.0 for name in raw}
        cosine = {name: _cosine(g, total) for name, g in pull.items()}
        seen = to_bytes(images.detach()), labels.cpu().numpy(), confidence.cpu().numpy()
        return Look(self.done, *seen, raw, norm, share, cosine)


def effective(shares: np.ndarray) -> float:
    """Return the effective number of classes, exp(entropy); NaN where there are no shares yet."""
    seen = shares[shares > 0]
    return float(np.exp(-(seen * np.log(seen)).sum())) if len(seen) else float("nan")


def _channels(teacher: nn.Module) -> int:
    return next((m.in_channels for m in teacher.modules() if isinstance(m, nn.Conv2d)), 1)


def _shipped(data, terms, shape: Shape) -> nn.Module:
    """Return the shipped teacher of these test images."""
    name = datasets.SETS[data].teacher if isinstance(data, str) and data in datasets.SETS else ""
    if not name:
        raise ValueError(f"no teacher is shipped for {data}; give one (teacher=...)")
    return make_teacher(shipped_teacher(terms.needs, name), "", shape)


def begin_from(experiment: Experiment, start: str) -> None:
    """Put the generator where a shipped checkpoint is; optimiser and anchors begin anew."""
    if start not in STARTS:
        raise ValueError(f"no shipped checkpoint {start!r}; there are {', '.join(STARTS)}")
    load_weights(experiment.run.generator, str(ASSETS / STARTS[start]))


def gradient_at(images: Tensor, loss: Tensor) -> Tensor:
    """Return the gradient of `loss` at `images`; 0 where it does not depend on them.  The graph stays."""
    if not loss.requires_grad:
        return torch.zeros_like(images)
    (gradient,) = torch.autograd.grad(loss, images, retain_graph=True, allow_unused=True)
    return torch.zeros_like(images) if gradient is None else gradient


def _cosine(a: Tensor, b: Tensor) -> float:
    length = (a.norm() * b.norm()).item()
    return (a * b).sum().item() / length if length else float("nan")


def to_bytes(images: Tensor) -> np.ndarray:
    """Return (N, C, S, S) as uint8 on the CPU, each image stretched from its darkest to its brightest pixel."""
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    return ((images - low) / (high - low).clamp_min(1e-8) * 255).round().to(torch.uint8).cpu().numpy()
