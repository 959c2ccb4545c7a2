"""An objective is a table of named terms.  Edit it between two steps; the next step obeys it."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from .batch import Batch

# ---- anchor rules: where does a term's anchor stand after step i, given its raw value in that step? ----------------


def epoch(i: int, raw: float, anchor: float, every: int = 120, at: int = 1) -> float:
    """Once per `every` steps, at the second of them.  Source: RDSKD, released code (20 epochs of 120 iterations)."""
    return raw if i % every == at else anchor


def previous(i: int, raw: float, anchor: float) -> float:
    """The step before: damps what rose since then.  The plainest reading of "increments of the loss"."""
    return raw


def average(i: int, raw: float, anchor: float, keep: float = 0.98) -> float:
    """A moving average that forgets over about 1 / (1 - keep) steps; it starts at the first value.  Ours."""
    return raw if i == 0 else keep * anchor + (1 - keep) * raw


ANCHORS = {"epoch": epoch, "previous": previous, "average": average}
STRONGEST = 50.0  # strength of damping that a run or the lab takes
CLAMP = math.log(20)  # of a strength other than 1: gains stay within 1/20 and 20

# ---- the table -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Words:
    """What a term is, for people: labels, reports, the lab and the exported script are made of these texts."""

    name: str
    formula: str  # HTML; the others are plain text
    unit: str
    range: str
    purpose: str  # what it wants, in a sentence or two
    script: str = ""  # its call in a plain script: x images, z latents, t logits, `seen` what hooks saw, `student`


@dataclass
class Term:
    """One row: what to measure, and how much it counts.  `on` is whether, `weight` is how much."""

    measure: Callable[[Batch], Tensor]  # Batch -> (), lower is better
    weight: float = 1.0
    on: bool = True  # a term that is off is still measured, never differentiated
    damped: bool = False  # minimise exp(b (L - anchor)) / b instead of L
    strength: float = 1.0  # b; 1 is the released code, which never clamps; 0 is plain; others are ours
    rule: Callable[[int, float, float], float] = epoch  # moves the anchor after each step
    anchor: float = 0.0  # in the unit of the loss; 0: none yet, which the released code (b = 1) takes as it is
    needs: tuple[str, ...] = ()  # to fetch: "features", "bn", "any bn" (or drop it), "student" (and "training")
    words: Words | None = None

    def asked(self, loss: Tensor) -> Tensor:
        """What is added to the total: w exp(b (L - a)) / b, or w L.  Its gradient is w gain dL/dx."""
        if not (self.damped and self.strength):
            return self.weight * loss
        rise, held = self._rise(loss)
        if self.strength == 1:
            return self.weight * rise.exp()
        return self.weight / self.strength * held.exp() * (1 + rise - held)  # clamped: a tangent, whose slope stays

    def gain(self, loss: Tensor) -> Tensor:
        """What damping does to this term's gradient: exp(b (L - a)) if damped, 1 if plain, 0 if off."""
        if not (self.on and self.damped and self.strength):
            return torch.full_like(loss, float(self.on))
        return self._rise(loss)[1].exp()

    def start(self, raw):
        """The anchor in a step with this value: the value itself where there is none yet and b is not 1."""
        return self.anchor if self.strength == 1 or self.anchor else raw

    def _rise(self, loss: Tensor) -> tuple[Tensor, Tensor]:
        """b (L - a), as it is and as damping sees it."""
        rise = loss - self.start(loss.detach())
        if self.strength == 1:
            return rise, rise
        return self.strength * rise, (self.strength * rise).clamp(-CLAMP, CLAMP)


@dataclass(frozen=True)
class Tally:
    """What one batch scored.  `raw` and `gain` are detached and on the batch's device: reading them synchronises."""

    total: Tensor | None  # () with its graph; None when nothing is asked, so nothing may move
    raw: Tensor  # (terms,)  value of each term
    gain: Tensor  # (terms,)  0 where a term is off


class Objective(dict[str, Term]):
    """An ordered table of terms: `Objective(oh=Term(...), ie=Term(...))`.  Calling it scores a batch."""

    weighed = False  # whether it has the weights of a preset

    def __missing__(self, name):
        raise KeyError(f"no term {name!r}; this objective has {', '.join(self)}")

    @property
    def asks(self) -> bool:
        """Whether any term is on with a weight other than 0."""
        return any(term.on and term.weight for term in self.values())

    @property
    def needs(self) -> set[str]:
        return {need for term in self.values() for need in term.needs}

    @property
    def words(self) -> dict[str, Words]:
        """What each term is, of those that say so."""
        return {name: term.words for name, term in self.items() if term.words}

    def weigh(self, weights: Iterable[tuple[str, float]], table: "Objective | None" = None) -> "Objective":
        """Set the weights of a preset, once; given `table`, only where a weight still is what it is there.

        So a weight that somebody set by hand stays.
        """
        for name, weight in () if self.weighed else weights:
            if table is None or name in self and name in table and self[name].weight == table[name].weight:
                self[name].weight = weight
        self.weighed = True
        return self

    def __call__(self, batch: Batch) -> Tally:
        losses = {}
        for name, term in self.items():
            with torch.set_grad_enabled(term.on and torch.is_grad_enabled()):
                losses[name] = term.measure(batch)
        raw = {name: loss.detach() for name, loss in losses.items()}
        gain = [term.gain(raw[name]) for name, term in self.items()]
        asked = [term.asked(losses[name]) for name, term in self.items() if term.on]
        return Tally(sum(asked) if self.asks else None, torch.stack(list(raw.values())), torch.stack(gain))

    def re_anchor(self, i: int, raw: dict[str, float]) -> None:
        """Move each anchor by its term's rule after step `i`; a value in `raw` that is not finite moves none."""
        for name, term in self.items():
            if math.isfinite(raw[name]):
                term.anchor = term.rule(i, raw[name], term.start(raw[name]))
