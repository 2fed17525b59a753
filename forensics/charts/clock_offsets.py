"""Clocks beside each other: how far each source's is from the reference, and how sure that is."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import polars as pl

from forensics.charts._theme import Palette, palette, template
from forensics.escape import html

MOST_ROWS = 40
"""More sources than this no longer have a line each: those that are furthest off are shown, and how many are not."""
_LEAST_S = 1e-6


def clock_offsets(clocks: pl.DataFrame, highlighted: tuple[str, ...] = (), *, dark: bool = False) -> go.Figure:
    """Draw each clock's offset with its bound.

    A dot is the offset, the bar the bound; a clock that was set has a dot for each stretch, joined by a line. The
    scale is linear up to ten milliseconds around zero and logarithmic beyond, so that a leap of a minute and an error
    of a tenth of a second can be read side by side.

    Args:
        clocks: One row per source and stretch: ``source``, ``reference``, ``offset_s``, ``bound_s``, ``basis``,
            ``from_at`` (text, None for the beginning).
        highlighted: Sources that the finding is about.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped: plotly reads a part of HTML.
    """
    colours = palette(dark=dark)
    named = clocks.group_by("source").agg(
        worst=(pl.col("offset_s").abs() + pl.col("bound_s")).max(),
        own=pl.col("source").first().is_in(list(highlighted)),
    )
    shown = named.sort("own", "worst", "source", descending=[True, True, False]).head(MOST_ROWS)
    order = shown.sort("worst", "source", descending=[False, True])["source"].to_list()
    lanes = {source: n for n, source in enumerate(order)}
    rows = clocks.filter(pl.col("source").is_in(order)).sort("source", "from_at", nulls_last=False)
    figure = go.Figure()
    for source, lane in lanes.items():
        _clock(figure, rows.filter(pl.col("source") == source), lane, colours, own=source in highlighted)
    left = named.height - shown.height
    reference = ", ".join(sorted(set(clocks["reference"].drop_nulls().to_list()))[:3])
    figure.add_vline(x=0, line={"color": colours.ink, "width": 1})
    figure.update_layout(
        template=template(dark=dark),
        title={
            "text": "How far each clock is from the reference",
            "subtitle": {
                "text": str(html(f"zero is {reference}; bars reach as far as the offset may be wrong"))
                + (f"; {left:,} sources that are closer are not shown" if left else "")
            },
        },
        height=170 + 34 * max(len(lanes), 3),
        margin={"l": 20, "r": 30, "t": 80, "b": 60},
        showlegend=False,
    )
    ticks = [0.0, *(sign * value for sign in (-1, 1) for value in (0.01, 0.1, 1, 10, 100, 1000, 10_000))]
    reach = max((_bent(abs(row["offset_s"]) + row["bound_s"]) for row in rows.iter_rows(named=True)), default=1.0)
    figure.update_xaxes(
        title_text="this clock minus the reference, seconds",
        tickvals=[_bent(tick) for tick in ticks],
        ticktext=[f"{tick:+g}" if tick else "0" for tick in ticks],
        range=[-max(reach, 1.2) * 1.08, max(reach, 1.2) * 1.08],
    )
    figure.update_yaxes(
        tickvals=list(lanes.values()),
        ticktext=[str(html(source if len(source) <= 44 else f"…{source[-43:]}")) for source in lanes],
        range=[-0.7, len(lanes) - 0.3],
        automargin=True,
        showgrid=False,
    )
    return figure


def _bent(seconds: float) -> float:
    """A place on the axis: linear near zero, then a unit for each power of ten."""
    from math import log10

    size = abs(seconds)
    place = size / 0.01 if size <= 0.01 else 1 + log10(size / 0.01)
    return place if seconds >= 0 else -place


def _clock(figure: go.Figure, rows: pl.DataFrame, lane: int, colours: Palette, *, own: bool) -> None:
    """One clock: a dot for each stretch, its bound, and a line from one to the next."""
    told: list[dict[str, Any]] = list(rows.iter_rows(named=True))
    colour = colours.trouble if own else colours.asks
    places = [_bent(row["offset_s"]) for row in told]
    lifts = [lane + (0.18 * (n - (len(told) - 1) / 2) if len(told) > 1 else 0.0) for n in range(len(told))]
    for row, lift in zip(told, lifts, strict=True):
        ends = [_bent(row["offset_s"] - row["bound_s"]), _bent(row["offset_s"] + row["bound_s"])]
        figure.add_scatter(
            x=ends, y=[lift, lift], mode="lines", line={"color": colour, "width": 7}, opacity=0.32, hoverinfo="skip"
        )
    if len(told) > 1:
        figure.add_scatter(
            x=places, y=lifts, mode="lines", line={"color": colour, "width": 1, "dash": "dot"}, hoverinfo="skip"
        )
    texts = [
        "<br>".join(
            [
                f"<b>{html(row['source'])}</b>",
                f"{row['offset_s']:+.6f} s ± {max(row['bound_s'], _LEAST_S):.6f} s",
                *([f"from {html(row['from_at'])} on"] if row["from_at"] else []),
                str(html(str(row["basis"])[:160])),
            ]
        )
        for row in told
    ]
    figure.add_scatter(
        x=places,
        y=lifts,
        mode="markers",
        marker={"color": colour, "size": 9},
        text=texts,
        hovertemplate="%{text}<extra></extra>",
    )
