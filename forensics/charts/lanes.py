"""Stretches and marks of time in lanes: who said what, what was down, what belonged to what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import plotly.graph_objects as go
import polars as pl
import polars.selectors as cs
from plotly.subplots import make_subplots

from forensics.charts._theme import Palette, headline, palette, template
from forensics.charts._time import bin_width_s, stamp_ns, words
from forensics.escape import html, masked

MOST_LANES = 40
"""More lanes than this are not read: the first are drawn, and it is said how many are not."""
MOST_BARS = MOST_MARKS = 2_000
"""More of them are drawn in bins of equal width, one for each lane and name; the subtitle says so."""
MOST_BINS = 100
_SECOND_NS = 10**9
_LEVELS_PX, _GAP_PX = 150, 50
_INSTANT = pl.Datetime("ns", "UTC")
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "star", "hexagon")
_PLACE = {"text": pl.String(), "source": pl.String(), "position": pl.Int64()}
_NAMED = {"group": pl.String(), "lane": pl.String(), "what": pl.String(), "meaning": pl.String()}
BARS = {**_NAMED, "from_at": _INSTANT, "to_at": _INSTANT, **_PLACE}
"""Columns of a stretch: ``group`` of lanes (or ""), ``lane``, ``what`` (as the legend has it), ``meaning`` (a colour
of `forensics.charts._theme.Palette`), ``from_at`` (null: since before), ``to_at`` (null: it goes on), and ``text``,
``source`` and ``position`` for who rests the pointer on it."""
MARKS = {**_NAMED, "at": _INSTANT, **_PLACE}
"""Columns of a mark: the same, with one instant ``at``."""
LEVELS = {"what": pl.String(), "meaning": pl.String(), "at": _INSTANT, "size_bytes": pl.Int64(), **_PLACE}
"""Columns of what was measured: a line for each ``what``."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """The time that is drawn, in whole nanoseconds, and how it is cut where there is too much to draw."""

    start: int
    end: int

    @property
    def least_ns(self) -> int:
        """The shortest stretch that can be seen."""
        return max((self.end - self.start) // 300, 1)

    def bins(self) -> tuple[float, int]:
        """Width of a bin in seconds, and in nanoseconds."""
        width = bin_width_s(self.end - self.start, MOST_BINS)
        return width, round(width * _SECOND_NS)


def lanes(
    title: str,
    bars: pl.DataFrame,
    marks: pl.DataFrame | None = None,
    levels: pl.DataFrame | None = None,
    *,
    note: str = "",
    span: tuple[datetime, datetime] | None = None,
    dark: bool = False,
) -> go.Figure:
    """Draw what lasted and what happened, lane by lane.

    Time runs to the right. A bar is a stretch of time, an arrow at its end says that it goes on beyond what is drawn; a
    dot is an instant. Lanes stand from top to bottom in the order in which ``bars``, then ``marks`` name them first.

    Args:
        title: What is to be seen; may hold text from evidence.
        bars: One row a stretch, columns as in `BARS`.
        marks: One row an instant, columns as in `MARKS`.
        levels: One row a measurement, columns as in `LEVELS`: drawn below, where there are any.
        note: One more sentence below the title.
        span: What is drawn at least; what is open at an end reaches so far.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped: plotly reads a part of HTML.

    Examples:
        >>> at = pl.Series([1_360_892_418 * 10**9], dtype=pl.Datetime("ns", "UTC"))
        >>> row = {"group": "", "lane": "cc12", "what": "down", "meaning": "trouble", "text": "<b>", "source": "a"}
        >>> rows = pl.DataFrame({"from_at": at, "to_at": at.dt.offset_by("9s"), "position": 3} | row)
        >>> lanes("", rows).data[0].hovertext[0]
        '<b>cc12</b>: down<br>2013-02-15 01:40:18.000 to 01:40:27.000 (9 s)<br>&lt;b&gt;<br>a:3'
    """
    colours = palette(dark=dark)
    marks = pl.DataFrame(schema=MARKS) if marks is None else marks
    levels = pl.DataFrame(schema=LEVELS) if levels is None else levels
    said = [str(html(note))] if note else []
    named = pl.concat([bars.select("group", "lane"), marks.select("group", "lane")]).unique(maintain_order=True)
    if named.height > MOST_LANES:
        said.append(f"{named.height - MOST_LANES:,} more lanes are not drawn")
        named = named.head(MOST_LANES)
    places = named.with_row_index("place")
    keys = ["group", "lane"]
    bars, marks = (
        rows.join(places, on=keys, maintain_order="left").with_columns(cs.datetime().cast(_INSTANT))
        for rows in (bars, marks)
    )
    axis = _axis(bars, marks, levels, span)
    heights = [30 * max(places.height, 3), *([] if levels.is_empty() else [_LEVELS_PX])]
    whole = sum(heights) + _GAP_PX * (len(heights) - 1)
    figure = make_subplots(
        rows=len(heights), cols=1, shared_xaxes=True, vertical_spacing=_GAP_PX / whole, row_heights=heights
    )
    said += _bars(figure, bars, axis, colours)
    said += _marks(figure, marks, axis, colours)
    _levels(figure, levels, axis, colours)
    figure.update_layout(
        template=template(dark=dark),
        title={"text": headline(title), "x": 0.016, "xref": "container", "subtitle": {"text": "; ".join(said)}},
        barmode="overlay",
        height=238 + whole,
        margin={"l": 20, "r": 30, "t": 112, "b": 104},
        legend={"yref": "container", "y": 0.02, "yanchor": "bottom"},
        showlegend=True,
    )
    figure.update_yaxes(
        tickvals=places["place"].to_list(),
        ticktext=[_tick(group, lane, colours) for group, lane in places.select("group", "lane").iter_rows()],
        range=[places.height - 0.4, -0.6],
        automargin=True,
        showgrid=False,
        row=1,
        col=1,
    )
    low, high = stamp_ns(axis.start - 2 * axis.least_ns), stamp_ns(axis.end + 2 * axis.least_ns)
    figure.update_xaxes(type="date", range=[low, high])
    told = "UTC, on the case's clock" if axis.end > _SECOND_NS else "time, of which the evidence tells no instant"
    figure.update_xaxes(
        title_text=told, title_standoff=4, showticklabels=axis.end > _SECOND_NS, row=len(heights), col=1
    )
    return figure


def _axis(
    bars: pl.DataFrame, marks: pl.DataFrame, levels: pl.DataFrame, span: tuple[datetime, datetime] | None
) -> _Axis:
    asked = pl.Series(span or (), dtype=_INSTANT)
    held = pl.concat([bars["from_at"], bars["to_at"], marks["at"], levels["at"], asked]).drop_nulls().to_physical()
    if held.is_empty():
        return _Axis(0, _SECOND_NS)
    start, end = int(cast(int, held.min())), int(cast(int, held.max()))
    pad = 0 if end - start >= _SECOND_NS else _SECOND_NS
    return _Axis(start - pad, end + pad)


def _bars(figure: go.Figure, bars: pl.DataFrame, axis: _Axis, colours: Palette) -> list[str]:
    if bars.is_empty():
        return []
    whole = bars.with_columns(
        n=pl.lit(1, pl.UInt32),
        open_start=pl.col("from_at").is_null(),
        open_end=pl.col("to_at").is_null(),
        start=pl.col("from_at").to_physical().fill_null(axis.start),
        end=pl.col("to_at").to_physical().fill_null(axis.end),
    ).with_columns(lasted_ns=pl.col("end") - pl.col("start"))
    said = []
    if whole.height > MOST_BARS:
        width_s, step = axis.bins()
        key = ["place", "group", "lane", "what", "meaning", (pl.col("start") // step).alias("bin")]
        whole = whole.group_by(key, maintain_order=True).agg(
            pl.col("n").sum(), pl.col("start").min(), pl.col("end").max(), pl.col("lasted_ns").sum(),
            pl.col("open_start", "open_end").any(), pl.col("text", "source", "position").first(),
        )  # fmt: skip
        said = [f"{bars.height:,} stretches, those that begin within {words(width_s)} are drawn as one"]
    for (what, meaning), own in whole.group_by("what", "meaning", maintain_order=True):
        colour = getattr(colours, str(meaning))
        lengths = (pl.Series(own["end"] - own["start"]).clip(lower_bound=axis.least_ns) / 1e6).to_list()
        figure.add_trace(
            go.Bar(
                base=[stamp_ns(at) for at in own["start"]], x=lengths, y=own["place"].to_list(), orientation="h",
                width=0.56, name=str(html(str(what))), hovertext=[_told(row) for row in own.iter_rows(named=True)],
                hovertemplate="%{hovertext}<extra></extra>",
                marker={"color": colour, "opacity": 0.82, "line": {"width": 1, "color": colours.paper}},
            ),
            row=1, col=1,
        )  # fmt: skip
    for side, at, symbol in (("open_start", axis.start, "triangle-left"), ("open_end", axis.end, "triangle-right")):
        beyond = whole.filter(side).unique(["place", "meaning"], maintain_order=True)
        if beyond.height:
            hues = [getattr(colours, str(meaning)) for meaning in beyond["meaning"]]
            look = {"symbol": symbol, "size": 13, "color": hues, "line": {"width": 1.5, "color": colours.paper}}
            figure.add_trace(
                go.Scatter(x=[stamp_ns(at)] * beyond.height, y=beyond["place"].to_list(), mode="markers", marker=look,
                           hoverinfo="skip", showlegend=False, cliponaxis=False),
                row=1, col=1,
            )  # fmt: skip
    return said


def _told(row: dict[str, Any]) -> str:
    """What is said of a stretch under the pointer."""
    start = "before the evidence" if row["open_start"] else stamp_ns(row["start"])[:23]
    end = "the end of the evidence, at least" if row["open_end"] else stamp_ns(row["end"])[:23]
    if start[:10] == end[:10]:
        end = end[11:]
    lasted = "" if row["open_start"] or row["open_end"] else f" ({words(max(row['lasted_ns'], 1) / _SECOND_NS)})"
    often = f"{row['n']:,} times {html(row['what'])}, {words(max(row['lasted_ns'], 1) / _SECOND_NS)} together"
    what = str(html(row["what"])) if row["n"] == 1 else often
    return f"<b>{html(row['lane'])}</b>: {what}<br>{start} to {end}{lasted if row['n'] == 1 else ''}<br>{_cited(row)}"


def _marks(figure: go.Figure, marks: pl.DataFrame, axis: _Axis, colours: Palette) -> list[str]:
    if marks.is_empty():
        return []
    rows = marks.with_columns(n=pl.lit(1, pl.UInt32), start=pl.col("at").to_physical()).sort("start")
    said = []
    if rows.height > MOST_MARKS:
        width_s, step = axis.bins()
        rows = rows.group_by(
            "place", "group", "lane", "what", "meaning", (pl.col("start") // step).alias("bin"), maintain_order=True
        ).agg(pl.col("n").sum(), pl.col("start").first(), pl.col("text", "source", "position").first())
        said = [f"{marks.height:,} marks in bins of {words(width_s)}, the larger the more"]
    order = marks.select("what", "meaning").unique(maintain_order=True)
    several = dict(rows.group_by("place").agg(pl.col("what").n_unique()).iter_rows())
    for number, (what, meaning) in enumerate(order.iter_rows()):
        own = rows.filter(pl.col("what") == what, pl.col("meaning") == meaning)
        colour = getattr(colours, meaning)
        lift = 0.17 * ((number % 3) - 1)  # those that fall together in one lane stand above each other
        figure.add_trace(
            go.Scatter(
                x=[stamp_ns(at) for at in own["start"]],
                y=[place + (lift if several[place] > 1 else 0.0) for place in own["place"]],
                mode="markers",
                name=str(html(what)),
                marker={
                    "symbol": _SYMBOLS[number % len(_SYMBOLS)], "color": colour, "opacity": 0.85,
                    "size": [4.5 + 1.5 * len(str(n)) for n in own["n"]] if said else 8,
                    "line": {"width": 0.5, "color": colours.paper},
                },
                hovertext=[
                    f"<b>{html(row['lane'])}</b>: {html(what)}{_often(row['n'])}<br>{stamp_ns(row['start'])}<br>"
                    f"{_cited(row)}"
                    for row in own.iter_rows(named=True)
                ],
                hovertemplate="%{hovertext}<extra></extra>",
            ),
            row=1, col=1,
        )  # fmt: skip
    return said


def _often(n: int) -> str:
    return f", {n:,} times; the first" if n > 1 else ""


def _levels(figure: go.Figure, levels: pl.DataFrame, axis: _Axis, colours: Palette) -> None:
    if levels.is_empty():
        return
    if levels.height > MOST_MARKS:
        _, step = axis.bins()
        key = ["what", "meaning", (pl.col("at").to_physical() // step).alias("bin")]
        levels = levels.sort("size_bytes", descending=True).unique(key, keep="first", maintain_order=True)
    for (what, meaning), own in levels.sort("at").group_by("what", "meaning", maintain_order=True):
        figure.add_trace(
            go.Scatter(
                x=[stamp_ns(at) for at in own["at"].to_physical()], y=own["size_bytes"].to_list(), mode="lines+markers",
                name=str(html(str(what))), line={"color": getattr(colours, str(meaning)), "width": 1.5, "shape": "hv"},
                marker={"size": 6},
                hovertext=[f"{row['size_bytes']:,} octets, {html(row['what'])}<br>{_cited(row)}"
                           for row in own.iter_rows(named=True)],
                hovertemplate="%{hovertext}<extra></extra>",
            ),
            row=2, col=1,
        )  # fmt: skip
    figure.update_yaxes(title_text="octets", rangemode="tozero", tickformat=".3~s", automargin=True, row=2, col=1)


def _tick(group: str, lane: str, colours: Palette) -> str:
    """The name of a lane, its group in front."""
    before = f'<span style="color:{colours.faint}">{html(group)}</span>  ' if group else ""
    return f"{before}{html(_short(lane, 64))}"


def _cited(row: dict[str, Any]) -> str:
    text = str(html(_short(masked(row["text"] or ""), 160)))
    place = f"{row['source']}:{row['position']}" if row["position"] is not None else row["source"] or ""
    return "<br>".join(part for part in (text, str(html(place))) if part)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
