"""Frames with a tag where there should be none: what an access port hands to a host that knows of no VLAN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from forensics.analysis._correlate import on_one_clock
from forensics.analysis._given import rows_of
from forensics.analysis._paths_doubts import amount
from forensics.analysis._paths_hosts import Device, captured_on
from forensics.analysis._paths_packets import FRAME
from forensics.records import Clock
from forensics.records.finding import Alternative, Finding, Reference, Step, iso

MOST_CITED = 3
LEAST_TALK = 4
"""Untagged frames each way before a point counts as one that speaks untagged."""
_GROUP = pl.col("eth_dst").str.slice(1, 1).is_in(list("13579bdf"))
"""The group bit of a hardware address: its first octet is odd (IEEE 802 section 8.2)."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Frames that carry a tag at a point that otherwise speaks untagged."""

    point: str
    vid: int
    frames: int
    since: int
    until: int
    macs: tuple[str, ...]
    refs: tuple[Reference, ...]
    outer_vid: int | None
    """The tag above it elsewhere, which was taken off on the way."""
    elsewhere: tuple[Reference, ...]
    plain: tuple[Reference, ...]
    """Frames of the point's own conversation, untagged."""
    other_way: bool
    """Whether one flow is tagged in one direction and untagged in the other."""
    host: Device | None
    """The host's listing of that interface, which has no VLAN on it."""


def leaks(packets: pl.LazyFrame, clocks: pl.LazyFrame | None, hosts: Mapping[tuple[str, str], Device]) -> list[Leak]:
    """Every leak.

    A point counts where its own conversation (unicast frames in both directions) is untagged, where nobody answers
    in the tag, and where something else says that it does not belong there: the same sender's frames with one more
    tag outside elsewhere, the host's listing without any VLAN on that interface, or the other direction of the flow.
    A trunk, a native VLAN and a card that takes tags off on one side only are none.
    """
    ties = rows_of(clocks, Clock)
    taken = packets.select(*FRAME, "ethertype", "src", "dst").filter(pl.col("eth_src").is_not_null())
    rows = on_one_clock(taken, ties).with_columns(point=pl.coalesce("host", "source"))
    depth = pl.col("vlan_ids").list.len().fill_null(0)
    some = (
        rows.group_by("point").agg(single=(depth == 1).sum(), bare=((depth == 0) & pl.col("src").is_not_null()).sum())
        .filter(pl.col("single") > 0, pl.col("bare") > 0).collect(engine="streaming")
    )  # fmt: skip
    found: list[Leak] = []
    for point in sorted(some["point"]):
        own = rows.filter(pl.col("point") == point, depth <= 1).with_columns(vid=pl.col("vlan_ids").list.first())
        talk = _talk(own)
        for vid in sorted(talk.filter(pl.col("vid").is_not_null())["vid"].unique()):
            leak = _leak(point, int(vid), own, talk, rows, hosts)
            if leak is not None:
                found.append(leak)
    return found


def _talk(own: pl.LazyFrame) -> pl.DataFrame:
    """Frames by sender, receiver and tag."""
    return (
        own.group_by("eth_src", "eth_dst", "vid", group=_GROUP).agg(frames=pl.len())
        .sort("eth_src", "eth_dst", "vid").collect(engine="streaming")
    )  # fmt: skip


def _both_ways(talk: pl.DataFrame) -> pl.DataFrame:
    """Unicast conversations of which both directions are there."""
    unicast = talk.filter(~pl.col("group"))
    back = unicast.select(eth_src="eth_dst", eth_dst="eth_src", back="frames")
    return unicast.join(back, on=["eth_src", "eth_dst"])


