"""Which DHCP server answers that is not the cloud's?"""

from __future__ import annotations

from typing import Any

import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._given import rows_of
from forensics.analysis._links import links
from forensics.analysis._parts import in_parts
from forensics.records import Alternative, Clock, DhcpMessage, Edge, Finding, InstancePort, Step
from forensics.records.finding import Reference, iso

NEEDS = (DhcpMessage,)
USES = (InstancePort, Edge, Clock)
KINDS = {"rogue-dhcp-server": ("a capture with DHCP messages",)}

_SAID_BY_SERVERS = ("OFFER", "ACK", "NAK")
_NOWHERE = "0.0.0.0"  # noqa: S104
_SAME = ("xid", "chaddr", "message_type", "yiaddr", "server", "mac")
_NEAR_NS = 10 * SECOND_NS
_MOST = 12
MOST_ROWS = 150_000
"""Answers to clients that several servers answered that are compared together."""


def findings(
    dhcp_messages: pl.LazyFrame,
    ports: pl.LazyFrame | None = None,
    edges: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> list[Finding]:
    """Name every DHCP server that is not one of the cloud's.

    Several servers are no fault: nova's multi-host mode runs one on each host, neutron several agents a network, and
    all of them know the same leases. A server is rogue that is a guest by its hardware address, or that offers a
    client an address of another network than the others offer for the same request.

    Args:
        dhcp_messages: One row per `DhcpMessage`; answers in captures count.
        ports: One row per `InstancePort`: ports whose owner is ``network:dhcp`` are the cloud's servers.
        edges: One row per `Edge`: whose a hardware address is.
        clocks: One row per `Clock`.

    Returns:
        One `rogue-dhcp-server` per hardware address: ``server`` (address), ``mac``, ``offers`` (answers seen),
        ``clients`` (their number), ``offered`` (addresses), ``rivals`` (servers that answered the same requests).

    References:
        RFC 2131 section 4.3; neutron/common/constants (DEVICE_OWNER_DHCP = network:dhcp).

    Examples:
        >>> findings(DhcpMessage.empty().lazy())
        []
    """
    ties = rows_of(clocks, Clock)
    known = rows_of(edges, Edge)
    own = rows_of(ports, InstancePort)
    answers = _answers(dhcp_messages.lazy(), ties)
    weight = answers.group_by("mac").agg(clients=pl.col("chaddr").n_unique(), since=pl.col("at").min())
    servers = weight.collect(engine="streaming").filter(pl.col("mac").is_not_null())
    if servers.is_empty():
        return []
    cloud = own.filter(pl.col("device_owner").str.starts_with("network:")).select("mac").drop_nulls().collect()["mac"]
    suspects = servers.filter(~pl.col("mac").is_in(cloud.implode()))["mac"].sort()
    guests = links(known, "mac", suspects.to_list(), "instance")
    odd = _at_odds(answers)
    accused = [
        mac for mac in suspects if guests.filter(pl.col("thing") == mac).height or _is_minority(mac, odd, servers)
    ]
    given = _once(answers.filter(pl.col("mac").is_in(accused)) if accused else answers.clear())
    told = []
    for mac in accused:
        mine = given.filter(pl.col("mac") == mac)
        instances, rivals = guests.filter(pl.col("thing") == mac), odd.filter(pl.col("mac") == mac)
        told.append(_told(mac, mine, instances, rivals))
    return sorted(told, key=Finding.order)


def _answers(messages: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.LazyFrame:
    """What servers sent, as captures have it, with its sender's hardware address."""
    rows = on_one_clock(
        messages.filter(
            pl.col("seen_by") == "capture",
            pl.col("message_type").is_in(_SAID_BY_SERVERS),
            pl.col("giaddr").is_null() | (pl.col("giaddr") == _NOWHERE),  # what a relay passes on has its address
        ),
        clocks,
    )
    return rows.select(
        "at", "source", "position", "message_type", "xid", "chaddr", "yiaddr",
        mac=pl.col("eth_src"), server=pl.coalesce("server_id", "src"), net=_network(),
    )  # fmt: skip


def _once(answers: pl.LazyFrame) -> pl.DataFrame:
    """Each answer once, in order of time."""
    found = answers.collect(engine="streaming").sort("at", "source", "position")
    nth = pl.int_range(pl.len()).over("source", *_SAME)  # what two captures saw is one answer
    return found.with_columns(nth=nth).unique([*_SAME, "nth"], keep="first", maintain_order=True).drop("nth")


def _network() -> pl.Expr:
    """The network of the address that is offered, by the mask that is offered with it (option 1); else its /16."""
    parts = pl.col("yiaddr").str.split(".").list.eval(pl.element().cast(pl.UInt32, strict=False))
    number = sum((parts.list.get(n, null_on_oob=True) * 256 ** (3 - n) for n in range(4)), pl.lit(0, pl.UInt32))
    option = pl.element().filter(pl.element().struct.field("code") == 1).struct.field("data")
    data = pl.col("options").list.eval(option).list.first()
    mask = pl.when(data.bin.size() == 4).then(data).bin.reinterpret(dtype=pl.UInt32, endianness="big")
    return number & mask.fill_null(0xFFFF0000)


def _at_odds(answers: pl.LazyFrame) -> pl.DataFrame:
    """Pairs of answers to one request that two servers give differently: ``mac`` and ``rival``, with both places."""
    given = answers.filter(pl.col("message_type").is_in(["OFFER", "ACK"]) & (pl.col("yiaddr") != _NOWHERE))
    per_client = given.group_by("chaddr").agg(n=pl.len(), one=pl.col("mac").min(), other=pl.col("mac").max())
    several = per_client.filter(pl.col("one") != pl.col("other")).collect(engine="streaming").sort("chaddr")
    own = (pl.col("chaddr").is_in(part["chaddr"].implode()) for part in in_parts(several, MOST_ROWS))
    none = _differing(_once(given.clear()))
    return pl.concat([none, *(_differing(_once(given.filter(some))) for some in own)]).sort(
        "at", "source", "position", "rival"
    )


def _differing(given: pl.DataFrame) -> pl.DataFrame:
    other = given.select("xid", "chaddr", rival="mac", rival_server="server", rival_net="net", rival_at="at",
                         rival_source="source", rival_position="position")  # fmt: skip
    pairs = given.join(other, on=["xid", "chaddr"])
    return pairs.filter(
        (pl.col("mac") != pl.col("rival"))
        & (pl.col("server") != pl.col("rival_server"))
        & (pl.col("net") != pl.col("rival_net"))
        & ((pl.col("at") - pl.col("rival_at")).abs() <= _NEAR_NS)
    )


def _is_minority(mac: str, odd: pl.DataFrame, weight: pl.DataFrame) -> bool:
    """Whether a server contradicts one that serves more clients, or as many and longer."""
    rivals = odd.filter(pl.col("mac") == mac)["rival"].unique()
    if rivals.is_empty():
        return False
    own = weight.filter(pl.col("mac") == mac).row(0, named=True)
    best = weight.filter(pl.col("mac").is_in(rivals.implode())).sort(
        "clients", "since", "mac", descending=[True, False, False]
    )
    rival = best.row(0, named=True)
    return bool((own["clients"], -own["since"]) < (rival["clients"], -rival["since"]))


def _told(mac: str, mine: pl.DataFrame, instances: pl.DataFrame, rivals: pl.DataFrame) -> Finding:
    server = str(mine["server"].drop_nulls().mode().sort()[0]) if mine["server"].drop_nulls().len() else None
    steps = [_step(row) for row in mine.head(_MOST).iter_rows(named=True)]
    others = rivals.unique(["rival_source", "rival_position"], keep="first", maintain_order=True)
    for row in others.head(_MOST).iter_rows(named=True):
        place = Reference(row["rival_source"], f"frame:{row['rival_position']}", iso(row["rival_at"]))
        steps.append(Step(iso(row["rival_at"]), f"{row['rival_server']} answers the same request", (place,)))
    owner = tuple(instances["linked"].unique().sort())
    cited = tuple(
        Reference(source, f"line:{position}")
        for source, position in instances.head(1).select("source", "position").iter_rows()
        if position is not None
    )
    by = f"instance {owner[0]}" if owner else f"the machine with {mac}"
    clients = mine["chaddr"].n_unique()
    facts: dict[str, Any] = {
        "server": server,
        "mac": mac,
        "offers": mine.height,
        "clients": clients,
        "offered": sorted({str(address) for address in mine["yiaddr"].drop_nulls()} - {_NOWHERE}),
        "rivals": sorted(set(rivals["rival_server"].drop_nulls())),
    }
    steps.sort(key=lambda step: step.when)
    evidence = tuple(dict.fromkeys((*(ref for step in steps for ref in step.evidence), *cited)))
    return Finding(
        kind="rogue-dhcp-server",
        title=f"{by} answers DHCP requests as {server}: {clients} client{'' if clients == 1 else 's'} heard it",
        severity="high" if rivals.height else "info",  # a tenant may serve a network of its own
        confidence="proven" if owner and rivals.height else "likely" if owner or rivals.height > 1 else "possible",
        start=iso(int(mine["at"].min())),  # type: ignore[arg-type]
        end=iso(int(mine["at"].max())),  # type: ignore[arg-type]
        entities={"macs": (mac,), "ips": (server,) if server else (), "instances": owner},
        facts=facts,
        story=tuple(steps),
        evidence=evidence,
        alternatives=(_second_server(owner, rivals, cited),),
        remedy=(
            f"find it: `ovs-appctl fdb/show br-int` or `bridge fdb show` for {mac}, and cut its port off",
            "let no guest answer DHCP: nova's and neutron's own rules drop UDP from port 67 of a guest's port",
            "renew the leases of the clients that heard it",
        ),
        next_evidence=()
        if owner
        else ("the database's ports, or `openstack port list --long`: whose address that is",),
    )


def _second_server(owner: tuple[str, ...], rivals: pl.DataFrame, cited: tuple[Reference, ...]) -> Alternative:
    claim = "it is one of the cloud's own servers (a second agent, or nova's multi-host mode)"
    if owner:
        return Alternative(claim, "ruled out", f"its hardware address is that of instance {owner[0]}", cited)
    because = f"it offers addresses of another network than {rivals['rival_server'][0]} does for the same request"
    return Alternative(claim, "open", f"{because}; no list of ports says whose its hardware address is")


def _step(row: dict[str, Any]) -> Step:
    place = Reference(row["source"], f"frame:{row['position']}", iso(row["at"]))
    address = f" {row['yiaddr']}" if row["yiaddr"] not in (None, _NOWHERE) else ""
    return Step(
        iso(row["at"]),
        f"{row['server']} ({row['mac']}) sends {row['message_type']}{address} to {row['chaddr']}",
        (place,),
    )


def chart_frames(
    finding: Finding,
    dhcp_messages: pl.LazyFrame,
    ports: pl.LazyFrame | None = None,  # noqa: ARG001  charts get all that findings get
    edges: pl.LazyFrame | None = None,  # noqa: ARG001
    clocks: pl.LazyFrame | None = None,
) -> dict[str, Any]:
    """What `forensics.charts.lanes.lanes` needs to draw a finding.

    Args:
        finding: A `rogue-dhcp-server`.
        dhcp_messages: As for `findings`.
        ports: As for `findings`.
        edges: As for `findings`.
        clocks: As for `findings`.

    Returns:
        ``title``, ``note``, ``bars`` (from the first answer to the last, of each server, the rogue one on top) and
        ``marks`` (every answer).
    """
    answers = _once(_answers(dhcp_messages.lazy(), rows_of(clocks, Clock))).filter(pl.col("mac").is_not_null())
    rogue = pl.col("mac") == finding.facts["mac"]
    server = pl.col("server").drop_nulls().mode().sort().first().over("mac").fill_null("?")
    rows = answers.with_columns(rogue=rogue, lane=server + pl.lit(" at ") + pl.col("mac")).sort(
        "rogue", "lane", "at", "source", "position", descending=[True, False, False, False, False]
    )
    instant = pl.Datetime("ns", "UTC")
    whose = pl.when("rogue").then(pl.lit("of the rogue one")).otherwise(pl.lit("of others"))
    kinds = {"OFFER": ("trouble", "asks"), "ACK": ("answers", "good"), "NAK": ("ink", "faint")}
    meaning = pl.coalesce(
        pl.when(pl.col("message_type") == kind).then(pl.when("rogue").then(pl.lit(bad)).otherwise(pl.lit(good)))
        for kind, (bad, good) in kinds.items()
    )
    shown = rows.select(
        "lane", "source", "position", "rogue", group=pl.lit(""), meaning=meaning,
        what=pl.col("message_type") + pl.lit(" ") + whose, at=pl.col("at").cast(instant),
        text=pl.format("{} to {}", pl.col("yiaddr").fill_null("no address"), pl.col("chaddr").fill_null("?")),
    )  # fmt: skip
    spans = shown.group_by("group", "lane", "rogue", maintain_order=True).agg(
        pl.col("source", "position").first(), from_at=pl.col("at").min(), to_at=pl.col("at").max(),
        text=pl.format("{} answers", pl.len()),
    )  # fmt: skip
    return {
        "title": finding.title,
        "note": f"it offers addresses of another network than {', '.join(finding.facts['rivals'])} does"
        if finding.facts["rivals"]
        else "",
        "bars": spans.with_columns(
            what=pl.when("rogue").then(pl.lit("the rogue one answers")).otherwise(pl.lit("others answer")),
            meaning=pl.when("rogue").then(pl.lit("quiet")).otherwise(pl.lit("line")),
        ),
        "marks": shown,
    }


CHARTS = {"lanes": chart_frames}
