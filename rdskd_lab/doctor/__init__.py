"""What is wrong with this machine, what to type, how long things take: `doctor()` prints it."""

from .report import doctor

__all__ = ["doctor"]
