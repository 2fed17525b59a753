"""Who saw the same packet or DHCP message: an index that finds the few pairs of sources that share anything."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import polars as pl

from forensics.analysis._alignment import IDENTITIES

CLIENT, CAPTURE, SERVER, PACKET = range(4)
"""On which side of the wire a sighting was made; `PACKET` is a packet of a capture, the others are DHCP messages."""
MOST_SHARING = 64
"""What more nodes than these share (an address that every cloud has) ties each of them only to the busiest ones."""
MOST_PARTNERS = 64


def sightings(keys: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """Everything that could be recognised elsewhere.

    Args:
        keys: ``node`` and ``key`` of packets.
        messages: ``node``, ``role`` and what `IDENTITIES` name of DHCP messages.

    Returns:
        ``node``, ``place`` (see `CLIENT`), ``key``: each once.
    """
    place = pl.col("role").replace_strict(
        {"client": CLIENT, "capture": CAPTURE, "server": SERVER}, return_dtype=pl.Int8
    )
    parts = [keys.select("node", "key", place=pl.lit(PACKET, pl.Int8))]
    for number, identity in enumerate(IDENTITIES):
        key = pl.struct(pl.lit(number).alias("identity"), *identity, "message_type").hash()
        parts.append(messages.drop_nulls(identity).select("node", key=key, place=place))
    return pl.concat([part.select("node", "place", pl.col("key").cast(pl.UInt64)) for part in parts]).unique()


def partners(seen: pl.DataFrame) -> list[tuple[str, str]]:
    """Pairs of nodes that saw the same thing from different places, or as two captures.

    Args:
        seen: What `sightings` gives.

    Returns:
        Pairs in order, the smaller name first. Of very many partners of one node those count that share most.
    """
    nodes = pl.DataFrame({"node": seen["node"].unique().sort()}).with_row_index("id")
    names = nodes["node"].to_list()
    member = pl.col("id").cast(pl.Int64) * 4 + pl.col("place")
    shared = (
        seen.join(nodes, on="node")
        .group_by("key")
        .agg(members=member.sort())
        .filter(pl.col("members").list.len() > 1)
        .group_by("members")
        .len()
    )
    busy = Counter(dict(seen.group_by("node").len().iter_rows()))
    weights: Counter[tuple[int, int]] = Counter()
    for members, times in shared.iter_rows():
        for one, other in _couples(members, busy, names):
            weights[one, other] += times
    ranked: dict[int, int] = {}
    chosen: list[tuple[str, str]] = []
    for (one, other), _ in sorted(weights.items(), key=lambda item: (-item[1], item[0])):
        if min(ranked.get(one, 0), ranked.get(other, 0)) < MOST_PARTNERS:
            ranked[one], ranked[other] = ranked.get(one, 0) + 1, ranked.get(other, 0) + 1
            chosen.append((names[one], names[other]))
    return sorted(chosen)


def _couples(members: list[int], busy: Counter[str], names: list[str]) -> set[tuple[int, int]]:
    couples = combinations(members, 2)
    if len(members) > MOST_SHARING:
        order = sorted(members, key=lambda member: (-busy[names[member // 4]], member))
        hubs = [[one for one in order if one % 4 == place][:4] for place in range(4)]
        couples = iter([tuple(sorted((one, hub))) for some in hubs for hub in some for one in members])  # type: ignore[assignment]
    return {
        (one // 4, other // 4)
        for one, other in couples
        if one // 4 != other // 4
        and (one % 4 != other % 4 or one % 4 in (CAPTURE, PACKET))
        and (one % 4 == PACKET) == (other % 4 == PACKET)
    }
