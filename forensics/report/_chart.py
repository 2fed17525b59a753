"""A finding as lanes over time, for the report: who saw which message when, and what traffic reached the client.

The report runs no script and allows no inline style, so its charts are plain SVG: here are the figures,
``templates/chart.svg`` draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from forensics.analysis._correlate import placed
from forensics.case._findings import lanes_of
from forensics.case._rows import INSTANT, Rows
from forensics.records import Finding, Packet

WIDTH, LEFT, RIGHT, TOP = 960, 190, 16, 26
LANE, RIBBON, HEADING, LEGEND = 50, 46, 17, 34
_MOST_MARKS, _MOST_LANES, _BINS = 300, 12, 120
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)
_INSTANTS = {
    "silence_at": "last packet to the client",
    "first_unanswered_at": "first request in vain",
    "gave_up_at": "last try",
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
    lost: bool = False
    """Whether an answer was seen here last, and never reached the client."""


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
    note: str
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
    kind: str = "instant"


@dataclass(frozen=True, slots=True)
class Shade:
    """The time in which it was broken."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of the legend."""

    x: float
    kind: str
    letter: str
    text: str


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
    shade: Shade | None
    keys: list[Key]
    headings: float
    """Height of the names of instants above the lanes."""
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = 0.0
    middle: float = LANE / 2
    ribbon: float = RIBBON


class _Axis:
    def __init__(self, start: datetime, end: datetime) -> None:
        self.start, self.end, self.span_s = start, end, max((end - start).total_seconds(), 1e-6)

    def x(self, at: datetime) -> float:
        share = (at - self.start).total_seconds() / self.span_s
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def charts(findings: Sequence[Finding], rows: Rows) -> list[Chart | None]:
    """The charts of some findings; None for one that has no two instants to draw."""
    spans = {finding.id: _span(finding) for finding in findings}
    drawn = [finding for finding in findings if spans[finding.id] is not None]
    told = lanes_of(drawn, rows)
    axes = {finding.id: _Axis(*span) for finding in drawn if (span := spans[finding.id]) is not None}
    loads = _loads([finding for finding in drawn if finding.kind.startswith("dhcp")], axes, rows)
    nothing = pl.DataFrame(schema=_LOAD)
    return [
        _chart(finding, axes[finding.id], told.get(finding.id, {}), loads.get(finding.id, nothing))
        if finding.id in axes
        else None
        for finding in findings
    ]


def _span(finding: Finding) -> tuple[datetime, datetime] | None:
    """From when to when its chart goes."""
    known = [at for at in (_instant(ref.at) for ref in finding.references()) if at is not None]
    told = (finding.start, finding.end, *map(finding.facts.get, _INSTANTS), *(step.at for step in finding.story))
    edges = [at for at in map(_instant, told) if at is not None] or known
    if not edges:
        return None
    start, end = min(edges), max(edges)
    reach = max((end - start).total_seconds(), 2.0)
    return start - timedelta(seconds=0.3 * reach), end + timedelta(seconds=0.1 * reach)


