"""Which host is behind a port that was shut, and which guest sent the BPDU."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import polars as pl

from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._links import links
from forensics.analysis._port_clocks import Match, match
from forensics.analysis._port_cuts import Cut
from forensics.analysis._port_names import is_guest, last_number, port_key, short
from forensics.records.finding import Reference, iso

SLACK_NS = 300 * SECOND_NS
"""An instance that was there so shortly before or after is taken for one that was there: clocks differ."""
STARTED_NS = 900 * SECOND_NS
"""A guest that sends BPDUs does so since its kernel is up: minutes after its start."""
CAPTURED_NS = 5 * SECOND_NS // 2
"""Between a BPDU on the host's card and the switch's word of it: whole seconds, and two of hello time (802.1D)."""
Changes = dict[str, dict[str, list[tuple[int, bool, Reference]]]]
"""Host -> card -> when it went down (true) or up, and where that is written."""


def edge_reference(row: dict[str, Any]) -> Reference:
    """Where the evidence of an edge is."""
    place = "frame" if row["told_by"] in ("Packet", "DhcpMessage", "Bpdu", "LldpNeighbour") else "line"
    return Reference(row["source"], f"{place}:{row['position'] or 1}")


def at_that_time(edges: pl.DataFrame, kind: str, things: Collection[str], wanted: str, at: int) -> pl.DataFrame:
    """What belonged to things at an instant; where nothing did, so shortly before or after that clocks explain it."""
    held = links(edges, kind, things, wanted, at)
    if held.height:
        return held
    whole = links(edges, kind, things, wanted)
    start, end = (pl.col(name).to_physical() for name in ("from_at", "to_at"))
    apart = pl.max_horizontal(
        (start - at).fill_null(-1), (at - end).fill_null(-1), pl.lit(0, dtype=pl.Int64)
    )  # fmt: skip
    close = whole.with_columns(apart=apart).filter(pl.col("apart") <= SLACK_NS)
    return close.filter(pl.col("apart") == close["apart"].min()).drop("apart") if close.height else close.drop("apart")


def map_senders(found: Iterable[Cut], edges: pl.DataFrame) -> None:
    """MAC -> instance -> host, image, user, project and name, as of the cut."""
    for cut in found:
        if cut.mac is None or cut.instance:
            continue
        owners = at_that_time(edges, "mac", [cut.mac], "instance", cut.asked_at)
        by_address = at_that_time(edges, "mac", [cut.mac], "ip", cut.asked_at) if owners.is_empty() else owners.clear()
        if by_address.height:  # a listing of ports without its devices, beside one of servers with their addresses
            addresses = by_address["linked"].unique().sort().to_list()
            owners = at_that_time(edges, "ip", addresses, "instance", cut.asked_at)
            owners = owners if owners["linked"].n_unique() == 1 else owners.clear()
        if owners.is_empty():
            continue
        row = owners.sort("from_at", "linked", nulls_last=False).row(-1, named=True)
        cut.instance = row["linked"]
        cut.map_refs += [edge_reference(one) for one in by_address.head(1).iter_rows(named=True)]
        cut.map_refs.append(edge_reference(row))
        _describe(cut, edges)


def _describe(cut: Cut, edges: pl.DataFrame) -> None:
    assert cut.instance is not None
    for wanted in ("host", "image", "user", "project", "name"):
        known = at_that_time(edges, "instance", [cut.instance], wanted, cut.asked_at)
        if known.is_empty():
            continue
        row = known.row(-1, named=True)
        if wanted == "host":
            if cut.host is None or short(cut.host) == short(row["linked"]):
                cut.host_basis = cut.host_basis or "mapping"
                cut.host = cut.host or row["linked"]
                cut.host_refs.append(edge_reference(row))
            continue
        setattr(cut, wanted, row["linked"])
        if wanted in ("image", "user") and edge_reference(row) not in cut.map_refs:
            cut.map_refs.append(edge_reference(row))
    born = links(edges, "instance", [cut.instance], "host")["from_at"].drop_nulls()
    cut.started_at = born.dt.epoch("ns").max() if born.len() else None  # type: ignore[assignment]


def by_cable(found: Iterable[Cut], edges: pl.DataFrame) -> None:
    """Switch port -> host, as LLDP or an inventory has it."""
    ports = edges.filter((pl.col("object_kind") == "switch_port") & (pl.col("subject_kind") == "host"))
    known: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in ports.iter_rows(named=True):
        switch, _, port = row["object"].partition(" ")
        known.setdefault((short(switch), port_key(port)), []).append(row)
    for cut in found:
        if cut.host:
            continue
        rows = [row for key in sorted(cut.members) for row in known.get((short(cut.switch), key), ())]
        if len({short(row["subject"]) for row in rows}) == 1:
            cut.host, cut.host_basis = rows[0]["subject"], "cable"
            cut.host_refs.append(edge_reference(rows[0]))


def by_description(found: Iterable[Cut], machines: Collection[str]) -> None:
    """A port whose description names a host that the evidence knows."""
    names = {short(name): name for name in sorted(machines)}
    for cut in found:
        words = (cut.description or "").replace(",", " ").replace("_", " ").split()
        hits = {names[short(word)] for word in words if short(word) in names}
        if cut.host is None and len(hits) == 1:
            cut.host, cut.host_basis = hits.pop(), "description"


def by_twin(found: list[Cut]) -> None:
    """The same port of the other switch of a pair, shut within a minute, has the same host behind it."""
    for cut in found:
        if cut.host is not None:
            continue
        for other in found:
            twin = other.switch != cut.switch and other.key == cut.key and abs(other.at - cut.at) <= 60 * SECOND_NS
            again = other.switch == cut.switch and other.key == cut.key
            if other.host and other.host_basis != "twin" and (twin or again):
                cut.host, cut.host_basis = other.host, "twin"
                cut.host_refs = list(other.host_refs)
                break


def fits(changes: list[tuple[int, bool]], hosts: Changes) -> dict[str, Match]:
    """How well the changes of each host's best card fit those of a port."""
    found = {}
    for host, cards in hosts.items():
        if known := [fit for own in cards.values() if (fit := match(changes, [row[:2] for row in own]))]:
            found[host] = max(known, key=lambda fit: (fit.score, -abs(fit.offset)))
    return found


