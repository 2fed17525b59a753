"""Which lines, rows and packets of which sources a bundle is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from forensics.bundle._documents import Place
from forensics.case import Case
from forensics.case._cite import places_of, references_in
from forensics.records import LogRecord

CAPTURES = frozenset(("pcap", "pcapng"))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is taken of one source."""

    cited: tuple[Place, ...]
    places: tuple[Place, ...]
    """With what stands around them."""
    is_log: bool

    def frames(self, context: int) -> set[int]:
        """Frame numbers, with those around them."""
        return {near for place in self.cited for near in range(place.position - context, place.position + context + 1)}


def chosen(case: Case, context: int) -> Mapping[str, Chosen]:
    """What the findings of a case cite, by source.

    Args:
        case: The case.
        context: Log records to take before and after each.
    """
    found = places_of(references_in(list(case.findings)), case.rows).unique(maintain_order=True)
    by_source: dict[str, list[Place]] = {}
    for source, position, offset, length in found.drop_nulls().iter_rows():
        by_source.setdefault(source, []).append(Place(position, offset, length))
    logs = _logs(case, list(by_source))
    return {
        source: _chosen(cited, logs.get(source), context)
        for source, cited in sorted(by_source.items())
        if case.sources.filter(pl.col("source") == source).height
    }


def _logs(case: Case, sources: list[str]) -> Mapping[str, list[Place]]:
    place = ("position", "offset_bytes", "length_bytes")
    rows = case.records(LogRecord).filter(pl.col("source").is_in(sources)).select("source", *place).collect()
    return {
        str(key[0]): [Place(*row) for row in own.select(place).sort("offset_bytes").iter_rows()]
        for key, own in rows.group_by("source")
    }


def _chosen(cited: list[Place], log: list[Place] | None, context: int) -> Chosen:
    wanted = set(cited)
    if log and context:
        at = {place.position: n for n, place in enumerate(log)}
        for place in cited:
            n = at.get(place.position)
            if n is not None:
                wanted |= set(log[max(0, n - context) : n + context + 1])
    return Chosen(_apart(cited), _apart(wanted), log is not None)


def _apart(places: list[Place] | set[Place]) -> tuple[Place, ...]:
    """In order, each place once: of several that start together the longest."""
    longest: dict[int, Place] = {}
    for place in sorted(places, key=lambda one: (one.offset_bytes, one.length_bytes)):
        longest[place.offset_bytes] = place
    told: list[Place] = []
    for place in longest.values():
        if told and place.offset_bytes + place.length_bytes <= told[-1].offset_bytes + told[-1].length_bytes:
            continue  # part of the one before
        told.append(place)
    return tuple(told)
