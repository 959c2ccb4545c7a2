"""Draw lines and rows as interactive plotly figures, for pages where one can point at them."""

from __future__ import annotations

from html import escape

import numpy as np

from .history import number
from .style import DASHES, FAINT, INK, MARKS, colour, layout, load


def draw(chart):
    """Make the plotly figure of a chart of lines or of rows."""
    figure = load("plotly.graph_objects").Figure()
    return _curves(chart, figure) if hasattr(chart, "lines") else _rows(chart, figure)


def _curves(chart, figure):
    xlabel, ylabel, marks = chart.axes()
    if chart.level:  # a trace and not a shape: above the grid, below the curves
        look = dict(line=dict(color=INK, width=1.4, dash="longdash"), hoverinfo="skip", showlegend=False)
        figure.add_scatter(x=chart.width(), y=[chart.level[0]] * 2, mode="lines", **look)
    for line in chart.lines:
        _line(line, chart.unit, figure)
    for mark in chart.marks:
        figure.add_vline(x=mark.x, line=dict(color=INK, width=1, dash="dot"), annotation_text=escape(mark.label))
    beside = dict(x=1, xref="paper", xanchor="left", xshift=4, showarrow=False, font_size=13)
    for _, text, y, shift in chart.ends():
        figure.add_annotation(text=escape(text), y=chart.place(y), yshift=shift, **beside)
    title = f"<b>{escape(chart.title)}</b>"
    if chart.level and chart.level[1]:
        title += f"<br>– – {escape(chart.level[1])}"
    corner = dict(x=0, y=1, xref="paper", yref="paper", xanchor="left", yanchor="bottom", xshift=-60, yshift=4)
    figure.add_annotation(text=title, align="left", showarrow=False, **corner)
    figure.update_yaxes(
        type="log" if chart.log else "linear",
        range=chart.span(),
        nticks=6,
        ticksuffix=chart.unit,
        title=dict(text=ylabel, font_size=13),
        gridcolor=FAINT,
        zeroline=False,
        **dict(tickvals=marks, ticktext=[number(mark) for mark in marks]) if marks else {},
    )
    names = [escape(name) for name in chart.ticks or []]
    figure.update_xaxes(
        title=dict(text=xlabel, font_size=13, standoff=8),
        gridcolor=FAINT,
        zeroline=False,
        tickangle=0,
        **dict(tickvals=list(range(len(names))), ticktext=names) if names else dict(tickformat=",", nticks=5),
    )
    top, longest = 54 if chart.level else 34, max((len(text) for _, text, *_ in chart.ends()), default=0)
    return figure.update_layout(**layout(chart.height + 46 + top, l=70, r=12 + 8 * longest, t=top, b=46))


def _line(line, unit: str, figure) -> None:
    ink = colour(line.style)
    look = dict(name=escape(line.label), showlegend=line.kind == "dots", hovertemplate="%{x}: %{y:.4g}" + unit)
    if line.kind == "bars":
        text = dict(text=[f"{y:.1f}" for y in line.y], textposition="outside", textangle=0, textfont_size=11)
        figure.add_bar(x=line.x, y=line.y, marker_color=ink, constraintext="none", **text, **look)
    for x, y, width, opacity, dash, marked in line.strokes():
        symbol = MARKS[line.style % len(MARKS)] + "-open"
        figure.add_scatter(
            x=x,
            y=y,
            mode="+".join(["lines"] * (width > 0) + ["markers"] * marked),
            line=dict(color=ink, width=width, dash=DASHES[(dash or 0) % len(DASHES)]),
            marker=dict(symbol=symbol, size=11, line_width=2.2, color=ink) if marked else None,
            opacity=opacity,
            **look,
        )


def _rows(chart, figure):
    names, spots = chart.names(), chart.spots()
    for group in dict.fromkeys(spot.group for spot in spots):
        mine = [spot for spot in spots if spot.group == group]
        style, mark, filled = chart.look(group)
        ends = np.array([[spot.low, spot.high] for spot in mine])
        x = np.array([spot.x for spot in mine])
        bars = dict(type="data", symmetric=False, array=ends[:, 1] - x, arrayminus=x - ends[:, 0], color=colour(style))
        figure.add_scatter(
            x=x,
            y=[names[spot.row] for spot in mine],
            mode="markers",
            name=group,
            marker=dict(symbol=MARKS[mark] + "-open" * (not filled), color=colour(style), size=11, line_width=2),
            error_x=bars if np.isfinite(ends).all() else None,
            customdata=[spot.note for spot in mine],
            hovertemplate="%{y}: %{customdata}<extra></extra>",
        )
    if chart.zero:
        figure.add_vline(x=0, line=dict(color=INK, dash="longdash", width=1))
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], automargin=True)
    figure.update_xaxes(title_text=chart.xlabel, gridcolor=FAINT, zeroline=False)
    return figure.update_layout(**layout(100 + 32 * len(names), l=10, r=20, t=30, b=50))