def _chart(finding: Finding, axis: _Axis, frames: Mapping[str, Any], load: pl.DataFrame) -> Chart | None:
    start, end = axis.start, axis.end
    placed, strokes = _conversation(finding, frames.get("conversation"), axis, start, end)
    talk = bool(placed)
    if not placed:
        seen: dict[str, list[Mark]] = {}
        for ref in finding.references():
            at = _instant(ref.at)
            if at is not None and start <= at <= end:
                mark = Mark(axis.x(at), "", "cited", f"{ref.at} {ref}: {ref.excerpt or ''}")
                seen.setdefault(ref.source, []).append(mark)
        placed = [Lane(name, "", _lane_y(n), marks[:_MOST_MARKS]) for n, (name, marks) in enumerate(seen.items())][
            :_MOST_LANES
        ]
    if not placed or not (talk or len({mark.x for lane in placed for mark in lane.marks}) > 1):
        return None  # a lone dot tells nothing
    below = TOP + LANE * len(placed) + 8
    ribbons = _ribbons(load, axis, below)
    bottom = below + (RIBBON + 10) * len(ribbons)
    instants = _instants(finding, frames.get("lease_ends_at"), axis, start, end)
    shade = _shade(finding, axis, start, end) if talk else None
    return Chart(
        title=finding.title,
        height=bottom + 26 + (LEGEND if talk else 0),
        shade=shade,
        keys=_keys(placed, shade, has_load=bool(ribbons)) if talk else [],
        headings=HEADING * (1 + max((edge.row for edge in instants), default=-1)),
        bottom=bottom,
        day=f"{start:%Y-%m-%d} UTC" if f"{start:%F}" == f"{end:%F}" else f"{start:%Y-%m-%d} to {end:%Y-%m-%d} UTC",
        lanes=placed,
        ribbons=ribbons,
        ticks=_ticks(axis, start, end),
        instants=instants,
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


def _lane_y(number: int) -> float:
    return TOP + LANE * (number + 0.5)


def _conversation(
    finding: Finding, told: object, axis: _Axis, start: datetime, end: datetime
) -> tuple[list[Lane], list[Stroke]]:
    """Who said what and who saw it, for findings whose analysis tells: the server's lane above, the client's below.

    A message stands where the best of its clocks has it, so that one that is seen at many places is one upright stroke.
    """
    if not isinstance(told, pl.DataFrame) or not {"at", "message", "place", "by_client"} <= set(told.columns):
        return [], []
    seen = told.filter(pl.col("at").is_between(pl.lit(start).cast(INSTANT), pl.lit(end).cast(INSTANT)))
    names = seen.select("place", "seen_by", "point").unique().sort("place", "seen_by", "point", descending=True).rows()
    top = max((place for place, seen_by, _ in names if seen_by == "server"), default=None)
    lanes = {key: Lane(*_named(finding, key, top), _lane_y(n), []) for n, key in enumerate(names[:_MOST_LANES])}
    near = min((place for place, *_ in names if place > 0), default=0)
    strokes = []
    for own in seen.sort("message", "place", "at").head(_MOST_MARKS).partition_by("message", maintain_order=True):
        best = own.sort(pl.col("seen_by") != "capture", "at").row(0, named=True)
        said = best["message_type"] or "?"
        kind = "client" if best["by_client"] else "refusal" if said == "NAK" else "server"
        x = round(axis.x(best["at"]) + (-2.5 if best["by_client"] else 2.5), 1)
        lowest = int(own["place"].min())  # type: ignore[arg-type]
        lost = kind != "client" and near < lowest and (top is None or lowest < top)
        ends = []
        for row in own.iter_rows(named=True):
            lane = lanes.get((row["place"], row["seen_by"], row["point"]))
            if lane is None:
                continue
            number = row["locator"].partition(":")[2]
            title = f"{row['at']:%H:%M:%S.%f} {said} [{row['source']}:{number}]"
            lane.marks.append(Mark(x, said[0], kind, title, lost and row["place"] == lowest))
            ends.append(lane.y + (-8 if row["by_client"] else 8))
        if len(ends) > 1:
            strokes.append(Stroke(x, ends[0], x, ends[-1], kind))
    return list(lanes.values()), strokes


def _named(finding: Finding, key: tuple[int, str, str], top: int | None) -> tuple[str, str]:
    """Name of a lane, and what kind of place it is."""
    place, seen_by, point = key
    if seen_by == "capture":
        return point, "capture"
    party = {"client": "ip", "server": "server"}.get(seen_by, "")
    address = finding.facts.get(party) if place in (0, top) else None
    name = "DHCP server" if seen_by == "server" else seen_by
    return f"{name} {address}" if address else name, f"log of {point}"


def _shade(finding: Finding, axis: _Axis, start: datetime, end: datetime) -> Shade | None:
    from forensics.charts.ladder import SHADE

    facts = finding.facts
    first = _instant(facts.get("silence_at") or facts.get("first_unanswered_at") or finding.start)
    last = _instant(finding.end or facts.get("gave_up_at")) or end
    if first is None or not start <= first < last:
        return None
    left, right = axis.x(first), axis.x(min(last, end))
    return Shade(left, round(right - left, 1), SHADE.get(str(facts.get("cause")), ""))


_MEANINGS = {
    "D": "discover", "R": "request", "O": "offer", "A": "ack", "N": "nak", "I": "inform",
}  # fmt: skip


def _keys(lanes: list[Lane], shade: Shade | None, *, has_load: bool) -> list[Key]:
    """The legend: only what is drawn."""
    marks = {(mark.kind, mark.letter) for lane in lanes for mark in lane.marks if mark.letter in _MEANINGS}
    order = "DRIOAN"
    wanted = [
        (
            kind,
            letter,
            _MEANINGS[letter] + (" (client asks)" if letter == "R" else " (server answers)" if letter == "A" else ""),
        )
        for kind, letter in sorted(marks, key=lambda mark: order.index(mark[1]))
    ]
    if any(mark.lost for lane in lanes for mark in lane.marks):
        wanted.append(("lost", "", "answer lost after this place"))
    if shade is not None and shade.text:
        wanted.append(("shade", "", shade.text))
    if has_load:
        wanted.append(("ribbon", "", "traffic"))
    keys, x = [], 12.0
    for kind, letter, text in wanted:
        keys.append(Key(round(x, 1), kind, letter, text))
        x += 34 + 6.1 * len(text)
    return keys


_LOAD = {"id": pl.String, "host": pl.String, "bin": pl.Int32, "wire_bytes": pl.Int64}


def _loads(findings: Sequence[Finding], axes: Mapping[str, _Axis], rows: Rows) -> dict[str, pl.DataFrame]:
    """Bytes to the clients of some findings, per place and bin of the time that is drawn: one pass over the packets."""
    if not findings:
        return {}
    names = {one.id: [sorted(set(one.entities.get(kind, ()))) for kind in ("macs", "ips")] for one in findings}
    drawn = {one.id: axes[one.id] for one in findings}
    shown = [(name, *names[name], axis.start, axis.end, axis.span_s * 1e9) for name, axis in drawn.items()]
    texts = pl.List(pl.String)
    instants: dict[str, Any] = {"start": INSTANT, "end": INSTANT}
    schema = {"id": pl.String, "macs": texts, "ips": texts, **instants, "span_ns": pl.Float64}
    wanted = pl.DataFrame(shown, schema=schema, orient="row").lazy()
    packets = placed(rows(Packet).select("ts", "source", "host", "wire_bytes", "dst", "eth_dst"), rows.clocks.lazy())
    by_mac, by_ip = (
        packets.join(wanted.explode(named).filter(pl.col(named).is_not_null()), left_on=own, right_on=named)
        for own, named in (("eth_dst", "macs"), ("dst", "ips"))
    )
    told_by_mac = pl.col("macs").list.contains(pl.col("eth_dst")).fill_null(value=False)
    columns = ("id", "host", "wire_bytes", "at", "start", "end", "span_ns")
    near = pl.concat([by_mac.select(columns), by_ip.filter(~told_by_mac).select(columns)])
    share = (pl.col("at") - pl.col("start")).dt.total_nanoseconds() / pl.col("span_ns")
    bins = near.filter(pl.col("at").is_between("start", "end")).with_columns(
        bin=(share * _BINS).floor().clip(0, _BINS - 1).cast(pl.Int32)
    )
    summed = bins.group_by("id", "host", "bin").agg(pl.col("wire_bytes").cast(pl.Int64).sum())
    counted = summed.collect(engine="streaming").sort("id", "host", "bin")
    return {str(name): own for (name,), own in counted.partition_by("id", as_dict=True).items()}


def _ribbons(summed: pl.DataFrame, axis: _Axis, top: float) -> list[Ribbon]:
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
    for unit, size in (("GB/s", 1e9), ("MB/s", 1e6), ("kB/s", 1e3)):
        if bytes_a_second >= size:
            return f"{bytes_a_second / size:.1f} {unit}"
    return f"{bytes_a_second:.0f} B/s"


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


def _instants(finding: Finding, lease_ends_at: object, axis: _Axis, start: datetime, end: datetime) -> list[Edge]:
    """Instants that the finding names, each in the lowest row where its name has room."""
    told = [(finding.facts.get(key), text, "instant") for key, text in _INSTANTS.items()]
    told.append((lease_ends_at, "lease ends", "lease"))
    named = [(at, text, kind) for value, text, kind in told if (at := _instant(value)) is not None]
    taken: list[list[tuple[float, float]]] = []
    edges = []
    for at, text, kind in sorted((one for one in named if start <= one[0] <= end), reverse=True):
        shown = f"{text} {at:%H:%M:%S}"
        x, size = axis.x(at), 6.9 * len(shown) + 12
        anchor = "start" if x + size < WIDTH - RIGHT else "end"
        left, right = (x, x + size) if anchor == "start" else (x - size, x)
        free = (n for n, row in enumerate(taken) if all(right < a or b < left for a, b in row))
        row = next(free, len(taken))
        if row == len(taken):
            taken.append([])
        taken[row].append((left, right))
        edges.append(Edge(x, shown, row, anchor, kind))
    return edges
