"""How a control and the model stay the same: a change asks for something, and the control follows what came of it."""

from collections.abc import Callable

import ipywidgets as widgets


class Control:
    """A widget whose change, by the page or by a program, asks for something; `follow` sets it without asking."""

    def __init__(self, widget: widgets.Widget, ask: Callable[[object], None], trait: str = "value"):
        self.widget, self._ask, self._trait = widget, ask, trait
        widget.observe(self._changed, trait)

    def follow(self, **traits) -> None:
        """Set the widget to what the model is now; `max` or `options` go before the value that needs them."""
        self.widget.unobserve(self._changed, self._trait)
        try:
            for name, value in traits.items():
                if getattr(self.widget, name) != value:
                    setattr(self.widget, name, value)
        finally:
            self.widget.observe(self._changed, self._trait)

    def _changed(self, change):
        self._ask(change["new"])


def close(widget: widgets.Widget) -> None:
    """Close a widget and everything in it, layouts and styles too, so that kernel and page free their memory."""
    for part in (*getattr(widget, "children", ()), getattr(widget, "layout", None), getattr(widget, "style", None)):
        if isinstance(part, widgets.Widget):
            close(part)
    widget.close()
