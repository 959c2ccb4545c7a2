"""An exercise: a blank in a notebook's cell, looked at by what it does, with hints and a solution that runs.

`watch(answer)` tries an answer on chosen numbers and says what it saw, in words a learner understands: {words: number}.
An answer is right when it does what the solution does.  A misconception is a wrong answer that runs: whoever does what
it does is told the sentence that a teacher would say.  Everything is looked at in double precision.
"""

import inspect
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

WIDTH = 100  # characters of a line that is printed
RTOL, ATOL = 1e-6, 1e-9


class Blank(Exception):
    """Nothing has been written yet."""


class Wrong(Exception):
    """An answer that cannot be looked at any further; the text is what the learner is told."""


class Misconception(NamedTuple):
    """A wrong answer that runs, its name, and what a teacher says to whoever gives it.

    It is recognised when an answer does what this one does, or as `recognise(what was seen)` says.
    """

    answer: Callable
    name: str
    says: str
    recognise: Callable[[dict], bool] | None = None


class Verdict(NamedTuple):
    """What became of an answer: "empty", "wrong", "misconception" or "right"; which misconception; the sentence."""

    kind: str
    says: str
    name: str = ""


@dataclass
class Exercise:
    """One exercise.  `judge(seen)` replaces the comparison where many answers are right: "" or what is wrong."""

    title: str
    hints: tuple[str, str, str]  # a nudge, the idea, nearly the line
    answer: Callable  # the solution
    watch: Callable[[Callable], dict]
    right: str  # what a right answer shows
    misconceptions: tuple[Misconception, ...]
    judge: Callable[[dict], str] | None = None
    call: str = "lesson[1]"  # how a cell names it
    given: int = 0  # hints
    verdict: Verdict | None = None  # of the last check

    def check(self, answer: Callable) -> None:
        """Look at what the answer does, and say it in a sentence or two."""
        self.verdict = self.examine(answer)
        say(self.verdict.says)

    def hint(self) -> None:
        """The next of three hints; after the third, where the solution is."""
        if self.given == len(self.hints):
            return say(f"Those were all three. {self.call}.solution() shows one way to write it.")
        self.given += 1
        say(f"Hint {self.given} of {len(self.hints)}: {self.hints[self.given - 1]}")

    def solution(self) -> None:
        """Print one way to write it: the code that the checks themselves run."""
        print(self.source())

    def source(self) -> str:
        """The solution's code, from its own file."""
        return source(self.answer)

    def typical_errors(self) -> None:
        """For whoever teaches: each known misconception, as code, and what the check says to it."""
        for wrong in self.misconceptions:
            print(f"---- {wrong.name}\n{source(wrong.answer)}\n")
            say(f"-> {self.examine(wrong.answer).says}")
            print()

    def examine(self, answer: Callable) -> Verdict:
        """The verdict on an answer; the learner's random state stays as it was."""
        if answer is None or answer is ...:
            return self._empty()
        if not callable(answer):
            name = self.answer.__name__
            return Verdict("wrong", f"check wants the function itself: {self.call}.check({name}), without its result.")
        try:
            seen = self._see(answer)
        except Blank:
            return self._empty()
        fault = seen.get("told") or self._fault(seen)
        if not fault:
            return Verdict("right", f"Right. {self.right}")
        for wrong in self.misconceptions:
            if wrong.recognise(seen) if wrong.recognise else not differing(seen, self._see(wrong.answer)):
                return Verdict("misconception", f"Not yet ({wrong.name}). {wrong.says}", wrong.name)
        for wrong in () if self.judge else self.misconceptions:  # two faults, one of them a NaN: the other first
            if not wrong.recognise and self._beside_nan(seen, self._see(wrong.answer)):
                return Verdict("misconception", f"Not yet ({wrong.name}). {wrong.says}", wrong.name)
        return Verdict("wrong", f"Not yet. {fault} {self.call}.hint() helps.")

    def _beside_nan(self, seen: dict, wrong: dict) -> bool:
        """Whether an answer does what the wrong one does, and not what is right, in all that is finite of it."""
        finite = {key: x for key, x in seen.items() if isinstance(x, str) or torch.as_tensor(x).isfinite().all()}
        wrong, right = ({key: sight.get(key, "") for key in finite} for sight in (wrong, self._see(self.answer)))
        return 0 < len(finite) < len(seen) and not differing(finite, wrong) and bool(differing(finite, right))

    def _fault(self, seen: dict) -> str:
        """What is wrong with what an answer did; "" if nothing is."""
        if self.judge:
            return self.judge(seen)
        right = self._see(self.answer)
        return _tell(seen, right) if differing(seen, right) else ""

    def _empty(self) -> Verdict:
        return Verdict("empty", f"Nothing here yet. Write your answer in place of the three dots and run the cell; "
                                f"{self.call}.hint() gives a first nudge.")  # fmt: skip

    def _see(self, answer: Callable) -> dict:
        """What `watch` sees; an answer that stops is seen as the sentence about it, under the key "told"."""
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(0)
            try:
                return self.watch(partial(_call, answer))
            except Wrong as wrong:
                return {"told": str(wrong)}
            except Blank:
                raise
            except Exception as error:  # whatever a learner's code does, the answer is a sentence
                if "ellipsis" in str(error):
                    raise Blank from error
                return {"told": _stopped(error)}


