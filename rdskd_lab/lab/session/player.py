"""Play any iterator of steps: pause it, step through it, slow it down, change things between two steps.

Five lines put a loop of your own into it:

    def my_loop():
        for i in range(10_000):
            yield train_once(i)                 # whatever you yield is handed to `on_step`

    PlaybackButtons(Player(my_loop()))          # play, pause, step; the last line of a cell

The player knows no loss and no widget.  Whoever wants something (play, pause, a change) puts a request into a queue;
the player grants requests in their order and only *between* two steps, on the kernel's main thread.  That is why a
control may be pressed at any time and on any thread: some kernels run a control's callback beside the training.

Three modes, the same steps in the same order:

    task     an asyncio task on the kernel's main loop: a slice of steps, then the kernel's other work.  Jupyter
    chunk    at most 2 s of steps in the foreground, then the other work, and on by itself if the loop lets it.  Colab
    inline   everything in the foreground: nbval, nbconvert, scripts, tests
"""

import asyncio
import signal
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from statistics import median
from time import perf_counter, sleep
from typing import Any

from ...doctor.frontend import find_mode, running_loop

SLICE, CHUNK = 0.05, 2.0  # s of training before the kernel gets its turn
SLOW = 0.6  # s of rest after a step in slow motion
TURNS = 8  # of the event loop between two slices: a message from the page needs several to come through


