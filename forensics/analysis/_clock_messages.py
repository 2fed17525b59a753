"""DHCP messages as ties between clocks need them: whose clock stamped them, and so many of them at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from forensics.analysis._alignment import NOWHERE, xkey
from forensics.analysis._correlate import SECOND_NS, in_runs, named
from forensics.analysis._parts import in_parts
from forensics.analysis._rotation import stem

MOST_HELD = 500_000
"""Messages that are held at once; where there are more, those that are needed are read each time."""
MOST_TOLD = 100_000
"""Of a source that tells of more, a part of the clients is compared, the same one at every source."""
FEWEST_TOLD = 5_000
"""That part is no smaller than this, whatever the other side has."""
MOST_TOGETHER = 100_000
"""Messages whose like other sources are asked for at a time."""

_FEW_OF = 100
"""A source tells whose messages are whose where no more than one in so many is without a client."""
_ROLES = {"capture": "capture", "server": "server", "relay": "server", "client": "client"}
_ALIKE = ("chaddr", "xkey", "ip")
"""What a message and its like at another source may have in common (`IDENTITIES`)."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one clock stamped, of which another source tells as well.

    Attributes:
        role: ``capture``, ``server`` or ``client``.
        resolution_ns: How coarse its stamps are.
        n: How many messages it has, those included that nobody else tells of.
        span: The first of these and the last.
        rows: ``node``, ``source``, ``host``, ``role``, ``position``, ``at`` (ns), ``message_type``, ``chaddr``,
            ``xkey`` and ``ip``, by source and position.
    """

    role: str
    resolution_ns: int
    n: int
    span: tuple[int, int]
    rows: pl.DataFrame


class Messages:
    """DHCP messages of any number, by the node whose clock stamped them.

    A node is a capture point, or one host's part in one series of log files.

    Args:
        messages: One row per `DhcpMessage`.
        points: ``source`` and ``host`` of captures that hold packets.

    Attributes:
        owners: Source -> node of captures.
        files: ``node``, ``source``, ``host``, ``role`` of what holds messages, by source and node.
        nodes: ``node``, ``role``, ``n`` (messages), ``first``, ``last`` (ns), ``resolution_ns``, by node.
        total: How many messages there are.
    """

    def __init__(self, messages: pl.LazyFrame, points: pl.DataFrame) -> None:
        self._given = messages.filter(pl.col("ts").is_not_null() & pl.col("message_type").is_not_null())
        seen = self._given.filter(pl.col("seen_by") == "capture").select("source", "host").unique()
        self.owners = _owners(pl.concat([points, seen.collect(engine="streaming")]))
        self._addresses: dict[str, str] = {}
        held = self._given.select(pl.len()).collect(engine="streaming").item() <= MOST_HELD
        self._held = self._read().collect(engine="streaming") if held else None
        whole, ip = pl.col("at") % SECOND_NS == 0, pl.col("ip").cast(pl.String).hash()
        texts = ("node", "source", "host", "role")
        each = self.rows().group_by(texts).agg(
            n=pl.len(), first=pl.col("at").min(), last=pl.col("at").max(), whole=whole.all(),
            least=ip.min(), most=ip.max(), nameless=pl.col("chaddr").null_count(),
        ).collect(engine="streaming").cast(dict.fromkeys(texts, pl.String))  # fmt: skip
        self.files = each.select(texts).sort("source", "node")
        nodes = each.group_by("node", "role").agg(
            pl.col("n").sum(), pl.col("first").min(), pl.col("last").max(), pl.col("whole").all(),
            pl.col("least").min(), pl.col("most").max(), pl.col("nameless").sum(),
        ).sort("node")  # fmt: skip
        coarse = pl.when("whole").then(SECOND_NS).otherwise(1_000_000)
        coarse = pl.when(pl.col("role") == "capture").then(0).otherwise(coarse)
        self.nodes = nodes.select("node", "role", "n", "first", "last", resolution_ns=coarse)
        self.total = int(nodes["n"].sum())
        self._about = {row[0]: row[1:] for row in self.nodes.iter_rows()}
        self._named = set(nodes.filter(pl.col("nameless") * _FEW_OF <= pl.col("n"))["node"].to_list())
        self._sources = {str(name[0]): part["source"].to_list() for name, part in self.files.group_by("node")}
        # udhcpc names the address when it gets it and not when it asks for it again: one address, one client.
        lone = nodes.filter((pl.col("role") == "client") & (pl.col("least") == pl.col("most")))["node"].to_list()
        own = self.rows(lone).drop_nulls("ip").group_by("node").agg(pl.col("ip").first()).collect(engine="streaming")
        self._addresses = dict(own.cast(pl.String).iter_rows())
        if self._held is not None and self._addresses:
            self._held = self._held.lazy().with_columns(self._ip()).collect()

    def rows(self, nodes: Collection[str] | None = None) -> pl.LazyFrame:
        """All messages, or those of some nodes: `Side.rows` in any order."""
        if self._held is not None:
            rows = self._held.lazy()
        else:
            rows = self._read(None if nodes is None else {one for node in nodes for one in self._sources[node]})
            rows = rows.with_columns(self._ip()) if self._addresses else rows
        return rows if nodes is None else rows.filter(pl.col("node").is_in(list(nodes)))

    def sides(self, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], Side, Side]]:
        """Both sides of each pair of nodes, some pairs at a time.

        The side that has fewer messages is whole; of the other come those that may be like one of them. Where both
        have very many it is a part of the clients.

        Args:
            pairs: Nodes that are compared; one that tells of no message has no side, nor have its pairs.

        Yields:
            The pair and its sides, in the order of the pair's names; pairs in any order.
        """
        others: dict[str, list[tuple[str, tuple[str, str]]]] = {}
        for pair in pairs:
            if all(node in self._about for node in pair):
                lesser, greater = sorted(pair, key=lambda node: (self._about[node][1], node))
                others.setdefault(lesser, []).append((greater, pair))
        every = {node: self._every(node, [other for other, _ in others[node]]) for node in others}
        counts = [(node, self._about[node][1] // every[node]) for node in sorted(others)]
        for part in in_parts(pl.DataFrame(counts, ["node", "n"], orient="row"), MOST_TOGETHER):
            few = part["node"].to_list()
            mine = _sampled(self.rows(few), every, few).collect(engine="streaming")
            alike = pl.any_horizontal(pl.col(name).is_in(mine[name].drop_nulls().unique().implode()) for name in _ALIKE)
            asked = {other for node in few for other, _ in others[node]}
            theirs = self._by_node(self.rows(asked).filter(alike).collect(engine="streaming"))
            for node, side in self._by_node(mine).items():
                for other, pair in others[node]:
                    if other in theirs:
                        both = (side, theirs[other])
                        yield pair, *(both if pair[0] == node else both[::-1])

    def waits(self) -> dict[str, float]:
        """How long after a request each capture point sees its answer, ns: the nearest to the server the soonest."""
        found: dict[str, float] = {}
        for part in in_parts(self.nodes.filter(pl.col("role") == "capture"), MOST_TOLD):
            every = -(-int(part["n"].sum()) // MOST_TOLD)
            nodes = part["node"].to_list()
            seen = _sampled(self.rows(nodes), dict.fromkeys(nodes, every), nodes).drop_nulls("chaddr")
            seen = seen.filter(pl.col("message_type").is_in(["REQUEST", "ACK"]))
            found |= _waits(seen.collect(engine="streaming").sort("at"))
        return found

    def _read(self, sources: Collection[str] | None = None) -> pl.LazyFrame:
        """The messages of some sources, or of all."""
        given = self._given if sources is None else self._given.filter(pl.col("source").is_in(list(sources)))
        return given.select(
            pl.col("source", "host", "message_type", "chaddr").cast(pl.Categorical),
            "position",
            node=_node(self.owners).cast(pl.Categorical),
            role=named("seen_by", _ROLES).cast(pl.Categorical),
            at=pl.col("ts").to_physical().cast(pl.Int64),
            xkey=xkey(),
            ip=pl.coalesce(
                pl.when(pl.col("ciaddr") != NOWHERE).then("ciaddr"),
                pl.when(pl.col("yiaddr") != NOWHERE).then("yiaddr"),
                "requested_ip",
            ).cast(pl.Categorical),
        )

    def _ip(self) -> pl.Expr:
        """The address that a message is about, or else the only one that its node names."""
        only = named(pl.col("node").cast(pl.String), self._addresses)
        return pl.coalesce("ip", only.cast(pl.Categorical)).alias("ip")

    def _every(self, node: str, others: list[str]) -> int:
        """Of so many clients of a node one is compared with the others, all of which have more messages."""
        if not self._named.issuperset((node, *others)):
            return 1
        n, most = self._about[node][1], max(self._about[other][1] for other in others)
        return int(min(most // MOST_TOLD + 1, max(1, n // FEWEST_TOLD)))

    def _by_node(self, rows: pl.DataFrame) -> dict[str, Side]:
        """Rows of some nodes as sides."""
        sides: dict[str, Side] = {}
        for (node,), part in rows.sort("source", "position").partition_by("node", as_dict=True).items():
            role, n, first, last, resolution_ns = self._about[str(node)]
            sides[str(node)] = Side(role, resolution_ns, n, (first, last), part)
        return sides


def _node(owners: dict[str, str]) -> pl.Expr:
    """Whose clock stamped a message: a capture point's, or that of one host in one series of log files."""
    role = named("seen_by", _ROLES)
    log = pl.concat_str(stem(), pl.lit(" "), role, pl.lit(" "), pl.col("host").fill_null(""))
    name = pl.when(pl.col("seen_by") == "capture").then(named("source", owners)).otherwise(log)
    return in_runs(("source", "host", "seen_by"), name)


