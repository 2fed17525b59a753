"""A conversation as a ladder: who said what when, who saw it, and where it was lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots

from forensics.charts._theme import Palette, palette, template
from forensics.charts._time import bin_width_s, words
from forensics.escape import html
from forensics.records import Finding

MOST_LABELS = 24
"""More labels than this are no longer read but seen as a pattern: only the first of each kind is written."""
MOST_MESSAGES, MOST_BINS = 300, 60
"""More messages than this are drawn in bins of equal width, those alike as one; the subtitle says so."""
SHADE = {
    "link-dead-before-dhcp": "nothing reaches the client",
    "reply-not-delivered": "answers are lost on the way",
    "client-deaf": "answers arrive, the client asks again",
    "server-silent": "the server does not answer",
    "request-not-delivered": "requests are lost on the way",
    "refused": "refused",
    "client-gone": "nobody renews",
}


def ladder(
    conversation: pl.DataFrame,
    finding: Finding,
    traffic: pl.DataFrame,
    lease_ends_at: str | None = None,
    *,
    dark: bool = False,
) -> go.Figure:
    """Draw a failed lease renewal.

    Time runs to the right. Every party and every capture point has a lane, the client below, the server above; a
    vertical stroke is one message on its way, a dot is a place that saw it, a cross is where an answer was last seen
    before it was lost. Answers stand a hair's breadth to the right of their time, so that they do not hide the
    question; the text on each mark says the time itself.

    Args:
        conversation: One row per message and place, as `forensics.analysis.dhcp_leases.chart_frames` gives it.
        finding: The finding that is drawn.
        traffic: Bytes a second to and from the client; may be empty.
        lease_ends_at: When the lease ran out, ISO text.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped: plotly reads a part of HTML.
    """
    colours = palette(dark=dark)
    lanes = _lanes(conversation, finding)
    conversation, alike, note = _thinned(conversation)
    has_load = not traffic.is_empty()
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.24, 0.76] if has_load else [0.02, 0.98]
    )
    if has_load:
        _ribbon(figure, traffic, colours)
    _strokes(figure, conversation, alike, lanes, colours)
    _marks(figure, finding, lease_ends_at, colours)
    figure.update_layout(
        template=template(dark=dark),
        title={"text": str(html(finding.title)), "subtitle": {"text": _subtitle(finding) + note}},
        height=190 + 70 * len(lanes) + (130 if has_load else 0),
        margin={"l": 20, "r": 30, "t": 90, "b": 110},
        legend={"y": -0.16},
    )
    figure.update_yaxes(
        tickvals=list(lanes),
        ticktext=list(lanes.values()),
        range=[-1.25, max(lanes) + 0.75],
        row=2,
        col=1,
        showgrid=True,
    )
    figure.update_yaxes(
        visible=has_load, title_text="to the client" if has_load else None, row=1, col=1, automargin=True
    )
    figure.update_yaxes(tickformat="~s", ticksuffix="B/s", rangemode="tozero", nticks=4, row=1, col=1)
    figure.update_yaxes(automargin=True, row=2, col=1)
    figure.update_xaxes(title_text="UTC, on the case's clock", tickformat="%H:%M:%S\n%b %-d, %Y", row=2, col=1)
    figure.update_xaxes(showticklabels=False, row=1, col=1)
    return figure


def _subtitle(finding: Finding) -> str:
    facts = finding.facts
    asked = f"{facts['unicast_attempts']} requests to the server, {facts['broadcast_attempts']} to everybody"
    lead = f", silence {facts['lead_s']:.3g} s before the first" if facts.get("lead_s") is not None else ""
    return str(html(f"{finding.confidence}: {asked}, {facts['server_replies']} answers sent{lead}"))


def _thinned(conversation: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, int], str]:
    """The conversation; of many messages the first of those alike in each bin of time, and how many each stands for."""
    messages = (
        conversation.group_by("message")
        .agg(pl.col("at").min().dt.epoch("ns"), pl.col("message_type", "by_client", "unicast").first(),
             places=pl.col("place").unique().sort())
        .with_columns(pl.col("places").cast(pl.List(pl.String)).list.join(" "))
        .sort("at", "message")
    )  # fmt: skip
    if messages.height <= MOST_MESSAGES:
        return conversation, {}, ""
    width_s = bin_width_s(int(messages["at"][-1]) - int(messages["at"][0]), MOST_BINS)
    same = [(pl.col("at") // round(width_s * 10**9)).alias("bin"), "message_type", "by_client", "unicast", "places"]
    first = messages.group_by(same, maintain_order=True).agg(pl.col("message").first(), n=pl.len())
    note = f"; {messages.height:,} messages, those alike within {words(width_s)} are drawn as one"
    kept = conversation.join(first.select("message"), on="message", how="semi", maintain_order="left")
    return kept, dict(first.select("message", "n").iter_rows()), note


def _lanes(conversation: pl.DataFrame, finding: Finding) -> dict[int, str]:
    """Place -> label: the client below, capture points in their order along the path, the server above."""
    facts = finding.facts
    top = max(conversation["place"].to_list(), default=1) or 1
    if not conversation.filter((pl.col("place") == top) & (pl.col("seen_by") == "capture")).is_empty():
        top += 1
    lanes = {0: f"client {facts['ip'] or facts['mac'] or ''}", top: f"DHCP server {facts['server'] or ''}"}
    for place, point in conversation.select("place", "point").unique().sort("place", "point").iter_rows():
        if 0 < place < top:
            lanes[place] = str(point)
    logs = conversation.filter(pl.col("seen_by") != "capture").select("place", "point").unique().sort("place", "point")
    for place, point in logs.iter_rows():
        if place in (0, top):
            lanes[place] += f"\nlog of {point}"
    return {place: str(html(label)).replace("\n", "<br>") for place, label in sorted(lanes.items())}


def _ribbon(figure: go.Figure, traffic: pl.DataFrame, colours: Palette) -> None:
    point = str(html(traffic["point"][0]))
    dense = traffic.select("at").upsample("at", every="1s").join(traffic, on="at", how="left").fill_null(0)
    figure.add_trace(
        go.Scatter(
            x=dense["at"].to_list(),
            y=dense["to_bytes"].to_list(),
            name=f"traffic to the client at {point}",
            mode="lines",
            line={"width": 1, "color": colours.load, "shape": "hvh"},
            fill="tozeroy",
            hovertemplate="%{x|%H:%M:%S}: %{y:.3s}B/s<extra></extra>",
        ),
        row=1,
        col=1,
    )


def _strokes(
    figure: go.Figure, conversation: pl.DataFrame, alike: dict[int, int], lanes: dict[int, str], colours: Palette
) -> None:
    """One stroke per message, one dot per sighting, one label per message that fits."""
    top = max(lanes)
    looks = {
        "request to the server": (colours.asks, "solid", "circle"),
        "request to everybody": (colours.asks, "dot", "circle-open"),
        "answer": (colours.answers, "solid", "diamond"),
        "refusal": (colours.trouble, "solid", "square"),
    }
    drawn: dict[str, dict[str, list[Any]]] = {name: {"x": [], "y": [], "text": []} for name in looks}
    lost: dict[str, list[Any]] = {"x": [], "y": [], "text": []}
    messages = conversation.partition_by("message", maintain_order=True)
    times = conversation["at"].sort()
    hair: timedelta = (times[-1] - times[0]) / 300 if len(times) else timedelta()
    written: set[str] = set()
    for rows in messages:
        kind, by_client = rows["message_type"][0], rows["by_client"][0]
        name = _look(kind, by_client, rows["unicast"].drop_nulls())
        at: datetime = rows.sort(pl.col("seen_by") != "capture", "at")["at"][0]
        beside = at if by_client else at + hair
        seen = sorted(set(rows["place"].to_list()))
        start = 0 if by_client else top
        places = sorted({*seen, start}, reverse=not by_client)
        cited = "<br>".join(
            f"{html(source)} {html(where)}" for source, where in rows.select("source", "locator").iter_rows()
        )
        more = alike.get(rows["message"][0], 1) - 1
        text = f"{at:%H:%M:%S}.{at.microsecond:06d}<br><b>{html(kind)}</b> {name}<br>{cited}"
        text += f"<br>and {more:,} more alike" if more else ""
        for place in places:
            drawn[name]["x"].append(beside)
            drawn[name]["y"].append(place)
            drawn[name]["text"].append(text)
        drawn[name]["x"].append(None)
        drawn[name]["y"].append(None)
        drawn[name]["text"].append(None)
        near = 1 if 1 in lanes and top > 1 else 0
        if not by_client and min(places) > near and any(0 < place < top for place in seen):
            lost["x"].append(beside)
            lost["y"].append(min(places))
            lost["text"].append(f"<b>{html(kind)}</b> is not seen below<br>{cited}")
        if len(messages) <= MOST_LABELS or kind not in written:
            written.add(kind)
            figure.add_annotation(
                                x=beside,
                y=-0.12 if by_client else top + 0.12, text=str(html(kind.lower())), textangle=-45,
                showarrow=False, xanchor="right" if by_client else "left", yanchor="top" if by_client else "bottom",
                font={"size": 10, "color": colours.ink}, row=2, col=1,
            )  # fmt: skip
    for name, points in drawn.items():
        colour, dash, symbol = looks[name]
        if points["x"]:
            figure.add_trace(
                go.Scatter(
                    **points,
                    name=name,
                    mode="lines+markers",
                    line={"color": colour, "width": 1.6, "dash": dash},
                    marker={"symbol": symbol, "size": 8},
                    hovertemplate="%{text}<extra></extra>",
                ),
                row=2,
                col=1,
            )
    if lost["x"]:
        figure.add_trace(
            go.Scatter(
                **lost,
                name="answer lost after this place",
                mode="markers",
                marker={"symbol": "x", "size": 11, "color": colours.trouble},
                hovertemplate="%{text}<extra></extra>",
            ),
            row=2,
            col=1,
        )


def _look(kind: str, by_client: bool, unicast: pl.Series) -> str:
    if by_client:
        return "request to the server" if len(unicast) and unicast[0] else "request to everybody"
    return "refusal" if kind == "NAK" else "answer"


def _marks(figure: go.Figure, finding: Finding, lease_ends_at: str | None, colours: Palette) -> None:
    """Shade the silence, and draw where the lease ended."""
    facts = finding.facts
    start = facts["silence_at"] or facts["first_unanswered_at"] or finding.start
    stop = finding.end or facts["gave_up_at"]
    if start and stop:
        figure.add_vrect(x0=start, x1=stop, fillcolor=colours.quiet, line_width=0, layer="below")
        figure.add_annotation(
            x=start, y=1, yref="paper", text=SHADE[facts["cause"]], showarrow=False, xanchor="left", yanchor="bottom",
            font={"size": 12, "color": colours.trouble}, xref="x",
        )  # fmt: skip
    if lease_ends_at:
        figure.add_vline(x=lease_ends_at, line={"color": colours.ink, "width": 1.4, "dash": "dash"})
        figure.add_annotation(
            x=lease_ends_at, y=-1.2, text="lease ends", showarrow=False, xanchor="left", yanchor="bottom", xshift=4,
            font={"size": 12, "color": colours.ink}, row=2, col=1,
        )  # fmt: skip
