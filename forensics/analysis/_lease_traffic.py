"""What reached a client and what it answered: packets reduced to what the question of a lost lease needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from forensics.analysis._correlate import SECOND_NS, of_first, of_last, of_most, on_one_clock

GROUP_BIT = list("13579bdf")
"""Second digit of a group address (IEEE 802: lowest bit of the first octet)."""
AROUND_NS = 3 * SECOND_NS
_NOBODY = pl.lit(None, dtype=pl.String)
_USED = ("ts", "host", "source", "position", "wire_bytes")
_HEADERS = (
    *("eth_src", "eth_dst", "src", "dst", "protocol", "tcp_flags", "tcp_ack", "src_port", "dst_port", "payload_bytes"),
    *("icmp_type", "icmp_code", "icmp_id", "icmp_seq", "quoted_dst_port", "arp_op", "arp_sender_ip", "arp_target_ip"),
)


@dataclass(frozen=True)
class Traffic:
    """Packets to and from some clients, reduced.

    ``seconds``: per ``client`` (null: to all), ``point``, ``way`` (`in`, `out`, `in-ip`, `out-ip`, `group`), ``sender``
    (one that lost its lease) and second: ``n``, ``size_bytes``, ``first_at``, ``last_at``, ``last_source``,
    ``last_position``.
    ``near``: the same of packets around the first unanswered renewals, cut where these were sent, and where each such
    piece begins, ``first_source`` and ``first_position``. ``heard``: packets of a client that prove that it received
    something (echo and ARP replies, TCP acknowledgements that advance). ``probes``: packets that ask for such an
    answer. ``closed``: ICMP errors by which a host says that nobody listens on its DHCP port.
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


