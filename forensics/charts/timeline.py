"""A timeline at a glance: lanes of events, notes as flags; in bins where there are more than can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from textwrap import wrap
from typing import Literal

import numpy as np
import plotly.graph_objects as go
import polars as pl

from forensics.charts._theme import Palette, palette, template
from forensics.charts._time import bin_width_s, stamp, stamp_ns, words
from forensics.errors import UnknownColumnError
from forensics.escape import html, masked

MOST_EVENTS = 2_000
"""More events than this are drawn in bins of equal width, coloured by how many there are; the subtitle says so."""
MOST_LANES = 40
"""The lanes with fewer events share one."""
MOST_BINS = 200
LANES = ("host", "record", "source")
NOTE = "Note"
_NOWHERE = {"host": "no host told", "record": "?", "source": "?"}
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "star", "hexagon")
_MOST_FLAGS = 12
_FAR, _MOST_OF_THEM = 10, 0.95
_MOST_CHARACTERS, _WIDTH = 320, 96


def timeline(
    rows: pl.DataFrame, *, lane: Literal["host", "record", "source"] = "host", dark: bool = False
) -> go.Figure:
    """Draw what happened, when and where.

    Args:
        rows: As `forensics.case.Case.timeline` gives it: ``at`` (Datetime ns UTC), ``host``, ``record``, ``text``,
            ``source`` and ``position``. Rows whose record is ``Note`` are flags over all lanes.
        lane: What a lane stands for.
        dark: For a dark page.

    Returns:
        One mark an event, or a cell for each lane and bin of time where there are more than `MOST_EVENTS`. Rows
        without an instant are not drawn, nor are a few (up to one in twenty) so far from all others that these would
        shrink to a dot, such as snapshots dated by their file; the subtitle counts both. Text from evidence is
        escaped, secrets are masked.

    Raises:
        UnknownColumnError: If ``lane`` is none of `LANES`, or the rows are no timeline.

    Examples:
        >>> at = pl.Series([1_360_892_418 * 10**9], dtype=pl.Datetime("ns", "UTC"))
        >>> row = {"host": "cc12", "record": "LogRecord", "text": "<b>", "source": "a", "position": 3}
        >>> rows = pl.DataFrame({"at": at} | row)
        >>> timeline(rows).data[0].hovertext[0].splitlines()
        ['<b>cc12</b> 2013-02-15 01:40:18.000000 UTC<br>&lt;b&gt;<br>a:3']
    """
    if lane not in LANES:
        raise UnknownColumnError(f"no lanes by {lane!r}", hint=f"there are {', '.join(LANES)}")
    missing = [name for name in ("at", *LANES, "text", "position") if name not in rows.columns]
    if missing:
        raise UnknownColumnError(f"no column {', '.join(missing)}", hint="give what case.timeline() returns")
    colours = palette(dark=dark)
    timed = rows.filter(pl.col("at").is_not_null())
    notes = timed.filter(pl.col("record") == NOTE)
    near, far = _near(timed.filter(pl.col("record") != NOTE).sort("at"))
    events, names, shared = _laned(near, lane)
    figure = go.Figure()
    said = [f"{events.height:,} events" if events.height != 1 else "1 event"]
    if events.height > MOST_EVENTS:
        said.append(f"in bins of {_binned(figure, events, names, colours)}")
    else:
        _marked(figure, events, colours)
    if shared:
        said.append(f"the {shared:,} quietest lanes share one")
    if far.height:
        said.append(f"{far.height:,} far from them ({_span(far)}) not drawn")
    left = rows.height - timed.height
    if left:
        said.append(f"{left:,} without a time {'is' if left == 1 else 'are'} not drawn")
    said += _flags(figure, notes, len(names), colours)
    figure.update_layout(
        template=template(dark=dark),
        title={"text": _span(pl.concat([near, notes])), "subtitle": {"text": "; ".join(said)}},
        height=238 + 30 * max(len(names), 2),
        margin={"l": 20, "r": 30, "t": 110, "b": 98},
        legend={"yref": "container", "y": 0.02, "yanchor": "bottom"},
        showlegend=events.height <= MOST_EVENTS,
    )
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[str(html(_short(name, 48))) for name in names],
        range=[len(names) - 0.4, -0.6 - bool(notes.height) * 0.7],
        automargin=True,
        showgrid=False,
    )
    figure.update_xaxes(title_text="UTC, on the case's clock", title_standoff=4, type="date")
    return figure


def _near(events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events by time without the few that lie further off than `_FAR` times what all others span; and those few."""
    instants = events["at"].dt.epoch("ns").to_numpy()
    low, high = 0, len(instants)
    while high - low > 1:
        cut = low + 1 + int(np.argmax(np.diff(instants[low:high])))
        rest = (cut, high) if cut - low < high - cut else (low, cut)
        span = int(instants[rest[1] - 1]) - int(instants[rest[0]])
        gap = int(instants[cut]) - int(instants[cut - 1])
        if gap <= _FAR * max(span, 1) or rest[1] - rest[0] < _MOST_OF_THEM * len(instants):
            break
        low, high = rest
    number = pl.int_range(pl.len())
    inside = number.is_between(low, high, closed="left")
    return events.filter(inside), events.filter(~inside)


