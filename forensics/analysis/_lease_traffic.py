"""What reached a client and what it answered: packets reduced to what the question of a lost lease needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from forensics.analysis._correlate import SECOND_NS, named, of_first, of_last, on_one_clock

GROUP_BIT = list("13579bdf")
"""Second digit of a group address (IEEE 802: lowest bit of the first octet)."""
AROUND_NS = 3 * SECOND_NS
_NOBODY = pl.lit(None, dtype=pl.String)


@dataclass(frozen=True)
class Traffic:
    """Packets to and from some clients, reduced.

    ``seconds``: per ``client`` (null: to all), ``point``, ``way`` (`in`, `out`, `group`), ``sender`` (of group frames)
    and second: ``n``, ``size_bytes``, ``first_at``, ``last_at``, ``last_source``, ``last_position``.
    ``near``: single packets around the first unanswered renewals. ``heard``: packets of a client that prove that it
    received something (echo and ARP replies, TCP acknowledgements that advance). ``probes``: packets that ask for such
    an answer. ``closed``: ICMP errors by which a host says that nobody listens on its DHCP port.
    ``turns``: per ``client``, ``point``, ``peer`` and ``by`` (who answered: `client` or `peer`) the shortest time from
    an echo or ARP request to its reply, ``turn_ns``, and how many such pairs there are, ``n``.
    ``spans``: per point first and last packet.
    """

    seconds: pl.DataFrame
    near: pl.DataFrame
    heard: pl.DataFrame
    probes: pl.DataFrame
    closed: pl.DataFrame
    turns: pl.DataFrame
    spans: pl.DataFrame

    def of(self, client: str) -> Traffic:
        """The same as far as it concerns one client: its own packets, and those to all."""
        return replace(self, **{name: parts.of(client) for name, parts in self._parts.items()})

    @cached_property
    def _parts(self) -> dict[str, _Parts]:
        names = ("seconds", "near", "heard", "probes", "closed", "turns")
        return {name: _Parts(getattr(self, name)) for name in names}


class _Parts:
    """Rows of many clients, cut by client."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows = rows.sort("client", maintain_order=True)
        runs = self._rows.select(pl.col("client").rle()).unnest("client")
        ends = runs["len"].cum_sum().to_list()
        self._where = dict(zip(runs["value"], zip([0, *ends], runs["len"], strict=False), strict=True))

    def of(self, client: str) -> pl.DataFrame:
        """Rows of nobody, then those of the client, in their order."""
        return pl.concat([self._rows.slice(*self._where.get(name, (0, 0))) for name in (None, client)])


def watch(packets: pl.LazyFrame, clocks: pl.LazyFrame, clients: pl.DataFrame) -> Traffic:
    """Reduce packets to what concerns some clients; one streaming pass over the columns that are needed.

    Args:
        packets: One row per `Packet`, any number.
        clocks: One row per `Clock`.
        clients: ``client``, ``mac``, ``ip``, ``since_at``, ``first_at``, ``ends_at`` (ns): one row per failed attempt.

    Returns:
        See `Traffic`; empty frames where there are no packets.
    """
    used = ("ts", "host", "source", "position", "wire_bytes")
    headers: tuple[str, ...] = ("eth_src", "eth_dst", "src", "dst", "protocol", "tcp_flags", "tcp_ack")
    headers += ("src_port", "dst_port", "payload_bytes", "icmp_type", "icmp_code", "icmp_id", "icmp_seq")
    headers += ("quoted_dst_port", "arp_op", "arp_sender_ip", "arp_target_ip")
    tunnelled = packets.select(pl.col("tunnel").is_not_null().any()).collect(engine="streaming")
    columns = {name: pl.col(name) for name in headers}
    if tunnelled.item():
        inner = pl.col("tunnel").is_not_null() & pl.col("inner_eth_src").is_not_null()
        columns = {name: pl.when(inner).then(f"inner_{name}").otherwise(name) for name in headers}
    rows = on_one_clock(packets.select(*used, **columns), clocks).with_columns(point=pl.coalesce("host", "source"))
    spans = rows.group_by("point").agg(
        from_at=pl.col("at").min(), to_at=pl.col("at").max(), n=pl.len(), bound=pl.col("bound").max()
    )
    # Chosen by what the packets have before anything is made of it: the scan reads the other columns of few packets.
    chosen = packets.filter(_of_any(clients, ("", "inner_") if tunnelled.item() else ("",)))
    own = on_one_clock(chosen.select(*used, **columns), clocks).with_columns(point=pl.coalesce("host", "source"))
    sent, reached, asked, to_all = _labelled(own, clients)
    near = pl.concat([reached, to_all]).filter(_around(clients["first_at"]))
    since = min(clients["since_at"].to_list(), default=0)
    until = max(clients["ends_at"].to_list(), default=0) + 60 * SECOND_NS
    answering = sent.filter(pl.col("at").is_between(since, until))
    asking = pl.concat([reached, asked]).filter(pl.col("at").is_between(since, until))
    parts = [
        *(_seconds(part) for part in (sent, reached, to_all)),
        near.select("client", "point", "way", "sender", "at", "source", "position"),
        *(_echoes(answering), _acknowledged(answering), _probes(asking), _closed(asking), _turns(asking, answering)),
        spans,
    ]
    # Each part reads the few columns that it needs: sharing one wide frame would hold all packets in memory.
    separately = pl.QueryOptFlags(comm_subplan_elim=False)
    *seconds, near_rows, echoes, acknowledged, probes, closed, turns, span_rows = (
        part.collect(engine="streaming", optimizations=separately) for part in parts
    )
    heard = pl.concat([echoes, _advancing(acknowledged)], how="vertical_relaxed").sort("at", "point", "position")
    order = ("client", "point", "at")
    return Traffic(
        pl.concat(seconds).sort("client", "point", "first_at", "way"),
        near_rows.sort(*order, "position"),
        heard,
        probes.sort(*order, "position"),
        closed.sort(*order, "position"),
        turns.sort("client", "point", "by", "peer"),
        span_rows.sort("point"),
    )


