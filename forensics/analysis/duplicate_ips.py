"""Which address do two machines answer for?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from forensics.analysis._address_claims import claims, disputes, one_card
from forensics.analysis._correlate import on_one_clock
from forensics.analysis._given import rows_of
from forensics.analysis._links import links
from forensics.records import Clock, DhcpMessage, Edge, Finding, LogRecord, Packet
from forensics.records.finding import Alternative, Reference, Step, iso

NEEDS = ()
NEEDS_ANY = (Packet, LogRecord, DhcpMessage)
USES = (Edge, Clock)
KINDS = {"duplicate-ip": ("ARP in a capture, or a log in which a machine finds its address in use",)}

_MAC = r"[0-9A-Fa-f]{1,2}(?:[:-][0-9A-Fa-f]{1,2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}"
_IP = r"\d{1,3}(?:\.\d{1,3}){3}"
_WORDS = (
    # arpwatch db.c, report.c
    rf"flip flop (?P<ip1>{_IP}) (?P<mac1>{_MAC}) \((?P<old1>{_MAC})\)",
    # initscripts ifup-eth; arping
    rf"some other host \((?P<mac2>{_MAC})\) already uses address (?P<ip2>{_IP})",
    # NetworkManager src/core/nm-l3cfg.c, n-acd
    rf"conflict detected for IP address (?P<ip3>{_IP}) with host (?P<mac3>{_MAC})",
    # BSD netinet/if_ether.c
    rf"(?P<mac4>{_MAC}) is using my IP address (?P<ip4>{_IP})",
    # Cisco IOS %IP-4-DUPADDR
    rf"Duplicate address (?P<ip5>{_IP}) on \S+, sourced by (?P<mac5>{_MAC})",
    # NX-OS %ARP-3-DUP_SRC_IP
    rf"received from (?P<mac6>{_MAC}) on \S+ is duplicate of local(?: IP address)?,? (?P<ip6>{_IP})",
    # Junos KERN_ARP_DUPLICATE_ADDR
    rf"duplicate IP address (?P<ip7>{_IP})!? sent from address: (?P<mac7>{_MAC})",
    # dhcpcd src/ipv4ll.c, src/arp.c
    rf"hardware address (?P<mac8>{_MAC}) claims (?P<ip8>{_IP})",
)
_SAYS = (
    r"flip flop|already uses address|conflict detected for IP|is using my IP|Duplicate address|duplicate of local|"
    r"duplicate IP address|hardware address \S+ claims"
)
_OFTEN = 6
"""Changes from which on every neighbour's cache flaps."""


