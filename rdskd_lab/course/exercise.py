"""An exercise: a blank in a notebook's cell, checked by what the learner's function does, with hints and a solution.

`watch(answer)` calls the answer with chosen inputs and returns what it saw, in words for the learner: {words: number}.
An answer is right if it does what the solution does. A wrong answer is first compared with known misconceptions;
if none fits, a simple relation to the right answer is looked for (a factor, a constant, a square). Everything is
computed in double precision.
"""

import inspect
import math
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from .relations import LOOSE, RTOL, as_number, differing, relation, tell_difference, upper, write_value
from .verdict import Verdict, say, show

MORE_CALLS = 3  # calls of a check that `example` shows


class Blank(Exception):
    """Nothing has been written yet."""


class Wrong(Exception):
    """An answer that cannot be checked any further; the learner sees the text."""


class Misconception(NamedTuple):
    """A wrong answer that runs, its name, and what a teacher says to a learner who gives it.

    It is recognised if an answer does what this one does or, where given, if `recognise(what was seen)` says so.
    """

    answer: Callable
    name: str
    says: str
    recognise: Callable[[dict], bool] | None = None


class Family(NamedTuple):
    """Wrong answers that differ in one number, such as an epsilon: `answer(number)` is one of them.

    It is recognised if some number makes the answer do what the learner's does; `says` may name it: {number}.
    """

    answer: Callable[[float], Callable]
    name: str
    says: str
    low: float = 1e-9
    high: float = 1e3