@dataclass(frozen=True)
class Watch:
    """The packets of a case, asked for those of clients that lost their lease, some clients at a time."""

    packets: pl.LazyFrame
    clocks: pl.LazyFrame
    attempts: pl.DataFrame
    """One row per failed attempt: ``client``, ``mac``, ``ip``, ``since_at``, ``first_at``, ``ends_at`` (ns)."""

    @cached_property
    def counts(self) -> pl.DataFrame:
        """Per ``client``, in their order, at least as many packets as there are of it, ``n``."""
        whose = ("sent_by", "sent_to", "wanted")
        pairs = self._of(self.attempts).group_by(whose).agg(n=pl.len()).collect(engine="streaming")
        told = [pairs.select("n", client=pl.col(name).cast(pl.String)) for name in whose]
        none = self.attempts.select(n=pl.lit(0, pl.UInt32), client="client")
        return pl.concat([*told, none]).drop_nulls().group_by("client").agg(pl.col("n").sum()).sort("client")

    def traffic(self, clients: pl.Series, *, held: bool) -> Traffic:
        """Reduce packets to what concerns some clients; what is told of one does not depend on the others.

        Args:
            clients: Some of those that lost their lease.
            held: Read their packets once, and hold them; else anew for each thing that is asked of them.

        Returns:
            See `Traffic`; empty frames where there are no packets.
        """
        attempts = self.attempts.filter(pl.col("client").is_in(clients.implode()))
        rows = self._of(attempts)
        if held:
            rows = rows.collect(engine="streaming").lazy()

        def labelled(client: str, way: pl.Expr) -> pl.LazyFrame:
            return rows.with_columns(client=client, way=way).filter(pl.col("client").is_in(clients.implode()))

        by_mac = pl.col("sender").is_not_null()
        sent = labelled("sent_by", pl.when(by_mac).then(pl.lit("out")).otherwise(pl.lit("out-ip")))
        reached = labelled("sent_to", pl.when("to_mac").then(pl.lit("in")).otherwise(pl.lit("in-ip")))
        wanted = labelled("wanted", pl.lit("asked"))
        since = min(self.attempts["since_at"].to_list(), default=0)
        until = max(self.attempts["ends_at"].to_list(), default=0) + 60 * SECOND_NS
        answering = sent.filter(pl.col("at").is_between(since, until))
        asking = pl.concat([reached, wanted]).filter(pl.col("at").is_between(since, until))
        sent_s, reached_s, near, echoes, acknowledged, probes, closed, turns = _collected(
            *(_seconds(sent), _seconds(reached), self._near(reached)),
            *(_echoes(answering), _acknowledged(answering)),
            *(_probes(asking), _closed(asking), _turns(asking, answering)),
        )
        seconds_to_all, near_to_all = self._to_all
        heard = pl.concat([echoes, _advancing(acknowledged)], how="vertical_relaxed").sort("at", "point", "position")
        order = ("client", "point", "at")
        return Traffic(
            pl.concat([sent_s, reached_s, seconds_to_all]).sort("client", "point", "first_at", "way"),
            pl.concat([near, near_to_all]).sort("client", "point", "first_at"),
            heard,
            probes.sort(*order, "position"),
            closed.sort(*order, "position"),
            turns.sort("client", "point", "by", "peer"),
            self._spans,
        )

    def seconds(self) -> pl.DataFrame:
        """``seconds`` of `Traffic` of all the clients, but of what went to all."""
        rows = self._of(self.attempts)
        sent = rows.with_columns(client="sent_by", way=pl.lit("out")).filter(pl.col("client").is_not_null())
        reached = rows.with_columns(client="sent_to", way=pl.lit("in")).filter(pl.col("client").is_not_null())
        return pl.concat(_collected(_seconds(sent), _seconds(reached)))

    @cached_property
    def _spans(self) -> pl.DataFrame:
        rows = _placed(self.packets.select(*_USED), self.clocks).group_by("point")
        ends = {"from_at": pl.col("at").min(), "to_at": pl.col("at").max(), "bound": pl.col("bound").max()}
        return rows.agg(n=pl.len(), **ends).collect(engine="streaming").sort("point")

    @cached_property
    def _to_all(self) -> tuple[pl.DataFrame, ...]:
        """``seconds`` and ``near`` of what went to all."""
        rows = self._labelled(pl.any_horizontal(_to_all(layer) for layer in self._layers))
        rows = rows.filter("group").with_columns(client=_NOBODY, way=pl.lit("group"))
        return _collected(_seconds(rows), self._near(rows))

    def _of(self, attempts: pl.DataFrame) -> pl.LazyFrame:
        """Packets that some clients sent, that were sent to them or that asked for them by ARP."""
        rows = self._labelled(_of_any(attempts, self._layers))
        return rows.filter(pl.any_horizontal(pl.col("sent_by", "sent_to", "wanted").is_not_null())).drop("group")

    @cached_property
    def _layers(self) -> tuple[str, ...]:
        tunnelled = self.packets.select(pl.col("tunnel").is_not_null().any()).collect(engine="streaming").item()
        return ("", "inner_") if tunnelled else ("",)

    def _labelled(self, chosen: pl.Expr) -> pl.LazyFrame:
        """Some packets, of tunnelled ones what is inside, and whose they are.

        A packet is a client's by its hardware address, where it is that of any of them, else by its IP address:
        ``sent_by``, ``sent_to`` (``to_mac``: by its hardware address) and, of a request by ARP, ``wanted``. ``sender``
        is the client whose hardware address sent it, and ``group`` says whether it went to all.
        """
        columns = {name: pl.col(name) for name in _HEADERS}
        if len(self._layers) > 1:
            inner = pl.col("tunnel").is_not_null() & pl.col("inner_eth_src").is_not_null()
            columns = {name: pl.when(inner).then(f"inner_{name}").otherwise(name) for name in _HEADERS}
        # Chosen by what packets have before anything is made of it: the scan reads the other columns of few packets.
        rows = _placed(self.packets.filter(chosen.fill_null(value=False)).select(*_USED, **columns), self.clocks)
        for address, column, whose in (
            ("mac", "eth_src", "sender"),
            ("mac", "eth_dst", "receiver"),
            ("ip", "src", "_by_src"),
            ("ip", "dst", "_by_dst"),
            ("ip", "arp_target_ip", "_by_arp"),
        ):  # by joins: a function that is called for each batch would have many of them wait
            owner = pl.col("client").cast(pl.Categorical)
            owners = self.attempts.select(pl.col(address).alias(column), owner.alias(whose)).drop_nulls()
            rows = rows.join(owners.unique(column, keep="last", maintain_order=True).lazy(), on=column, how="left")
        group = _to_all()
        labels = {
            "sent_by": pl.coalesce("sender", "_by_src"),
            "sent_to": pl.when(group.not_()).then(pl.coalesce("receiver", "_by_dst")),
            "to_mac": pl.col("receiver").is_not_null(),
            "wanted": pl.when((pl.col("arp_op") == 1) & group).then("_by_arp"),
            "group": group,
        }
        kept = ("at", "point", "source", "position", "wire_bytes", *_HEADERS[2:], "sender", *labels)
        return rows.with_columns(**labels).select(pl.col(kept)).with_columns(pl.col(pl.String).cast(pl.Categorical))

    def _near(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Packets around the first requests in vain, by second, cut where such a request was sent."""
        begun = np.sort(self.attempts["first_at"].drop_nulls().unique().to_numpy())

        def near(at: pl.Series) -> pl.Series:
            stamps = at.to_numpy()
            first = np.searchsorted(begun, stamps - AROUND_NS)
            return pl.Series(first < np.searchsorted(begun, stamps + AROUND_NS, side="right"))

        def piece(at: pl.Series) -> pl.Series:
            return pl.Series(np.searchsorted(begun, at.to_numpy(), side="right"), dtype=pl.Int64)

        latest = pl.col("at").cast(pl.Int128) * 2**48 + pl.col("position")
        return (
            rows.filter(pl.col("at").map_batches(near, return_dtype=pl.Boolean, is_elementwise=True))
            .with_columns(
                second=pl.col("at") // SECOND_NS,
                piece=pl.col("at").map_batches(piece, return_dtype=pl.Int64, is_elementwise=True),
            )
            .group_by("client", "point", "way", "sender", "second", "piece")
            .agg(
                n=pl.len(),
                first_at=pl.col("at").min(),
                first_source=of_first("source"),
                first_position=of_first("position"),
                last_at=pl.col("at").max(),
                last_source=of_most("source", latest),
                last_position=of_most("position", latest),
            )
        )


def _collected(*parts: pl.LazyFrame) -> tuple[pl.DataFrame, ...]:
    """Each part by itself, of the few columns that it needs: sharing one wide frame would hold all packets."""
    separately = pl.QueryOptFlags(comm_subplan_elim=False)
    texts = pl.col(pl.Categorical).cast(pl.String)
    return tuple(part.with_columns(texts).collect(engine="streaming", optimizations=separately) for part in parts)


def _placed(packets: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.LazyFrame:
    return on_one_clock(packets, clocks).with_columns(point=pl.coalesce("host", "source"))


def _of_any(clients: pl.DataFrame, layers: Sequence[str]) -> pl.Expr:
    """Whether a packet is of any of the clients, to one or about one, in any of its layers."""
    parts = [pl.lit(value=False)]
    for told, names in ((clients["mac"], ("eth_src", "eth_dst")), (clients["ip"], ("src", "dst", "arp_target_ip"))):
        values = told.drop_nulls().unique().to_list()
        parts += [pl.col(f"{layer}{name}").is_in(values) for layer in layers for name in names if values]
    return pl.any_horizontal(parts)


def _to_all(layer: str = "") -> pl.Expr:
    return pl.col(f"{layer}eth_dst").str.slice(1, 1).is_in(GROUP_BIT).fill_null(value=False)


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