def _around(instants: pl.Series) -> pl.Expr:
    """Whether ``at`` is close to any of some instants, however many there are."""
    known = np.sort(instants.drop_nulls().to_numpy())

    def near(at: pl.Series) -> pl.Series:
        stamps = at.to_numpy()
        first = np.searchsorted(known, stamps - AROUND_NS)
        return pl.Series(first < np.searchsorted(known, stamps + AROUND_NS, side="right"))

    return pl.col("at").map_batches(near, return_dtype=pl.Boolean, is_elementwise=True)


def _of_any(clients: pl.DataFrame, layers: Sequence[str]) -> pl.Expr:
    """Whether a packet is of any of the clients, to one or about one, or to all, in any of its layers."""
    parts = []
    for told, names in ((clients["mac"], ("eth_src", "eth_dst")), (clients["ip"], ("src", "dst", "arp_target_ip"))):
        values = told.drop_nulls().unique().to_list()
        parts += [pl.col(f"{layer}{name}").is_in(values) for layer in layers for name in names if values]
    return pl.any_horizontal(*parts, *(_to_all(layer) for layer in layers)).fill_null(value=False)


def _to_all(layer: str = "") -> pl.Expr:
    return pl.col(f"{layer}eth_dst").str.slice(1, 1).is_in(GROUP_BIT).fill_null(value=False)


def _labelled(rows: pl.LazyFrame, clients: pl.DataFrame) -> tuple[pl.LazyFrame, ...]:
    """What a client sent, what was sent to it, who asked for it by ARP, and what went to all.

    A packet is a client's by its hardware address, where there is one, else by its IP address.
    """
    macs = dict(clients.select("mac", "client").drop_nulls().iter_rows())
    ips = dict(clients.select("ip", "client").drop_nulls().iter_rows())

    def owner(column: str, names: dict[str, str]) -> pl.Expr:
        return named(column, names) if names else _NOBODY

    group = _to_all()
    by_mac, by_ip = owner("eth_src", macs), owner("src", ips)
    to_mac, to_ip = owner("eth_dst", macs), owner("dst", ips)

    def labelled(client: pl.Expr, way: pl.Expr) -> pl.LazyFrame:
        return rows.with_columns(client=client, way=way, sender=by_mac).filter(pl.col("client").is_not_null())

    sent = labelled(
        pl.coalesce(by_mac, by_ip), pl.when(by_mac.is_not_null()).then(pl.lit("out")).otherwise(pl.lit("out-ip"))
    )
    to_client = pl.when(group.not_()).then(pl.coalesce(to_mac, to_ip))
    reached = labelled(to_client, pl.when(to_mac.is_not_null()).then(pl.lit("in")).otherwise(pl.lit("in-ip")))
    wanted = pl.when((pl.col("arp_op") == 1) & group).then(owner("arp_target_ip", ips))
    asked = labelled(wanted, pl.lit("asked"))
    to_all = rows.filter(group).with_columns(
        client=_NOBODY, way=pl.lit("group"), sender=owner("eth_src", dict(zip(macs, macs, strict=True)))
    )
    names = [*rows.collect_schema().names(), "client", "way", "sender"]
    return tuple(part.select(names) for part in (sent, reached, asked, to_all))


