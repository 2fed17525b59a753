"""The cross-capture join: which sightings are one and the same packet, whatever repeats its numbers."""

from __future__ import annotations

import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._paths_packets import ICMP, ICMPV6, IDENTITY, TCP, UDP

DOUBLE_NS = SECOND_NS // 1000
"""A frame on a bridge and on its port: microseconds apart. A retransmission takes a round trip at least."""
MOST_SPREAD_NS = SECOND_NS // 10
"""Half of the shortest retransmission timeout of Linux (TCP_RTO_MIN, 200 ms)."""
LEAST_SPREAD_NS = 2 * SECOND_NS // 1000
LONGEST_JOURNEY_NS = 20 * SECOND_NS
"""Farther apart than this, on one clock, are two packets: identifications come round (RFC 6864)."""


def joined(seen: pl.DataFrame) -> pl.DataFrame:
    """Number the packets.

    Sightings with one identity are one packet, unless a place saw it twice: then identities were used again (IP ids
    come round, a system sends id 0 with DF, a segment is sent anew), and each sighting goes with the one at the
    place with most of them that is nearest in time, once the usual time between two places is taken off.

    Args:
        seen: What `forensics.analysis._paths_packets.sightings` gives, collected, by ``source`` and ``position``; text
            may be categorical.

    Returns:
        One row per packet and place (a capture point, the tags there, the routers behind): the columns given, of
        the first of its copies there, with ``packet`` (UInt32) and ``copies`` (how often the place shows it).
    """
    if seen.is_empty():
        return seen.with_columns(packet=pl.lit(0, pl.UInt32), copies=pl.lit(0, pl.UInt32))
    whole = _filled(seen)
    numbers = _numbers(whole)  # found out on few columns: copies of wide rows add up
    return whole[numbers["row"]].with_columns(numbers.select("copies", "packet"))


def _numbers(whole: pl.DataFrame) -> pl.DataFrame:
    """The rows that are no copies, in the order of time: ``row``, ``copies``, ``packet``."""
    strong = pl.col("protocol").is_in([ICMP, ICMPV6, TCP]) | (pl.col("ip_id").fill_null(0) != 0)
    keyed = whole.select(
        *("src", "dst", "at"), key=pl.struct(IDENTITY).hash(), strong=strong,
        site=pl.struct(pl.col("point", "form").cast(pl.String), "hops").hash(),
    ).with_row_index("row")  # fmt: skip
    keyed = _once(keyed.sort("key", "site", "at", "row"))
    twice = keyed.group_by("key", "site").len().filter(pl.col("len") > 1).select("key").unique()
    lag, spread = _lags(keyed.join(twice, on="key", how="anti"))
    keyed = keyed.join(lag, on=["src", "dst", "site"], how="left", maintain_order="left").select(
        *("row", "key", "site", "at", "copies"), due=pl.col("at") - pl.col("lag").fill_null(0)
    )
    journey = keyed.group_by("key").agg(away=pl.col("due").max() - pl.col("due").min())
    far = journey.filter(pl.col("away") > LONGEST_JOURNEY_NS).select("key")
    more = pl.concat([twice, far]).unique()
    again = keyed.join(more, on="key", how="semi", maintain_order="left")
    parts = [keyed.join(more, on="key", how="anti", maintain_order="left").with_columns(turn=pl.lit(0, pl.Int64))]
    if not again.is_empty():
        parts.append(_turns(again, spread))
    keyed = pl.concat([part.select("row", "at", "key", "turn", "copies") for part in parts])
    keyed = keyed.sort("at", "row").drop("at").with_row_index("nth")
    first = keyed.group_by("key", "turn").agg(pl.col("nth").min()).sort("nth").drop("nth").with_row_index("packet")
    return keyed.join(first, on=["key", "turn"], maintain_order="left").select("row", "copies", "packet")


def _once(keyed: pl.DataFrame) -> pl.DataFrame:
    """Copies that one place has of one frame, as one row.

    What has no identification of its own (id 0, and no sequence number) may be many packets; those are taken for
    copies only where the place doubles what has one.
    """
    soon = (pl.col("at") - pl.col("at").shift()).over("key", "site") <= DOUBLE_NS
    keyed = keyed.with_columns(soon=soon.fill_null(value=False))
    doubling = (pl.col("soon") & pl.col("strong")).sum() * 3 >= pl.col("strong").sum()
    keyed = keyed.with_columns(copy=pl.col("soon") & (pl.col("strong") | doubling.over("site")))
    copies = keyed.select(run=(~pl.col("copy")).cum_sum()).group_by("run", maintain_order=True).len("copies")
    return keyed.filter(~pl.col("copy")).drop("soon", "copy").with_columns(copies["copies"])


