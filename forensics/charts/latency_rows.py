"""Latency against the rows of a table: every request, the robust line through them, and what a purge would leave."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl

from forensics.charts._theme import Palette, palette, template
from forensics.escape import html
from forensics.records import Finding

MOST_MARKS = 4000
"""More marks than this hide each other: then one stands for many."""
BINS = 60
SCALE = 100_000


def latency_rows(
    points: pl.DataFrame, finding: Finding, level_s: float, remaining_rows: int | None = None, *, dark: bool = False
) -> go.Figure:
    """Draw how an operation slows down with a table.

    Each mark is a request; those after a purge have a shape of their own. The line is Theil's and Sen's, the shade
    around it turns with the slope's 95 % interval about the middle of the rows. Of more than `MOST_MARKS` requests,
    medians of as many groups of like rows are drawn, with bars from the tenth to the ninetieth percentile.

    Args:
        points: ``rows``, ``duration_s``, ``at`` (UTC), ``after`` (whether after a purge), ``source``, ``position``.
        finding: The finding that is drawn.
        level_s: The line at no rows.
        remaining_rows: What a purge would leave, where that is known.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped: plotly reads a part of HTML.
    """
    colours = palette(dark=dark)
    figure = go.Figure()
    _line(figure, points, finding, level_s, colours)
    for after, name in ((False, "request"), (True, "request after the purge")):
        part = points.filter(pl.col("after") == after)
        if not part.is_empty():
            _marks(figure, part, name, after, colours)
    facts = finding.facts
    predicted = facts.get("predicted_s_after_purge")
    if predicted is not None and remaining_rows is not None:
        figure.add_trace(
            go.Scatter(
                x=[remaining_rows],
                y=[predicted],
                mode="markers+text",
                text=[f"after a purge of {facts['purgeable_rows']:,} rows"],
                textposition="bottom right",
                textfont={"color": colours.good},
                marker={"symbol": "star", "size": 15, "color": colours.good},
                name="foretold for a purge",
                hovertemplate="%{x:,.0f} rows: %{y:.3g} s<extra></extra>",
            )
        )  # fmt: skip
    slope, low, high = (f"{facts[name]:.4g}" for name in ("seconds_per_100k_rows", "ci_low", "ci_high"))
    subtitle = (
        f"{finding.confidence}: {slope} s per 100,000 rows (95 %: {low} to {high}), rank correlation "
        f"{facts['rank_correlation']:.2f}, {facts['requests']:,} requests"
    )
    title = str(html(_wrapped(finding.title))).replace("\n", "<br>")
    figure.update_layout(
        template=template(dark=dark),
        title={"text": title, "subtitle": {"text": str(html(subtitle))}},
        height=560,
        margin={"l": 20, "r": 30, "t": 120, "b": 100},
        legend={"y": -0.16},
    )
    figure.update_xaxes(title_text=str(html(f"rows of {facts['table']} as of the request")), tickformat="~s")
    figure.update_yaxes(title_text="seconds", rangemode="tozero", automargin=True)
    return figure


def _wrapped(title: str) -> str:
    """A long title on two lines, cut at its colon."""
    head, colon, rest = title.partition(": ")
    return f"{head}:\n{rest}" if colon and len(title) > 90 else title


def _line(figure: go.Figure, points: pl.DataFrame, finding: Finding, level_s: float, colours: Palette) -> None:
    rows = points["rows"]
    low, high, middle = float(rows.min() or 0), float(rows.max() or 0), float(rows.median() or 0)  # type: ignore[arg-type]
    slope, bottom, top = (finding.facts[name] / SCALE for name in ("seconds_per_100k_rows", "ci_low", "ci_high"))
    centre = level_s + slope * middle
    shade = [(x, centre + steep * (x - middle)) for x, steep in ((low, top), (middle, slope), (high, bottom))]
    shade += [(x, centre + steep * (x - middle)) for x, steep in ((high, top), (middle, slope), (low, bottom))]
    figure.add_trace(
        go.Scatter(
            x=[x for x, _ in shade],
            y=[y for _, y in shade],
            fill="toself",
            mode="none",
            fillcolor=colours.quiet,
            name="95 % interval of the slope",
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[low, high],
            y=[level_s + slope * low, level_s + slope * high],
            mode="lines",
            line={"color": colours.trouble, "width": 2},
            name="Theil and Sen's line",
            hoverinfo="skip",
        )
    )


def _marks(figure: go.Figure, part: pl.DataFrame, name: str, after: bool, colours: Palette) -> None:
    look = {
        "color": colours.good if after else colours.asks,
        "symbol": "diamond" if after else "circle",
        "size": 9 if after else 7,
        "opacity": 0.75,
    }
    if part.height <= MOST_MARKS:
        cited = [
            f"{at:%Y-%m-%d %H:%M:%S} UTC<br>{html(source)}:{position}"
            for at, source, position in part.select("at", "source", "position").iter_rows()
        ]
        figure.add_trace(
            go.Scatter(
                x=part["rows"].to_list(),
                y=part["duration_s"].to_list(),
                text=cited,
                mode="markers",
                marker=look,
                name=name,
                hovertemplate="%{x:,} rows: %{y:.4g} s<br>%{text}<extra></extra>",
            )
        )
        return
    seconds = pl.col("duration_s")
    groups = (
        part.sort("rows", "duration_s")
        .with_columns(group=pl.int_range(pl.len()) * BINS // pl.len())
        .group_by("group", maintain_order=True)
        .agg(
            pl.col("rows").median(),
            mid=seconds.median(),
            p10=seconds.quantile(0.1),
            p90=seconds.quantile(0.9),
            n=pl.len(),
        )
    )
    figure.add_trace(
        go.Scatter(
            x=groups["rows"].to_list(),
            y=groups["mid"].to_list(),
            error_y={
                "type": "data",
                "symmetric": False,
                "array": (groups["p90"] - groups["mid"]).to_list(),
                "arrayminus": (groups["mid"] - groups["p10"]).to_list(),
                "color": colours.load,
                "thickness": 1,
            },
            text=[f"{count:,} requests" for count in groups["n"]],
            mode="markers",
            marker=look,
            name=f"median of about {part.height // BINS:,} of {part.height:,} requests, bars 10 to 90 %",
            hovertemplate="%{x:,} rows: %{y:.4g} s<br>%{text}<extra></extra>",
        )
    )
