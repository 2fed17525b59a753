"""What became of packets that the next capture point has not seen: lost, or there in another form, or answered."""

from __future__ import annotations

import numpy as np
import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._paths_packets import TCP
from forensics.analysis._paths_ways import TRIES, Flags, Way

SOON_NS = 150 * SECOND_NS // 1000
"""Below the shortest retransmission timeout: what is acknowledged or seen within it is this very segment."""
BUCKET = 1 << 16
"""No segment is larger, however many a card has joined (IPv4's and the kernel's GSO_LEGACY_MAX_SIZE)."""


def behind(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    """How far one sequence number is behind another, signed, modulo 2^32 (RFC 9293 section 3.4)."""
    return (one.cast(pl.Int64) - other.cast(pl.Int64) + (1 << 31)) % (1 << 32) - (1 << 31)


def joined_segments(way: Way, back: Way | None) -> Flags:
    """Segments larger than the connection's MSS: the sender's card cuts them up behind the capture (GSO, GRO)."""
    is_data = way.rows["is_data"]
    if not is_data.any():
        return np.zeros(way.rows.height, np.bool_)
    told = [
        one.rows.filter(pl.col("tcp_mss").is_not_null()).select(*ports, "tcp_mss")
        for one, ports in (
            (way, ("src_port", "dst_port")),
            (back, (pl.col("dst_port").alias("src_port"), pl.col("src_port").alias("dst_port"))),
        )
        if one is not None
    ]
    # what both ends can take; 0 is no size
    mss = pl.concat(told).filter(pl.col("tcp_mss") > 0).group_by("src_port", "dst_port").agg(pl.col("tcp_mss").min())
    rows = way.rows.select("src_port", "dst_port", "payload_bytes", "ip_bytes").join(
        mss, on=["src_port", "dst_port"], how="left", suffix="_least", maintain_order="left"
    )
    plain = way.rows.filter(~is_data)["ip_bytes"].max()
    usual = max(1500, int(plain) if isinstance(plain, int) else 0)
    known = "tcp_mss_least" if "tcp_mss_least" in rows.columns else "tcp_mss"
    most = pl.when(pl.col(known).is_not_null()).then(pl.col("payload_bytes") > pl.col(known))
    large = rows.select(most.otherwise(pl.col("ip_bytes") > usual).fill_null(value=False)).to_series()
    flags: Flags = (large & is_data).to_numpy()
    return flags


def arrived(way: Way, back: Way | None, lost: Flags, beyond: Flags) -> Flags:
    """Which of some packets, not seen beyond a place, got there all the same.

    Args:
        way: Their way.
        back: The way back, whose answers tell.
        lost: Which packets are asked for.
        beyond: Which packets of the way were seen beyond the place.

    Returns:
        True where a fragment of it, a segment that overlaps it, an echo reply or an acknowledgement shows that it
        did arrive.
    """
    there = np.zeros(len(lost), np.bool_)
    if not lost.any():
        return there
    nth = pl.Series("nth", np.arange(len(lost)))
    asked = way.rows.with_columns(nth, sent=pl.Series(way.sent_at())).filter(pl.Series(lost))
    came = way.rows.with_columns(nth, sent=pl.Series(way.sent_at())).filter(pl.Series(beyond))
    for found in (_cut(asked, came), _overlapping(asked, came), *_answered(asked, back)):
        there[found.to_numpy()] = True
    return there


def _cut(asked: pl.DataFrame, came: pl.DataFrame) -> pl.Series:
    """Packets that went on in fragments, or put together again."""
    part = (pl.col("more_fragments").fill_null(value=False)) | (pl.col("fragment_offset_bytes").fill_null(0) > 0)
    numbered = pl.col("ip_id").fill_null(0) != 0
    key = ["protocol", "ip_id"]
    pairs = (
        asked.filter(numbered).select("nth", *key, "sent", part=part)
        .join(came.filter(numbered).select(*key, "sent", part=part), on=key)
        .filter(pl.col("part") | pl.col("part_right"), (pl.col("sent") - pl.col("sent_right")).abs() < SECOND_NS)
        .filter(pl.col("part") != pl.col("part_right"))
    )  # fmt: skip
    return pairs["nth"]


def _overlapping(asked: pl.DataFrame, came: pl.DataFrame) -> pl.Series:
    """Segments whose octets went on in others: cut up by a card, or joined by one."""
    ports = ["src_port", "dst_port"]
    own = asked.filter("is_data").select("nth", *ports, "tcp_seq", "payload_bytes", "sent")
    far = came.filter("is_data").select(*ports, "tcp_seq", "payload_bytes", "sent")
    if own.is_empty() or far.is_empty():
        return own["nth"].clear()
    buckets = (1 << 32) // BUCKET
    bucket = pl.col("tcp_seq").cast(pl.Int64) // BUCKET
    near = pl.concat_list([(bucket + step) % buckets for step in (-1, 0, 1)])
    pairs = own.with_columns(bucket=near).explode("bucket").join(far.with_columns(bucket=bucket), on=[*ports, "bucket"])
    away = behind(pl.col("tcp_seq_right"), pl.col("tcp_seq"))
    overlaps = (away < pl.col("payload_bytes").cast(pl.Int64)) & (away > -pl.col("payload_bytes_right").cast(pl.Int64))
    return pairs.filter(overlaps, (pl.col("sent") - pl.col("sent_right")).abs() <= SOON_NS)["nth"].unique()


def _answered(asked: pl.DataFrame, back: Way | None) -> list[pl.Series]:
    """Echo requests that were replied to, segments that were acknowledged at once."""
    if back is None:
        return []
    said = back.rows.with_columns(sent=pl.Series(back.sent_at()))
    key = ["icmp_id", "icmp_seq", "ip_bytes"]
    echoes = (
        asked.filter("is_echo").select("nth", *key, "sent").join(said.filter("is_reply").select(*key, "sent"), on=key)
    )
    replied = echoes.filter((pl.col("sent_right") - pl.col("sent")).abs() < 10 * SECOND_NS)["nth"].unique()
    ports = ["src_port", "dst_port"]
    acks = (
        said.filter(pl.col("protocol") == TCP, pl.col("tcp_flags").cast(pl.Int64) & 0x10 != 0)
        .select(src_port="dst_port", dst_port="src_port", tcp_ack="tcp_ack", due="sent")
        .sort("due")
    )
    own = asked.filter("is_data").with_columns(due=pl.col("sent") + SOON_NS).sort("due")
    told = own.select("nth", *ports, "tcp_seq", "payload_bytes", "due").join_asof(
        acks, on="due", by=ports, check_sortedness=False
    )
    end = pl.col("tcp_seq").cast(pl.Int64) + pl.col("payload_bytes").cast(pl.Int64)
    return [replied, told.filter(behind(pl.col("tcp_ack"), end) >= 0)["nth"]]


def echoes(way: Way, back: Way | None) -> pl.DataFrame:
    """Echo requests of a way and whether each got its reply back to where it was first seen.

    Returns:
        ``nth`` (row of the way), ``sent`` (ns), ``ip_bytes``, ``first`` (number of the place), ``answered``, one row
        per request and identifier, sequence number and size.
    """
    nth = pl.Series("nth", np.arange(way.rows.height))
    rows = way.rows.with_columns(nth, sent=pl.Series(way.sent_at()), first=pl.Series(way.first()))
    key = ["icmp_id", "icmp_seq", "ip_bytes"]
    asked = rows.filter("is_echo").select("nth", "sent", "first", *key)
    points = pl.DataFrame({"first": range(len(way.places)), "point": [place.point for place in way.places]})
    asked = asked.join(points.cast({"first": asked["first"].dtype}), on="first", how="left", maintain_order="left")
    if back is None or asked.is_empty():
        return asked.with_columns(answered=pl.lit(value=False))
    reply = back.rows["is_reply"].to_numpy()
    which, where = np.nonzero(reply[:, None] & back.seen)
    came = back.rows.select(key)[which].with_columns(
        point=pl.Series([place.point for place in back.places]).gather(where), told=pl.Series(back.at[which, where])
    )
    replies = came.group_by(*key, "point").agg(pl.col("told").max())
    told = asked.join(replies, on=[*key, "point"], how="left", maintain_order="left")
    return told.with_columns(answered=(pl.col("told") >= pl.col("sent") - SECOND_NS).fill_null(value=False))


def segments(way: Way, back: Way | None, beyond: Flags | None) -> pl.DataFrame:
    """Distinct data segments of a way, and whether each arrived.

    Args:
        way: Their way.
        back: The way back.
        beyond: Which packets were seen beyond the place where others are lost; None where nobody looked there.

    Returns:
        ``src_port``, ``dst_port``, ``tcp_seq``, ``payload_bytes``, ``ip_bytes``, ``sent`` (first, ns), ``tries``,
        ``nth`` (rows of the way), ``arrived`` (null where that is not known).
    """
    nth = pl.Series("nth", np.arange(way.rows.height))
    rows = way.rows.with_columns(nth, sent=pl.Series(way.sent_at()), came=pl.Series(
        beyond if beyond is not None else np.zeros(way.rows.height, np.bool_)))  # fmt: skip
    own = rows.filter("is_data", ~pl.Series(joined_segments(way, back)))
    key = ["src_port", "dst_port", "tcp_seq", "payload_bytes"]
    distinct = own.group_by(key, maintain_order=True).agg(
        pl.col("ip_bytes").max(), pl.col("sent").min(), pl.col("nth"), pl.col("came").any(), tries=pl.len()
    )
    end = pl.col("tcp_seq").cast(pl.Int64) + pl.col("payload_bytes").cast(pl.Int64)
    acked = pl.lit(value=False)
    if back is not None:
        acks = (
            back.rows.with_columns(due=pl.Series(back.sent_at()))
            .filter(pl.col("protocol") == TCP, pl.col("tcp_flags").cast(pl.Int64) & 0x10 != 0)
            .select(src_port="dst_port", dst_port="src_port", last_ack="tcp_ack", due="due")
            .sort("due").group_by("src_port", "dst_port", maintain_order=True).agg(pl.col("last_ack").last())
        )  # fmt: skip
        distinct = distinct.join(acks, on=["src_port", "dst_port"], how="left", maintain_order="left")
        acked = (behind(pl.col("last_ack"), end) >= 0).fill_null(value=False)
    if beyond is not None:
        return distinct.with_columns(arrived=pl.col("came") | acked)
    unknown = pl.when(acked).then(True).when(pl.col("tries") >= TRIES).then(False)
    return distinct.with_columns(arrived=unknown)
