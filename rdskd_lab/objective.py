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
    damped: bool = False  # minimise exp(L - anchor) instead of L
    rule: Callable[[int, float, float], float] = epoch  # moves the anchor after each step
    anchor: float = 0.0  # in the unit of the loss; the released code starts at 0
    needs: tuple[
        str, ...
    ] = ()  # what to fetch: "features", "bn", "any bn" (or drop the row), "student" (and "training")
    words: Words | None = None

    def asked(self, loss: Tensor) -> Tensor:
        """What is added to the total: w exp(L - a), or w L.  d/dx w exp(L - a) = w exp(L - a) dL/dx."""
        return self.weight * ((loss - self.anchor).exp() if self.damped else loss)

    def gain(self, loss: Tensor) -> Tensor:
        """What damping does to this term's gradient: exp(L - a) if damped, 1 if plain, 0 if off."""
        if not self.on:
            return torch.zeros_like(loss)
        return (loss - self.anchor).exp() if self.damped else torch.ones_like(loss)


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
                term.anchor = term.rule(i, raw[name], term.anchor)
