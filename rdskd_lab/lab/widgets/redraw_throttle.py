"""Draw often enough to look alive, seldom enough not to slow the training down, and always draw the last state."""

import asyncio
from collections.abc import Callable
from time import perf_counter

FASTEST = 0.2  # s between two drawings, whatever is pressed
SHARE = 0.04  # of the time that drawing may take while nothing is pressed


class RedrawThrottle:
    """Calls `draw()` now, or later, or leaves it to the next call; a forced drawing is never lost."""

    def __init__(self, draw: Callable[[], None], loop: asyncio.AbstractEventLoop | None):
        self.draw, self.loop = draw, loop
        self.drawn = 0  # drawings so far
        self._earliest = self._usual = 0.0  # times of the next forced, and of the next unforced drawing
        self._due, self._timer = False, None

    def __call__(self, force: bool) -> None:
        self._due |= force
        now = perf_counter()
        wait = (self._earliest if self._due else self._usual) - now
        if wait <= 0 or (force and self.loop is None):
            self._draw(now)
        elif self._due and self._timer is None and self.loop is not None:
            self._timer = self.loop.call_later(wait, self._late)

    def stop(self) -> None:
        """Draw no more."""
        if self._timer is not None:
            self._timer.cancel()
        self.draw = lambda: None

    def _late(self):
        self._timer = None
        if self._due:
            self._draw(perf_counter())

    def _draw(self, now):
        self._due = False
        self.draw()
        self.drawn += 1
        cost = perf_counter() - now
        self._earliest, self._usual = now + FASTEST, now + max(FASTEST, cost / SHARE)
