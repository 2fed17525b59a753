"""Who saw the same packet or DHCP message: an index that finds the few pairs of sources that share anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from forensics.analysis._alignment import IDENTITIES
from forensics.analysis._clock_messages import Messages
from forensics.analysis._correlate import SECOND_NS
from forensics.records import Reference
from forensics.records.finding import iso

CLIENT, CAPTURE, SERVER, PACKET = range(4)
"""On which side of the wire a sighting was made; `PACKET` is a packet of a capture, the others are DHCP messages."""
MOST_SHARING = 64
"""What more nodes than these share (an address that every cloud has) ties each of them only to the busiest ones."""
MOST_PARTNERS = 64
MOST_SEEN = 250_000
"""Sightings that are compared at a time."""
MOST_READ = 2_000_000
"""Sightings that are read at a time, for that."""


def partners(keys: pl.DataFrame, messages: Messages) -> list[tuple[str, str]]:
    """Pairs of nodes that saw the same thing from different places, or as two captures.

    Args:
        keys: ``node`` and ``key`` of packets.
        messages: DHCP messages.

    Returns:
        Pairs in order, the smaller name first. Of very many partners of one node those count that share most.
    """
    names = sorted({str(node) for held in (keys, messages.nodes) for node in held["node"].drop_nulls().unique()})
    busy: Counter[int] = Counter()
    groups: Counter[tuple[int, ...]] = Counter()
    for seen in _sightings(keys, messages, names):
        each = seen.unique()
        busy.update(dict(each.group_by(pl.col("member") // 4).len().iter_rows()))
        several = each.filter(pl.col("key").is_duplicated()).group_by("key").agg(pl.col("member").sort())
        groups.update({tuple(members): times for members, times in several.group_by("member").len().iter_rows()})
    weights: Counter[tuple[int, int]] = Counter()
    for members, times in groups.items():
        for one, other in _couples(members, busy):
            weights[one, other] += times
    ranked: dict[int, int] = {}
    chosen: list[tuple[str, str]] = []
    for (one, other), _ in sorted(weights.items(), key=lambda item: (-item[1], item[0])):
        if min(ranked.get(one, 0), ranked.get(other, 0)) < MOST_PARTNERS:
            ranked[one], ranked[other] = ranked.get(one, 0) + 1, ranked.get(other, 0) + 1
            chosen.append((names[one], names[other]))
    return sorted(chosen)


def _sightings(keys: pl.DataFrame, messages: Messages, names: list[str]) -> Iterator[pl.DataFrame]:
    """Everything that could be recognised elsewhere, so much at a time and all of one thing at once.

    Yields:
        ``key``, and ``member``: four times the number of the node, and the place (see `CLIENT`).
    """
    node = pl.col("node").cast(pl.Enum(names)).to_physical().cast(pl.UInt32) * 4
    place = pl.col("role").cast(pl.Enum(["client", "capture", "server"])).to_physical()
    held = [(keys.height, keys.lazy().select("key", member=node + PACKET))]
    for number, identity in enumerate(IDENTITIES):
        key = pl.struct(pl.lit(number).alias("identity"), *identity, "message_type").hash()
        told = messages.rows().drop_nulls(identity).select(key=key, member=node + place)
        held.append((messages.total, told))
    for most, rows in held:
        turns = 1 + most // MOST_READ
        for turn in range(turns):
            seen = rows.filter(pl.col("key") % turns == turn).drop_nulls("member").collect(engine="streaming")
            parts = 1 + seen.height // MOST_SEEN
            yield from (seen.filter(pl.col("key") // turns % parts == part) for part in range(parts))


def _couples(members: Sequence[int], busy: Counter[int]) -> set[tuple[int, int]]:
    couples = combinations(members, 2)
    if len(members) > MOST_SHARING:
        order = sorted(members, key=lambda member: (-busy[member // 4], member))
        hubs = [[one for one in order if one % 4 == place][:4] for place in range(4)]
        couples = iter([tuple(sorted((one, hub))) for some in hubs for hub in some for one in members])  # type: ignore[assignment]
    return {
        (one // 4, other // 4)
        for one, other in couples
        if one // 4 != other // 4
        and (one % 4 != other % 4 or one % 4 in (CAPTURE, PACKET))
        and (one % 4 == PACKET) == (other % 4 == PACKET)
    }


@dataclass(frozen=True, slots=True)
class Pair:
    """One packet or message as each of two sources saw it."""

    refs: tuple[Reference, Reference]
    away_s: float
    what: str

    def told(self) -> str:
        """The pair in a sentence."""
        one, other = self.refs
        way = "after" if self.away_s > 0 else "before"
        return f"{self.what}: {one.source} stamps it {abs(self.away_s):.6f} s {way} {other.source}"


class Witnesses:
    """Finds an exchange that two sources saw, or a chain of sources each of which shares one with the next.

    Args:
        keys: `packet_keys` with places.
        messages: DHCP messages.
        clocks: Rows of `Clock` with ``own_s``.
        wanted: Sources and references that will be asked for: what they share themselves is read at once.
    """

    def __init__(
        self, keys: pl.DataFrame, messages: Messages, clocks: pl.DataFrame, wanted: Iterable[tuple[str, str]]
    ) -> None:
        self._clocks = clocks.select("source", "offset_s", "own_s", "bound_s")
        self._keys = {str(name[0]): rows for name, rows in keys.group_by("node")}
        self._messages = messages
        self._near: dict[str, set[str]] = {}
        for one, other in partners(keys, messages):
            self._near.setdefault(one, set()).add(other)
            self._near.setdefault(other, set()).add(one)
        self._nodes: dict[str, set[str]] = {}
        places = [frame.select("source", "node").unique().cast(pl.String) for frame in (keys, messages.files)]
        for source, node in pl.concat(places).unique().iter_rows():
            self._nodes.setdefault(source, set()).add(node)
        self._direct = self._read(wanted)

    def chain(self, source: str, reference: str) -> tuple[Pair, ...]:
        """Pairs that lead from a source to its reference: one where both saw the same, none where rows are missing."""
        for strict in (True, False):
            ends = self._nodes.get(reference, set())
            ways: list[tuple[str, tuple[Pair, ...]]] = [(node, ()) for node in sorted(self._nodes.get(source, ()))]
            reached = {node for node, _ in ways}
            if reached & ends:
                return ()
            while ways:
                further: list[tuple[str, tuple[Pair, ...]]] = []
                for node, pairs in ways:
                    for other in sorted(self._near.get(node, set()) - reached, key=lambda one: (one not in ends, one)):
                        pair = self._pair((node, other), (source, reference), strict=strict)
                        if pair and other in ends:
                            return (*pairs, pair)
                        if pair:
                            reached.add(other)
                            further.append((other, (*pairs, pair)))
                ways = further
        return ()

    def _read(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[tuple[str, str], tuple[str, str]], Pair | None]:
        """Two nodes and the sources wanted of them -> what they share, as far as it fits their clocks."""
        asked: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for source, reference in wanted:
            for node in self._nodes.get(source, ()):
                for other in self._near.get(node, set()) & self._nodes.get(reference, set()):
                    asked.setdefault((node, other), []).append((source, reference))
        found = {}
        for nodes, *sides in self._messages.sides(asked):
            for sources in asked[nodes]:
                found[nodes, sources] = self._surest(nodes, [side.rows for side in sides], sources, strict=True)
        return found

    def _pair(self, nodes: tuple[str, str], sources: tuple[str, str], *, strict: bool) -> Pair | None:
        """The surest thing that both nodes saw whose stamps are as far apart as the clocks are."""
        if strict and (nodes, sources) in self._direct:
            return self._direct[nodes, sources]
        both = next(([one.rows, other.rows] for _, one, other in self._messages.sides([nodes])), None)
        return self._surest(nodes, both, sources, strict=strict)

    def _surest(
        self, nodes: tuple[str, str], said: list[pl.DataFrame] | None, sources: tuple[str, str], *, strict: bool
    ) -> Pair | None:
        """The same, with the DHCP messages of both where there are any."""
        one, other = nodes
        found: list[pl.DataFrame] = []
        kept = ("source", "position", "at", "what", "locator")
        if one in self._keys and other in self._keys:
            pair = pl.col("pair").cast(pl.String).str.replace(" ", " and ", literal=True)
            what = pl.concat_str(pl.lit("A packet between "), pair).fill_null("A packet")
            place = ["key", "source", "position", "at"]
            both = self._keys[one].select(*place, "pair").join(self._keys[other].select(place), on="key", suffix="_b")
            shown = both.with_columns(
                pl.col("source", "source_b").cast(pl.String),
                what=what,
                locator=pl.lit("frame"),
                what_b=pl.lit(None, pl.String),
                locator_b=pl.lit("frame"),
                rank=pl.lit(0),
            )
            found.append(shown.select(*kept, *(f"{name}_b" for name in kept), "rank"))
        if said is not None:
            a, b = said
            found += self._told(a, b, kept, self._aparts_ns(a["source"][0], b["source"][0]))
        if not found:
            return None
        zero = {name: pl.col(name).fill_null(0.0) for name in ("offset_s", "own_s", "bound_s")}
        clocks = self._clocks.with_columns(**zero)
        pairs = (
            pl.concat(found)
            .join(clocks, on="source", how="left")
            .join(clocks, left_on="source_b", right_on="source", how="left", suffix="_b")
        )
        away = (pl.col("at") - pl.col("at_b")) / SECOND_NS
        errors = [(away - (pl.col(name) - pl.col(f"{name}_b")).fill_null(0.0)).abs() for name in ("own_s", "offset_s")]
        pairs = pairs.with_columns(away=away, error=pl.min_horizontal(errors))
        if strict:  # stamps may be cut to whole seconds
            pairs = pairs.filter(pl.col("error") <= pl.sum_horizontal("bound_s", "bound_s_b") + 1.5)
        if pairs.is_empty():
            return None
        strange = [~pl.col(name).is_in(list(sources)) for name in ("source", "source_b")]
        order = ("rank" if strict else "error", *strange, "error", "at", "position", "position_b")
        row = pairs.sort(*order).row(0, named=True)
        ends = [
            (row[f"source{end}"], f"{row[f'locator{end}']}:{row[f'position{end}']}", row[f"at{end}"])
            for end in ("", "_b")
        ]
        here, there = (Reference(source, locator, iso(at)) for source, locator, at in ends)
        return Pair((here, there), float(row["away"]), str(row["what"]))

    def _aparts_ns(self, one: str, other: str) -> list[int]:
        """How far two sources' stamps should be apart, with their zones and without."""
        known = {row[0]: row[1:3] for row in self._clocks.filter(pl.col("source").is_in([one, other])).iter_rows()}
        pairs = zip(known.get(one, (0.0, 0.0)), known.get(other, (0.0, 0.0)), strict=True)
        return sorted({round(((a or 0.0) - (b or 0.0)) * SECOND_NS) for a, b in pairs})

    @staticmethod
    def _told(a: pl.DataFrame, b: pl.DataFrame, kept: tuple[str, ...], aparts_ns: list[int]) -> list[pl.DataFrame]:
        """Of each message of A the like one of B that is nearest to where its clock would put it."""
        roles = a["role"][0], b["role"][0]
        if roles[0] == roles[1] != "capture":
            return []
        who = pl.coalesce("chaddr", "ip")
        what = pl.concat_str(
            pl.lit("DHCP"),
            "message_type",
            pl.when(who.is_not_null()).then(pl.concat_str(pl.lit(" of "), who)).otherwise(pl.lit("")),
        )
        locator = pl.when(pl.col("role") == "capture").then(pl.lit("frame")).otherwise(pl.lit("line"))
        a, b = (side.with_columns(what=what, locator=locator) for side in (a, b))
        found: list[pl.DataFrame] = []
        for rank, identity in enumerate(IDENTITIES, 1):
            on = list(dict.fromkeys((*identity, "message_type")))
            left, right = (side.drop_nulls(identity).select(*on, *kept).sort("at", "position") for side in (a, b))
            renamed = right.rename({name: f"{name}_b" for name in kept}).with_columns(due=pl.col("at_b"))
            for apart_ns in aparts_ns:
                due = left.with_columns(due=pl.col("at") - apart_ns)
                pairs = due.join_asof(renamed, on="due", by=on, strategy="nearest", check_sortedness=False)
                pairs = pairs.drop_nulls("at_b").select(*kept, *(f"{name}_b" for name in kept))
                found.append(pairs.with_columns(pl.col("source", "source_b").cast(pl.String), rank=pl.lit(rank)))
        return found
