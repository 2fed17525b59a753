"""What reached a client and what it answered: packets reduced to what the question of a lost lease needs."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._lease_messages import on_one_clock

GROUP_BIT = list("13579bdf")
"""Second digit of a group address (IEEE 802: lowest bit of the first octet)."""
AROUND_NS = 3 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Traffic:
    """Packets to and from some clients, reduced.

    ``seconds``: per ``client`` (null: to all), ``point``, ``way`` (`in`, `out`, `group`), ``sender`` (of group frames)
    and second: ``n``, ``size_bytes``, ``first_at``, ``last_at``, ``last_source``, ``last_position``.
    ``near``: single packets around the first unanswered renewals. ``heard``: packets of a client that prove that it
    received something (echo and ARP replies, TCP acknowledgements that advance). ``probes``: packets that ask for such
    an answer.
    ``spans``: per point first and last packet.
    """

    seconds: pl.DataFrame
    near: pl.DataFrame
    heard: pl.DataFrame
    probes: pl.DataFrame
    spans: pl.DataFrame


def watch(packets: pl.LazyFrame, clocks: pl.LazyFrame, clients: pl.DataFrame) -> Traffic:
    """Reduce packets to what concerns some clients; one streaming pass over the columns that are needed.

    Args:
        packets: One row per `Packet`, any number.
        clocks: One row per `Clock`.
        clients: ``client``, ``mac``, ``ip``, ``since_at``, ``first_at``, ``ends_at`` (ns): one row per failed attempt.

    Returns:
        See `Traffic`; empty frames where there are no packets.
    """
    used = ("ts", "host", "source", "position", "interface", "wire_bytes", "tunnel")
    headers: tuple[str, ...] = (
        "eth_src",
        "eth_dst",
        "src",
        "dst",
        "protocol",
        "tcp_flags",
        "tcp_ack",
        "src_port",
        "dst_port",
    )
    headers += ("payload_bytes", "icmp_type", "icmp_id", "icmp_seq", "arp_op", "arp_sender_ip", "arp_target_ip")
    inner = pl.col("tunnel").is_not_null() & pl.col("inner_eth_src").is_not_null()
    columns = {name: pl.when(inner).then(f"inner_{name}").otherwise(name) for name in headers}
    rows = on_one_clock(packets.select(*used, **columns), clocks)
    several = rows.group_by("source").agg(several=pl.col("interface").n_unique() > 1)
    own = pl.concat_str("host", pl.lit("/"), "interface")
    rows = rows.join(several, on="source").with_columns(
        point=pl.when("several").then(pl.coalesce(own, "host", "source")).otherwise(pl.coalesce("host", "source"))
    )
    spans = rows.group_by("point").agg(
        from_at=pl.col("at").min(), to_at=pl.col("at").max(), n=pl.len(), bound=pl.col("bound").max()
    )
    labelled = _labelled(rows, clients)
    windows = [pl.col("at").is_between(int(at) - AROUND_NS, int(at) + AROUND_NS) for at in clients["first_at"]]
    around = pl.any_horizontal(windows) if windows else pl.lit(value=False)
    near = labelled.filter(around & (pl.col("way") != "out")).select(
        "client", "point", "way", "sender", "at", "source", "position"
    )
    earliest = min(clients["since_at"].to_list(), default=0)
    latest = max(clients["ends_at"].to_list(), default=0) + 60 * SECOND_NS
    asked = labelled.filter(pl.col("at").is_between(earliest, latest))
    parts = [_seconds(labelled), near, _echoes(asked), _acknowledged(asked), _probes(asked), spans]
    seconds, near_rows, echoes, acknowledged, probes, span_rows = pl.collect_all(parts, engine="streaming")
    heard = pl.concat([echoes, _advancing(acknowledged)], how="vertical_relaxed").sort("at", "point", "position")
    order = ("client", "point", "at")
    return Traffic(
        seconds.sort("client", "point", "first_at", "way"),
        near_rows.sort(*order, "position"),
        heard,
        probes.sort(*order, "position"),
        span_rows.sort("point"),
    )


def _labelled(rows: pl.LazyFrame, clients: pl.DataFrame) -> pl.LazyFrame:
    """Rows that concern a client: by its hardware address, where there is one, else by its IP address."""
    macs = clients.select("client", "mac").drop_nulls().unique().lazy()
    ips = clients.select("client", "ip").drop_nulls().unique().lazy()
    known = clients["mac"].drop_nulls().unique().to_list()
    group = pl.col("eth_dst").str.slice(1, 1).is_in(GROUP_BIT)
    sender = pl.when(pl.col("eth_src").is_in(known)).then("eth_src")
    rows = rows.with_columns(sender=sender)
    by_mac_out = rows.join(macs, left_on="eth_src", right_on="mac").with_columns(way=pl.lit("out"))
    by_mac_in = rows.join(macs, left_on="eth_dst", right_on="mac").with_columns(way=pl.lit("in"))
    foreign_src = pl.col("eth_src").is_null() | pl.col("eth_src").is_in(known).not_()
    foreign_dst = pl.col("eth_dst").is_null() | (pl.col("eth_dst").is_in(known).not_() & group.not_())
    by_ip_out = rows.filter(foreign_src).join(ips, left_on="src", right_on="ip").with_columns(way=pl.lit("out-ip"))
    by_ip_in = rows.filter(foreign_dst).join(ips, left_on="dst", right_on="ip").with_columns(way=pl.lit("in-ip"))
    arp_for = rows.filter((pl.col("arp_op") == 1) & group).join(ips, left_on="arp_target_ip", right_on="ip")
    to_all = rows.filter(group).with_columns(client=pl.lit(None, dtype=pl.String), way=pl.lit("group"))
    names = [*rows.collect_schema().names(), "client", "way"]
    parts = [by_mac_out, by_mac_in, by_ip_out, by_ip_in, arp_for.with_columns(way=pl.lit("asked")), to_all]
    return pl.concat([part.select(names) for part in parts])


def _seconds(rows: pl.LazyFrame) -> pl.LazyFrame:
    last = pl.col("at").arg_max()
    return (
        rows.filter(pl.col("way") != "asked")
        .with_columns(second=pl.col("at") // SECOND_NS)
        .group_by("client", "point", "way", "sender", "second")
        .agg(
            n=pl.len(),
            size_bytes=pl.col("wire_bytes").cast(pl.Int64).sum(),
            first_at=pl.col("at").min(),
            last_at=pl.col("at").max(),
            last_source=pl.col("source").get(last),
            last_position=pl.col("position").get(last),
        )
    )


def _echoes(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Echo replies and ARP replies of a client: it received the question."""
    replies = (pl.col("icmp_type") == 0) & (pl.col("protocol") == 1)
    arp = (pl.col("arp_op") == 2) & pl.col("arp_sender_ip").is_not_null()
    out = pl.col("way").is_in(("out", "out-ip"))
    what = pl.when(replies).then(pl.lit("echo reply")).otherwise(pl.lit("ARP reply"))
    return rows.filter(out & (replies | arp)).select("client", "point", "at", "source", "position", what=what)


