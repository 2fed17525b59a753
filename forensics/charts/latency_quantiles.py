"""How long requests lasted, as shares: before and after a moment, or in two deployments."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from forensics.charts._theme import palette, template
from forensics.escape import html
from forensics.records import Finding

MOST_MARKS = 400
"""More requests than this are drawn by quantiles."""
_TICKS = [digit * 10.0**power for power in range(-6, 7) for digit in (1, 2, 5)]


def latency_quantiles(requests: pl.DataFrame, finding: Finding, *, dark: bool = False) -> go.Figure:
    """Draw two sets of requests of one operation by their quantiles.

    A line further right is slower; where it is steep, requests are alike. The dotted lines are the medians. Of more
    than `MOST_MARKS` requests, that many quantiles are drawn.

    Args:
        requests: ``side`` (two names, the slower one last), ``duration_s``, ``at`` (UTC), ``source``, ``position``.
        finding: The finding that is drawn.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped: plotly reads a part of HTML.
    """
    colours = palette(dark=dark)
    figure = go.Figure()
    sides = requests["side"].unique(maintain_order=True).to_list()
    for side, colour in zip(sides, (colours.asks, colours.trouble), strict=False):
        part = requests.filter(pl.col("side") == side).sort("duration_s", "at", "source", "position")
        ranked = part.with_columns(share=(pl.int_range(1, pl.len() + 1) - 0.5) / pl.len())
        many = ranked.height > MOST_MARKS
        if many:
            places = [round(n * (ranked.height - 1) / (MOST_MARKS - 1)) for n in range(MOST_MARKS)]
            ranked = ranked[places]
        cited = [
            f"{at:%Y-%m-%d %H:%M:%S} UTC<br>{html(source)}:{position}"
            for at, source, position in ranked.select("at", "source", "position").iter_rows()
        ]
        figure.add_trace(
            go.Scatter(
                x=ranked["duration_s"].to_list(),
                y=ranked["share"].to_list(),
                text=cited,
                mode="lines" if many else "lines+markers",
                line={"color": colour, "width": 2, "shape": "hv"},
                marker={"size": 4, "color": colour},
                name=f"{html(side)} ({part.height:,} requests)",
                hovertemplate="%{y:.0%} last %{x:.4g} s or less<br>%{text}<extra></extra>",
            )
        )
        middle = float(part["duration_s"].median() or 0)  # type: ignore[arg-type]
        figure.add_vline(x=middle, line={"color": colour, "width": 1.2, "dash": "dot"})
        figure.add_annotation(
            x=middle, y=1.0, yref="paper", xref="x", text=f"{middle:.3g} s", showarrow=False, yanchor="bottom",
            font={"size": 12, "color": colour}, axref="x",
        )  # fmt: skip
    facts = finding.facts
    subtitle = f"{finding.confidence}: medians {facts['before_median_s']:.4g} s and {facts['after_median_s']:.4g} s, {facts['ratio']:.3g} times"  # noqa: E501
    figure.update_layout(
        template=template(dark=dark),
        title={"text": str(html(finding.title)), "subtitle": {"text": str(html(subtitle))}},
        height=520,
        margin={"l": 20, "r": 30, "t": 120, "b": 100},
        legend={"y": -0.16},
    )
    figure.update_xaxes(title_text="seconds, logarithmic", type="log", tickvals=_TICKS, tickformat=",~r")
    figure.update_yaxes(title_text="share of the requests", tickformat=".0%", range=[0, 1.02], automargin=True)
    # an annotation on a logarithmic axis stands at the exponent
    for note in figure.layout.annotations:
        note.x = _exponent(float(note.x))
    return figure


def _exponent(value: float) -> float:
    from math import log10

    return log10(max(value, 1e-9))
