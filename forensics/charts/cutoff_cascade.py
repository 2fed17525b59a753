"""A cut-off as it spread: from the guest's BPDU over the switches' ports to the host's cards, and who was hit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import polars as pl
from plotly.subplots import make_subplots

from forensics.charts._theme import Palette, palette, template
from forensics.escape import html
from forensics.records import Finding

MOST_LANES = 36
"""More lanes than this are no longer read: those of the first cuts are drawn."""
MOST_BARS = 4000
BEFORE_S, AFTER_S = 3.0, 12.0
"""How much of a strike is shown close up, seconds around its first cut."""
SIDES = ("guest", "switch", "host", "others")


def cutoff_cascade(outages: pl.DataFrame, sent: pl.DataFrame, finding: Finding, *, dark: bool = False) -> go.Figure:
    """Draw a BPDU-guard cut-off.

    Each guest, switch port, card and bond has a lane, and so have the others on the host; hosts lie one below the
    other. A bar is a span in which one was down, a diamond is a BPDU in a capture. On the left are the seconds around
    each host's first cut, counted from it, so that the order can be read; on the right is all of it, in UTC.

    Args:
        outages: One row a span, as `forensics.analysis.port_cutoffs.cascade_frames` gives it.
        sent: One row a BPDU of the guests; may be empty.
        finding: The finding that is drawn.
        dark: For a dark page.

    Returns:
        A figure whose text from evidence is escaped: plotly reads a part of HTML.
    """
    colours = palette(dark=dark)
    strikes = _strikes(finding)
    bars = _bars(outages, strikes)
    marks = _marks(sent, strikes)
    lanes = _lanes(bars, marks)
    left_out = len({bar["lane"] for bar in bars}) + len({mark["lane"] for mark in marks}) - len(lanes)
    bars = [bar for bar in bars if bar["lane"] in lanes][:MOST_BARS]
    marks = [mark for mark in marks if mark["lane"] in lanes][:MOST_BARS]
    end = max([_at(finding.end)] if finding.end else [bar["to"] or bar["from"] for bar in bars], default=None)
    last = max(
        [*(bar["to"] or bar["from"] for bar in bars), *([end] if end else [])], default=datetime(1970, 1, 1, tzinfo=UTC)
    )
    last += timedelta(seconds=60)
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.03, column_widths=[0.45, 0.55],
        subplot_titles=("the first seconds on each host", "all of it"),
    )  # fmt: skip
    for kind, colour, name in (
        ("switch", colours.trouble, "switch port shut"),
        ("host", colours.asks, "card or bond down"),
        ("others", colours.load, "others without network"),
    ):
        _draw(figure, [bar for bar in bars if bar["side"] == kind], lanes, last, colour, name)
    _dots(figure, marks, lanes, colours)
    _shade(figure, lanes, colours)
    note = f"; {left_out} more lanes are not drawn" if left_out > 0 else ""
    figure.update_layout(
        template=template(dark=dark),
        title={
            "text": str(html(_wrapped(finding.title))).replace("\n", "<br>"),
            "subtitle": {"text": _subtitle(finding) + note},
        },
        height=250 + 30 * max(len(lanes), 4),
        margin={"l": 20, "r": 30, "t": 150, "b": 90},
        legend={"y": -60 / (30 * max(len(lanes), 4))},
    )
    figure.update_yaxes(
        tickvals=list(lanes.values()),
        ticktext=[str(html(_label(lane))) for lane in lanes],
        range=[max(lanes.values(), default=0) + 0.7, -0.7],
        automargin=True,
    )
    figure.update_xaxes(title_text="seconds after its first cut", range=[-BEFORE_S, AFTER_S], row=1, col=1)
    figure.update_xaxes(title_text="UTC, on the case's clock", row=1, col=2)
    return figure


def _at(stamp: str) -> datetime:
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00") + timedelta(seconds=float(f"0.{fraction or 0}"))


def _wrapped(title: str, most: int = 100) -> str:
    """A title on as many lines as it needs."""
    lines = [""]
    for word in title.split(" "):
        if len(lines[-1]) + len(word) > most and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _subtitle(finding: Finding) -> str:
    facts = finding.facts
    ports = len({(cut["switch"], cut["port"]) for cut in facts["cuts"]})
    hosts = len({cut["host"] for cut in facts["cuts"] if cut["host"]})
    hit = len(facts["bystanders"])
    return str(html(f"{finding.confidence}: {ports} ports, {hosts} hosts, {hit} other instances without network"))


def _label(lane: str) -> str:
    return lane.split("|", 1)[1]


def _strikes(finding: Finding) -> list[dict[str, Any]]:
    """When each host (or port, where the host is not known) was cut first, and what belongs to it."""
    found: dict[str, dict[str, Any]] = {}
    for cut in finding.facts["cuts"]:
        name = cut["host"] or cut["port"]
        strike = found.setdefault(name, {"name": name, "at": _at(cut["cut_at"]), "ports": set(), "macs": set()})
        strike["ports"].add(cut["switch"])
        strike["macs"].add(cut["mac"])
        strike["at"] = min(strike["at"], _at(cut["cut_at"]))
    return sorted(found.values(), key=lambda strike: (strike["at"], strike["name"]))


def _nearest(strikes: list[dict[str, Any]], at: datetime, named: str, side: str) -> int:
    """The strike that a span belongs to: its host's, else the one that began nearest to it."""
    for number, strike in enumerate(strikes):
        if side in ("host", "others") and named.split(" ")[0].partition(".")[0] == strike["name"].partition(".")[0]:
            return number
        if side == "guest" and named.removeprefix("guest ") in strike["macs"]:
            return number
    return min(range(len(strikes)), key=lambda n: abs((strikes[n]["at"] - at).total_seconds()), default=0)


