"""A fault of a path in words: what happened, what else could explain it, what to do now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from forensics.analysis._paths_doubts import amount, doubts, loss_remedy, stack_doubts, stack_remedy, wanted
from forensics.analysis._paths_hosts import TAG_BYTES
from forensics.analysis._paths_losses import Part
from forensics.analysis._paths_scene import HEADER_BYTES, Scene, cited
from forensics.analysis._paths_ways import Place
from forensics.records.finding import Finding, Reference, Step, iso

MOST = 3
"""References of one kind that a step gives."""


def ledger(size: int, tags: int) -> str:
    """A frame's octets, added up.

    Examples:
        >>> ledger(1500, 2)
        '1500 (IP) + 14 (Ethernet) + 2 x 4 (tags) = 1522'
    """
    tagged = f" + {tags} x {TAG_BYTES} (tags)" if tags else ""
    return f"{size} (IP) + {HEADER_BYTES} (Ethernet){tagged} = {size + HEADER_BYTES + TAG_BYTES * tags}"


def where(scene: Scene) -> str:
    """The hop in a sentence."""
    near, far = scene.between
    return f"between {near} and {far}" if far else f"behind {near}"


def loss_finding(scene: Scene, instances: Sequence[str]) -> Finding:
    """The finding `size-dependent-loss` of a scene."""
    main = scene.main
    asked, lost, _ = scene.probes()
    needed = bool(scene.needed)
    facts = {
        "largest_delivered_bytes": main.largest_delivered,
        "smallest_lost_bytes": main.smallest_lost,
        "lost_between": scene.between,
        "direction": scene.direction(),
        "probes": asked,
        "probes_lost": lost,
        "fragmentation_needed_seen": needed,
    }
    start, end = span(scene)
    open_links = scene.inferred()
    confidence = ("proven", "likely", "possible")[min(len(open_links), 2)]
    severity = loss_severity(scene, confidence)
    return Finding(
        kind="size-dependent-loss",
        title=f"Packets above {main.largest_delivered} octets vanish {where(scene)}, smaller ones pass",
        severity=severity,
        confidence=confidence,
        start=iso(start),
        end=iso(end),
        entities=entities(scene, instances),
        facts=facts,
        story=tuple(steps(scene)),
        evidence=proof(scene),
        alternatives=tuple(doubts(scene)),
        remedy=loss_remedy(scene),
        next_evidence=tuple(wanted(scene)),
    )


def loss_severity(scene: Scene, confidence: str) -> str:
    """How bad: senders that are told, and can send smaller packets, are not hurt."""
    if scene.needed and all_df(scene):
        return "info"
    if not scene.main.placed and not scene.main.amid:
        return "info"  # the other end may as well have gone when the large ones came
    if confidence == "proven":
        return "high" if scene.has_segments() else "medium"
    hurt = scene.main.amid and (scene.main.placed or scene.has_segments())
    return "medium" if confidence == "likely" and hurt else "low"


def stack_finding(scene: Scene, vids: Sequence[int], instances: Sequence[str]) -> Finding:
    """The finding `stacked-vlan` of a scene."""
    main = scene.main
    listed, told = scene.listed(vids), scene.told_to(vids)
    asked, lost, _ = scene.probes()
    parent = listed.parent if listed else told.value if told else None
    interface = listed.interface if listed else f"vlan{vids[-1]}" if told else None
    facts = {
        "outer_vid": vids[0],
        "inner_vid": vids[-1],
        "overhead_bytes": TAG_BYTES * (len(vids) - 1),
        "interface": interface,
        "parent_interface": parent,
        "largest_delivered_bytes": main.largest_delivered,
        "smallest_lost_bytes": main.smallest_lost,
        "lost_between": scene.between,
        "probes": asked,
        "probes_lost": lost,
    }
    open_links = scene.inferred()
    if listed is None and told is None:
        open_links.append("where it was configured: no host's listing shows it")
    if scene.untold:
        open_links.append(scene.untold)
    confidence = ("proven", "likely", "possible")[min(len(open_links), 2)]
    start, end = span(scene)
    on = f"{interface} on {parent}" if interface else f"VLAN {vids[-1]} on VLAN {vids[0]}"
    config = [ref for one in (listed,) if one for ref in one.refs] + ([told.ref] if told else [])
    told_steps = [*steps(scene), *(() if scene.untold else (tag_step(scene, vids),))]
    said = []
    if listed:
        upper, lower = f"{listed.interface} (VLAN {listed.inner_vid})", f"{listed.parent} (VLAN {listed.outer_vid})"
        said.append(f"{listed.host} has {upper} on {lower}")
    if told:
        said.append(f"{told.host}'s nova.conf says vlan_interface={told.value}")
    if said:
        told_steps.append(Step(None, f"{'; '.join(said)}.", tuple(config)))
    lower_device = scene.devices.get((listed.host, listed.parent)) if listed else None
    remedy = stack_remedy(
        interface or f"vlan{vids[-1]}", parent or f"vlan{vids[0]}", lower_device.parent if lower_device else None
    )
    return Finding(
        kind="stacked-vlan",
        title=f"{on}: full-size frames carry a tag too many and are lost {where(scene)}",
        severity="high" if confidence == "proven" or (main.amid and main.placed) else "medium",
        confidence=confidence,
        start=iso(start),
        end=iso(end),
        entities=entities(scene, instances) | {"interfaces": tuple(name for name in (interface, parent) if name)},
        facts=facts,
        story=tuple(told_steps),
        evidence=tuple(dict.fromkeys((*proof(scene), *config))),
        alternatives=(*doubts(scene), *stack_doubts(scene, vids)),
        remedy=remedy,
        next_evidence=(*wanted(scene), *(() if listed else ("`ip -d link` of the hosts at both ends of that hop",))),
    )


def entities(scene: Scene, instances: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Whom a scene concerns."""
    ips = sorted({address for part in scene.parts() for address in (part.way.src, part.way.dst)})
    tags = (f"tags {scene.main.near.form}",) if scene.main.near.form else ()
    return {
        "capture_points": tuple(point for point in scene.between if point),
        "ips": tuple(ips),
        "instances": tuple(instances),
        "interfaces": tags,
    }


