"""What the lab plays: a generator in training that somebody watches, and a student that may train beside it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ... import datasets
from ...batch import Batch
from ...distillation import Distillation
from ...evaluation import accuracy
from ...methods import building_blocks
from ...methods.method import Settings
from ...methods.registry import METHODS
from ...networks.architectures import LeNet5Half
from ...networks.registry import Shape, make_teacher, shipped_teacher
from ...torch_state import seeded
from ...training import Step, learn
from .record import STUDENT, Edit

PLAYABLE = {
    name: method for name, method in METHODS.items() if method.source is building_blocks.generator
}  # those with a generator: the lab does not play sheets of pixels
RECENT = 16  # training batches that the histogram counts and that the student, while it trains, sees


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


class Experiment:
    """Teacher, generator, objective and student from one seed.  `learning`: does the student train as well?"""

    def __init__(
        self,
        method: str = "rdskd",
        seed: int = 0,
        *,
        teacher: nn.Module | None = None,
        settings: Settings | None = None,
        device: torch.device | str = "cpu",
    ):
        if method not in PLAYABLE:
            raise ValueError(f"the lab plays {', '.join(PLAYABLE)}; not {method!r}")
        self.method, self.seed = method, seed
        self.test = datasets.load("digits", "test")
        self.classes = list(self.test.classes)
        how = replace(PLAYABLE[method], turns=building_blocks.after)  # the student trains when the learner says so
        settings = replace(settings or how.presets["classroom"], pooled=False)  # a pool would fill 100 MB, then stay so
        terms, shape = how.objective(settings), Shape(*self.test.images.shape[1:3], len(self.classes))
        teacher = teacher or make_teacher(shipped_teacher(terms.needs), "", shape)
        student = seeded(seed, LeNet5Half, shape.channels, shape.classes)
        place = dict(channels=shape.channels, size=shape.size, device=device)
        self.run = Distillation(teacher, student, terms, settings, method=how, seed=seed, **place)
        self.objective = self.run.objective
        self.learning = False
        self.answers: deque[Tensor] = deque(maxlen=RECENT)  # (N,) the teacher's classes of a batch
        self.recent: deque[Batch] = deque(maxlen=RECENT)  # empty while the student does not train
        self.student_rng = torch.Generator().manual_seed(seed + 2)

    @property
    def done(self) -> int:
        """The generator's steps so far."""
        return self.run.done["synthesise"]

    def steps(self) -> Iterator[Step]:
        """Train the generator from here on; after each of its steps, if the student is learning, train that too.

        Never ends.  The student has random numbers of its own, so that training it changes nothing in the generator.
        """
        run = self.run
        taught = learn(run.student, self._batches(), run.student_objective, run.student_optimizer, "distill")
        for step in self._or_as_before(run.synthesise(endless=True)):
            self.answers.append(step.batch.logits.argmax(1))
            if self.learning:
                self.recent.append(Batch(step.batch.images, logits=step.batch.logits))
                next(taught)
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

    def accuracy(self) -> float:
        """Return the student's share of right answers on the 1,000 shipped test digits."""
        return accuracy.accuracy(self.run.student, self.test)

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
