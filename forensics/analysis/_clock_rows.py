"""What is known of each source's clock, as rows of `Clock`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from forensics.analysis._alignment import zone_part
from forensics.analysis._clock_line import Line
from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._pieces import END, START, Piece, Tie, hull
from forensics.records import Clock

STATED = ("stated", "utc-by-definition")
ALONE = "nothing in it was seen by another source as well"
NOTHING = "it holds no packets and no DHCP messages that another source has too"
MOST_OFF_NS = 450 * SECOND_NS
"""What is further from a whole quarter of an hour than half of one, or may be, does not tell its zone."""
TOGETHER_NS = SECOND_NS
"""A tie that is no closer than this and lets two clocks agree is taken to say that they do: hosts keep time by NTP."""


@dataclass(slots=True)
class Held:
    """What a node holds: ``kind`` is `capture`, `server`, `client`, `log` or `notes`."""

    kind: str
    host: str | None
    sources: dict[str, str | None] = field(default_factory=dict)
    """Files, and the host or capture point of each."""


Row = dict[str, Any]
_OF_THE_CLOCK = (
    "reference", "offset_s", "bound_s", "zone_s", "drift_ppm", "pivot_at", "pivot_bound_s", "pieces", "witnesses",
)  # fmt: skip


def clock_rows(
    files: Mapping[str, Held],
    chains: Mapping[str, Tie],
    references: Mapping[str, str],
    zones: Mapping[str, tuple[int, int, str]],
    listed: pl.DataFrame | None,
) -> pl.DataFrame:
    """One row per source: of several nodes in one file the surest, of a source without ties its host's.

    Args:
        files: Node -> what it holds.
        chains: Node -> its clock minus the reference's.
        references: Node -> the node of its reference.
        zones: What `own_zones` gives.
        listed: One row per `Source`.
    """
    told = {row["source"]: row for row in listed.iter_rows(named=True)} if listed is not None else {}
    nodes: dict[str, list[str]] = {}
    for node, held in files.items():
        for source in held.sources:
            nodes.setdefault(source, []).append(node)
    rows = {
        source: _of_source(source, own, files, chains, references, zones, told.get(source))
        for source, own in sorted(nodes.items())
    }
    timed: dict[tuple[object, ...], list[Row]] = {}
    for source, row in rows.items():
        if row["offset_s"] is not None and row["exchanges"] + (row["basis"] == "the reference"):
            timed.setdefault(_clock_of(told.get(source, {})), []).append(row)
    for source, about in told.items():
        known = rows.get(source)
        if about["status"] not in ("read", "damaged") or (known is not None and known["offset_s"] is not None):
            continue
        if known is not None and "log" not in {files[node].kind for node in nodes[source]}:
            continue
        alike = timed.get(_clock_of(about), []) if about["host"] is not None else []
        rows[source] = _by_host(about, alike, known)
    return pl.DataFrame(list(rows.values()), schema=Clock.polars_schema()).sort("source")


def _of_source(
    source: str,
    nodes: list[str],
    files: Mapping[str, Held],
    chains: Mapping[str, Tie],
    references: Mapping[str, str],
    zones: Mapping[str, tuple[int, int, str]],
    about: Row | None,
) -> Row:
    """The row of a source that has nodes."""
    by_host: dict[str | None, str] = {}
    for node in sorted((one for one in nodes if one in chains), key=lambda one: _rank(one, chains)):
        by_host.setdefault(files[node].host if files[node].kind != "capture" else None, node)
    main = min(by_host.values(), key=lambda one: _rank(one, chains), default=None)
    kinds = {files[node].kind for node in nodes}
    floating = "capture" not in kinds and kinds != {"notes"} and (about is None or about["zone_basis"] not in STATED)
    known = [zones[node] for node in nodes if node in zones]
    if main is None:
        host = files[nodes[0]].sources[source]
        row = _row(source, host, None, None, 0, ())
        if floating and known and about is not None and about["zone_basis"] == "assumed":
            row |= {"zone_s": known[0][0] / SECOND_NS, "basis": f"its zone by {known[0][2]}; {ALONE}"}
        return row
    tie = chains[main]
    reference = min(files[references[main]].sources)
    lines = {host: _lines(chains[node]) for host, node in by_host.items()}
    zone_ns = _zone(lines[_host_of(by_host, main)], tie) if floating else 0
    if zone_ns is None:
        return _row(source, files[main].sources[source], None, None, 0, ()) | {
            "basis": f"its zone cannot be told: {tie.basis} leave it within {tie.bound_ns / 1e9:.0f} s"
        }
    tie = _together(tie, zone_ns)
    if len(by_host) > 1:
        apart = [hull(one) for one in lines.values()]
        first = apart[0]
        if any(abs(first[0] - other[0]) > first[1] + other[1] for other in apart):
            offset, bound = hull([piece for one in lines.values() for piece in one])
            tie = replace(tie, offset_ns=offset, bound_ns=bound, drift_ppm=None, line=None)
        pieces = [(host, piece) for host, one in lines.items() for piece in one]
    else:
        pieces = [(None, piece) for piece in tie.pieces]
    return _row(source, files[main].sources[source], tie, reference, zone_ns, pieces)


def _host_of(by_host: Mapping[str | None, str], main: str) -> str | None:
    return next(host for host, node in by_host.items() if node == main)


def _rank(node: str, chains: Mapping[str, Tie]) -> tuple[int, int, str]:
    return chains[node].sure_ns, -chains[node].pairs, node


def _lines(tie: Tie) -> tuple[Piece, ...]:
    return tie.lines()


def _zone(lines: tuple[Piece, ...], tie: Tie) -> int | None:
    """The zone in an offset: of the longest stretch where there are several, as summer time may begin in between."""
    longest = max(lines, key=lambda piece: (piece.drift_ppm is not None, -piece.bound_ns, -piece.from_ns))
    zone = zone_part(longest.offset_ns)
    return zone if abs(longest.offset_ns - zone) + longest.bound_ns < MOST_OFF_NS or not tie.pairs else None


def _together(tie: Tie, zone_ns: int) -> Tie:
    """A loose tie that lets the clocks agree says so; its bound still holds all that it left open."""
    rest = tie.offset_ns - zone_ns
    if tie.pieces or tie.line or tie.bound_ns <= TOGETHER_NS or abs(rest) > tie.bound_ns:
        return tie
    return replace(tie, offset_ns=zone_ns, bound_ns=tie.bound_ns + abs(rest))


def _row(source: str, host: str | None, tie: Tie | None, reference: str | None, zone_ns: int, pieces: Any) -> Row:
    return {
        "source": source,
        "host": host,
        "reference": reference if tie else None,
        "offset_s": tie.offset_ns / 1e9 if tie else None,
        "bound_s": tie.bound_ns / 1e9 if tie else None,
        "zone_s": zone_ns / 1e9 if tie else None,
        "drift_ppm": tie.drift_ppm if tie else None,
        **_pivot(tie.line if tie else None),
        "exchanges": tie.pairs if tie else 0,
        "basis": tie.basis if tie else ALONE,
        "pieces": [
            {
                "host": own, "from_at": _instant(piece.from_ns), "to_at": _instant(piece.to_ns),
                "offset_s": piece.offset_ns / 1e9, "bound_s": piece.bound_ns / 1e9, "drift_ppm": piece.drift_ppm,
                **_pivot(piece.line),
            }
            for own, piece in pieces
        ] or None,
        "witnesses": [
            {"source": where, "locator": locator, "at": _instant(at), "what": what}
            for where, locator, at, what in (tie.witnesses if tie else ())
        ] or None,
    }  # fmt: skip


def _pivot(line: Line | None) -> dict[str, Any]:
    return {"pivot_at": line and line.pivot_ns, "pivot_bound_s": line and line.bound_ns / 1e9}


def _instant(at_ns: int) -> int | None:
    return at_ns if START < at_ns < END else None


def _clock_of(about: Mapping[str, object]) -> tuple[object, ...]:
    return about.get("host"), about.get("zone"), about.get("zone_basis")


def _by_host(about: Row, alike: list[Row], row: Row | None) -> Row:
    """A source that saw nothing others saw keeps time by its host's clock, if that is known."""
    own = row or _row(str(about["source"]), about["host"], None, None, 0, ()) | {"basis": NOTHING}
    if not alike:
        return own
    best = min(alike, key=lambda other: (other["bound_s"], other["source"]))
    kept = {name: best[name] for name in _OF_THE_CLOCK}
    return own | kept | {"basis": f"same host and zone as {best['source']}: {best['basis']}"}
