"""Which instance made a switch close a port? Guests that send spanning-tree BPDUs, and who was cut off with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock
from forensics.analysis._given import rows_of
from forensics.analysis._port_cuts import Cut
from forensics.analysis._port_names import is_guest, short
from forensics.analysis._port_scene import Scene, survey
from forensics.analysis._port_story import amount, finding, in_strikes
from forensics.records import Bpdu, Clock, Edge, Finding, PortEvent, ServiceState
from forensics.records.finding import iso

NEEDS = (PortEvent,)
USES = (Bpdu, Edge, ServiceState, Clock)
KINDS = {
    "bpdu-guard-cutoff": ("the log of a switch that shut a port (BPDU guard, err-disable)",),
}
SPREAD_S = 60.0
"""Symptoms begin and end with the cut, less what clocks and timeouts of services add."""


def findings(
    port_events: pl.LazyFrame,
    bpdus: pl.LazyFrame | None = None,
    edges: pl.LazyFrame | None = None,
    services: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> list[Finding]:
    """Find the guests whose BPDUs made switches shut the ports of their hosts.

    BPDU guard (IEEE 802.1D edge ports; every vendor has its own words) shuts a port at the first BPDU. A guest that
    speaks spanning tree, through a bridge of the host that forwards it, takes its host's uplink away, and when the
    bond turns to its other card, that one too. What the guard's line does not say follows from captures, from the
    hosts' own kernels, and from databases as of that instant. A BPDU of a switch or a bridge of the host is no guest's.

    Args:
        port_events: One row per `PortEvent`, of switches and hosts.
        bpdus: One row per `Bpdu`.
        edges: One row per `Edge`: which instance a hardware address is, where it ran, whose it was.
        services: One row per `ServiceState`.
        clocks: One row per `Clock`; clocks that it leaves open are compared by what both ends of a cable saw.

    Returns:
        One `bpdu-guard-cutoff` per source (same image and user), most severe first.

    Examples:
        >>> findings(PortEvent.empty().lazy())
        []
    """
    scene = survey(port_events, bpdus, edges, clocks)
    if not scene.cuts:
        return []
    down = _services_down(services, clocks)
    return sorted((finding(own, scene, down) for own in sources(scene)), key=Finding.order)


def sources(scene: Scene) -> list[list[Cut]]:
    """Cuts by who caused them: same image and user; those of unknown senders are one. Those of bridges are left out.

    Args:
        scene: What happened to the ports.

    Returns:
        Groups of cuts, by the first of each.
    """
    macs = {cut.mac for cut in scene.cuts if cut.instance and cut.mac}
    groups: dict[tuple[str | None, str | None], list[Cut]] = {}
    for cut in scene.cuts:
        if cut.mac is None or is_guest(cut.mac, macs):
            groups.setdefault((cut.user, cut.image), []).append(cut)
    return sorted(groups.values(), key=lambda own: (own[0].at, own[0].switch, own[0].port))


def _services_down(services: pl.LazyFrame | None, clocks: pl.LazyFrame | None) -> pl.DataFrame:
    """Services that something says are down, on one clock."""
    told = rows_of(services, ServiceState)
    ties = rows_of(clocks, Clock)
    rows = on_one_clock(told.filter((pl.col("state") == "down") & pl.col("service_host").is_not_null()), ties)
    return (
        rows.select("service", "service_host", "seen_at", "at", "told_by", "source", "position")
        .sort("at", "source", "position")
        .collect()
    )


def explained(cause: Finding, findings: Sequence[Finding]) -> Sequence[str]:
    """Ids of what follows from a cut: links that went down with it, silence of its hosts, leases of those on them.

    Args:
        cause: A finding of this analysis; others explain nothing here.
        findings: All findings.
    """
    if cause.kind not in KINDS:
        return ()
    spans = [
        (cut, _s(cut["cut_at"]), _s(cut["restored_at"]) if cut["restored_at"] else None) for cut in cause.facts["cuts"]
    ]
    ours = {*cause.facts["bystanders"], *cause.facts["bystander_macs"], *cause.entities.get("macs", ())}
    ours |= set(cause.entities.get("instances", ()))
    told = []
    for other in findings:
        if other.id == cause.id or other.start is None:
            continue
        since = _s(other.start)
        for cut, start, end in spans:
            during = start - SPREAD_S / 6 <= since <= (end if end is not None else float("inf")) + SPREAD_S
            if during and _is_symptom(other, cut, since - start, ours):
                told.append(other.id)
                break
    return told


def _is_symptom(other: Finding, cut: dict[str, Any], after_s: float, ours: set[str]) -> bool:
    host = short(cut["host"]) if cut["host"] else None
    hosts = {short(name) for name in other.entities.get("hosts", ())}
    if other.kind == "link-down":
        at_once = after_s <= SPREAD_S
        at_switch = other.facts.get("switch") == cut["switch"] and "bpdu" in (other.facts.get("reason") or "").lower()
        return at_once and (at_switch or host in hosts)
    if other.kind in ("host-silent", "broker-alarm"):
        return host in hosts
    if other.kind == "dhcp-renewal-failure":
        concerned = {*other.entities.get("macs", ()), *other.entities.get("instances", ()), other.facts.get("mac")}
        return bool(concerned & ours) or host in hosts
    return False


def _s(stamp: str) -> float:
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00").timestamp() + float(f"0.{fraction or 0}")


def cascade_frames(
    finding: Finding,
    port_events: pl.LazyFrame,
    bpdus: pl.LazyFrame | None = None,
    edges: pl.LazyFrame | None = None,
    services: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> dict[str, Any]:
    """What `forensics.charts.cutoff_cascade.cutoff_cascade` needs to draw a finding.

    Args:
        finding: A `bpdu-guard-cutoff`.
        port_events: As for `findings`.
        bpdus: As for `findings`.
        edges: As for `findings`.
        services: As for `findings`.
        clocks: As for `findings`.

    Returns:
        ``finding``; ``outages``, one row per span in which something was down: ``lane`` (switch and port, host and
        card, or the others on a host), ``side`` (``switch``, ``host``, ``others``), ``from_at``, ``to_at`` (null while
        it lasts), ``reason``, ``source``, ``locator``; ``sent``, the guests' BPDUs in captures: ``lane``, ``at``,
        ``mac``, ``source``, ``locator``.
    """
    del services
    scene = survey(port_events, bpdus, edges, clocks)
    told = {(cut["switch"], cut["port"], cut["cut_at"]) for cut in finding.facts["cuts"]}
    own = [cut for cut in scene.cuts if (cut.switch, cut.port, iso(cut.at)) in told]
    hosts = {short(cut.host) for cut in own if cut.host}
    margin = 60 * SECOND_NS
    begin = min((cut.at for cut in own), default=0) - margin
    end = max((cut.restored or cut.at for cut in own), default=0) + margin
    keys = pl.DataFrame(
        [(cut.switch, key) for cut in own for key in sorted(cut.members)],
        schema={"machine": pl.String, "key": pl.String}, orient="row",
    ).unique()  # fmt: skip
    machines = [name for name in scene.spans["machine"].unique().sort() if short(name) in hosts]
    cards = scene.spans.filter(~pl.col("is_switch") & pl.col("machine").is_in(machines))
    spans = pl.concat([scene.spans.join(keys, on=["machine", "key"], how="semi"), cards])
    shown = spans.filter(pl.col("from_at").is_between(begin, end)).select(
        lane=pl.concat_str("machine", pl.lit(" "), "name"),
        side=pl.when("is_switch").then(pl.lit("switch")).otherwise(pl.lit("host")),
        from_at=pl.from_epoch("from_at", time_unit="ns"),
        to_at=pl.from_epoch("to_at", time_unit="ns"),
        reason="reason",
        source="source",
        locator=pl.format("line:{}", "position"),
    )
    macs = [cut.mac for cut in own if cut.mac]
    sent = scene.bpdus.filter(pl.col("eth_src").is_in(macs) & pl.col("at").is_between(begin, end)).select(
        lane=pl.concat_str(pl.lit("guest "), "eth_src"),
        at=pl.from_epoch("at", time_unit="ns"),
        mac="eth_src",
        source="source",
        locator=pl.format("frame:{}", "position"),
    )
    outages = pl.concat([shown, _others(own, shown)]).sort("from_at", "lane")
    return {"finding": finding, "outages": outages, "sent": sent.sort("at", "source", "locator")}


def _others(cuts: list[Cut], like: pl.DataFrame) -> pl.DataFrame:
    """The others on each host, as long as it had no way out: from a strike's last cut to its first port's return."""
    rows = []
    for strike in in_strikes(cuts):
        names = sorted({name for cut in strike for name in cut.bystanders})
        if not names:
            continue
        back = [cut.restored for cut in strike if cut.restored is not None]
        source, locator = strike[-1].refs[0].source, strike[-1].refs[0].locator
        since, until = max(cut.at for cut in strike), min(back, default=None)
        lane = f"{strike[0].host} {amount(len(names), 'other instance')}"
        rows.append((lane, "others", since, until, ", ".join(names[:8]), source, locator))
    kinds = dict(like.schema) | {"from_at": pl.Int64, "to_at": pl.Int64}
    stamps = [pl.from_epoch(name, time_unit="ns") for name in ("from_at", "to_at")]
    return pl.DataFrame(rows, schema=kinds, orient="row").with_columns(stamps)


CHARTS = {"cutoff_cascade": cascade_frames}
"""Charts of findings of these kinds, the first by default, and what gives each what it needs."""
