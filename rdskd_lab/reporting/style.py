"""The look that all charts share: colours, dashes and marks, and the two plotting libraries, imported on demand.

Lines differ in colour (Okabe and Ito's palette, without its yellow), in dash and in the label at their end.
"""

from __future__ import annotations

from importlib import import_module

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = len(COLOURS)  # the style of what does not count: a term that is off, a claim that is not decided
DASHES = ("solid", "dash", "dot", "dashdot")
MARKS = ("circle", "diamond", "square", "triangle-up")
INK, FAINT = "#1a1a1a", "#d9d9d9"


def colour(style: int) -> str:
    """Return the colour of a style on a white ground."""
    return "#666666" if style == GREY else COLOURS[style % len(COLOURS)]


def load(module: str):
    """Import plotly or matplotlib, or say how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise ImportError(f"Figures need {package}, which is not installed: pip install {package}") from error


def canvas(width: float, height: float, columns: int = 1, rows: int = 1):
    """Make a matplotlib figure of width x height inches, without pyplot, and its axes in a flat array."""
    figure = load("matplotlib.figure").Figure(figsize=(width, height), dpi=120, layout="constrained")
    load("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False).flatten()


def layout(height: int, **margin) -> dict:
    """Return what all plotly figures share: a white ground in light and dark pages, dark ink, large type."""
    return dict(
        template="none",
        height=height,
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin=margin,
        dragmode=False,
        font=dict(family="system-ui, 'Segoe UI', Arial, sans-serif", size=14, color=INK),
        legend=dict(orientation="h", x=1, xanchor="right", y=1, yanchor="bottom"),
    )
