"""What the course says to a learner: sentences in short lines, and verdicts with a coloured edge in a notebook."""

import html
import sys
import textwrap
from typing import NamedTuple

WIDTH = 100  # characters of a line that is printed
EDGES = {"right": "#1a7f37", "wrong": "#c62828", "misconception": "#c62828", "empty": "#8a8a8a"}


class Verdict(NamedTuple):
    """The result of a check: "empty", "wrong", "misconception" or "right"; its text; the misconception's name."""

    kind: str
    says: str
    name: str = ""

    def _repr_html_(self) -> str:
        word, rest = _split(self.says)
        edge = EDGES[self.kind]
        return (
            f'<div style="border-left: 6px solid {edge}; padding: 2px 12px; max-width: 52em">'
            f"<b>{html.escape(word, quote=False)}</b>{html.escape(rest, quote=False)}</div>"
        )

    def __repr__(self) -> str:
        return _lines(self.says)


def show(verdict: Verdict) -> None:
    """Show a verdict: as HTML and text in a notebook, as text elsewhere."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return print(verdict)
    from IPython.display import display

    display(verdict)


def say(text: str) -> None:
    """Print a sentence in lines of at most WIDTH characters."""
    print(_lines(text))


def _lines(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)


def _split(text: str) -> tuple[str, str]:
    """Split a verdict after its first words: "Right", "Not yet" or "Nothing here yet"."""
    at = min(i for i in (text.find("."), text.find(":"), len(text)) if i >= 0)
    return text[: at + 1], text[at + 1 :]