def by_changes(found: list[Cut], ports: dict[tuple[str, str], list[tuple[int, bool]]], hosts: Changes) -> None:
    """The host whose cards went down and up as the port did."""
    for port, changes in sorted(ports.items()):
        own = [cut for cut in found if (cut.switch, cut.key) == port and cut.host is None]
        fitting = fits(changes, hosts) if own else {}
        if not fitting:
            continue
        number = last_number(own[0].port)
        ranked = sorted(
            fitting.items(), key=lambda item: (-item[1].score, last_number(item[0]) != number, item[0])
        )  # fmt: skip
        best = [host for host, fit in ranked if fit.score == ranked[0][1].score]
        numbered = [host for host in best if last_number(host) == number]
        chosen = best if len(best) == 1 else numbered
        if len(chosen) != 1 or 2 * ranked[0][1].score < ranked[0][1].of:
            continue
        for cut in own:
            cut.host, cut.host_basis = chosen[0], "changes"
            offset = fitting[chosen[0]].offset
            told = sorted((row for own in hosts[chosen[0]].values() for row in own), key=lambda row: row[0])
            cut.host_refs += [ref for at, down, ref in told if down and abs(at - offset - cut.at) < 3 * SECOND_NS][:2]


def by_capture(found: list[Cut], bpdus: pl.DataFrame) -> None:
    """Who sent it, where the switch does not say: the guest whose BPDU was on the host's card then."""
    for cut in found:
        near = bpdus.filter(
            (pl.col("at") - cut.at).is_between(-CAPTURED_NS, CAPTURED_NS) & pl.col("is_guest")
        )  # fmt: skip
        if cut.mac:
            near = near.filter(pl.col("eth_src") == cut.mac)
        elif cut.host:
            there = [name for name in near["machine"].unique() if short(name) == short(cut.host)]
            near = near.filter(pl.col("machine").is_in(there))
        if near.is_empty() or (cut.mac is None and near["eth_src"].n_unique() > 1):
            continue
        row = near.sort((pl.col("at") - cut.at).abs(), "source", "position").row(0, named=True)
        seen = Reference(row["source"], f"frame:{row['position']}", iso(row["at"]))
        cut.mac_refs.append(seen)
        if cut.mac is None:
            cut.mac, cut.mac_basis = row["eth_src"], "capture"
        if cut.host is None and near["machine"].n_unique() == 1:
            cut.host, cut.host_basis = row["machine"], "capture"
            cut.host_refs.append(seen)


def by_neighbour(found: list[Cut]) -> None:
    """A cut that names nobody, on a host where one guest alone is known to have sent BPDUs: that guest again."""
    senders: dict[str, set[str]] = {}
    for cut in found:
        if cut.host and cut.mac and is_guest(cut.mac):
            senders.setdefault(short(cut.host), set()).add(cut.mac)
    for cut in found:
        known = senders.get(short(cut.host), set()) if cut.host else set()
        if cut.mac is None and len(known) == 1:
            cut.mac, cut.mac_basis = next(iter(known)), "again"


def by_start(found: list[Cut], edges: pl.DataFrame) -> None:
    """The one instance that was started on the host in the minutes before."""
    for cut in found:
        if cut.mac or cut.instance or not cut.host:
            continue
        near = _spellings(edges, cut.host)
        here = links(edges, "host", near, "instance")
        begun = here.filter(
            (cut.asked_at - pl.col("from_at").dt.epoch("ns")).is_between(-2 * SECOND_NS, STARTED_NS)
        ).unique("linked", maintain_order=True)  # fmt: skip
        if begun.height == 1:
            row = begun.row(0, named=True)
            cut.instance, cut.mac_basis = row["linked"], "start"
            cut.map_refs.append(edge_reference(row))
            macs = at_that_time(edges, "instance", [row["linked"]], "mac", cut.asked_at)["linked"].unique().to_list()
            cut.mac = macs[0] if len(macs) == 1 else None
            _describe(cut, edges)


def _spellings(edges: pl.DataFrame, host: str) -> list[str]:
    """A host in all forms in which edges name it."""
    ends = [edges.filter(pl.col(f"{end}_kind") == "host")[end] for end in ("subject", "object")]
    names = {name for end in ends for name in end.unique().to_list()}
    return sorted(name for name in names if short(name) == short(host))


def find_bystanders(found: list[Cut], edges: pl.DataFrame) -> None:
    """Instances that were on the host when it was cut, the senders excepted."""
    senders = {cut.instance for cut in found}
    spellings: dict[str, list[str]] = {}
    for cut in found:
        if not cut.host:
            continue
        names = spellings.setdefault(cut.host, _spellings(edges, cut.host))
        for row in links(edges, "host", names, "instance", cut.asked_at).iter_rows(named=True):
            if row["linked"] not in senders:
                cut.bystanders.setdefault(row["linked"], edge_reference(row))