class Player:
    """Pulls `next(steps)` while it is playing.

    steps           any iterator; or a function that makes one, asked again after an error has ended the last one
    on_step(step)   after each step; keep it short
    on_show(force)  when a picture may be drawn; `force` when one must be: something changed, or the play ended
    at_once         steps that Play trains in inline mode
    surround        a context that is entered for each step
    """

    _playing = weakref.WeakSet()  # one trains at a time in a kernel

    def __init__(
        self,
        steps: Iterable | Callable[[], Iterable],
        *,
        on_step: Callable[[Any], None] | None = None,
        on_show: Callable[[bool], None] | None = None,
        mode: str | None = None,
        at_once: int = 120,
        surround: Callable[[], AbstractContextManager] = nullcontext,
    ):
        self.take(steps)
        self.on_step, self.on_show = on_step or (lambda step: None), on_show or (lambda force: None)
        self.mode, self.at_once, self.surround = mode or find_mode(), _counted(at_once), surround
        self.playing = False
        self.slow = False
        self.rest = SLOW  # s after each step, while `slow`
        self.left: int | None = None  # steps until it pauses by itself; None: it does not
        self.reason = "Ready."  # why it plays or does not, as a sentence
        self.pulled = 0  # steps
        self._took: deque[float] = deque(maxlen=5)  # s, each of the latest steps
        self.threads: set[str] = set()  # names of those that pulled steps: the main thread, and no other
        self._requests: deque[Callable[[], None]] = deque()
        self.loop = running_loop() if self.mode != "inline" else None
        self._task: asyncio.Task | asyncio.TimerHandle | None = None
        self._busy = self._interrupted = self._closed = False

    def take(self, steps: Iterable | Callable[[], Iterable]) -> None:
        """Play other steps from now on.  Call it between two steps: from a request, or before the first."""
        self._make = steps if callable(steps) else None
        self.steps = iter(steps() if callable(steps) else steps)

    # ---- requests: callable from any thread at any time

    def play(self, count: int | None = None, reason: str = "") -> None:
        """Train on; `count` steps, 1 or more, or until somebody pauses.  `reason`: why, as a sentence."""
        self.ask(partial(self._start, None if count is None else _counted(count), reason))

    def pause(self, reason: str = "Paused.") -> None:
        """Stop before the next step."""
        self.ask(partial(self.stop, reason))

    def ask(self, change: Callable[[], None]) -> None:
        """Request that `change()` is called before the next step, after everything that was requested earlier."""
        self._requests.append(change)
        here = threading.current_thread() is threading.main_thread()
        if self.loop is None or (self.mode == "chunk" and here):
            self.settle()
        else:
            self.loop.call_soon_threadsafe(self.settle)

    @property
    def step_seconds(self) -> float:
        """Return the seconds that a step takes: the median of the latest five; 0 before there were three."""
        return median(self._took) if len(self._took) > 2 else 0.0

    def close(self) -> None:
        """Stop for good and drop the steps."""
        self.stop("Closed.")
        self._closed, self.steps, self._make = True, iter(()), None
        self.on_step = self.on_show = lambda _: None
        self._requests.clear()

    # ---- on the main thread

    def _start(self, count, reason):
        for other in list(Player._playing - {self}):
            other.stop("Paused, because another lab in this notebook was started.")
            other._try(other.on_show, True)
        Player._playing.add(self)
        if self.mode == "inline" and count is None:
            count = self.at_once
        self.playing, self.left = True, count
        steps = "" if count is None else f" {count} step{'s' * (count != 1)}"
        self.reason = reason or f"Training{steps}."

    def stop(self, reason: str) -> None:
        """Play no further.  Between two steps only, on the main thread: from a request, `on_step` or `on_show`."""
        self.playing = self._interrupted = False
        self.left, self.reason = None, reason
        Player._playing.discard(self)

    def settle(self) -> None:
        """Grant the requests now, and start playing if one of them was to play.  On the main thread only."""
        if self._busy or self._closed:  # a chunk is being trained: it grants them itself
            return
        self._grant()
        if not self.playing:
            return
        if self.mode == "task":
            if self._task is None or self._task.done():
                self._task = self.loop.create_task(self._live())
        elif self.mode == "chunk":
            if self._task is not None:  # one chunk waits at a time: with two, the kernel's other work has no turn
                self._task.cancel()
            self._train(CHUNK)
            if self.playing and self.loop is not None:
                self._task = self.loop.call_later(SLICE, self.settle)
        else:
            while self.playing:
                self._train(SLICE)

    async def _live(self):
        try:
            while self.playing:
                self._train(0 if self.slow else SLICE)
                if self.slow and self.playing:
                    await asyncio.sleep(self.rest)
                for _ in range(TURNS):
                    await asyncio.sleep(0)
        finally:
            _listen_for_interrupts(None)

    def _train(self, seconds: float) -> None:
        """Make steps for that long, at least one, and grant the requests before each; then show a picture."""
        end, self._busy, usual = perf_counter() + seconds, True, signal.getsignal(signal.SIGINT)
        _listen_for_interrupts(self._on_interrupt, self.mode)
        try:
            while True:
                self._grant()
                if self._interrupted:
                    self.stop("Interrupted. Press Play to go on.")
                if not self.playing:
                    break
                with self.surround():
                    self._step()
                if self.slow and self.mode == "chunk":
                    sleep(self.rest)
                if perf_counter() >= end:
                    break
        except KeyboardInterrupt:
            self._fail("Interrupted. Press Play to go on.")
        finally:
            self._busy = False
            if self.mode != "task":
                _listen_for_interrupts(usual, self.mode)
        self._try(self.on_show, not self.playing)

    def _step(self):
        begun = perf_counter()
        try:
            step = next(self.steps)
        except StopIteration:
            self.stop("There are no more steps.")
            return
        except Exception as error:
            self._fail(f"Stopped. {str(error) or type(error).__name__}")
            return
        self.pulled += 1
        self._took.append(perf_counter() - begun)
        self.threads.add(threading.current_thread().name)
        self._try(self.on_step, step)
        if self.left is not None:
            self.left -= 1
            if not self.left:
                self.stop("Paused.")

    def _try(self, act, *given):  # a learner's code may raise anything: it ends in a sentence, not in a lost task
        try:
            act(*given)
        except Exception as error:
            self.stop(f"Stopped. {str(error) or type(error).__name__}")

    def _fail(self, reason):
        self.stop(reason)
        if self._make:  # an iterator that raised is over
            self.steps = iter(self._make())

    def _grant(self):
        granted = False
        while self._requests:
            self._try(self._requests.popleft())
            granted = True
        if granted:
            self._try(self.on_show, True)

    def _on_interrupt(self, *_):  # a step that is made by half would be missing in the record
        if self._interrupted:  # the second one does not wait for its end
            raise KeyboardInterrupt
        self._interrupted = self.playing


def _counted(steps: int) -> int:
    if steps < 1 or steps % 1:  # counting down would never end at 0
        raise ValueError(f"one step or more can be played, a whole number of them, not {steps!r}")
    return int(steps)


def _listen_for_interrupts(handler: Callable | None, mode: str = "task") -> None:
    """Hear the interrupt (SIGINT) while steps are made; by itself a kernel ignores it while no cell runs.

    Asked anew for each slice, since a kernel puts its own handler back after each message.  `None`: ignore it again.
    """
    kernel = mode != "task" or "ipykernel" in sys.modules
    if threading.current_thread() is not threading.main_thread() or not kernel:
        return
    current = signal.getsignal(signal.SIGINT)
    if handler is None and getattr(current, "__func__", None) is Player._on_interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    elif handler is not None and current != handler:
        signal.signal(signal.SIGINT, handler)