@dataclass(repr=False)
class Exercise:
    """One exercise. `judge(seen)` replaces the comparison where many answers are right: it returns "" or the fault."""

    title: str
    hints: tuple[str, str, str]  # a nudge, the idea, nearly the line
    answer: Callable  # the solution
    watch: Callable[[Callable], dict]
    right: str  # what a right answer shows
    misconceptions: tuple[Misconception, ...]
    families: tuple[Family, ...] = ()
    judge: Callable[[dict], str] | None = None
    rtol: float = RTOL  # relative tolerance of a number
    sizes: tuple[tuple[str, float | tuple], ...] = ()  # likely wrong factors, by name
    call: str = "lesson[1]"  # how a cell names it
    given: int = 0  # hints
    tries: int = 0  # checks of an answer that was not empty
    solved: bool = False
    solution_seen: bool = False
    verdict: Verdict | None = None  # of the last check

    def __repr__(self) -> str:
        """Name the exercise and its state, never its solution."""
        return f"{self.call}: {self.title} ({self.state})"

    @property
    def state(self) -> str:
        """ "solved", "not solved yet", or "not tried yet"."""
        return "solved" if self.solved else "not solved yet" if self.tries else "not tried yet"

    def check(self, answer: Callable) -> None:
        """Check what the answer does, and show the verdict in a sentence or two."""
        self.verdict = self.examine(answer)
        self.tries += self.verdict.kind != "empty"
        self.solved = self.solved or self.verdict.kind == "right"
        show(self.verdict)

    def hint(self) -> None:
        """Print the next of three hints; after the third, say how to see the solution."""
        if self.given == len(self.hints):
            return say(f"No more hints. {self.call}.solution() shows one answer.")
        self.given += 1
        say(f"Hint {self.given} of {len(self.hints)}: {self.hints[self.given - 1]}")

    def solution(self) -> None:
        """Print one answer: the code that the check itself runs."""
        self.solution_seen = True
        print(self.source())

    def example(self) -> None:
        """Print the check's inputs and the results that they should give."""
        calls = [(inputs, result) for inputs, result in self._calls() if inputs]
        for number, (inputs, result) in enumerate(calls[:MORE_CALLS], 1):
            print(f"Call {number} of {len(calls)}")
            for name, value in inputs.items():
                print(f"    {name} = {write_value(value)}")
            print(f"    result: {write_value(result)}")
        if calls:
            names = ", ".join(calls[0][0])
            print(
                f"To try the inputs of call 1 yourself: {names}{',' * (len(calls[0][0]) == 1)} = {self.call}.inputs()"
            )
        else:
            print("Your function takes no input. For a right answer, the check sees:")
            for words, value in self._see(self.answer).items():
                print(f"    {words}: {write_value(value)}")

    def inputs(self, call: int = 1) -> tuple:
        """Return the arguments of one of the check's calls, for your own experiments; the first is call 1."""
        return tuple(self._calls()[call - 1][0].values())

    def source(self) -> str:
        """Return the solution's code, from its own file."""
        return source(self.answer)

    def typical_errors(self) -> None:
        """Print the code of each known misconception and the check's answer to it; for teachers."""
        for wrong in self.misconceptions:
            print(f"---- {wrong.name}\n{source(wrong.answer)}\n")
            say(f"-> {self.examine(wrong.answer).says}")
            print()

    def examine(self, answer: Callable) -> Verdict:
        """Return the verdict on an answer; the learner's random state stays as it was."""
        if answer is None or answer is ...:
            return self._empty()
        if not callable(answer):
            name = self.answer.__name__
            return Verdict("wrong", f"Pass the function, not its result: {self.call}.check({name}).")
        try:
            seen = self._see(answer)
        except Blank:
            return self._empty()
        fault = seen.get("told") or self._fault(seen)
        if not fault:
            return Verdict("right", f"Right. {self.right}")
        for wrong in self.misconceptions:
            if wrong.recognise(seen) if wrong.recognise else not differing(seen, self._see(wrong.answer), self.rtol):
                return Verdict("misconception", f"Not yet: {wrong.name}. {wrong.says}", wrong.name)
        for family in self.families:
            if number := self._member(family, seen):
                says = family.says.format(number=f"{number:.1g}" if number < 0.1 else f"{number:.3g}")
                return Verdict("misconception", f"Not yet: {family.name}. {says}", family.name)
        for wrong in () if self.judge else self.misconceptions:  # two faults, one of them a NaN: report the other first
            if not wrong.recognise and self._beside_nan(seen, self._see(wrong.answer)):
                return Verdict("misconception", f"Not yet: {wrong.name}. {wrong.says}", wrong.name)
        return Verdict("wrong", f"Not yet. {fault} {self.call}.hint() gives a hint.")

    def _member(self, family: Family, seen: dict) -> float | None:
        """Return the number with which the family does what was seen; None if there is none."""
        right = self._see(self.answer)
        key = differing(seen, right, self.rtol)
        if key not in seen or key not in right or isinstance(seen[key], str) or isinstance(right[key], str):
            return None
        target = as_number(seen[key])
        if target.shape != as_number(right[key]).shape:
            return None
        at = int((target - as_number(right[key])).abs().nan_to_num(0).argmax())  # where the two differ most

        def gap(exponent: float) -> float:
            """Return by how much a member's value there exceeds the learner's; nan if it has none."""
            member = self._see(family.answer(10**exponent)).get(key, "")
            same = not isinstance(member, str) and as_number(member).shape == target.shape
            return float((as_number(member) - target).flatten()[at]) if same else math.nan

        low, high = math.log10(family.low), math.log10(family.high)
        below = gap(low)
        if not below * gap(high) < 0:
            return None
        for _ in range(45):
            middle = (low + high) / 2
            low, high = (middle, high) if gap(middle) * below > 0 else (low, middle)
        return None if differing(seen, self._see(family.answer(10**middle)), LOOSE) else 10**middle

    def _beside_nan(self, seen: dict, wrong: dict) -> bool:
        """Return whether an answer's finite values are those of the wrong answer and not those of the right one."""
        finite = {key: x for key, x in seen.items() if isinstance(x, str) or torch.as_tensor(x).isfinite().all()}
        wrong, right = ({key: sight.get(key, "") for key in finite} for sight in (wrong, self._see(self.answer)))
        return 0 < len(finite) < len(seen) and not differing(finite, wrong) and bool(differing(finite, right))

    def _fault(self, seen: dict) -> str:
        """Return what is wrong with what an answer did; "" if nothing is."""
        if self.judge:  # whose comparisons would let a NaN through
            odd = next((key for key, x in seen.items() if not isinstance(x, str) and not x.isfinite().all()), "")
            return f"{upper(odd)} is NaN or infinite; use finite numbers." if odd else self.judge(seen)
        right = self._see(self.answer)
        if not differing(seen, right, self.rtol):
            return ""
        return relation(seen, right, self.sizes) or tell_difference(seen, right, self.rtol)

    def _empty(self) -> Verdict:
        says = f"Nothing here yet. Replace the three dots with your answer. {self.call}.hint() gives a first hint."
        return Verdict("empty", says)

    def _see(self, answer: Callable) -> dict:
        """Return what `watch` sees; if the answer raises an error, a sentence about it under the key "told"."""
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(0)
            try:
                seen = self.watch(partial(_call, answer))
                return {key: x if isinstance(x, str) else as_number(x) for key, x in seen.items()}
            except Wrong as wrong:
                return {"told": str(wrong)}
            except Blank:
                raise
            except Exception as error:  # whatever a learner's code raises, the verdict is a sentence
                if "ellipsis" in str(error):
                    raise Blank from error
                return {"told": _stopped(error)}

    def _calls(self) -> list[tuple[dict, object]]:
        """Return ({name: argument}, result) of each call that the check makes; the results are the solution's."""
        names, calls = list(inspect.signature(self.answer).parameters), []

        def noted(*arguments, **named):
            inputs = {name: _copy(x) for name, x in zip(names, arguments, strict=False)} | named
            result = self.answer(*arguments, **named)
            calls.append((inputs, _copy(result)))
            return result

        self._see(noted)
        return calls


