"""A fault of a path in words: what happened, what else could explain it, what to do now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from forensics.analysis._paths_fates import data
from forensics.analysis._paths_hosts import TAG_BYTES, Setting, Stack
from forensics.analysis._paths_leaks import Leak
from forensics.analysis._paths_losses import Part
from forensics.analysis._paths_scene import HEADER_BYTES, Scene, cited
from forensics.records.finding import Alternative, Finding, Reference, Step, iso

MOST = 3
"""References of one kind that a step gives."""


def amount(count: int, noun: str) -> str:
    """A count with its noun.

    Examples:
        >>> amount(1, "frame"), amount(2, "frame")
        ('1 frame', '2 frames')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


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
    if confidence == "proven":
        return "high" if scene.has_segments() else "medium"
    hurt = scene.main.amid and (scene.main.far is not None or scene.has_segments())
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
    confidence = ("proven", "likely", "possible")[min(len(open_links), 2)]
    start, end = span(scene)
    on = f"{interface} on {parent}" if interface else f"VLAN {vids[-1]} on VLAN {vids[0]}"
    config = [ref for one in (listed,) if one for ref in one.refs] + ([told.ref] if told else [])
    told_steps = list(steps(scene))
    told_steps.append(tag_step(scene, vids))
    if config:
        said = (
            f"{listed.host} has {listed.interface} (VLAN {listed.inner_vid}) on {listed.parent} (VLAN {listed.outer_vid})"
            if listed
            else ""
        )
        setting = f"{told.host}'s nova.conf says vlan_interface={told.value}" if told else ""
        told_steps.append(Step(None, "; ".join(text for text in (said, setting) if text) + ".", tuple(config)))
    return Finding(
        kind="stacked-vlan",
        title=f"{on}: full-size frames carry a tag too many and are lost {where(scene)}",
        severity="high" if confidence == "proven" or (main.amid and main.far) else "medium",
        confidence=confidence,
        start=iso(start),
        end=iso(end),
        entities=entities(scene, instances) | {"interfaces": tuple(name for name in (interface, parent) if name)},
        facts=facts,
        story=tuple(told_steps),
        evidence=tuple(dict.fromkeys((*proof(scene), *config))),
        alternatives=(*doubts(scene), *stack_doubts(scene, vids)),
        remedy=stack_remedy(interface, parent, vids, told),
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
    told: list[Step] = []
    main = scene.main
    for hop in scene.hops:
        for part in hop.parts[:2]:
            told += _part_steps(scene, part, hop.near)
    if scene.needed:
        first = scene.needed[0]
        told.append(Step(first.at, "A router asks the sender for smaller packets (ICMP).", scene.needed[:MOST]))
    smaller, larger = int((main.delivered <= main.largest_delivered).sum()), main.large
    text = f"In that direction {amount(smaller, 'packet')} of up to {main.largest_delivered} octets came through"
    others = f", {main.small} of them did not" if main.small else ""
    told.sort(key=lambda step: step.at or "")
    told.append(Step(told[-1].at if told else None, f"{text}{others}; of those above, {larger} of {larger} are lost."))
    return told


def _part_steps(scene: Scene, part: Part, near: object) -> list[Step]:
    gone = scene.gone(part)
    way = part.way
    if not gone.any():
        return []
    sizes, sent = way.sizes(), way.sent_at()
    place = scene.main.near if near is None else near
    told = []
    top = part.delivered & (sizes == sizes[part.delivered].max(initial=0))
    if top.any():
        row = int(np.flatnonzero(top)[0])
        refs = tuple(scene.reference(way, row, n) for n in np.flatnonzero(way.seen[row]).tolist())
        text = f"{sizes[row]} octets from {way.src} to {way.dst} pass {amount(len(refs), 'capture point')}."
        told.append(Step(iso(int(sent[row])), text, refs))
    is_data = data(way.rows).to_numpy()
    for flags, noun in ((gone & ~is_data, "packet"), (gone & is_data, "TCP segment")):
        if flags.any():
            first = int(sent[flags].min())
            many = int(flags.sum())
            least, most = int(sizes[flags].min()), int(sizes[flags].max())
            of = f"{least}" if least == most else f"{least} to {most}"
            text = (f"{amount(many, noun)} of {of} octets from {way.src} to {way.dst}"
                    f" {'is' if many == 1 else 'are'} last seen at {scene.main.near.point if near is None else place.point}.")  # type: ignore[attr-defined]  # fmt: skip
            told.append(Step(iso(first), text, cited(scene, part, flags, place, MOST)))  # type: ignore[arg-type]
    return told


def tag_step(scene: Scene, vids: Sequence[int]) -> Step:
    """The byte ledger."""
    main, tags = scene.main, len(vids)
    fits = main.largest_delivered + HEADER_BYTES + TAG_BYTES * tags
    text = (f"Frames on that hop carry the tags {', '.join(map(str, vids))}, outermost first. Of "
            f"{ledger(main.largest_delivered, tags)} octets they pass, of {ledger(main.smallest_lost, tags)} they do not."
            f" With one tag, {scene.mtu()} octets of IP make {scene.mtu() + HEADER_BYTES + TAG_BYTES}.")  # fmt: skip
    del fits
    refs: tuple[Reference, ...] = ()
    for hop in scene.hops[:1]:
        for part in hop.parts[:1]:
            place = next((p for p in part.way.places if p.vids == tuple(vids)), None)
            if place is not None:
                refs = cited(scene, part, scene.gone(part) | part.delivered, place, 2)
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


def doubts(scene: Scene) -> list[Alternative]:
    """What else could explain it."""
    main = scene.main
    share = f"{main.chance:.1e}" if main.chance else "less than 1e-300"
    told = [
        Alternative(
            "loss that asks for no size",
            "ruled out" if main.chance < 1e-3 else "open",
            f"of {len(main.delivered) + len(main.lost)} packets {main.large + main.small} are lost, all "
            f"{main.large} above {main.largest_delivered} octets among them; by chance that happens in {share} of cases"
            " (exact test)",
        )
    ]
    if main.amid:
        part = max(main.parts, key=lambda one: int(scene.gone(one).sum()))
        gone = part.way.sent_at()[scene.gone(part)]
        sent = part.way.sent_at()
        between = part.delivered & (sent > (gone.min() if len(gone) else 0)) & (sent < (gone.max() if len(gone) else 0))
        refs = cited(scene, part, between, main.far or main.near, 2) if between.any() else ()
        told.append(Alternative("the link was down for a while", "ruled out",
                                "smaller packets came through between the lost ones", refs))  # fmt: skip
    else:
        told.append(Alternative("the link was down for a while", "open",
                                "nothing came through in that direction between the first and the last lost packet"))  # fmt: skip
    if main.far is not None:
        told.append(Alternative(
            f"the capture at {main.far.point} missed them", "ruled out",
            "no later point has them, nobody answered or acknowledged them, and it has smaller ones of the same time",
        ))  # fmt: skip
        told.append(Alternative(
            "the sender's card cut them up behind the capture", "ruled out",
            "segments larger than the connection's MSS, and those whose octets arrive in others, are not counted",
        ))  # fmt: skip
    else:
        told.append(Alternative("the other end does not answer large packets, or a filter drops them", "open",
                                "no capture shows whether they reach it"))  # fmt: skip
    return told


def stack_doubts(scene: Scene, vids: Sequence[int]) -> list[Alternative]:
    """What else could explain the loss, once there are two tags."""
    exact = scene.main.smallest_lost > scene.mtu() - TAG_BYTES * (len(vids) - 1)
    lacking = scene.mtu() - scene.main.largest_delivered
    return [
        Alternative("a provider's Q-in-Q with room for both tags", "ruled out",
                    "frames that need the room are lost"),
        Alternative("a link with a smaller MTU, whatever the tags", "ruled out" if exact else "open",
                    f"{scene.mtu()} octets are sent and {scene.main.largest_delivered} arrive: {lacking} octets are lacking,"
                    f" {TAG_BYTES * (len(vids) - 1)} are the second tag's"),
    ]  # fmt: skip


def loss_remedy(scene: Scene) -> tuple[str, ...]:
    """Safest first."""
    largest = scene.main.largest_delivered
    near, far = scene.between
    return (
        f"Confirm it from either end: `ping -M do -s {max(largest - 28, 0)} ADDRESS` is answered, one octet more is not.",
        f"Compare the MTU of every interface and switch port {f'between {near} and {far}' if far else f'behind {near}'}"
        " (`ip -d link`, `show interfaces`), tags and tunnels added.",
        f"Until the link is mended, keep packets below it: MTU {largest} on the ends, or clamp the MSS to {largest - 40}.",
        "Let ICMP \"fragmentation needed\" through everywhere, so that senders hear of it.",
    )  # fmt: skip


def stack_remedy(
    interface: str | None, parent: str | None, vids: Sequence[int], told: Setting | None
) -> tuple[str, ...]:
    """Safest first."""
    del told
    upper, lower = interface or f"vlan{vids[-1]}", parent or f"vlan{vids[0]}"
    return (
        f"See it on the host: `ip -d link show {upper}` names {lower} as its parent, which is a VLAN itself.",
        f"Name the device below {lower} (the bond or card) in nova.conf: `vlan_interface=bond0` instead of {lower}, on every host.",
        f"Then have it made anew: stop nova-network, `ip link del {upper}`, start nova-network; guests keep running.",
        "Do not raise MTUs here and there: the second tag should not be on the wire at all.",
    )


def wanted(scene: Scene) -> list[str]:
    """What would settle links that are inferred."""
    told = []
    if scene.main.far is None:
        told.append(
            f"a capture at the next hop behind {scene.main.near.point}, and one at the other end, at the same time"
        )
    if not scene.main.amid:
        told.append("pings of small and large size in turn, captured at both ends")
    if scene.main.chance >= 1e-3:
        told.append("more pings of each size: `for s in 1400 1472; do ping -c 20 -M do -s $s ADDRESS; done`")
    return told


def leak_finding(leak: Leak) -> Finding:
    """The finding `vlan-leak`."""
    why = []
    if leak.outer_vid is not None:
        why.append(
            f"elsewhere the same senders' frames have VLAN {leak.outer_vid} on top, which was taken off on the way"
        )
    if leak.host is not None:
        why.append(f"{leak.host.host} has no VLAN on {leak.host.name}")
    if leak.other_way:
        why.append("the other direction of the same flow is untagged")
    confidence = (
        "proven" if leak.outer_vid is not None and leak.host else "likely" if leak.outer_vid is not None else "possible"
    )
    config = leak.host.refs[-1:] if leak.host else ()
    story = [
        Step(leak.plain[0].at if leak.plain else None, f"What {leak.point} says to others and hears from them is untagged.", leak.plain),
        Step(iso(leak.since), f"{amount(leak.frames, 'frame')} with tag {leak.vid} come in: {'; '.join(why)}.", leak.refs),
    ]  # fmt: skip
    if leak.elsewhere:
        story.append(
            Step(
                leak.elsewhere[0].at,
                f"The same senders' frames elsewhere: tags {leak.outer_vid}, {leak.vid}.",
                leak.elsewhere,
            )
        )
    if config:
        story.append(Step(None, f"The listing of {leak.host.host if leak.host else ''} shows no VLAN there.", config))
    story.sort(key=lambda step: step.at or "~")
    return Finding(
        kind="vlan-leak",
        title=f"Frames of VLAN {leak.vid} reach {leak.point}, which knows of no VLAN",
        severity="medium" if leak.outer_vid is not None else "info",
        confidence=confidence,
        start=iso(leak.since),
        end=iso(leak.until),
        entities={"capture_points": (leak.point,), "macs": leak.macs, "interfaces": (f"vlan {leak.vid}",)},
        facts={"capture_point": leak.point, "vid": leak.vid, "frames": leak.frames},
        story=tuple(story),
        evidence=tuple(dict.fromkeys((*leak.refs, *leak.elsewhere, *leak.plain, *config))),
        alternatives=(
            Alternative("the card takes tags off before the capture, on one side only", "ruled out",
                        "both directions of its own conversation are untagged", leak.plain),
            Alternative("a trunk, and somebody speaks in that VLAN", "ruled out",
                        f"nobody answers in VLAN {leak.vid} at {leak.point}", leak.refs),
        ),
        remedy=(
            "Find the port that takes one tag off and sends the rest: an access port that gets frames with two tags.",
            "Take the tag off where it was put on by mistake (see stacked-vlan), or drop tagged frames on access ports"
            " (`switchport access vlan` with `vlan dot1q tag native`, `bridge vlan` filtering).",
        ),
        next_evidence=() if leak.host else (f"`ip -d link` of the host of {leak.point}",),
    )  # fmt: skip


def listing_finding(found: Sequence[Stack], told: Sequence[Setting]) -> Finding:
    """The finding `stacked-vlan` where only listings and settings say so: nobody has seen a frame."""
    first = found[0] if found else None
    outer = first.outer_vid if first else next(vid for one in told if (vid := _vid(one)))
    parent = first.parent if first else told[0].value
    interface = first.interface if first else None
    hosts = sorted({one.host for one in (*found, *told) if one.host})
    refs = tuple(dict.fromkeys([ref for one in found[:MOST] for ref in one.refs] + [one.ref for one in told[:MOST]]))
    upper = sorted({one.interface for one in found})
    text = (
        f"{', '.join(upper[:5])}{' and more' if len(upper) > 5 else ''} on {parent}"
        if upper
        else f"tenants' VLANs on {parent}"
    )
    likely = bool(found) and bool(told)
    story = [Step(None, f"{one.host}: {one.interface} (VLAN {one.inner_vid}) lies on {one.parent} (VLAN {one.outer_vid})"
                  f"{f', with {one.spare_bytes} octets to spare' if one.spare_bytes is not None else ''}.", one.refs)
             for one in found[:MOST]]  # fmt: skip
    story += [Step(None, f"{one.host}: nova.conf says vlan_interface={one.value}.", (one.ref,)) for one in told[:MOST]]
    return Finding(
        kind="stacked-vlan",
        title=f"{text}: a VLAN on top of a VLAN, full-size frames grow by {TAG_BYTES} octets",
        severity="low",
        confidence="likely" if likely else "possible",
        start=None,
        end=None,
        entities={"hosts": tuple(hosts), "interfaces": (*upper[:20], parent)},
        facts={
            "outer_vid": outer,
            "inner_vid": first.inner_vid if first else None,
            "overhead_bytes": TAG_BYTES,
            "interface": interface,
            "parent_interface": parent,
            "largest_delivered_bytes": None,
            "smallest_lost_bytes": None,
            "lost_between": None,
            "probes": 0,
            "probes_lost": 0,
        },
        story=tuple(story),
        evidence=refs,
        alternatives=(
            Alternative("switches and cards have room for both tags, and nothing is lost", "open",
                        "no capture shows a full-size frame on its way"),
            Alternative("a provider's service VLAN, which tenants' VLANs are meant to lie in", "open",
                        "the outer tag is a customer's (802.1Q), but that is common, too"),
        ),
        remedy=stack_remedy(interface, parent, (outer, first.inner_vid if first else 0), None) if interface else (
            f"See what lies on it: `ip -d link | grep @{parent}`.",
            f"Name the device below {parent} in nova.conf (`vlan_interface=bond0`) on every host, unless it is meant so.",
        ),
        next_evidence=("captures at both ends while `ping -M do -s 1472` runs between an instance and outside",
                       "the MTU of the switch ports between the hosts"),
    )  # fmt: skip


def _vid(one: Setting) -> int | None:
    from forensics.analysis._paths_hosts import named_vid

    return named_vid(one.value)