def _laned(events: pl.DataFrame, lane: str) -> tuple[pl.DataFrame, list[str], int]:
    """The events with ``place`` (number of their lane), names of lanes from top to bottom, and how many share the last.

    Lanes stand in the order of their first events.
    """
    named = events.with_columns(lane=pl.col(lane).fill_null(_NOWHERE[lane]))
    counted = named.group_by("lane").agg(n=pl.len(), first=pl.col("at").min())
    ranked = counted.sort("n", "lane", descending=[True, False])
    own = ranked.head(MOST_LANES) if ranked.height > MOST_LANES + 1 else ranked
    shared = ranked.height - own.height
    names: list[str] = own.sort("first", "lane")["lane"].to_list()
    places = pl.DataFrame({"lane": names, "place": range(len(names))}, schema={"lane": pl.String, "place": pl.Int64})
    placed = named.join(places, on="lane", how="left", maintain_order="left")
    if shared:
        placed = placed.with_columns(pl.col("place").fill_null(len(names)))
        names = [*names, f"{shared:,} more"]
    return placed.sort("at", "source", "position", nulls_last=True), names, shared


def _marked(figure: go.Figure, events: pl.DataFrame, colours: Palette) -> None:
    """One mark an event, one trace a kind of record."""
    hues = (colours.asks, colours.answers, colours.good, colours.trouble, colours.load)
    kinds = events.group_by("record").agg(n=pl.len()).sort("n", "record", descending=[True, False])["record"]
    for number, kind in enumerate(kinds.to_list()):
        own = events.filter(pl.col("record") == kind)
        figure.add_trace(
            go.Scatter(
                x=[stamp(at) for at in own["at"].to_list()],
                y=own["place"].to_list(),
                mode="markers",
                name=str(html(kind or "?")),
                marker={
                    "color": hues[number % len(hues)],
                    "symbol": _SYMBOLS[(number // len(hues)) % len(_SYMBOLS)],
                    "size": 9,
                    "opacity": 0.8,
                    "line": {"width": 0.5, "color": colours.paper},
                },
                hovertext=[_hover(row) for row in own.iter_rows(named=True)],
                hovertemplate="%{hovertext}<extra></extra>",
            )
        )


def _binned(figure: go.Figure, events: pl.DataFrame, names: list[str], colours: Palette) -> str:
    """A cell for each lane and bin; says how wide the bins are."""
    start, end = events["at"].dt.epoch("ns").gather([0, -1]).to_list()
    width = bin_width_s(end - start, MOST_BINS)
    step = round(width * 10**9)
    first = start // step
    cells = (
        events.with_columns(bin=pl.col("at").dt.epoch("ns") // step - first)
        .group_by("place", "bin", maintain_order=True)
        .agg(pl.len().alias("n"), pl.col("at", "lane", "text", "source", "position").first())
    )
    count = int(end // step - first) + 1
    z = np.full((len(names), count), np.nan)
    texts = np.full((len(names), count), "", dtype=object)
    for row in cells.iter_rows(named=True):
        more = f"<br>and {row['n'] - 1:,} more in {words(width)}" if row["n"] > 1 else ""
        z[row["place"], row["bin"]] = np.log10(row["n"])
        texts[row["place"], row["bin"]] = _hover(row) + more
    most = int(cells["n"].max() or 1)  # type: ignore[arg-type]
    ticks = [10**power for power in range(len(str(most)))]
    figure.add_trace(
        go.Heatmap(
            x=[stamp_ns((first + at) * step + step // 2) for at in range(count)],
            y=list(range(len(names))),
            z=z,
            text=texts,
            zmin=-0.6,
            zmax=max(np.log10(most), 0.5),
            colorscale=[[0.0, colours.line], [0.55, colours.load], [1.0, colours.asks]],
            hovertemplate="%{text}<extra></extra>",
            hoverongaps=False,
            ygap=5,
            xgap=0,
            colorbar={
                "title": {"text": "events", "side": "right", "font": {"size": 12, "color": colours.faint}},
                "tickvals": [float(np.log10(tick)) for tick in ticks],
                "ticktext": [f"{tick:,}" for tick in ticks],
                "thickness": 12,
                "outlinewidth": 0,
            },
        )
    )
    return words(width)


def _flags(figure: go.Figure, notes: pl.DataFrame, lanes: int, colours: Palette) -> list[str]:
    """A line through all lanes for each note; what is to be said of them."""
    if notes.is_empty():
        return []
    stamps = [stamp(at) for at in notes["at"].to_list()]
    xs: list[str | None] = []
    ys: list[float | None] = []
    for each in stamps:
        xs += [each, each, None]
        ys += [-0.9, lanes - 0.5, None]
    line = {"color": colours.trouble, "width": 1.2, "dash": "dot"}
    figure.add_trace(go.Scatter(x=xs, y=ys, mode="lines", line=line, hoverinfo="skip", showlegend=False))
    texts = [str(html(_short(masked(text or ""), 28))) for text in notes["text"].to_list()]
    figure.add_trace(
        go.Scatter(
            x=stamps,
            y=[-0.9] * len(stamps),
            mode="markers+text" if len(stamps) <= _MOST_FLAGS else "markers",
            name="notes",
            text=texts if len(stamps) <= _MOST_FLAGS else None,
            textposition="middle right",
            textfont={"size": 12, "color": colours.ink},
            marker={"symbol": "triangle-right", "size": 12, "color": colours.trouble},
            hovertext=[_hover(row | {"lane": "note"}) for row in notes.iter_rows(named=True)],
            hovertemplate="%{hovertext}<extra></extra>",
            cliponaxis=False,
        )
    )
    return [f"{notes.height:,} notes" if notes.height != 1 else "1 note"]


def _hover(row: dict[str, object]) -> str:
    told = masked(str(row["text"] or "")[: 4 * _MOST_CHARACTERS])
    text = str(html(_short(" ".join(told.split()), _MOST_CHARACTERS)))
    at, place = row["at"], f"{row['source']}:{row['position']}" if row["position"] is not None else row["source"]
    assert isinstance(at, datetime)
    body = "<br>".join(_wrapped(text))
    return f"<b>{html(str(row['lane']))}</b> {stamp(at)} UTC<br>{body}<br>{html(str(place))}"


def _wrapped(text: str) -> Sequence[str]:
    """Escaped text in lines; no entity is cut, for they hold no blank."""
    return wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False) or [""]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _span(timed: pl.DataFrame) -> str:
    if timed.is_empty():
        return "No event has a time"
    start, end = (stamp(at)[:19] for at in timed.select(low=pl.col("at").min(), high=pl.col("at").max()).row(0))
    return start if start == end else f"{start} to {end[11:] if end[:10] == start[:10] else end}"
