"""Which hop loses or changes what? Packets followed from capture point to capture point, by size and by tags."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl

from forensics.analysis._links import links
from forensics.analysis._paths_hosts import Stack, captured_on, devices, named_vid, settings, stacks
from forensics.analysis._paths_join import joined
from forensics.analysis._paths_leaks import leaks
from forensics.analysis._paths_losses import hops, unanswered
from forensics.analysis._paths_packets import ECHO, ECHO_REPLY, TCP, TOO_BIG, sightings
from forensics.analysis._paths_scene import Scene, scenes
from forensics.analysis._paths_story import leak_finding, loss_finding, stack_finding
from forensics.analysis._paths_ways import spans, ways
from forensics.records import Clock, ConfigOption, Edge, Finding, HostInterface, Packet
from forensics.records.finding import Reference, iso

NEEDS = (Packet,)
USES = (HostInterface, ConfigOption, Clock, Edge)
KINDS = {
    "stacked-vlan": ("packets at two or more capture points", "`ip -d link` of the hosts, or nova.conf"),
    "size-dependent-loss": ("packets at two or more capture points",),
    "vlan-leak": ("packets at two or more capture points",),
}
MOST_PAIRS = 500
"""Pairs of addresses that are looked at closely: those with most packets among the suspects."""
LARGE_BYTES = 512
"""Smaller segments are no question of size."""


def findings(
    packets: pl.LazyFrame,
    host_interfaces: pl.LazyFrame | None = None,
    config_options: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
    edges: pl.LazyFrame | None = None,
) -> list[Finding]:
    """Find hops that lose packets above one size, VLANs stacked on VLANs, and tags where none should be.

    Args:
        packets: One row per `Packet`, any number: only those of suspect pairs of addresses are read whole.
        host_interfaces: One row per `HostInterface`.
        config_options: One row per `ConfigOption`.
        clocks: One row per `Clock`; without it, stamps are taken as they are.
        edges: One row per `Edge`, which name instances by their addresses.

    Returns:
        ``size-dependent-loss``, ``stacked-vlan`` and ``vlan-leak`` findings, most severe first. See `KINDS`.

    Examples:
        >>> findings(Packet.empty().lazy())
        []
    """
    rows = packets.lazy()
    hosts = devices(host_interfaces if host_interfaces is not None else HostInterface.empty().lazy(), clocks)
    told: list[Finding] = []
    for scene in _scenes(rows, clocks):
        scene.devices = hosts
        scene.stacks = stacks(hosts)
        options = config_options if config_options is not None else ConfigOption.empty().lazy()
        scene.settings = settings(options, clocks)
        vids = _stack(scene)
        stacked = scene.outgrown(vids)
        if not scene.credible(stacked=stacked):
            continue
        named = _instances(scene, edges)
        told.append(loss_finding(scene, named))
        if stacked:
            told.append(stack_finding(scene, vids, named))
    told += [leak_finding(leak) for leak in leaks(rows, clocks, hosts)]
    return sorted(told, key=Finding.order)


def _stack(scene: Scene) -> tuple[int, ...]:
    """Tags on the hop as captures show them; where both ends were captured above their VLANs, as the hosts' do."""
    vids = scene.stack()
    if len(vids) >= 2:
        return vids
    ends = [end for end in (scene.main.near, scene.main.far) if end is not None]
    for end in ends:
        device = captured_on(end.point, scene.devices)
        if device is None:
            continue
        own = [
            one
            for one in scene.stacks
            if one.host == device.host and not one.provider and _carries(one, device.name, scene)
        ]
        if len(own) == 1:
            return own[0].outer_vid, own[0].inner_vid
    return vids


def _carries(stack: Stack, name: str, scene: Scene) -> bool:
    """Whether frames of an interface go out through a stack: it is the upper VLAN, or on the same bridge."""
    upper = scene.devices.get((stack.host, stack.interface))
    own = scene.devices.get((stack.host, name))
    bridge = upper.master if upper else None
    return name in (stack.interface, bridge) or (own is not None and bridge is not None and own.master == bridge)