def _acknowledged(rows: pl.LazyFrame) -> pl.LazyFrame:
    """TCP acknowledgement numbers of a client per flow and tenth of a second."""
    out = pl.col("way").is_in(("out", "out-ip")) & (pl.col("tcp_flags").cast(pl.Int64) & 0x10 > 0)
    last = pl.col("at").arg_max()
    return (
        rows.filter(out & pl.col("tcp_ack").is_not_null())
        .with_columns(tenth=pl.col("at") // (SECOND_NS // 10))
        .group_by("client", "point", "dst", "src_port", "dst_port", "tenth")
        .agg(
            at=pl.col("at").max(),
            ack=pl.col("tcp_ack").get(last).cast(pl.Int64),
            source=pl.col("source").get(last),
            position=pl.col("position").get(last),
        )
    )


def _advancing(acks: pl.DataFrame) -> pl.DataFrame:
    """Those that acknowledge more than before, modulo 2^32 (RFC 9293): new data reached the client."""
    flow = ("client", "point", "dst", "src_port", "dst_port")
    step = (pl.col("ack") - pl.col("ack").shift().over(flow)) % 2**32
    ahead = acks.sort(*flow, "tenth").with_columns(step=step).filter(pl.col("step").is_between(1, 2**31))
    return ahead.select("client", "point", "at", "source", "position", what=pl.lit("TCP acknowledgement of new data"))


def _probes(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Echo requests, ARP requests and TCP data for a client, first of each tenth of a second."""
    to_client = pl.col("way").is_in(("in", "in-ip"))
    echo = to_client & (pl.col("icmp_type") == 8) & (pl.col("protocol") == 1)
    data = to_client & (pl.col("protocol") == 6) & (pl.col("payload_bytes") > 0)
    what = (
        pl.when(echo).then(pl.lit("echo request")).when(data).then(pl.lit("TCP data")).otherwise(pl.lit("ARP request"))
    )
    first = pl.col("at").arg_min()
    return (
        rows.filter(echo | data | (pl.col("way") == "asked"))
        .with_columns(what=what, tenth=pl.col("at") // (SECOND_NS // 10))
        .group_by("client", "point", "what", "tenth")
        .agg(at=pl.col("at").min(), source=pl.col("source").get(first), position=pl.col("position").get(first))
        .select("client", "point", "at", "source", "position", "what")
    )
