"""DHCP rows of captures and logs, each with its client: of as many clients at a time as memory holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import polars as pl

from forensics.analysis._alignment import CLIENT_TYPES, NOWHERE, xkey
from forensics.analysis._correlate import SECOND_NS, named, of_last, on_one_clock
from forensics.analysis._given import rows_of
from forensics.analysis._lease_cut import EVERYBODY, typed
from forensics.analysis._lease_messages import FIELDS
from forensics.analysis._parts import in_parts
from forensics.analysis._rotation import stem
from forensics.records import DhcpClientEvent

MOST_ROWS = 150_000
"""DHCP rows that are looked at together."""
_READ = (
    *("ts", "host", "source", "position", "seen_by", "message_type", "xid", "chaddr", "ciaddr", "yiaddr", "giaddr"),
    *("requested_ip", "server_id", "lease_s", "renewal_s", "rebinding_s", "src", "dst", "refusal"),
)
_MACHINE = pl.coalesce("host", "source")
_SERIES = pl.when(pl.col("seen_by") == "capture").then(_MACHINE).otherwise(stem())
_ASKS = pl.col("message_type").is_in(CLIENT_TYPES)


def _told(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != NOWHERE).then(pl.col(name))


_OWN_LEG = _told("giaddr").is_null() | (pl.col("src") == NOWHERE)
_UNICAST = pl.when(_OWN_LEG & (pl.col("seen_by") != "server")).then(pl.col("dst") != EVERYBODY)
_IP = (
    pl.when(_ASKS)
    .then(pl.coalesce(_told("ciaddr"), _told("requested_ip"), _told("yiaddr")))
    .otherwise(pl.coalesce(_told("yiaddr"), _told("ciaddr"), _told("requested_ip")))
)
"""The client's address, as far as a row tells it."""