def _leak(
    point: str, vid: int, own: pl.LazyFrame, talk: pl.DataFrame, rows: pl.LazyFrame,
    hosts: Mapping[tuple[str, str], Device],
) -> Leak | None:  # fmt: skip
    tagged, bare = talk.filter(pl.col("vid") == vid), talk.filter(pl.col("vid").is_null())
    spoken = _both_ways(bare)
    enough = spoken.filter(pl.min_horizontal("frames", "back") >= LEAST_TALK)
    if enough.is_empty() or _both_ways(tagged).height:
        return None  # nobody speaks untagged here, or somebody speaks in the tag: a trunk
    senders = tagged["eth_src"].unique().sort().to_list()
    device = captured_on(point, hosts)
    knows = device is not None and (
        device.master is not None
        or any(one.parent == device.name for key, one in hosts.items() if key[0] == device.host)
        or device.parent is not None
    )
    if knows:
        return None  # the host has VLANs on this interface: tags are its daily bread
    outer, elsewhere = _above(point, vid, senders, rows)
    crossed = _crossed(tagged, bare)
    if outer is None and device is None and not crossed:
        return None
    if len(spoken["eth_src"].unique()) and set(senders) & _local(spoken) and not crossed:
        return None  # the host itself sends in that tag
    seen = (
        own.filter(pl.col("vid") == vid).select("at", "source", "position").collect().sort("at", "source", "position")
    )
    pair = enough.sort("frames", descending=True).row(0, named=True)
    plain = (
        own.filter(pl.col("vid").is_null(), pl.col("eth_src").is_in([pair["eth_src"], pair["eth_dst"]]),
                   pl.col("eth_dst").is_in([pair["eth_src"], pair["eth_dst"]]))
        .select("at", "source", "position").head(2).collect()
    )  # fmt: skip
    at = seen["at"]
    return Leak(
        point, vid, seen.height, int(at[0]), int(at[-1]), tuple(senders), _refs(seen.head(MOST_CITED)), outer,
        elsewhere, _refs(plain), crossed, device,
    )  # fmt: skip


def _local(spoken: pl.DataFrame) -> set[str]:
    """The host's own address: the one that takes part in every conversation, where there are several."""
    counts = spoken.group_by("eth_src").agg(pl.col("eth_dst").n_unique()).filter(pl.col("eth_dst") > 1)
    peers = spoken["eth_src"].n_unique() - 1
    return set(counts.filter(pl.col("eth_dst") == peers)["eth_src"]) if peers > 1 else set()


def _above(point: str, vid: int, senders: list[str], rows: pl.LazyFrame) -> tuple[int | None, tuple[Reference, ...]]:
    """The tag on top of this one, in frames of the same senders at another point."""
    tags = pl.col("vlan_ids")
    same = (
        rows.filter(pl.col("point") != point, pl.col("eth_src").is_in(senders), tags.list.len() == 2)
        .filter(tags.list.last() == vid)
        .select("at", "source", "position", outer=tags.list.first()).collect().sort("at", "source", "position")
    )  # fmt: skip
    if same.is_empty():
        return None, ()
    most = same.group_by("outer").len().sort("len", "outer", descending=[True, False])["outer"][0]
    return int(most), _refs(same.filter(pl.col("outer") == most).head(2))


def _crossed(tagged: pl.DataFrame, bare: pl.DataFrame) -> bool:
    """Whether a conversation is tagged one way only, while the sender of the tagged frames sends untagged ones, too.

    A card that takes tags off what it receives does so for all frames; then its own are tagged, always.
    """
    back = bare.filter(~pl.col("group")).select(eth_src="eth_dst", eth_dst="eth_src", back="frames")
    pairs = tagged.filter(~pl.col("group")).join(back, on=["eth_src", "eth_dst"])
    mixed = pairs.join(bare.select("eth_src").unique(), on="eth_src", how="semi")
    return mixed.filter(pl.col("back") >= LEAST_TALK).height > 0


def _refs(rows: pl.DataFrame) -> tuple[Reference, ...]:
    return tuple(
        Reference(source, f"frame:{position}", iso(at))
        for at, source, position in rows.select("at", "source", "position").iter_rows()
    )


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
    sure = leak.outer_vid is not None
    confidence = "proven" if sure and leak.host else "likely" if sure else "possible"
    config = leak.host.refs[-1:] if leak.host else ()
    own = f"What {leak.point} says to others and hears from them is untagged."
    come = f"{amount(leak.frames, 'frame')} with tag {leak.vid} come in: {'; '.join(why)}."
    story = [Step(leak.plain[0].at if leak.plain else None, own, leak.plain), Step(iso(leak.since), come, leak.refs)]
    if leak.elsewhere:
        same = f"The same senders' frames elsewhere carry the tags {leak.outer_vid}, {leak.vid}."
        story.append(Step(leak.elsewhere[0].at, same, leak.elsewhere))
    if config and leak.host:
        story.append(Step(None, f"The listing of {leak.host.host} shows no VLAN on {leak.host.name}.", config))
    story.sort(key=lambda step: step.when or "~")
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
            "Take the tag off where it was put on by mistake (see stacked-vlan), or drop tagged frames at that port.",
        ),
        next_evidence=() if leak.host else (f"`ip -d link` of the host of {leak.point}",),
    )  # fmt: skip