def _turns(repeated: pl.DataFrame, spread: int) -> pl.DataFrame:
    """Which use of an identity each sighting belongs to (``turn``)."""
    count = pl.len().over("key", "site")
    earliest = pl.col("due").min().over("key", "site")
    busiest = pl.col("site").sort_by(pl.struct(-count.cast(pl.Int64), earliest, "site")).first().over("key")
    repeated = repeated.with_columns(base=pl.col("site") == busiest)
    base = repeated.filter("base").sort("due").with_columns(turn=pl.int_range(pl.len(), dtype=pl.Int64).over("key"))
    others = repeated.filter(~pl.col("base")).sort("due")
    near = others.join_asof(
        base.select("key", "due", "turn", base_due=pl.col("due")),
        on="due", by="key", strategy="nearest", check_sortedness=False,
    )  # fmt: skip
    close = (pl.col("due") - pl.col("base_due")).abs() <= spread
    near = near.with_columns(turn=pl.when(close).then("turn"))
    # two sightings of one place at one use, or none near: they are packets that the busiest place has not seen
    rank = (pl.col("due") - pl.col("base_due")).abs().rank("ordinal").over("key", "turn", "site")
    near = near.with_columns(turn=pl.when(rank == 1).then("turn"))
    stray = near.filter(pl.col("turn").is_null()).sort("key", "due")
    gap = (pl.col("due") - pl.col("due").shift()).over("key")
    stray = stray.with_columns(run=(gap.is_null() | (gap > spread)).cum_sum())
    nth = pl.int_range(pl.len()).over("key", "run", "site")
    stray = stray.with_columns(turn=-1 - (pl.struct("run", nth.alias("nth")).rank("dense").cast(pl.Int64)))
    kept = pl.concat([base, near.filter(pl.col("turn").is_not_null()), stray], how="diagonal_relaxed")
    return kept.drop("base", "base_due", "run", strict=False)


def _lags(plain: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """How much later than the busiest one a place sees what passes from one address to another; and how that varies.

    A constant offset between two clocks is part of it, so it does no harm.
    """
    pair = ["src", "dst"]
    busy = plain.group_by(*pair, "site").len().sort("len", "site", descending=[True, False])
    hub = busy.unique(pair, keep="first", maintain_order=True).select(*pair, "site")
    passed = plain.join(hub, on=[*pair, "site"], how="semi").select("key", hub_at="at")
    away = plain.join(passed, on="key").with_columns(away=pl.col("at") - pl.col("hub_at"))
    lag = away.group_by(*pair, "site").agg(lag=pl.col("away").median().cast(pl.Int64))
    off = (pl.col("away") - pl.col("lag")).abs()
    rest = away.join(lag, on=[*pair, "site"]).filter(pl.col("away") != 0)
    if rest.is_empty():
        return lag, MOST_SPREAD_NS
    wide = int(rest.select(off.quantile(0.99, "higher")).item())
    return lag, min(max(4 * wide, LEAST_SPREAD_NS), MOST_SPREAD_NS)


_HEADER = ("protocol", "ip_id", "ip_bytes", "more_fragments", "fragment_offset_bytes")
_BEHIND = tuple(name for name in IDENTITY if name not in (*_HEADER, "src", "dst"))


def _filled(seen: pl.DataFrame) -> pl.DataFrame:
    """Packets whose transport header a short snaplen cut off, with that of the same packet seen elsewhere.

    The IP header alone tells which it is, where its sender numbers packets, among those of about the same time.
    """
    needs = pl.col("protocol").is_in([TCP, UDP, ICMP, ICMPV6]) & (pl.col("fragment_offset_bytes").fill_null(0) == 0)
    icmp, tcp = pl.col("protocol").is_in([ICMP, ICMPV6]), pl.col("protocol") == TCP
    whole = pl.col("payload_bytes").is_not_null()
    there = (
        pl.when(icmp).then(pl.col("icmp_type").is_not_null())
        .when(tcp).then(pl.col("tcp_flags").is_not_null() & whole).otherwise(whole)
    )  # fmt: skip
    cut = needs & ~there
    own = ["src", "dst", *_HEADER]
    marked = seen.select(
        *own, "at", cut=cut.fill_null(value=False), whole=needs.fill_null(value=False)
    ).with_row_index()
    lacking = marked.filter("cut").drop("cut", "whole")
    if lacking.is_empty():
        return seen
    like = marked.filter("whole", ~pl.col("cut")).join(lacking, on=own, how="semi").select(*own, "at", by="index")
    told = like.sort("at", "by")
    near = []
    for numbered, tolerance in ((True, LONGEST_JOURNEY_NS), (False, MOST_SPREAD_NS)):
        some = lacking.filter((pl.col("ip_id").fill_null(0) != 0) == numbered).sort("at", "index")
        near.append(
            some.join_asof(told, on="at", by=own, strategy="nearest", tolerance=tolerance, check_sortedness=False)
        )
    by = marked.select("index").join(
        pl.concat(near).select("index", "by"), on="index", how="left", maintain_order="left"
    )
    taken = by.select(pl.when(marked["cut"]).then("by").otherwise("index")).to_series()
    return seen.with_columns(seen.select(pl.col(_BEHIND).gather(taken)))
