"""Which hop loses or changes what? Packets followed from capture point to capture point, by size and by tags."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl

from forensics.analysis._given import rows_of
from forensics.analysis._links import links
from forensics.analysis._paths_frames import leak_cells, loss_cells, rungs_of, scene_of, steps_of
from forensics.analysis._paths_hosts import TAG_BYTES, Stack, captured_on, devices, settings, stacks
from forensics.analysis._paths_join import joined
from forensics.analysis._paths_leaks import leak_finding, leaks
from forensics.analysis._paths_losses import hops, unanswered
from forensics.analysis._paths_packets import ECHO, ECHO_REPLY, IDENTITY, TCP, TOO_BIG, sightings
from forensics.analysis._paths_scene import Scene, scenes
from forensics.analysis._paths_story import loss_finding, stack_finding
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
MOST_PACKETS = 1_000_000
"""Packets of them that are looked at together. Of pairs that have more, some conversations are taken."""
MOST_SEGMENTS = 1_000_000
"""Segments of which those that were sent again are looked for at a time."""
LARGE_BYTES = 512
"""Smaller segments are no question of size."""


_SAME = (
    *("src", "dst", "protocol", "ip_id", "ip_bytes", "fragment_offset_bytes", "src_port", "dst_port"),
    *("tcp_seq", "tcp_flags", "payload_bytes", "icmp_type", "icmp_id", "icmp_seq"),
)
_NAMES = ("src", "dst", "quoted_src", "quoted_dst", "source", "point", "form")
_READ = (
    pl.col(_NAMES).cast(pl.Categorical),
    pl.col(name for name in (*IDENTITY, "tcp_mss", "dont_fragment", "at", "position", "hops") if name not in _NAMES),
)
"""Columns that ways are made of, as narrow as they get."""
_SIGHTING = ("at", "vlan_ids", "wire_bytes", "captured_bytes", "ttl", "interface", "source", "position", "copies")


def paths(
    packets: pl.DataFrame | pl.LazyFrame,
    clocks: pl.DataFrame | pl.LazyFrame | None = None,
    nat: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Every packet once, with what each capture point saw of it.

    A packet is recognised by what no hop changes: addresses, protocol, IP id, ports, sequence numbers, lengths,
    fragment, those of the packet inside where it goes through a tunnel. Tags, TTL and hardware addresses may change.
    Retransmissions, and identifications that come round, are packets of their own: order and time tell them apart.

    Args:
        packets: One row per `Packet`, from any number of capture points.
        clocks: One row per `Clock`; without it, stamps are taken as they are, and constant offsets do no harm.
        nat: Address, or ``address:port``, on one side of a translation -> that on the other, which the result has.

    Returns:
        One row per packet, by when it was first seen: ``packet`` (its number), what identifies it, and one struct
        per capture point, null where that has not seen it: ``at``, ``vlan_ids``, ``wire_bytes``,
        ``captured_bytes``, ``ttl``, ``interface``, ``source``, ``position`` and ``copies`` (how often it stands
        there: a bridge and its port show it twice). A point that a packet passes twice, before a router and behind
        it, has a second column, ``point (2)``.

    References:
        RFC 791 (identification), RFC 6864 (where it means nothing), RFC 9293 section 3.4 (sequence numbers).

    Examples:
        >>> paths(Packet.empty()).height
        0
    """
    seen = sightings(packets.lazy(), clocks.lazy() if clocks is not None else None, nat)
    table = joined(seen.collect(engine="streaming").sort("source", "position"))
    nth = pl.int_range(pl.len()).over("packet", "point")
    named = table.sort("packet", "point", "at", "hops", "source", "position").with_columns(
        column=pl.when(nth == 0).then("point").otherwise(pl.format("{} ({})", "point", nth + 1)),
        at=pl.col("at").cast(pl.Datetime("ns", "UTC")),
    )
    whole = named.sort("at", "source", "position").unique("packet", keep="first").select("packet", *_SAME)
    for column in sorted(named["column"].unique()):
        own = named.filter(pl.col("column") == column).select("packet", pl.struct(_SIGHTING).alias(column))
        whole = whole.join(own, on="packet", how="left")
    return whole.sort("packet")


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
    hosts = devices(rows_of(host_interfaces, HostInterface), clocks)
    told: list[Finding] = []
    for scene in _scenes(rows, clocks):
        scene.devices = hosts
        scene.stacks = stacks(hosts)
        options = rows_of(config_options, ConfigOption)
        scene.settings = settings(options, clocks)
        vids = _stack(scene)
        stacked = scene.outgrown(vids)
        if not scene.credible(stacked=stacked and not scene.untold):
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
    tight = [one for one in scene.stacks if not one.provider and (one.spare_bytes or 0) < TAG_BYTES]
    for end in ends:
        device = captured_on(end.point, scene.devices)
        if device is None:
            continue
        own = [one for one in tight if one.host == device.host and _carries(one, device.name, scene)]
        if len(own) == 1:
            return own[0].outer_vid, own[0].inner_vid
    listed = {(one.outer_vid, one.inner_vid) for one in tight}
    if len(listed) == 1:
        scene.untold = "that these packets take that VLAN: no capture shows the tags"
        return next(iter(listed))
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
        suspects = seen.select("src", "dst").unique().collect().with_columns(share=pl.lit(1, pl.UInt64))
        if packets.select(pl.len()).collect().item() > MOST_PACKETS:
            taken = _suspects(sightings(packets, clocks)).rename({"share": "taken"})
            known = suspects.join(taken, on=["src", "dst"], how="left")
            suspects = known.select("src", "dst", share=pl.coalesce("taken", "share"))
    else:
        suspects = _suspects(seen)
    if suspects.is_empty():
        return []
    own = _in_part(sightings(_between(packets, suspects), clocks), suspects)
    table = joined(own.select(*_READ).collect(engine="streaming").sort("source", "position"))
    found, table = ways(table), table.select("source", "position", "at")
    reach = spans(seen if only is None else sightings(packets, clocks))
    needed = _needed(seen)
    lossy = hops(found, reach, needed)
    placed = [(part.way.src, part.way.dst) for hop in lossy for part in hop.parts]
    told = scenes([*lossy, *unanswered(found, reach, placed, needed)], table)
    for scene in told:
        pairs = {(part.way.src, part.way.dst) for part in scene.parts()}
        scene.needed = tuple(ref for pair in sorted(pairs) for ref in needed.get(pair, ()))
    return told


