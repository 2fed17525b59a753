"""A finding as lanes over time, for the report: who saw which message when, and what traffic reached the client.

The report runs no script and allows no inline style, so its charts are plain SVG: here are the figures,
``templates/chart.svg`` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from forensics.case._findings import frames_of
from forensics.case._rows import INSTANT, Rows
from forensics.records import Finding, Packet

WIDTH, LEFT, RIGHT, TOP = 960, 210, 20, 44
LANE, RIBBON = 38, 46
_MOST_MARKS, _MOST_LANES, _BINS = 300, 12, 120
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)
_INSTANTS = {
    "silence_at": "last frame to the client",
    "first_unanswered_at": "first unanswered",
    "gave_up_at": "gave up",
    "removed_at": "removed",
    "changed_at": "changed",
    "exhausted_at": "exhausted",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One message or line."""

    x: float
    letter: str
    kind: str
    """``client``, ``server``, ``refusal`` or ``cited``: its class in the style sheet."""
    title: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """One message on its way, from where it was seen first to where it was seen last."""

    x1: float
    y1: float
    x2: float
    y2: float
    kind: str


@dataclass(slots=True)
class Lane:
    """What one source saw."""

    name: str
    y: float
    marks: list[Mark] = field(default_factory=list)


@dataclass(slots=True)
class Ribbon:
    """Bytes a second that passed one capture point towards the client."""

    name: str
    y: float
    path: str
    most: str


@dataclass(slots=True)
class Edge:
    """A vertical line: an instant that the finding names, or a tick of the axis."""

    x: float
    text: str
    row: int = 0
    anchor: str = "start"


@dataclass(slots=True)
class Chart:
    """All figures of one chart, in pixels."""

    title: str
    height: float
    day: str
    lanes: list[Lane]
    ribbons: list[Ribbon]
    ticks: list[Edge]
    instants: list[Edge]
    strokes: list[Stroke]
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = 0.0
    middle: float = LANE / 2
    ribbon: float = RIBBON


class _Axis:
    def __init__(self, start: datetime, end: datetime) -> None:
        self.start, self.span_s = start, max((end - start).total_seconds(), 1e-6)

    def x(self, at: datetime) -> float:
        share = (at - self.start).total_seconds() / self.span_s
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def chart(finding: Finding, rows: Rows) -> Chart | None:
    """The chart of a finding; None where it has no two instants to draw."""
    macs, ips = finding.entities.get("macs", ()), finding.entities.get("ips", ())
    cited = [(ref, _instant(ref.at)) for ref in finding.references()]
    known = [at for _, at in cited if at is not None]
    told = (finding.start, finding.end, *map(finding.facts.get, _INSTANTS), *(step.at for step in finding.story))
    edges = [at for at in map(_instant, told) if at is not None] or known
    if not edges:
        return None
    start, end = min(edges), max(edges)
    reach = max((end - start).total_seconds(), 2.0)
    start, end = start - timedelta(seconds=0.3 * reach), end + timedelta(seconds=0.1 * reach)
    axis = _Axis(start, end)
    placed, strokes = _conversation(finding, rows, axis, start, end)
    if not placed:
        seen: dict[str, list[Mark]] = {}
        for ref, at in cited:
            if at is not None and start <= at <= end:
                mark = Mark(axis.x(at), "", "cited", f"{ref.at} {ref}: {ref.excerpt or ''}")
                seen.setdefault(ref.source, []).append(mark)
        placed = [Lane(name, _lane_y(n), marks[:_MOST_MARKS]) for n, (name, marks) in enumerate(seen.items())][
            :_MOST_LANES
        ]
    if not placed:
        return None
    below = TOP + LANE * len(placed) + 8
    ribbons = _ribbons(rows, macs, ips, axis, start, end, below) if finding.kind.startswith("dhcp") else []
    bottom = below + (RIBBON + 10) * len(ribbons)
    return Chart(
        title=finding.title,
        height=bottom + 30,
        bottom=bottom,
        day=f"{start:%Y-%m-%d} UTC" if f"{start:%F}" == f"{end:%F}" else f"{start:%Y-%m-%d} to {end:%Y-%m-%d} UTC",
        lanes=placed,
        ribbons=ribbons,
        ticks=_ticks(axis, start, end),
        instants=_instants(finding, axis, start, end),
        strokes=strokes,
    )