def span(scene: Scene) -> tuple[int, int]:
    """First and last lost packet."""
    times = np.concatenate([part.way.sent_at()[scene.gone(part)] for part in scene.parts()])
    return int(times.min()), int(times.max())


def all_df(scene: Scene) -> bool:
    """Whether all lost packets asked not to be fragmented: then their sender was told, and may send smaller ones."""
    for part in scene.parts():
        rows = part.way.rows.filter(pl.Series(scene.gone(part)))
        if not rows["dont_fragment"].fill_null(value=True).all():
            return False
    return True


def steps(scene: Scene) -> list[Step]:
    """What happened, in the order of time."""
    main = scene.main
    told = [step for hop in scene.hops for part in hop.parts[:2] for step in _part_steps(scene, part, hop.near)]
    if scene.needed:
        first = scene.needed[0]
        told.append(Step(first.at, "A router asks the sender for smaller packets (ICMP).", scene.needed[:MOST]))
    told.sort(key=lambda step: step.when)
    passed = f"{amount(len(main.delivered), 'packet')} of up to {main.largest_delivered} octets came through"
    others = f", {main.small} did not" if main.small else ""
    total = f"In that direction {passed}{others}; of the {main.large} above none did."
    return [*told, Step(told[-1].at if told else None, total)]


def _part_steps(scene: Scene, part: Part, near: Place) -> list[Step]:
    """What one way tells: its largest packet that passed, and those that did not."""
    gone = scene.gone(part)
    way = part.way
    if not gone.any():
        return []
    sizes, sent = way.sizes(), way.sent_at()
    told = []
    top = part.delivered & (sizes == sizes[part.delivered].max(initial=0))
    if top.any():
        row = int(np.flatnonzero(top)[0])
        refs = tuple(scene.reference(way, row, n) for n in np.flatnonzero(way.seen[row]).tolist())
        text = f"{sizes[row]} octets from {way.src} to {way.dst} pass {amount(len(refs), 'place')}."
        told.append(Step(iso(int(sent[row])), text, refs))
    is_data = way.rows["is_data"].to_numpy()
    for flags, noun in ((gone & ~is_data, "packet"), (gone & is_data, "TCP segment")):
        if flags.any():
            many, least, most = int(flags.sum()), int(sizes[flags].min()), int(sizes[flags].max())
            of = f"{least}" if least == most else f"{least} to {most}"
            verb = "is" if many == 1 else "are"
            text = f"{amount(many, noun)} of {of} octets from {way.src} to {way.dst} {verb} last seen at {near.point}."
            told.append(Step(iso(int(sent[flags].min())), text, cited(scene, part, flags, near, MOST)))
    return told


def tag_step(scene: Scene, vids: Sequence[int]) -> Step:
    """The byte ledger."""
    main, tags = scene.main, len(vids)
    text = (
        f"Frames on that hop carry the tags {', '.join(map(str, vids))}, outermost first."
        f" With {ledger(main.largest_delivered, tags)} octets they pass, with {ledger(main.smallest_lost, tags)} they"
        f" do not; with one tag fewer, {ledger(scene.mtu(), tags - 1)}."
    )
    refs: tuple[Reference, ...] = ()
    for hop in scene.hops[:1]:
        for part in hop.parts[:1]:
            place = next((one for one in part.way.places if one.vids == tuple(vids)), None)
            if place is not None:
                refs = cited(scene, part, scene.gone(part), place, 2) or cited(scene, part, part.delivered, place, 2)
    return Step(None, text, refs)


def proof(scene: Scene) -> tuple[Reference, ...]:
    """What the conclusion rests on."""
    refs: list[Reference] = []
    for hop in scene.hops:
        for part in hop.parts[:MOST]:
            refs += cited(scene, part, scene.gone(part), hop.near, 2 * MOST)
            if hop.far is not None:
                refs += cited(scene, part, part.delivered, hop.far, MOST)
    return tuple(dict.fromkeys((*refs, *scene.needed[:MOST])))