def _suspects(seen: pl.LazyFrame) -> pl.DataFrame:
    """Pairs of addresses, in both directions, whose largest packets are not everywhere or not answered."""
    large = (pl.col("protocol") == TCP) & (pl.col("payload_bytes") > 0) & (pl.col("ip_bytes") >= LARGE_BYTES)
    by_place = seen.group_by("src", "dst", "point", "form").agg(
        most=pl.col("ip_bytes").max(), n=pl.len(), large=large.sum()
    )
    by_echo = (
        seen.filter(ECHO | ECHO_REPLY).with_columns(ask=ECHO)
        .group_by("src", "dst", "ask").agg(most=pl.col("ip_bytes").max(), n=pl.len())
    )  # fmt: skip
    places, asked = (part.collect(engine="streaming") for part in (by_place, by_echo))
    repeated = _repeated(seen.filter(large), int(places["large"].sum()))
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
    chosen = ranked.join(kept, on="pair", how="semi")
    return chosen.join(_shares(chosen), on="pair", how="left", maintain_order="left").select("src", "dst", "share")


def _repeated(segments: pl.LazyFrame, count: int) -> pl.DataFrame:
    """Pairs of addresses with a segment that one place saw three times: as many keys as segments, so part by part."""
    same = ("src", "dst", "point", "form", "src_port", "dst_port", "tcp_seq", "payload_bytes", "hops")
    keyed = segments.select("src", "dst", key=pl.struct(same).hash())
    parts = -(-count // MOST_SEGMENTS)
    found = [keyed.select("src", "dst").head(0).collect()]
    for n in range(parts):
        part = keyed.filter(pl.col("key") % parts == n)
        again = part.group_by("key").len().filter(pl.col("len") >= 3).collect(engine="streaming")
        if not again.is_empty():
            sent = part.filter(pl.col("key").is_in(again["key"].implode())).select("src", "dst").unique()
            found.append(sent.collect(engine="streaming"))
    return pl.concat(found)


def _shares(chosen: pl.DataFrame) -> pl.DataFrame:
    """Of each ``pair`` one conversation in how many is taken (``share``), so that all of them hold `MOST_PACKETS`."""
    pairs = chosen.select("pair", pl.col("weight").cast(pl.UInt64)).unique().sort("weight", "pair")
    room, most = MOST_PACKETS, 0
    for left, weight in zip(range(pairs.height, 0, -1), pairs["weight"], strict=True):
        most = room // left  # what is left is shared out evenly, the smallest first
        if weight > most:
            break
        room -= weight
        most = weight
    share = pl.col("weight").truediv(max(most, 1)).ceil().clip(1).cast(pl.UInt64)
    return pairs.select("pair", share=share)


def _between(packets: pl.LazyFrame, suspects: pl.DataFrame) -> pl.LazyFrame:
    """Packets with these addresses at both ends, in any of their layers: what the scan need not read is left there."""
    ends = [(name, suspects[name].unique().to_list()) for name in ("src", "dst")]
    layers = (pl.all_horizontal(pl.col(f"{layer}{name}").is_in(own) for name, own in ends) for layer in ("", "inner_"))
    return packets.filter(pl.any_horizontal(*layers))


def _in_part(seen: pl.LazyFrame, suspects: pl.DataFrame) -> pl.LazyFrame:
    """The packets of some pairs of addresses; of a pair with very many whole conversations, the same at every place."""
    pair = ["src", "dst"]
    if suspects["share"].max() == 1:
        return seen.join(suspects.lazy(), on=pair, how="semi")
    ends = [edge("src", "dst") for edge in (pl.min_horizontal, pl.max_horizontal)]
    ports = [edge("src_port", "dst_port") for edge in (pl.min_horizontal, pl.max_horizontal)]
    named = (*ends, *ports, pl.col("icmp_id"), pl.col("icmp_seq"))  # a ping and its reply are one
    talk = pl.struct(part.alias(str(n)) for n, part in enumerate(named)).hash()
    return seen.join(suspects.lazy(), on=pair).filter(talk % pl.col("share") == 0).drop("share")


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
    """Loss by size on the hop of a stacked VLAN, of the same addresses, is its symptom; listings only say the same."""
    if cause.kind != "stacked-vlan" or cause.facts["lost_between"] is None:
        return ()
    places, addresses = cause.facts["lost_between"], set(cause.entities.get("ips", ()))
    outer = cause.facts["outer_vid"]
    return [
        one.id
        for one in findings
        if (one.kind == "size-dependent-loss" and one.facts["lost_between"] == places
            and set(one.entities.get("ips", ())) == addresses)
        or (one.kind == "stacked-vlan" and one.facts["lost_between"] is None and one.facts["outer_vid"] == outer)
    ]  # fmt: skip


def matrix_frames(
    finding: Finding,
    packets: pl.LazyFrame,
    host_interfaces: pl.LazyFrame | None = None,
    config_options: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
    edges: pl.LazyFrame | None = None,
) -> dict[str, Any] | None:
    """What `forensics.charts.path_matrix.path_matrix` needs: the finding and its cells."""
    del host_interfaces, config_options, edges
    if finding.kind == "vlan-leak":
        return {"finding": finding, "cells": leak_cells(finding, packets.lazy())}
    scene = _drawn(finding, packets, clocks)
    return {"finding": finding, "cells": loss_cells(scene)} if scene else None


def steps_frames(
    finding: Finding,
    packets: pl.LazyFrame,
    host_interfaces: pl.LazyFrame | None = None,
    config_options: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
    edges: pl.LazyFrame | None = None,
) -> dict[str, Any] | None:
    """What `forensics.charts.size_steps.size_steps` needs: the finding, and what came through by size."""
    del host_interfaces, config_options, edges
    scene = _drawn(finding, packets, clocks)
    return {"finding": finding, "steps": steps_of(scene)} if scene else None


def ladder_frames(
    finding: Finding,
    packets: pl.LazyFrame,
    host_interfaces: pl.LazyFrame | None = None,
    config_options: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
    edges: pl.LazyFrame | None = None,
) -> dict[str, Any] | None:
    """What `forensics.charts.size_ladder.size_ladder` needs: the finding, and how far each size came."""
    del host_interfaces, config_options, edges
    scene = _drawn(finding, packets, clocks)
    return {"finding": finding, "rungs": rungs_of(scene)} if scene and scene.main.far else None


def _drawn(finding: Finding, packets: pl.LazyFrame, clocks: pl.LazyFrame | None) -> Scene | None:
    ips = finding.entities.get("ips")
    if finding.kind == "vlan-leak" or not ips:
        return None
    return scene_of(finding, _scenes(packets.lazy(), clocks, ips))


CHARTS = {"size_steps": steps_frames, "path_matrix": matrix_frames, "size_ladder": ladder_frames}
