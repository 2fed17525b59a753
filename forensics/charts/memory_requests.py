"""Memory of a process against the requests that it served, each of its lives for itself."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import polars as pl

from forensics.charts._theme import palette, template
from forensics.escape import html
from forensics.records import Finding

MOST_MARKS = 4000


def memory_requests(listings: pl.DataFrame, finding: Finding, *, dark: bool = False) -> go.Figure:
    """Draw how the memory of a process grows with what it serves.

    Every life of the program begins at no requests. The one that the finding tells of has its robust slope drawn
    through it, the others are fainter. Of more than `MOST_MARKS` listings, every so-manieth is drawn.

    Args:
        listings: ``life`` (its name), ``told`` (whether it is the finding's), ``served`` since its first listing,
            ``resident_bytes``, ``at`` (UTC), ``source``, ``position``.
        finding: The finding that is drawn.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped: plotly reads a part of HTML.
    """
    colours = palette(dark=dark)
    figure = go.Figure()
    facts = finding.facts
    for (life, told), part in listings.group_by("life", "told", maintain_order=True):
        shown = part.gather_every(max(1, part.height // MOST_MARKS + (part.height > MOST_MARKS)))
        cited = [
            f"{at:%Y-%m-%d %H:%M:%S} UTC<br>{html(source)}:{position}"
            for at, source, position in shown.select("at", "source", "position").iter_rows()
        ]
        figure.add_trace(
            go.Scatter(
                x=shown["served"].to_list(),
                y=shown["resident_bytes"].to_list(),
                text=cited,
                mode="lines+markers",
                line={"width": 1, "color": colours.asks if told else colours.faint},
                marker={"size": 6 if told else 4, "color": colours.asks if told else colours.faint},
                name=str(html(life)),
                hovertemplate="after %{x:,} requests: %{y:.4s}B<br>%{text}<extra></extra>",
            )
        )
        if told:
            slope = facts["bytes_per_request"]
            level = float(np.median((part["resident_bytes"] - slope * part["served"]).to_numpy()))
            ends = [float(end) for end in (part["served"].to_numpy().min(), part["served"].to_numpy().max())]
            figure.add_trace(
                go.Scatter(
                    x=ends,
                    y=[level + slope * end for end in ends],
                    mode="lines",
                    line={"color": colours.trouble, "width": 2, "dash": "dash"},
                    name="Theil and Sen's line",
                    hoverinfo="skip",
                )
            )
    subtitle = f"{finding.confidence}: {facts['bytes_per_request']:,.0f} bytes a request"
    if facts.get("exhausted_at"):
        subtitle += f", memory at its end {facts['exhausted_at']}"
    figure.update_layout(
        template=template(dark=dark),
        title={"text": str(html(finding.title)), "subtitle": {"text": str(html(subtitle))}},
        height=520,
        margin={"l": 20, "r": 30, "t": 100, "b": 100},
        legend={"y": -0.16},
    )
    figure.update_xaxes(title_text="requests served since the first listing", tickformat="~s", rangemode="tozero")
    figure.update_yaxes(
        title_text="resident memory", tickformat="~s", ticksuffix="B", rangemode="tozero", automargin=True
    )
    return figure