def findings(
    packets: pl.LazyFrame,
    log_records: pl.LazyFrame | None = None,
    dhcp_messages: pl.LazyFrame | None = None,
    edges: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> list[Finding]:
    """Find addresses that two machines of one network hold at the same time.

    A hand-over (fail-over of a virtual address, a new card) is none, nor are the addresses of routers that move by
    design, proxy ARP, several cards of one machine, or different networks that use the same range.

    Args:
        packets: One row per `Packet`; only ARP is read.
        log_records: One row per `LogRecord`: what machines say that find their address in use.
        dhcp_messages: One row per `DhcpMessage`: a DECLINE says that the address is in use.
        edges: One row per `Edge`: whose the MACs are.
        clocks: One row per `Clock`; without it, stamps are taken as they are.

    Returns:
        One `duplicate-ip` an address and pair of MACs, most severe first.

    Examples:
        >>> findings(Packet.empty().lazy())
        []
    """
    ties = Clock.empty().lazy() if clocks is None else clocks
    known = Edge.empty() if edges is None else edges.collect()
    told = _captured(claims(packets, ties), known)
    seen = {ip for one in told for ip in one.entities["ips"]}
    if log_records is not None:
        told += _logged(log_records, ties, known, seen)
        seen |= {ip for one in told for ip in one.entities["ips"]}
    if dhcp_messages is not None:
        told += _declined(dhcp_messages, ties, known, seen)
    return sorted(told, key=Finding.order)


def _captured(rows: pl.DataFrame, edges: pl.DataFrame) -> list[Finding]:
    found = disputes(rows).sort("ip", "changes", "source", descending=[False, True, False])
    told: dict[tuple[str, ...], Finding] = {}
    for source, segment, ip, changes, twins in found.iter_rows():
        own = rows.filter(pl.col("source") == source, pl.col("segment") == segment, pl.col("ip") == ip)
        macs = sorted(own["mac"].unique())
        if (ip, *macs) in told or one_card(macs) or _one_machine(macs, edges):
            continue
        told[ip, *macs] = _finding(ip, macs, own, changes, twins, edges)
    return list(told.values())


def _one_machine(macs: list[str], edges: pl.DataFrame) -> bool:
    """Whether one host, or one instance, has all the MACs: then its own cards answer for each other."""
    for kind in ("host", "instance"):
        owners = links(edges, "mac", macs, kind)
        if kind == "host":  # a host's own cards, not guests that happen to run on one host
            hosts = edges.filter(pl.col("subject_kind") == "host", pl.col("object_kind") == "mac")["object"].unique()
            owners = owners.filter(pl.col("thing").is_in(hosts.implode()))
        shared = owners.group_by("linked").agg(pl.col("thing").n_unique()).filter(pl.col("thing") == len(macs))
        if shared.height:
            return True
    return False


def _finding(ip: str, macs: list[str], own: pl.DataFrame, changes: int, twins: int, edges: pl.DataFrame) -> Finding:
    refs = {mac: _frame(own.filter(pl.col("mac") == mac).row(0, named=True)) for mac in macs}
    turns = [_frame(row) for row in own.filter("changed").head(4).iter_rows(named=True)]
    start, end = int(own["at"][0]), int(own["at"][-1])
    steps = sorted(
        (Step(ref.at, f"{mac} says that {ip} is its own", (ref,)) for mac, ref in refs.items()),
        key=lambda step: step.when,
    )
    steps.append(Step(turns[-1].at, f"the two speak in turn, {changes} changes" + _both(twins), tuple(turns)))
    facts = {
        "ip": ip,
        "macs": macs,
        "changes": changes,
        "double_answers": twins,
        "announcements": {mac: own.filter(pl.col("mac") == mac).height for mac in macs},
    }
    alternatives = (
        Alternative("a virtual address that fails over", "ruled out",
                    "both go on speaking: a hand-over ends with one of them", tuple(turns)),
        Alternative("one machine with two cards in the network", "open" if _strangers(macs, edges) else "ruled out",
                    "no listing shows whose the MACs are" if _strangers(macs, edges) else "the MACs have two owners"),
    )  # fmt: skip
    sure = twins > 0 and not _strangers(macs, edges)
    return Finding(
        kind="duplicate-ip",
        title=f"{ip} is answered for by {' and '.join(macs)}",
        severity="high" if changes >= _OFTEN or twins > 1 else "medium",
        confidence="proven" if sure else "likely",
        start=iso(start),
        end=iso(end),
        entities=_entities([ip], macs, edges, start),
        facts=facts,
        story=tuple(steps),
        evidence=(*refs.values(), *turns),
        alternatives=alternatives,
        remedy=_remedy(ip, macs),
        next_evidence=() if sure else ("`ip -d link` of the hosts, and nova's or neutron's list of ports",),
    )


def _both(twins: int) -> str:
    return f"; {twins} times both answer one question" if twins else ""


def _frame(row: dict[str, object]) -> Reference:
    return Reference(str(row["source"]), f"frame:{row['position']}", iso(int(str(row["at"]))))


def _strangers(macs: Iterable[str], edges: pl.DataFrame) -> bool:
    wanted = list(macs)
    owned = pl.concat([links(edges, "mac", wanted, kind).select("thing") for kind in ("instance", "host")])
    return owned["thing"].n_unique() < len(wanted)


def _entities(ips: list[str], macs: list[str], edges: pl.DataFrame, at: int) -> dict[str, tuple[str, ...]]:
    instances = links(edges, "mac", macs, "instance", at)["linked"].unique().sort().to_list()
    return {"ips": tuple(ips), "macs": tuple(macs), "instances": tuple(instances)}


def _remedy(ip: str, macs: list[str]) -> tuple[str, ...]:
    return (
        f"find where each of them is: `ovs-appctl fdb/show br-int` or `bridge fdb show`, for {' and '.join(macs)}",
        f"find whose address it is: `openstack port list --fixed-ip ip-address={ip}`",
        f"take the address from the one that it does not belong to: `ip address del {ip}/… dev …` in that machine",
    )


def _logged(logs: pl.LazyFrame, clocks: pl.LazyFrame, edges: pl.DataFrame, seen: set[str]) -> list[Finding]:
    """What machines say that find their address in use."""
    said = logs.filter(pl.col("message").str.contains(_SAYS), pl.col("duplicate_of").is_null())
    message = pl.col("message")
    groups = [message.str.extract_groups("(?i)" + words) for words in _WORDS]
    rows = (
        on_one_clock(said, clocks)
        .with_columns(ip=pl.coalesce(group.struct.field(f"ip{n}") for n, group in enumerate(groups, 1)),
                      mac=pl.coalesce(group.struct.field(f"mac{n}") for n, group in enumerate(groups, 1)),
                      old=groups[0].struct.field("old1"))
        .filter(pl.col("ip").is_not_null())
        .collect()
        .sort("at", "source", "position")
    )  # fmt: skip
    told = []
    for ip in sorted(set(rows["ip"]) - seen):
        own = rows.filter(pl.col("ip") == ip)
        macs = sorted({_spelled(mac) for name in ("mac", "old") for mac in own[name].drop_nulls()})
        once = own.height == 1 and own["old"].drop_nulls().len() == 1  # back once: a hand-over
        if once or (len(macs) > 1 and one_card(macs)):
            continue
        told.append(_in_use(ip, macs, own, "a machine finds its address in use", edges))
    return told


def _declined(messages: pl.LazyFrame, clocks: pl.LazyFrame, edges: pl.DataFrame, seen: set[str]) -> list[Finding]:
    """Addresses that a client declined: RFC 2131 section 3.1, step 5: it found them in use."""
    ip = pl.coalesce("requested_ip", "yiaddr", "ciaddr")
    rows = (
        on_one_clock(messages.filter(pl.col("message_type") == "DECLINE").with_columns(ip=ip), clocks)
        .filter(pl.col("ip").is_not_null())
        .collect()
        .sort("at", "source", "position")
    )
    told = []
    for one in sorted(set(rows["ip"]) - seen):
        own = rows.filter(pl.col("ip") == one)
        told.append(_in_use(one, sorted(own["chaddr"].drop_nulls().unique()), own, "a client declines it", edges))
    return told


def _in_use(ip: str, macs: list[str], own: pl.DataFrame, why: str, edges: pl.DataFrame) -> Finding:
    captured = "seen_by" in own.columns
    refs = tuple(
        Reference(row["source"], f"{'frame' if captured and row['seen_by'] == 'capture' else 'line'}:{row['position']}",
                  iso(row["at"]))
        for row in own.head(6).iter_rows(named=True)
    )  # fmt: skip
    start, end = int(own["at"][0]), int(own["at"][-1])
    return Finding(
        kind="duplicate-ip",
        title=f"{ip} is in use twice: {why}",
        severity="medium",
        confidence="likely",
        start=iso(start),
        end=iso(end),
        entities=_entities([ip], macs, edges, start),
        facts={"ip": ip, "macs": macs, "changes": None, "double_answers": None, "announcements": None},
        story=(Step(iso(start), f"{why}: {ip}, told {own.height} times", refs),),
        evidence=refs,
        alternatives=(Alternative("an answer of proxy ARP, which speaks for all addresses", "open",
                                  "no capture shows who answered"),),
        remedy=_remedy(ip, macs or ["its owners"]),
        next_evidence=("a capture of ARP in that network",),
    )  # fmt: skip


def _spelled(mac: str) -> str:
    digits = mac.replace(".", "").replace("-", ":").lower()
    octets = digits.split(":") if ":" in digits else [digits[n : n + 2] for n in range(0, 12, 2)]
    return ":".join(octet.zfill(2) for octet in octets)


def chart_frames(
    finding: Finding,
    packets: pl.LazyFrame,
    log_records: pl.LazyFrame | None = None,  # noqa: ARG001  charts get all that findings get
    dhcp_messages: pl.LazyFrame | None = None,  # noqa: ARG001
    edges: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> dict[str, Any]:
    """What `forensics.charts.lanes.lanes` needs to draw a finding.

    Args:
        finding: A `duplicate-ip`.
        packets: As for `findings`.
        log_records: As for `findings`.
        dhcp_messages: As for `findings`.
        edges: As for `findings`.
        clocks: As for `findings`.

    Returns:
        ``title``, ``note``, ``bars`` (from the first claim of each machine to its last) and ``marks`` (every claim); of
        what logs tell, the lines that are cited.
    """
    ip, macs = finding.facts["ip"], finding.facts["macs"]
    told = finding.facts["changes"] is None
    rows = _cited(finding) if told else _claimed(finding, packets, rows_of(clocks, Clock))
    owners = links(rows_of(edges, Edge).collect(), "mac", macs, "instance").unique("thing", maintain_order=True)
    names = dict(owners.select("thing", "linked").iter_rows())
    lane = pl.col("mac").replace({mac: f"{mac} of {names[mac]}" for mac in macs if mac in names})
    said = {"ask": ("asks, or announces itself", "asks"), "answer": ("answers", "good"),
            "twin": ("both answer", "trouble"), "line": ("finds it in use", "trouble")}  # fmt: skip
    what, meaning = (pl.col("kind").replace({kind: pair[n] for kind, pair in said.items()}) for n in (0, 1))
    marks = rows.with_columns(lane=lane, what=what, meaning=meaning, group=pl.lit("")).sort("lane", "at", "position")
    spans = marks.group_by("group", "lane", maintain_order=True).agg(
        pl.col("source", "position").first(), from_at=pl.col("at").min(), to_at=pl.col("at").max(),
        text=pl.format("{} claims", pl.len()),
    )  # fmt: skip
    return {
        "title": finding.title,
        "note": "the lines that are cited" if told else f"who says by ARP that {ip} is its own",
        "bars": spans.with_columns(what=pl.lit("first to last"), meaning=pl.lit("quiet")),
        "marks": marks,
    }


def _claimed(finding: Finding, packets: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.DataFrame:
    """The claims of the capture that the finding cites: ``mac``, ``at``, ``kind``, ``text``, and their places."""
    about, macs = finding.facts["ip"], finding.facts["macs"]
    own = (pl.col("ip") == about) & pl.col("mac").is_in(macs) & (pl.col("source") == finding.evidence[0].source)
    answer = pl.when(pl.col("op") == 2).then(pl.lit("answer")).otherwise(pl.lit("ask"))
    both = pl.col("twin") | pl.col("twin").shift(-1).fill_null(value=False)
    return claims(packets, clocks).filter(own).select(
        "mac", "source", "position", at=pl.col("at").cast(pl.Datetime("ns", "UTC")),
        kind=pl.when(both).then(pl.lit("twin")).otherwise(answer),
        text=pl.format("{} is at {}, to {}", "ip", "mac", pl.col("target").fill_null("all")),
    )  # fmt: skip


def _cited(finding: Finding) -> pl.DataFrame:
    """The lines by which machines find an address in use, in the same form."""
    rows = [{"mac": finding.facts["ip"], "source": ref.source, "position": int(ref.locator.partition(":")[2]),
             "at": ref.at, "kind": "line", "text": finding.title} for ref in finding.evidence]  # fmt: skip
    schema = {name: pl.Int64 if name == "position" else pl.String for name in
              ("mac", "source", "position", "at", "kind", "text")}  # fmt: skip
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col("at").str.to_datetime(time_unit="ns", time_zone="UTC"))


CHARTS = {"lanes": chart_frames}
