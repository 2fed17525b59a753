"""Answers with console logs over the broker's traffic: how often, how large, and what the broker did about it."""

from __future__ import annotations

import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots

from forensics.charts._theme import Palette, headline, palette, template
from forensics.escape import html
from forensics.records import Finding

MOST_MARKS = 400
"""More answers than this are drawn as the largest of each of so many equal spans of time."""
_BINS = 200


def console_broker(
    finding: Finding,
    answers: pl.DataFrame,
    others: pl.DataFrame,
    alarms: pl.DataFrame,
    traffic: pl.DataFrame,
    *,
    dark: bool = False,
) -> go.Figure:
    """Draw a console log that went through the message broker.

    Each stem is one answer, as high as it is large (a logarithmic scale: other instances' answers stay visible).
    Shaded is the time in which the broker made publishers wait. Below, where there is a capture, what was published.

    Args:
        finding: A `console-log-flood`.
        answers: One row an answer of that instance: ``at``, ``size_bytes``, ``source``, ``position``.
        others: The same for other instances.
        alarms: One row an alarm: ``at``, ``until``, ``node``, ``kind``.
        traffic: One row a message: ``at``, ``published_bytes``; may be empty.
        dark: For a dark page.
    """
    colours = palette(dark=dark)
    has_traffic = not traffic.is_empty()
    heights = [0.66, 0.34] if has_traffic else [1.0]
    figure = make_subplots(rows=len(heights), cols=1, shared_xaxes=True, vertical_spacing=0.08, row_heights=heights)
    sized = answers.filter(pl.col("size_bytes") > 0)
    shown, thinned = _thinned(sized)
    _stems(figure, shown, colours)
    small, _ = _thinned(others.filter(pl.col("size_bytes") > 0))
    _dots(figure, small, "other instances' consoles", colours.asks)
    _dots(figure, shown, f"this console{' (largest of each span)' if thinned else ''}", colours.trouble)
    if has_traffic:
        _traffic(figure, traffic, colours)
    _alarms(figure, alarms, colours, rows=len(heights), end=_end(answers, traffic, alarms))
    figure.update_yaxes(type="log", title_text="one answer", row=1, col=1, **_log_ticks(shown, small))
    figure.update_layout(
        template=template(dark=dark),
        title={"text": headline(finding.title), "subtitle": {"text": _subtitle(finding, alarms)}},
        height=560 if has_traffic else 420,
        margin={"l": 20, "r": 30, "t": 112, "b": 80},
        legend={"y": -0.14},
    )
    figure.update_yaxes(automargin=True)
    figure.update_xaxes(title_text="UTC", row=len(heights), col=1)
    return figure


def _subtitle(finding: Finding, alarms: pl.DataFrame) -> str:
    users = len(finding.entities.get("users", ()))
    by = f" by {users} user{'' if users == 1 else 's'}" if users else ""
    shade = "; shaded: the broker makes publishers wait" if alarms.height else ""
    return f"{finding.facts['requests']} requests{by}{shade}"


def _thinned(rows: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
    """The rows, or the largest of each span of time where they are many."""
    if rows.height <= MOST_MARKS:
        return rows, False
    first, last = rows["at"].min(), rows["at"].max()
    share = (pl.col("at") - first) / (last - first)  # type: ignore[operator]
    ranked = rows.with_columns(bin=(share * (MOST_MARKS - 1)).floor()).sort("size_bytes", descending=True)
    return ranked.unique("bin", keep="first", maintain_order=True).sort("at"), True


def _stems(figure: go.Figure, rows: pl.DataFrame, colours: Palette) -> None:
    x: list[object] = []
    y: list[object] = []
    for at, size in rows.select("at", "size_bytes").iter_rows():
        x += [at, at, None]
        y += [1, size, None]
    line = {"color": colours.trouble, "width": 1.5}
    figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False), row=1, col=1)


def _dots(figure: go.Figure, rows: pl.DataFrame, name: str, colour: str) -> None:
    if rows.is_empty():
        return
    text = [
        f"{_bytes(size)}<br>{html(str(source))}:{position}"
        for size, source, position in rows.select("size_bytes", "source", "position").iter_rows()
    ]
    figure.add_trace(
        go.Scatter(
            x=rows["at"].to_list(), y=rows["size_bytes"].to_list(), mode="markers", name=name, text=text,
            marker={"color": colour, "size": 8}, hovertemplate="%{x|%H:%M:%S}<br>%{text}<extra></extra>",
        ),
        row=1, col=1,
    )  # fmt: skip


def _traffic(figure: go.Figure, traffic: pl.DataFrame, colours: Palette) -> None:
    at = pl.col("at").to_physical()
    first, last = traffic.select(first=at.min(), last=at.max()).row(0)
    step = max((last - first) // _BINS, 1)
    summed = traffic.group_by(bin=(at - first) // step).agg(pl.col("published_bytes").sum())
    whole = pl.DataFrame({"bin": range(_BINS + 2)}, schema={"bin": pl.Int64})
    filled = whole.join(summed, on="bin", how="left").sort("bin").with_columns(pl.col("published_bytes").fill_null(0))
    instant = (pl.col("bin") * step + first).cast(pl.Datetime("ns", "UTC"))
    points = filled.select(at=instant, rate=pl.col("published_bytes") / (step / 1e9) / 1e6)
    figure.add_trace(
        go.Scatter(
            x=points["at"].to_list(), y=points["rate"].to_list(), mode="lines", fill="tozeroy",
            line={"color": colours.load, "shape": "hv"}, name="published to the broker",
            hovertemplate="%{x|%H:%M:%S}<br>%{y:.3g} MB/s<extra></extra>",
        ),
        row=2, col=1,
    )  # fmt: skip
    figure.update_yaxes(title_text="MB/s", row=2, col=1, rangemode="tozero")


def _end(*frames: pl.DataFrame) -> object:
    return max((frame["at"].max() for frame in frames if frame.height), default=None)  # type: ignore[type-var]


def _alarms(figure: go.Figure, alarms: pl.DataFrame, colours: Palette, *, rows: int, end: object) -> None:
    for at, until in alarms.select("at", "until").head(60).iter_rows():
        for row in range(1, rows + 1):
            figure.add_vrect(
                x0=at, x1=until or end, fillcolor=colours.quiet, line_width=0, layer="below", row=row, col=1
            )


def _log_ticks(*frames: pl.DataFrame) -> dict[str, object]:
    """Ticks of a logarithmic scale in words: 1 kB, 1 MB, 1 GB."""
    most = max((int(frame["size_bytes"].max()) for frame in frames if frame.height), default=1000)  # type: ignore[arg-type]
    powers = [power for power in range(2, 13) if 10**power <= most * 10]
    least = min((int(frame["size_bytes"].min()) for frame in frames if frame.height), default=100)  # type: ignore[arg-type]
    floor = max(len(str(least)) - 1.3, 0)
    return {
        "tickvals": [10**power for power in powers],
        "ticktext": [_bytes(10**power) for power in powers],
        "range": [floor, len(str(most)) + 0.2],
    }


def _bytes(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"