@dataclass(frozen=True)
class DhcpRows:
    """The DHCP rows of a case: what is small of all of them, and the rows themselves part by part."""

    messages: pl.LazyFrame
    clocks: pl.LazyFrame
    owners: dict[str, str]
    """Whose the rows of a machine are that name no hardware address."""
    counts: pl.DataFrame
    """Per ``client``, in their order, how many rows there are of it, ``n``."""
    places: pl.DataFrame
    """Per ``source``, ``host`` and ``seen_by``: ``machine``, ``series``, when it begins and ends (``from_at``,
    ``to_at``, ns), the position of its latest row, ``last``, whether a client asks in it, ``asks``, and whether its
    stamps are whole seconds, ``coarse``."""

    @classmethod
    def of(cls, messages: pl.LazyFrame, events: pl.LazyFrame, clocks: pl.LazyFrame) -> DhcpRows:
        """Find out in streaming passes what is to be known of all rows.

        Args:
            messages: One row per `DhcpMessage`.
            events: One row per `DhcpClientEvent` with ``at`` and ``machine``.
            clocks: One row per `Clock`.
        """
        read = messages.select(*_READ, bare=pl.col("options").is_null())
        # The type of a message that a capture cut is told later, if at all: until then it counts as the others do.
        rows = read.filter(
            pl.col("ts").is_not_null()
            & (pl.col("message_type").is_not_null() | ((pl.col("seen_by") == "capture") & pl.col("bare")))
        ).with_columns(machine=_MACHINE)
        keys = rows.group_by("chaddr", machine=pl.when(pl.col("chaddr").is_null()).then("machine")).agg(n=pl.len())
        per_key = keys.collect(engine="streaming")
        owners = _owners(rows, per_key.filter(pl.col("chaddr").is_null()).select("machine", "n"), events)
        counts = per_key.select("n", client=_client(owners)).group_by("client").agg(pl.col("n").sum()).sort("client")
        return cls(read, clocks, owners, counts, _places(rows, clocks))

    def parts(self) -> Iterator[pl.DataFrame]:
        """The rows of all clients, in the order of the clients: see `rows_of`."""
        return (self.rows_of(part["client"]) for part in in_parts(self.counts, MOST_ROWS))

    def about(self, clients: Collection[str], ips: Collection[str]) -> Iterator[pl.DataFrame]:
        """The rows of some clients, and of all that had one of some addresses, part by part."""
        names = set(clients)
        if ips:
            housed = self.messages.filter(_IP.is_in(list(ips))).with_columns(machine=_MACHINE)
            names |= {*housed.select(client=_client(self.owners)).unique().collect(engine="streaming")["client"]}
        wanted = self.counts.filter(pl.col("client").is_in(list(names)))
        return (self.rows_of(part["client"]) for part in in_parts(wanted, MOST_ROWS))

    def rows_of(self, clients: pl.Series) -> pl.DataFrame:
        """DHCP rows of some clients on one clock.

        Returns:
            `FIELDS`, among them ``at``, ``half``, ``point``, ``xkey``, ``unicast``, ``ip``, ``server``, ``series``; and
            ``chaddr``, ``machine``, ``reference`` and ``client`` (hardware address, or ``host:NAME`` where none is
            told).
        """
        names = set(clients)
        machines = [machine for machine, client in self.owners.items() if client in names]
        own = pl.col("chaddr").is_in(clients.implode())
        if machines:
            own |= pl.col("chaddr").is_null() & _MACHINE.is_in(machines)
        to = pl.when((pl.col("dst") != EVERYBODY) & _OWN_LEG).then(pl.col("dst"))
        coarse = pl.when("coarse").then(SECOND_NS // 2).otherwise(0)
        rows = (
            typed(on_one_clock(self.messages.filter(own), self.clocks).collect(engine="streaming"))
            .filter(pl.col("message_type").is_not_null())
            .with_columns(
                point=_MACHINE,
                machine=_MACHINE,
                xkey=xkey(),
                unicast=_UNICAST,
                ip=_IP,
                ciaddr=_told("ciaddr"),
                server=pl.when(_ASKS)
                .then(pl.coalesce(_told("server_id"), to))
                .otherwise(pl.coalesce(_told("server_id"), _told("src"))),
                coarse=self._coarse(),
                series=_SERIES,
            )
            .with_columns(pl.col("at") + coarse, half=pl.col("bound") + coarse, client=_client(self.owners))
        )
        return rows.select("chaddr", "machine", "reference", *FIELDS, "client")

    def acknowledged(self) -> pl.LazyFrame:
        """Acknowledgements in servers' logs: ``client``, ``at`` (ns), ``source``, ``position``; to be streamed."""
        own = self.messages.filter((pl.col("seen_by") == "server") & (pl.col("message_type") == "ACK"))
        rows = on_one_clock(own.select("ts", "host", "source", "position", "seen_by", "chaddr"), self.clocks)
        at = pl.col("at") + pl.when(self._coarse()).then(SECOND_NS // 2).otherwise(0)
        return rows.with_columns(at, machine=_MACHINE).select("source", "position", "at", client=_client(self.owners))

    def _coarse(self) -> pl.Expr:
        """Whether a row's stamp is in whole seconds, as all of its log are."""
        whole = self.places.filter("coarse")["source"].unique()
        return pl.col("source").is_in(whole.implode()) & (pl.col("seen_by") != "capture")


def told(
    messages: pl.LazyFrame, client_events: pl.LazyFrame | None, ties: pl.LazyFrame
) -> tuple[DhcpRows, pl.LazyFrame]:
    """The messages, each with its client, and what clients say of themselves, with ``at``, ``machine``, ``series``."""
    said = on_one_clock(rows_of(client_events, DhcpClientEvent), ties)
    events = said.with_columns(machine=_MACHINE, series=stem())
    return DhcpRows.of(messages.lazy(), events, ties), events


def _client(owners: dict[str, str]) -> pl.Expr:
    """Whose a row is, by its ``chaddr``, else by its ``machine``."""
    return pl.coalesce("chaddr", named("machine", owners)) if owners else pl.col("chaddr")


def ends_of(places: pl.DataFrame) -> pl.DataFrame:
    """Of files that are one series, when it begins and ends, and where its latest row is."""
    latest = pl.col("to_at").arg_max()
    told = places.sort("last", "source").group_by("series", maintain_order=True)
    return told.agg(pl.col("from_at").min(), pl.col("to_at").max(), pl.col("source", "last").get(latest))


def _places(rows: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.DataFrame:
    asks = pl.col("message_type").is_in(("REQUEST", "DISCOVER"))
    placed = on_one_clock(rows.select("ts", "host", "source", "position", "seen_by", "message_type"), clocks)
    found = placed.group_by("source", "host", "seen_by").agg(
        from_at=pl.col("at").min(),
        to_at=pl.col("at").max(),
        last=of_last("position"),
        asks=asks.any(),
        whole=(pl.col("own") % SECOND_NS == 0).all(),
    )
    coarse = pl.col("whole").all().over("source") & (pl.col("seen_by") != "capture")
    late = pl.when("coarse").then(SECOND_NS // 2).otherwise(0)
    return (
        found.collect(engine="streaming")
        .with_columns(machine=_MACHINE, series=_SERIES, coarse=coarse)
        .with_columns(pl.col("from_at", "to_at") + late)
        .sort("source", "host", "seen_by")
    )


def _owners(rows: pl.LazyFrame, anonymous: pl.DataFrame, events: pl.LazyFrame) -> dict[str, str]:
    """Whose rows those are that name no hardware address: those of a client's own log.

    In this order: the address that the client's log names (`Listening on …`), the address that shares most transaction
    ids with it, the one that shares its IP address, else the host's name.
    """
    owner: dict[str, str] = {}
    known = rows.filter(pl.col("chaddr").is_not_null())
    for part in in_parts(anonymous.sort("machine"), MOST_ROWS):
        machines = part["machine"].to_list()
        own = rows.filter(pl.col("chaddr").is_null() & pl.col("machine").is_in(machines))
        for vote in _votes(known, own, events.filter(pl.col("machine").is_in(machines))):
            cast = vote.group_by("machine", "mac").agg(n=pl.len()).collect(engine="streaming")
            best = cast.sort("n", "mac", descending=[True, False]).unique("machine", keep="first", maintain_order=True)
            owner = dict(best.select("machine", "mac").iter_rows()) | owner
            if owner.keys() >= set(machines):
                break
        owner = {machine: f"host:{machine}" for machine in machines} | owner
    return owner


def _votes(known: pl.LazyFrame, own: pl.LazyFrame, said: pl.LazyFrame) -> Iterator[pl.LazyFrame]:
    """Which address (``mac``) speaks for which ``machine``, the strongest reason first."""
    yield said.select("machine", "mac").filter(pl.col("mac").is_not_null())
    yield _sharing(known.select(key=xkey(), mac="chaddr"), own.select("machine", key=xkey()))
    ips = pl.concat([own.select("machine", key=_IP), said.select("machine", key="ip")])
    yield _sharing(known.select(key=_IP, mac="chaddr"), ips)


def _sharing(known: pl.LazyFrame, own: pl.LazyFrame) -> pl.LazyFrame:
    keys = own.drop_nulls().unique().collect(engine="streaming")
    return known.join(keys.lazy(), on="key").select("machine", "mac")