def value_and_gradient(loss: Callable, *inputs: Tensor) -> tuple[Tensor, Tensor]:
    """A loss of an answer, and its gradient with respect to the first input; all in double precision.

    Raises Wrong, with a sentence, when it is not one number, or carries no gradient.
    """
    first, *rest = (x.double() if x.is_floating_point() else x for x in inputs)
    first = first.clone().requires_grad_()
    value = loss(first, *rest)
    if not isinstance(value, Tensor):
        raise Wrong(f"A loss has to be a tensor; yours is a {type(value).__name__}, which carries no gradient.")
    if value.shape != ():
        raise Wrong(
            f"A loss is one number, a tensor of shape (); yours has shape {tuple(value.shape)}. What is to be done "
            "over the batch, a sum or a mean?"
        )
    if not value.requires_grad:
        raise Wrong(
            "Your loss carries no gradient, so nothing could learn from it. .detach(), .item(), torch.no_grad() and "
            "argmax cut the way back."
        )
    return value.detach(), torch.autograd.grad(value, first)[0]


def differing(seen: dict, right: dict) -> str:
    """The first key under which two sights differ; "" where they agree to RTOL."""
    for key in [*right, *seen]:
        if key not in seen or key not in right or not _same(seen[key], right[key]):
            return key
    return ""


def source(function: Callable) -> str:
    """A function's code, from its own file."""
    return textwrap.dedent(inspect.getsource(function)).rstrip()


def say(text: str) -> None:
    """Print a sentence in lines of at most WIDTH characters."""
    print(textwrap.fill(text, WIDTH, break_on_hyphens=False))


def _same(a, b) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    a, b = (torch.as_tensor(x, dtype=torch.float64) for x in (a, b))
    return a.shape == b.shape and torch.allclose(a, b, RTOL, ATOL, equal_nan=True)


def _call(answer: Callable, *args, **named):
    """What the answer gives; raises Blank where nothing has been written, Wrong where what is there gives nothing."""
    given = answer(*args, **named)
    if given is None and len(getattr(answer, "__code__", _nothing.__code__).co_code) > len(_nothing.__code__.co_code):
        raise Wrong("Your function gave nothing back (None): does every way through it end in a return?")
    if given is None or given is ...:
        raise Blank
    return given


def _nothing(): ...


_CALL = _call.__code__  # the frame below it is the learner's


def _tell(seen: dict, right: dict) -> str:
    """What differs first, in numbers."""
    key = differing(seen, right)
    if isinstance(right[key], str):
        return f"{_upper(key)} should be {right[key]}; yours is {seen[key]}."
    got, want = (torch.as_tensor(x[key], dtype=torch.float64) for x in (seen, right))
    if got.shape != want.shape:
        return f"{_upper(key)} should have shape {tuple(want.shape)}; yours has {tuple(got.shape)}."
    if not want.shape:
        return f"{_upper(key)} should be {want.item():.4f}; yours is {got.item():.4f}."
    gap = (got - want).abs().nan_to_num(torch.inf)
    at = tuple(int(i) for i in torch.unravel_index(gap.argmax(), gap.shape))
    place = ", ".join(map(str, at))
    return f"{_upper(key)} should be {want[at].item():.4f} at [{place}]; yours is {got[at].item():.4f}."


def _stopped(error: Exception) -> str:
    """An error as a sentence: in which line of the learner's own function, or in what was made of what it gave."""
    frames = list(traceback.walk_tb(error.__traceback__))
    ours = [i for i, (frame, _) in enumerate(frames) if frame.f_code is _CALL]
    said = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".: ")
    if not ours:
        return f"What your function gave could not be used ({said})."
    if ours[0] + 1 == len(frames):  # it was not even entered
        return f"Your function could not be called ({said})."
    frame, line = frames[ours[0] + 1]
    where = f"Your function stopped in its line {line - frame.f_code.co_firstlineno + 1} ({said})."
    if "NoneType" in said and "grad" in frame.f_code.co_names:  # what torch leaves unsaid
        where += (
            " backward() fills x.grad only of a tensor that was made by hand, not computed from another that tracks "
            "its gradient: x.detach().requires_grad_() is such a one again. Or take torch.autograd.grad(loss, x)[0]."
        )
    return where


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