def _scenes(packets: pl.LazyFrame, clocks: pl.LazyFrame | None, only: Collection[str] | None = None) -> list[Scene]:
    seen = sightings(packets, clocks)
    if only is not None:
        wanted = list(only)
        seen = seen.filter(pl.col("src").is_in(wanted) & pl.col("dst").is_in(wanted))
        suspects = seen.select("src", "dst").unique().collect()
    else:
        suspects = _suspects(seen)
    if suspects.is_empty():
        return []
    own = seen.join(suspects.lazy(), on=["src", "dst"], how="semi").collect(engine="streaming")
    table = joined(own.sort("source", "position"))
    found, reach = ways(table), spans(seen if only is None else sightings(packets, clocks))
    needed = _needed(seen)
    lossy = hops(found, reach, needed)
    known = [(part.way.src, part.way.dst) for hop in lossy for part in hop.parts]
    told = scenes([*lossy, *unanswered(found, reach, known)], table)
    for scene in told:
        pairs = {(part.way.src, part.way.dst) for part in scene.parts()}
        scene.needed = tuple(ref for pair in sorted(pairs) for ref in needed.get(pair, ()))
    return told


def _suspects(seen: pl.LazyFrame) -> pl.DataFrame:
    """Pairs of addresses, in both directions, whose largest packets are not everywhere or not answered."""
    by_place = seen.group_by("src", "dst", "point", "form").agg(most=pl.col("ip_bytes").max(), n=pl.len())
    by_echo = (
        seen.filter(ECHO | ECHO_REPLY).with_columns(ask=ECHO)
        .group_by("src", "dst", "ask").agg(most=pl.col("ip_bytes").max(), n=pl.len())
    )  # fmt: skip
    again = (
        seen.filter(pl.col("protocol") == TCP, pl.col("payload_bytes") > 0, pl.col("ip_bytes") >= LARGE_BYTES)
        .group_by("src", "dst", "point", "form", "src_port", "dst_port", "tcp_seq", "payload_bytes", "hops")
        .agg(n=pl.len()).filter(pl.col("n") >= 3).select("src", "dst").unique()
    )  # fmt: skip
    places, asked, repeated = pl.collect_all([by_place, by_echo, again], engine="streaming")
    uneven = places.group_by("src", "dst").agg(low=pl.col("most").min(), high=pl.col("most").max(), n=pl.col("n").sum())
    replies = asked.filter(~pl.col("ask")).select(src="dst", dst="src", back="most")
    vain = asked.filter("ask").join(replies, on=["src", "dst"], how="left").filter(pl.col("most") > pl.col("back"))
    one_way = pl.concat([
        uneven.filter(pl.col("low") < pl.col("high")).select("src", "dst"), vain.select("src", "dst"), repeated,
    ]).unique()  # fmt: skip
    both = pl.concat([one_way, one_way.select(src="dst", dst="src")]).unique()
    counted = both.join(uneven.select("src", "dst", "n"), on=["src", "dst"], how="left").with_columns(
        pair=pl.concat_str(pl.min_horizontal("src", "dst"), pl.lit(" "), pl.max_horizontal("src", "dst"))
    )
    weight = pl.col("n").fill_null(0).sum().over("pair")
    ranked = counted.with_columns(weight=weight).sort("weight", "pair", descending=[True, False])
    kept = ranked.select("pair").unique(maintain_order=True).head(MOST_PAIRS)
    return ranked.join(kept, on="pair", how="semi").select("src", "dst")


def _needed(seen: pl.LazyFrame) -> dict[tuple[str, str], tuple[Reference, ...]]:
    """ICMP errors about packets that were too big, by the addresses of what they quote."""
    rows = (
        seen.filter(TOO_BIG).select("quoted_src", "quoted_dst", "source", "position", "at").collect(engine="streaming")
        .sort("at", "source", "position")
    )  # fmt: skip
    found: dict[tuple[str, str], tuple[Reference, ...]] = {}
    for src, dst, source, position, at in rows.iter_rows():
        held = found.get((src, dst), ())
        if len(held) < 8:
            found[src, dst] = (*held, Reference(source, f"frame:{position}", iso(at)))
    return found


def _instances(scene: Scene, edges: pl.LazyFrame | None) -> list[str]:
    if edges is None:
        return []
    ips = sorted({address for part in scene.parts() for address in (part.way.src, part.way.dst)})
    start = int(scene.parts()[0].way.sent_at().min())
    return sorted(set(links(edges, "ip", ips, "instance", start)["linked"]))


def explained(cause: Finding, findings: Sequence[Finding]) -> Sequence[str]:
    """Loss by size on the hop where a stacked VLAN is, and of the same addresses, is its symptom."""
    if cause.kind != "stacked-vlan" or cause.facts["lost_between"] is None:
        return ()
    return [
        one.id
        for one in findings
        if one.kind == "size-dependent-loss"
        and one.facts["lost_between"] == cause.facts["lost_between"]
        and set(one.entities.get("ips", ())) == set(cause.entities.get("ips", ()))
    ]


CHARTS: dict[str, Any] = {}
_ = (Mapping, named_vid)
