"""A bar to drag through a recorded run, by pointer or by arrow keys.

It is a range input with a name for screen readers, which the sliders of ipywidgets lack.
Where the page refuses the script, the field "go to step" beside it does the same.
"""

from importlib.resources import files

import anywidget
import traitlets


class Scrubber(anywidget.AnyWidget):
    """`step`, of 0 to `last`, as the page shows it or as somebody has dragged it."""

    _esm = (files(__package__) / "scrubber.js").read_text()
    step = traitlets.Int(0).tag(sync=True)
    last = traitlets.Int(0).tag(sync=True)
