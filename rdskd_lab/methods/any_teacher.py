"""RDSKD for teachers on which RDSKD alone fails: its generator, and beside it what covers what a generator leaves out.

A generator satisfies every teacher, and its student then agrees with the teacher on all that was generated; but on real
images it may not, since nothing asks for coverage.  So the student sees procedural images too, which know nothing of
the teacher, more often those of rare classes; and where the teacher has BatchNorm statistics, the generator matches
them.  Each addition is a setting or a term, so that it can be left out.  Blends, which help in colour only, are off.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ..batch import Batch
from ..evaluation.accuracy import logits_of
from ..losses import information_entropy
from ..objective import Objective
from .building_blocks import bn_term, finished
from .image_pool import answered, rounds, warp
from .method import Method
from .procedural_images import scaled_leaves, scaled_things, strokes, things
from .rdskd import RDSKD, rdskd

ROUND = 12_800  # images of a round, as in the pool
TIE, CLEAR = 0.03, 0.1  # nats


def any_teacher() -> Objective:
    """RDSKD's table, and 0.1 R_f of DeepInversion for a teacher that has BatchNorm; without it the row is taken out."""
    return Objective(**rdskd(), bn=bn_term(0.1, "any bn"))


def mixed(run, start: int) -> Iterator[Batch]:
    """Yield batches of pooled and procedural images, warped, blended and then answered by the teacher.

    A pure function of the pool, the seed and `start`, as the pool's own batches, which come where nothing is added.
    """
    s, pool, size = run.settings, run.pool, run.settings.student_batch_size
    if not (s.procedural or s.balance or s.blend):
        return (yield from finished(run, start))
    bank = draw_bank(run) if s.procedural else pool.images[:0]
    kept = pool.images[: pool.filled]
    chances = [None, None]
    if s.balance:
        answers = logits_of(run.teacher, map(Tensor.float, bank.split(256))) if len(bank) else pool.logits[:0]
        chances = [_chances(logits, s.balance) for logits in (answers, pool.logits[: pool.filled])]
    n = max(1, ROUND // size) * size
    made = round(n * s.procedural) if pool.filled else n

    def draw(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        drawn = zip((bank, kept), chances, (made, n - made), strict=True)
        images = torch.cat([_pick(*what, rng) for what in drawn])
        images = images[torch.randperm(n, generator=rng).to(images.device)]
        return answered(run.teacher, images, lambda part, rng: change(part, s, rng), rng)

    yield from rounds(draw, n, size, run.seed, start, s.reuse)


def draw_bank(run) -> Tensor:
    """Draw the run's procedural images (N, C, S, S), in half precision; the seed decides them."""
    s, rng = run.settings, torch.Generator().manual_seed(run.seed + 5)
    plain = round(s.bank * s.things)
    bright = bright_share(run) if plain else 0.0
    drawn = round(plain * s.strokes) if plain and s.strokes and takes_strokes(run, bright) else 0
    on_ground = partial(scaled_things, bright=bright)
    draws = scaled_leaves, on_ground, partial(on_ground, drawn=strokes)
    parts = [
        draw(256, run.channels, run.size, rng).half()[: n - start]
        for draw, n in zip(draws, (s.bank - plain, plain - drawn, drawn), strict=True)
        for start in range(0, n, 256)
    ]
    return torch.cat(parts).to(run.device)


def bright_share(run) -> float:
    """Choose whether things lie on dark or bright grounds by RDSKD's measure of class diversity; half each near a tie.

    Of 1,000 things on either ground those are taken for which the teacher's mean answer has the larger entropy.
    """
    dark, bright = (_diversity(run, share, things) for share in (0.0, 1.0))
    return 0.5 if abs(dark - bright) < TIE else float(bright > dark)


def takes_strokes(run, bright: float) -> bool:
    """Say whether strokes show the teacher its classes about as evenly as things do, by the same measure."""
    made, drawn = (_diversity(run, bright, kind) for kind in (things, strokes))
    return drawn > made - CLEAR


def _diversity(run, bright: float, drawn: Callable) -> float:
    """Compute the entropy, in nats, of the teacher's mean answer to 1,000 images."""
    images = scaled_things(1_000, run.channels, run.size, torch.Generator().manual_seed(run.seed + 8), bright, drawn)
    return -information_entropy(logits_of(run.teacher, images.to(run.device).split(256))).item()


def change(images: Tensor, s, rng: torch.Generator) -> Tensor:
    """Warp each image, and blend a share of them with another, which has a share uniform in [0, 1] of the pixels."""
    images = warp(images, s.augment, rng) if s.augment else images
    if s.blend:
        other = images[torch.randperm(len(images), generator=rng).to(images.device)]
        some, share = (torch.rand(len(images), 1, 1, 1, generator=rng).to(images) for _ in range(2))
        images = torch.where(some < s.blend, torch.lerp(images, other, share), images)
    return images


def _chances(logits: Tensor, balance: float) -> Tensor | None:
    """Return how likely each image is to be drawn, (N,), by how many have its class; None if there are none.

    A class with less than a tenth of an even share is taken to have that, so that no image comes too often.
    """
    if not len(logits):
        return None
    label, classes = logits.argmax(1), logits.shape[1]
    count = torch.bincount(label, minlength=classes).clamp_min(len(logits) / (10 * classes))
    return count.float()[label].pow(-balance).cpu()


def _pick(images: Tensor, chances: Tensor | None, n: int, rng: torch.Generator) -> Tensor:
    """Draw n of the images: by their chances, or each at most once more often than any other."""
    if not n:
        return images[:0]
    if chances is not None:
        rows = torch.multinomial(chances, n, replacement=True, generator=rng)
    else:
        rows = torch.cat([torch.randperm(len(images), generator=rng) for _ in range(-(-n // len(images)))])[:n]
    return images[rows.to(images.device)]


ADDED = dict(procedural=0.5, things=1.0, strokes=0.5, balance=0.7, temperature=4.0)
STROKES = dict(procedural=0.3, things=1.0, strokes=1.0, balance=0.7)  # for digits; RDSKD's otherwise
PRESETS = RDSKD.presets | {
    "classroom": replace(RDSKD.presets["classroom"], **ADDED, student_steps=4_500, reuse=3),
    "long": replace(RDSKD.presets["long"], **ADDED, bank=25_600),
    "best": replace(RDSKD.presets["long"], **STROKES, bank=51_200, student_steps=60_000),
}
METHODS = {
    "any-teacher": Method(
        any_teacher,
        PRESETS,
        batches=mixed,
        recovers=True,
        seen="images that a generator made and procedural ones, and the teacher's answers to them",
    )
}