def _instant(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    whole, dot, fraction = text.rstrip("Z").partition(".")
    try:
        return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00" if dot else f"{whole}+00:00")
    except ValueError:
        return None


def _on_one_clock(frame: pl.LazyFrame, rows: Rows, start: datetime, end: datetime) -> pl.LazyFrame:
    clocks = rows.clocks.lazy().select("source", "offset_s")
    offset = (pl.col("offset_s").fill_null(0.0) * 1e9).round().cast(pl.Int64).cast(pl.Duration("ns"))
    within = pl.col("at").is_between(pl.lit(start).cast(INSTANT), pl.lit(end).cast(INSTANT))
    return frame.join(clocks, on="source", how="left").with_columns(at=pl.col("ts") - offset).filter(within)


def _lane_y(number: int) -> float:
    return TOP + LANE * (number + 0.5)


def _conversation(
    finding: Finding, rows: Rows, axis: _Axis, start: datetime, end: datetime
) -> tuple[list[Lane], list[Stroke]]:
    """Who said what and who saw it, for findings whose analysis tells: the server's lane above, the client's below."""
    found = frames_of(finding, rows)
    told = found[1].get("conversation") if found else None
    if not isinstance(told, pl.DataFrame) or not {"at", "message", "place", "by_client"} <= set(told.columns):
        return [], []
    seen = told.filter(pl.col("at").is_between(pl.lit(start).cast(INSTANT), pl.lit(end).cast(INSTANT)))
    names = seen.select("place", "seen_by", "point").unique().sort("place", "seen_by", "point", descending=True).rows()
    lanes = {key: Lane(f"{key[2]} ({key[1]})", _lane_y(n), []) for n, key in enumerate(names[:_MOST_LANES])}
    strokes = []
    for own in seen.sort("message", "place", "at").head(_MOST_MARKS).partition_by("message", maintain_order=True):
        ends = []
        for row in own.iter_rows(named=True):
            lane = lanes.get((row["place"], row["seen_by"], row["point"]))
            if lane is None:
                continue
            said = row["message_type"] or "?"
            kind = "client" if row["by_client"] else "refusal" if said == "NAK" else "server"
            x = round(axis.x(row["at"]) + (-2.5 if row["by_client"] else 2.5), 1)
            number = row["locator"].partition(":")[2]
            lane.marks.append(Mark(x, said[0], kind, f"{row['at']:%H:%M:%S.%f} {said} [{row['source']}:{number}]"))
            ends.append((x, lane.y + (-8 if row["by_client"] else 8), kind))
        if len(ends) > 1:
            (x1, y1, kind), (x2, y2, _) = ends[0], ends[-1]
            strokes.append(Stroke(x1, y1, x2, y2, kind))
    return list(lanes.values()), strokes


def _ribbons(
    rows: Rows, macs: tuple[str, ...], ips: tuple[str, ...], axis: _Axis, start: datetime, end: datetime, top: float
) -> list[Ribbon]:
    to_client = pl.col("dst").is_in(list(ips)) | pl.col("eth_dst").is_in(list(macs))
    near = _on_one_clock(rows(Packet).filter(to_client.fill_null(value=False)), rows, start, end)
    share = (pl.col("at") - pl.lit(start).cast(INSTANT)).dt.total_nanoseconds() / (axis.span_s * 1e9)
    bins = near.with_columns(bin=(share * _BINS).floor().clip(0, _BINS - 1).cast(pl.Int32))
    summed = bins.group_by("host", "bin").agg(pl.col("wire_bytes").cast(pl.Int64).sum()).sort("host", "bin").collect()
    ribbons = []
    step = (WIDTH - LEFT - RIGHT) / _BINS
    for number, host in enumerate(sorted(summed["host"].drop_nulls().unique())[:4]):
        counts = dict(summed.filter(pl.col("host") == host).select("bin", "wire_bytes").iter_rows())
        most = max(counts.values())
        floor = top + (RIBBON + 10) * (number + 1) - 10
        path = [f"M{LEFT} {floor}"]
        for place in range(_BINS):
            y = round(floor - (RIBBON - 4) * counts.get(place, 0) / most, 1)
            path.append(f"L{round(LEFT + place * step, 1)} {y}L{round(LEFT + (place + 1) * step, 1)} {y}")
        path.append(f"L{WIDTH - RIGHT} {floor}Z")
        ribbons.append(Ribbon(host, floor - RIBBON, "".join(path), _rate(most / (axis.span_s / _BINS))))
    return ribbons


def _rate(bytes_a_second: float) -> str:
    bits = bytes_a_second * 8
    for unit, size in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if bits >= size:
            return f"{bits / size:.1f} {unit}"
    return f"{bits:.0f} bit/s"


def _ticks(axis: _Axis, start: datetime, end: datetime) -> list[Edge]:
    step = next(
        (step for step in _STEPS_S if axis.span_s / step <= 9), _STEPS_S[-1] * (int(axis.span_s) // 5_000_000 + 1)
    )
    at = datetime.fromtimestamp((int(start.timestamp()) // step + 1) * step, start.tzinfo)
    form = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86_400 else "%m-%d"
    ticks = []
    while at < end:
        ticks.append(Edge(axis.x(at), f"{at:{form}}"))
        at += timedelta(seconds=step)
    return ticks


def _instants(finding: Finding, axis: _Axis, start: datetime, end: datetime) -> list[Edge]:
    named = [(at, text) for key, text in _INSTANTS.items() if (at := _instant(finding.facts.get(key))) is not None]
    shown = sorted((at, text) for at, text in named if start <= at <= end)
    middle = (LEFT + WIDTH - RIGHT) / 2
    return [
        Edge(axis.x(at), f"{text} {at:%H:%M:%S}", row, "start" if axis.x(at) < middle else "end")
        for row, (at, text) in enumerate(shown)
    ]