def _owners(points: pl.DataFrame) -> dict[str, str]:
    """Source -> node of captures: files that were rotated share a point, a file of several points has one clock."""
    per_source = points.group_by("source").agg(pl.col("host").drop_nulls().unique())
    return {
        source: hosts[0] if len(hosts) == 1 else str(source) for source, hosts in per_source.sort("source").iter_rows()
    }


def _sampled(rows: pl.LazyFrame, every: dict[str, int], nodes: list[str]) -> pl.LazyFrame:
    """Of the clients of each node one in so many, the same ones at every node."""
    if all(every[node] == 1 for node in nodes):
        return rows
    client = pl.col("chaddr").cast(pl.String).hash()
    kept = [
        pl.col("node").is_in([node for node in nodes if every[node] == n]) & (client % n == 0)
        for n in {every[node] for node in nodes}
    ]
    return rows.filter(pl.any_horizontal(kept))


def _waits(seen: pl.DataFrame) -> dict[str, float]:
    """Node -> median of the time from a request to its answer, ns, of `REQUEST` and `ACK` in the order of time."""
    asked = seen.filter(pl.col("message_type") == "REQUEST").select("node", "chaddr", "xkey", "at", asked="at")
    answered = seen.filter(pl.col("message_type") == "ACK").select("node", "chaddr", "xkey", "at")
    pairs = answered.join_asof(
        asked, on="at", by=["node", "chaddr", "xkey"], strategy="backward", check_sortedness=False
    ).with_columns(wait=pl.col("at") - pl.col("asked"))
    fast = pairs.filter(pl.col("wait") < 5 * SECOND_NS).group_by("node").agg(pl.col("wait").median())
    return {str(node): float(wait) for node, wait in fast.iter_rows()}