def value_and_gradient(
    loss: Callable, *inputs: Tensor, by: str = "the input", where: str = ""
) -> tuple[Tensor, Tensor]:
    """Return an answer's loss (), and its gradient with respect to the first input; both in double precision.

    In the messages, `by` names the first input and `where` the case. Raises Wrong if the loss is not one number or
    carries no gradient.
    """
    first, *rest = (x.clone().double() if x.is_floating_point() else x.clone() for x in inputs)
    first = first.requires_grad_()  # of copies, which an answer may change in place
    value = loss(first, *rest)
    if not isinstance(value, Tensor):
        raise Wrong(
            f"Return a tensor: a {type(value).__name__} carries no gradient. .item() and float() turn a tensor "
            "into a plain number."
        )
    if value.shape != ():
        raise Wrong(
            f"A loss is one number, a tensor of shape (); yours has shape {tuple(value.shape)}. Did you forget to "
            "average over the batch?"
        )
    gradient = None
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value, first, allow_unused=True)
    if gradient is None:
        raise Wrong(_why_no_gradient(loss, value.detach(), first.detach(), rest, by, where))
    return value.detach(), gradient


def _why_no_gradient(loss: Callable, value: Tensor, first: Tensor, rest: list, by: str, where: str) -> str:
    """Explain a missing gradient: does the loss change with the input at all?"""
    if where:
        return (
            f"{where[0].upper()}{where[1:]} you return a constant, which carries no gradient. Do not branch there: add "
            "a small number to the denominator."
        )
    moved = first + 0.1 + 0.1 * torch.arange(first.numel(), dtype=first.dtype).view(first.shape).cos()
    other = torch.as_tensor(loss(moved, *rest)).detach()
    if torch.allclose(other, value, equal_nan=True):
        return f"Your loss does not depend on {by} at all: changing {by} leaves it as it is. Use {by} in your formula."
    return (
        f"Your loss changes with {by}, but no gradient flows back. Look for .detach(), .item(), torch.no_grad(), "
        "argmax or torch.tensor(...): each of them stops the gradient."
    )


def source(function: Callable) -> str:
    """Return a function's code, from its own file."""
    return textwrap.dedent(inspect.getsource(function)).rstrip()


def _copy(value):
    """Return a copy that later calls cannot change."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return type(value)(map(_copy, value)) if type(value) in (list, tuple) else value


def _call(answer: Callable, *args, **named):
    """Return what the answer returns; raises Blank if nothing has been written, Wrong if nothing is returned."""
    given = answer(*args, **named)
    if given is None and len(getattr(answer, "__code__", _nothing.__code__).co_code) > len(_nothing.__code__.co_code):
        raise Wrong("Your function returned nothing (None). Does every path through it end in a return?")
    if given is None or given is ...:
        raise Blank
    return given


def _nothing(): ...


_CALL = _call.__code__  # the frame below it is the learner's


def _stopped(error: Exception) -> str:
    """Describe an error in a sentence: in which line of the learner's function, or in the check's use of its result."""
    frames = list(traceback.walk_tb(error.__traceback__))
    ours = [i for i, (frame, _) in enumerate(frames) if frame.f_code is _CALL]
    said = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".: ")
    if not ours:
        return f"The check could not use what your function returned ({said})."
    if ours[0] + 1 == len(frames):  # it was not even entered
        return f"The check could not call your function ({said})."
    frame, line = frames[ours[0] + 1]
    where = f"Line {line - frame.f_code.co_firstlineno + 1} of your function raised {said}."
    if "NoneType" in said and "grad" in frame.f_code.co_names:  # what torch leaves unsaid
        where += (
            " backward() fills x.grad only for a tensor that you created yourself, not for one computed from another "
            "tensor with a gradient. Create one with x.detach().requires_grad_(), or use torch.autograd.grad(loss, "
            "x)[0]."
        )
    return where
