"""Wait for what has to happen, and never for ever."""

import asyncio
import time


def wait_for(found, seconds: float = 60, every: float = 0.05):
    """Return the first truthy `found()`; raise an AssertionError when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"nothing within {seconds} s")


async def until(found, seconds: float = 60) -> None:
    """Let other tasks run until `found()` is truthy; raise an AssertionError when it is not in time."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, f"nothing within {seconds} s"
        await asyncio.sleep(0.01)