def _seconds(rows: pl.LazyFrame) -> pl.LazyFrame:
    return (
        rows.with_columns(second=pl.col("at") // SECOND_NS)
        .group_by("client", "point", "way", "sender", "second")
        .agg(
            n=pl.len(),
            size_bytes=pl.col("wire_bytes").cast(pl.Int64).sum(),
            first_at=pl.col("at").min(),
            last_at=pl.col("at").max(),
            last_source=of_last("source"),
            last_position=of_last("position"),
        )
    )


def _echoes(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Echo replies and ARP replies of a client: it received the question."""
    replies = (pl.col("icmp_type") == 0) & (pl.col("protocol") == 1)
    arp = (pl.col("arp_op") == 2) & pl.col("arp_sender_ip").is_not_null()
    what = pl.when(replies).then(pl.lit("echo reply")).otherwise(pl.lit("ARP reply"))
    return rows.filter(replies | arp).select("client", "point", "at", "source", "position", what=what)


def _acknowledged(rows: pl.LazyFrame) -> pl.LazyFrame:
    """TCP acknowledgement numbers of a client per flow and tenth of a second."""
    acknowledges = pl.col("tcp_flags").cast(pl.Int64) & 0x10 > 0
    return (
        rows.filter(acknowledges & pl.col("tcp_ack").is_not_null())
        .with_columns(tenth=pl.col("at") // (SECOND_NS // 10))
        .group_by("client", "point", "dst", "src_port", "dst_port", "tenth")
        .agg(
            at=pl.col("at").max(),
            ack=of_last("tcp_ack").cast(pl.Int64),
            source=of_last("source"),
            position=of_last("position"),
        )
    )


def _advancing(acks: pl.DataFrame) -> pl.DataFrame:
    """Those that acknowledge more than before, modulo 2^32 (RFC 9293): new data reached the client."""
    flow = ("client", "point", "dst", "src_port", "dst_port")
    step = (pl.col("ack") - pl.col("ack").shift().over(flow)) % 2**32
    ahead = acks.sort(*flow, "tenth").with_columns(step=step).filter(pl.col("step").is_between(1, 2**31))
    return ahead.select("client", "point", "at", "source", "position", what=pl.lit("TCP acknowledgement of new data"))


def _closed(rows: pl.LazyFrame) -> pl.LazyFrame:
    """ICMP port unreachable for a DHCP request."""
    unreachable = (pl.col("protocol") == 1) & (pl.col("icmp_type") == 3) & (pl.col("icmp_code") == 3)
    refused = unreachable & (pl.col("quoted_dst_port") == 67) & pl.col("way").is_in(("in", "in-ip"))
    return rows.filter(refused).select("client", "point", "at", "source", "position")


def _turns(to_client: pl.LazyFrame, from_client: pl.LazyFrame) -> pl.LazyFrame:
    """How fast a client, and who talks with it, answer echo and ARP requests, as a point sees it."""
    rows = pl.concat(
        [to_client.with_columns(out=pl.lit(value=False)), from_client.with_columns(out=pl.lit(value=True))]
    )
    echo = (pl.col("protocol") == 1) & pl.col("icmp_type").is_in((0, 8))
    arp = pl.col("arp_op").is_in((1, 2))
    question = (pl.col("icmp_type") == 8).fill_null(value=False) | (pl.col("arp_op") == 1).fill_null(value=False)
    sender = pl.when(arp).then("arp_sender_ip").otherwise("src")
    target = pl.when(arp).then("arp_target_ip").otherwise("dst")
    named = (
        rows.filter(echo | arp)
        .unique(["point", "source", "position", "client", "out"])
        .with_columns(
            question=question,
            peer=pl.when("out").then(target).otherwise(sender),
            by=pl.when(pl.col("out") == question).then(pl.lit("peer")).otherwise(pl.lit("client")),
        )
        .select("client", "point", "peer", "by", "question", "at", "icmp_id", "icmp_seq")
    )
    pair = ("client", "point", "peer", "by", "icmp_id", "icmp_seq")
    took = pl.col("at") - pl.col("at").shift().over(pair)
    asked = pl.col("question").shift().over(pair)
    return (
        named.sort("at", "question", descending=[False, True])
        .with_columns(took=took, asked=asked)
        .filter(pl.col("question").not_() & pl.col("asked") & pl.col("took").is_between(0, SECOND_NS))
        .group_by("client", "point", "peer", "by")
        .agg(turn_ns=pl.col("took").min(), n=pl.len())
    )


def _probes(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Echo requests, ARP requests and TCP data for a client, first of each tenth of a second."""
    to_client = pl.col("way").is_in(("in", "in-ip"))
    echo = to_client & (pl.col("icmp_type") == 8) & (pl.col("protocol") == 1)
    data = to_client & (pl.col("protocol") == 6) & (pl.col("payload_bytes") > 0)
    what = (
        pl.when(echo).then(pl.lit("echo request")).when(data).then(pl.lit("TCP data")).otherwise(pl.lit("ARP request"))
    )
    return (
        rows.filter(echo | data | (pl.col("way") == "asked"))
        .with_columns(what=what, tenth=pl.col("at") // (SECOND_NS // 10))
        .group_by("client", "point", "what", "tenth")
        .agg(at=pl.col("at").min(), source=of_first("source"), position=of_first("position"))
        .select("client", "point", "at", "source", "position", "what")
    )