def _bars(outages: pl.DataFrame, strikes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    homes: dict[str, int] = {}
    for row in outages.iter_rows(named=True):
        begun = row["from_at"].replace(tzinfo=UTC)
        why = f" ({row['reason']})" if row["reason"] else ""
        home = homes.setdefault(row["lane"], _nearest(strikes, begun, row["lane"], row["side"]))
        told.append(
            {
                "lane": f"{home:04d}{SIDES.index(row['side'])}|{row['lane']}",
                "strike": home,
                "side": row["side"],
                "from": begun,
                "to": row["to_at"].replace(tzinfo=UTC) if row["to_at"] else None,
                "zero": strikes[home]["at"] if strikes else begun,
                "text": f"{row['lane']} down{why}\n{row['source']} {row['locator']}",
            }
        )
    return told


def _marks(sent: pl.DataFrame, strikes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    told = []
    for row in sent.iter_rows(named=True):
        at = row["at"].replace(tzinfo=UTC)
        home = _nearest(strikes, at, row["lane"], "guest")
        told.append(
            {
                "lane": f"{home:04d}{SIDES.index('guest')}|{row['lane']}",
                "at": at,
                "zero": strikes[home]["at"] if strikes else at,
                "text": f"BPDU of {row['mac']}\n{row['source']} {row['locator']}",
            }
        )
    return told


def _lanes(bars: list[dict[str, Any]], marks: list[dict[str, Any]]) -> dict[str, int]:
    names = sorted({*(bar["lane"] for bar in bars), *(mark["lane"] for mark in marks)}, key=_place)
    return {name: place for place, name in enumerate(names[:MOST_LANES])}


def _place(lane: str) -> tuple[str, bool, str]:
    """Where a lane stands: its host and side, members before what they are members of."""
    home, name = lane.split("|", 1)
    return home, name.split(" ")[-1].lower().startswith(("bond", "team", "po", "ae")), name


def _text(text: str, when: datetime, until: datetime | None = None) -> str:
    span = f"{when:%Y-%m-%d %H:%M:%S.%f}"[:-3] + (f" to {until:%H:%M:%S}" if until else "")
    return str(html(f"{text}\n{span} UTC")).replace("\n", "<br>")


def _draw(
    figure: go.Figure, bars: list[dict[str, Any]], lanes: dict[str, int], last: datetime, colour: str, name: str
) -> None:
    """Bars of one colour, on both sides."""
    if not bars:
        return
    close: list[float | None] = []
    wide: list[datetime | None] = []
    lane: list[int | None] = []
    text: list[str | None] = []
    for bar in bars:
        until = bar["to"] or last
        lasts = "" if bar["to"] else "\nand nothing says that it came back"
        said = _text(bar["text"] + lasts, bar["from"], bar["to"])
        close += [(bar["from"] - bar["zero"]).total_seconds(), (until - bar["zero"]).total_seconds(), None]
        wide += [bar["from"], until, None]
        lane += [lanes[bar["lane"]]] * 2 + [None]
        text += [said, said, None]
    for column, x in ((1, close), (2, wide)):
        figure.add_trace(
            go.Scatter(
                x=x,
                y=lane,
                mode="lines",
                line={"color": colour, "width": 11},
                name=name,
                legendgroup=name,
                showlegend=column == 2,
                text=text,
                hovertemplate="%{text}<extra></extra>",
                connectgaps=False,
            ),
            row=1,
            col=column,
        )


def _dots(figure: go.Figure, marks: list[dict[str, Any]], lanes: dict[str, int], colours: Palette) -> None:
    """The guests' BPDUs."""
    if not marks:
        return
    for column in (1, 2):
        figure.add_trace(
            go.Scatter(
                x=[(mark["at"] - mark["zero"]).total_seconds() if column == 1 else mark["at"] for mark in marks],
                y=[lanes[mark["lane"]] for mark in marks],
                mode="markers",
                marker={
                    "symbol": "diamond",
                    "size": 10,
                    "color": colours.answers,
                    "line": {"color": colours.ink, "width": 1},
                },
                name="BPDU of a guest",
                legendgroup="bpdu",
                showlegend=column == 1,
                text=[_text(mark["text"], mark["at"]) for mark in marks],
                hovertemplate="%{text}<extra></extra>",
            ),
            row=1,
            col=column,
        )


def _shade(figure: go.Figure, lanes: dict[str, int], colours: Palette) -> None:
    """What belongs to one host."""
    homes: dict[str, list[int]] = {}
    for lane, place in lanes.items():
        homes.setdefault(lane[:4], []).append(place)
    for number, places in enumerate(homes.values()):
        figure.add_shape(
            type="rect",
            x0=0,
            x1=1,
            xref="paper",
            y0=min(places) - 0.45,
            y1=max(places) + 0.45,
            yref="y",
            line={"width": 0},
            fillcolor=colours.quiet if number % 2 == 0 else "rgba(127,127,127,0.06)",
            layer="below",
        )
