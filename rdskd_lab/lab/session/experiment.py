"""What the lab plays: a generator that learns from a teacher while somebody watches, and a student beside it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ... import datasets
from ...batch import Batch, read, watch
from ...distillation import Distillation
from ...evaluation import accuracy
from ...methods import building_blocks
from ...methods.method import Settings
from ...methods.registry import METHODS
from ...networks.architectures import LeNet5Half
from ...networks.registry import Shape, make_teacher
from ...torch_state import buffers_kept, seeded, train_mode
from ...training import Step, learn, reanchoring, synthesise
from .record import STUDENT, Edit

PLAYABLE = {
    name: method for name, method in METHODS.items() if method.source is building_blocks.generator
}  # those with a generator: the lab does not play sheets of pixels
RECENT = 16  # training batches that the histogram counts and that the student, while it learns, learns from


@dataclass(frozen=True)
class Look:
    """What the generator makes of the same 40 latents at one moment, and how each term pulls at these images."""

    step: int
    images: np.ndarray  # uint8 (40, C, S, S), each stretched from its darkest to its brightest pixel
    labels: np.ndarray  # (40,) the teacher's answer
    confidence: np.ndarray  # (40,) its probability
    raw: dict[str, float]  # each term's value
    norm: dict[str, float]  # of weight * gain * gradient at the images; of a term that is off: as if it were on
    share: dict[str, float]  # of the norms of the terms that are on, in [0, 1]; 0 for one that is off
    cosine: dict[str, float]  # with the gradient of everything that is asked for, in [-1, 1]; NaN when nothing is


class Experiment:
    """Teacher, generator, objective and student from one seed.  `learning`: does the student learn as well?"""

    def __init__(self, method: str = "rdskd", seed: int = 0, *, teacher: nn.Module | None = None,
                 settings: Settings | None = None):  # fmt: skip
        if method not in PLAYABLE:
            raise ValueError(f"the lab plays {', '.join(PLAYABLE)}; not {method!r}")
        self.method, self.seed = method, seed
        self.test = datasets.load("digits", "test")
        self.classes = list(self.test.classes)
        how = replace(PLAYABLE[method], turns=building_blocks.after)  # the student watches when the learner says so
        terms, shape = how.terms(), Shape(*self.test.images.shape[1:3], len(self.classes))
        teacher = teacher or make_teacher("lenet5-bn" if "bn" in terms.needs else "lenet5", "", shape)
        student = seeded(seed, LeNet5Half, shape.channels, shape.classes)
        settings = replace(settings or how.presets["classroom"], pooled=False)  # a pool would fill 100 MB, then stay so
        self.run = Distillation(teacher, student, terms, settings, method=how, seed=seed,
                                channels=shape.channels, size=shape.size)  # fmt: skip
        self.objective = self.run.objective
        self.learning = False
        self.done = 0  # generator's steps
        self.answers: deque[Tensor] = deque(maxlen=RECENT)  # (N,) the teacher's classes of a batch
        self.lessons: deque[Batch] = deque(maxlen=RECENT)  # empty while the student does not learn
        self.lesson_rng = torch.Generator().manual_seed(seed + 2)

    def steps(self) -> Iterator[Step]:
        """The generator's steps from here on, for ever; after each, if the student is learning, one of the student's.

        The student draws from its own random numbers, so that watching it changes nothing in the generator.
        """
        run, s = self.run, self.run.settings
        steps = synthesise(run.teacher, run.generator, run.objective, run.generator_optimizer,
                           batch_size=s.batch_size, rng=run.rng, start=self.done, student=run.student)  # fmt: skip
        studies = learn(run.student, self._lessons(), run.lesson_terms, run.student_optimizer, "distill")
        for step in reanchoring(self._or_as_before(steps), run.objective):
            self.done = step.i + 1
            self.answers.append(step.batch.logits.argmax(1))
            if self.learning:
                self.lessons.append(Batch(step.batch.images, logits=step.batch.logits))
                next(studies)
            else:
                self.lessons.clear()
            yield step

    def change(self, edit: Edit) -> bool:
        """Do what `edit` says; False if it was so already."""
        if edit.term != STUDENT:
            return edit.apply(self.objective)
        changed, self.learning = self.learning != edit.value, edit.value
        return changed

    def _or_as_before(self, steps: Iterator[Step]) -> Iterator[Step]:
        """The same steps; one that the guard refuses leaves latents and buffers too as if it had never begun."""
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

    def _lessons(self) -> Iterator[Batch]:
        """Images of the latest training batches, mixed, with the answers that the teacher gave."""
        n = self.run.settings.student_batch_size
        while True:
            images, logits = (torch.cat([getattr(b, part) for b in self.lessons]) for part in ("images", "logits"))
            rows = torch.randint(len(images), (n,), generator=self.lesson_rng)
            yield Batch(images[rows], logits=logits[rows])

    def shares(self) -> np.ndarray:
        """How the teacher sorts the latest training batches, (K,) in [0, 1]; zeros before the first step."""
        if not self.answers:
            return np.zeros(self.run.classes)
        answers = torch.cat(list(self.answers))
        return (torch.bincount(answers, minlength=self.run.classes) / len(answers)).numpy()

    def accuracy(self) -> float:
        """The student's share of right answers on the 1,000 shipped test digits."""
        return accuracy.accuracy(self.run.student, self.test)

    def look(self) -> Look:
        """Paint the probe latents and ask each term for its value and its gradient there; nothing is moved by it."""
        run = self.run
        with torch.no_grad(), buffers_kept(run.generator), train_mode(run.generator, training=True):
            images = run.generator(run.probe)
        images.requires_grad_()
        needs = run.objective.needs
        batch = read(run.teacher, Batch(images, z=run.probe), needs)
        batch = watch(run.student, batch, "training" in needs) if "student" in needs else batch
        raw, pull = {}, {}
        for name, term in run.objective.items():
            loss = term.measure(batch)
            raw[name], pull[name] = loss.item(), _gradient(term.asked(loss), images)
        asked = {name: pull[name] for name, term in run.objective.items() if term.on}
        total = sum(asked.values(), torch.zeros_like(images))
        norm = {name: g.norm().item() for name, g in pull.items()}
        asked_norms = sum(norm[name] for name in asked)
        confidence, labels = batch.probs.detach().max(1)
        return Look(
            self.done, to_bytes(images.detach()), labels.numpy(), confidence.numpy(), raw, norm,
            share={name: norm[name] / asked_norms if name in asked and asked_norms else 0.0 for name in raw},
            cosine={name: _cosine(g, total) for name, g in pull.items()},
        )  # fmt: skip


def _gradient(loss: Tensor, images: Tensor) -> Tensor:
    if not loss.requires_grad:
        return torch.zeros_like(images)
    (gradient,) = torch.autograd.grad(loss, images, retain_graph=True, allow_unused=True)
    return torch.zeros_like(images) if gradient is None else gradient


def _cosine(a: Tensor, b: Tensor) -> float:
    length = (a.norm() * b.norm()).item()
    return (a * b).sum().item() / length if length else float("nan")


def to_bytes(images: Tensor) -> np.ndarray:
    """(N, C, S, S) as uint8, each image stretched from its darkest to its brightest pixel."""
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    return ((images - low) / (high - low).clamp_min(1e-8) * 255).round().to(torch.uint8).numpy()
