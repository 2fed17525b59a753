"""Hosts as lanes: when each was heard, when it was silent, and what was done to whom meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import polars as pl

from forensics.charts._theme import Palette, palette, template
from forensics.escape import html
from forensics.records import Finding

MOST_HOSTS = 24
"""More lanes than this are not read: the hosts concerned are drawn, then others up to here, and it is said."""
MOST_TICKS = 600
"""More passes than this merge into a band: they are left out, and it is said."""
MOST_REMOVALS = 60
"""More lines across all lanes than this hide what they are to show: the crosses stay."""
KINDS = {
    "removed in use": ("x", 13, "trouble"),
    "removed, not needed": ("x-thin", 9, "faint"),
    "did not start": ("square", 11, "trouble"),
    "runs without it": ("circle", 9, "answers"),
    "image cache looks": ("line-ns", 9, "asks"),
}
"""What a mark says -> symbol, size, colour by meaning."""


def host_lanes(
    finding: Finding, lanes: pl.DataFrame, silences: pl.DataFrame, marks: pl.DataFrame, *, dark: bool = False
) -> go.Figure:
    """Draw hosts that were up and down, and what happened while they were.

    Time runs to the right, every host has a lane: a bar where it was heard, an open box where it was silent. A cross
    is a file that was removed, a square an instance that failed to start, a dot one that runs on what is no more.

    Args:
        finding: The finding that is drawn: the hosts that it names come first.
        lanes: ``host``, ``from_at``, ``to_at`` (instants), ``lines``: where each host was heard.
        silences: ``host``, ``from_at``, ``to_at`` (null while it lasts).
        marks: ``host``, ``at``, ``what`` (a key of ``KINDS``), ``text``, ``source``, ``locator``.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped: plotly reads a part of HTML.
    """
    colours = palette(dark=dark)
    order, left_out = _order(finding, lanes, silences, marks)
    places = {host: place for place, host in enumerate(reversed(order))}
    figure = go.Figure()
    _heard(figure, lanes, places, colours)
    _silent(figure, silences, places, colours, _end(lanes, marks))
    dropped = _marked(figure, marks, places, colours)
    removed = marks.filter(pl.col("what") == "removed in use")["at"].drop_nulls().head(MOST_REMOVALS).to_list()
    look: dict[str, Any] = {"type": "line", "yref": "paper", "y0": 0, "y1": 1}
    look["line"] = {"color": colours.trouble, "width": 1, "dash": "dot"}
    figure.update_layout(shapes=[*figure.layout.shapes, *({**look, "x0": at, "x1": at} for at in map(_shown, removed))])
    notes = [f"{left_out} other hosts are not drawn"] if left_out else []
    notes += ["passes of the image cache are too many to draw"] if dropped else []
    figure.update_layout(
        template=template(dark=dark),
        title={"text": _wrapped(finding.title), "subtitle": {"text": "; ".join([finding.confidence, *notes])}},
        barmode="overlay",
        bargap=0.4,
        height=230 + 46 * len(order),
        margin={"l": 20, "r": 30, "t": 112, "b": 90},
        legend={"y": -0.28 if len(order) < 6 else -0.18},
    )
    figure.update_yaxes(
        tickvals=list(places.values()),
        ticktext=[str(html(host)) for host in places],
        range=[-0.7, len(order) - 0.3],
        automargin=True,
        showgrid=False,
    )
    figure.update_xaxes(title_text="UTC, on the case's clock", type="date")
    return figure


def _wrapped(title: str) -> str:
    """A long title in two lines, cut where it says who was silent or hit."""
    for cut, keep in ((", which ", "which "), (", while ", "while "), (": ", "")):
        head, found, tail = title.partition(cut)
        if found and len(title) > 90:
            return f"{html(head + cut[0])}<br>{html(keep + tail)}"
    return str(html(title))


def _shown(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _end(lanes: pl.DataFrame, marks: pl.DataFrame) -> datetime | None:
    ends = [*lanes["to_at"].drop_nulls().to_list(), *marks["at"].drop_nulls().to_list()]
    return max(ends, default=None)


def _order(finding: Finding, lanes: pl.DataFrame, silences: pl.DataFrame, marks: pl.DataFrame) -> tuple[list[str], int]:
    """The hosts from top to bottom, those concerned first, and how many are left out."""
    concerned = [*finding.entities.get("hosts", ()), *silences["host"].to_list(), *marks.filter(
        ~pl.col("what").is_in(["image cache looks", "removed, not needed"]))["host"].to_list()]  # fmt: skip
    known = sorted(set(lanes["host"]) | set(silences["host"]) | set(marks["host"]))
    first = [host for host in known if host in set(concerned)]
    rest = [host for host in known if host not in set(concerned)]
    room = max(MOST_HOSTS - len(first), 3)
    return [*first, *rest[:room]], max(len(rest) - room, 0)


def _heard(figure: go.Figure, lanes: pl.DataFrame, places: dict[str, int], colours: Palette) -> None:
    drawn = lanes.filter(pl.col("host").is_in(list(places)))
    _bars(
        figure, "heard", drawn, places, [f"{lines:,} lines" for lines in drawn["lines"]],
        {"color": colours.good, "opacity": 0.75}, 0.34,
    )  # fmt: skip


def _silent(
    figure: go.Figure, silences: pl.DataFrame, places: dict[str, int], colours: Palette, end: datetime | None
) -> None:
    closed = silences.with_columns(pl.col("to_at").fill_null(end) if end else pl.col("to_at")).drop_nulls("to_at")
    texts = ["silent" if last else "silent to the end of the evidence" for last in silences["to_at"].is_not_null()]
    marker = {"color": colours.quiet, "line": {"color": colours.trouble, "width": 1.5}}
    _bars(figure, "silent", closed, places, texts[: closed.height], marker, 0.62)


def _bars(
    figure: go.Figure, name: str, rows: pl.DataFrame, places: dict[str, int], texts: list[str], marker: dict[str, Any],
    width: float,
) -> None:  # fmt: skip
    if rows.is_empty():
        return
    lengths = (rows["to_at"] - rows["from_at"]).dt.total_milliseconds().clip(1).to_list()
    hovers = [
        f"<b>{html(host)}</b>: {text}<br>{_shown(start)[:19]} to {_shown(stop)[:19]}"
        for host, start, stop, text in zip(rows["host"], rows["from_at"], rows["to_at"], texts, strict=True)
    ]
    figure.add_trace(
        go.Bar(
            base=[_shown(at) for at in rows["from_at"]],
            x=lengths,
            y=[places[host] for host in rows["host"]],
            orientation="h",
            width=width,
            name=name,
            marker=marker,
            text=[],
            hovertext=hovers,
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )


def _marked(figure: go.Figure, marks: pl.DataFrame, places: dict[str, int], colours: Palette) -> bool:
    """Draw the marks, one trace a kind; whether the passes were too many."""
    dropped = marks.filter(pl.col("what") == "image cache looks").height > MOST_TICKS
    for what, (symbol, size, meaning) in reversed(KINDS.items()):
        rows = marks.filter((pl.col("what") == what) & pl.col("host").is_in(list(places)))
        if rows.is_empty() or (dropped and what == "image cache looks"):
            continue
        colour = getattr(colours, meaning)
        thin = symbol in ("line-ns", "x-thin")
        figure.add_trace(
            go.Scatter(
                x=[_shown(at) for at in rows["at"]],
                y=_spread(rows, places),
                mode="markers",
                name=what,
                marker={"symbol": symbol, "size": size, "color": colour, "line": {"width": 1.5 if thin else 0.5,
                        "color": colour}},
                hovertext=[
                    f"<b>{what}</b> {_shown(row['at'])[:23]}<br>{html(row['text'])}<br>"
                    f"{html(row['source'] or '')} {html(row['locator'] or '')}"
                    for row in rows.iter_rows(named=True)
                ],
                hovertemplate="%{hovertext}<extra></extra>",
            )
        )  # fmt: skip
    return dropped


def _spread(rows: pl.DataFrame, places: dict[str, int]) -> list[float]:
    """Lanes of marks; those of one host within a few minutes stand above each other."""
    taken: dict[str, tuple[datetime, int]] = {}
    heights = []
    for host, at, what in rows.select("host", "at", "what").iter_rows():
        before, level = taken.get(host, (at - timedelta(days=1), 0))
        level = (level + 1) % 4 if at - before < timedelta(minutes=3) and what != "image cache looks" else 0
        taken[host] = (at, level)
        heights.append(places[host] + 0.14 * level)
    return heights
