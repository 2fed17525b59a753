"""One fault of a path: its hop in both directions, the tags on it, and the figures that findings give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from forensics.analysis._paths_fates import echoes, segments
from forensics.analysis._paths_hosts import TAG_BYTES, Device, Setting, Stack, host_of, named_vid
from forensics.analysis._paths_losses import CHANCE, SURE, Hop, Part
from forensics.analysis._paths_packets import ECHO, ECHO_REPLY, TCP
from forensics.analysis._paths_ways import Flags, Place, Way
from forensics.records.finding import Reference, iso

HEADER_BYTES = 14
"""Ethernet header without tags and check sequence, as captures have it (IEEE 802.3 section 3)."""
SYN, ACK = 0x02, 0x10


@dataclass
class Scene:
    """All that is known of one hop that loses large packets."""

    hops: list[Hop]
    """The hop, and the same in the other direction where that loses, too; most losses first."""
    joined: pl.DataFrame
    """Where each sighting is: ``source``, ``position``, ``at``, by what `Way.cells` say."""
    needed: tuple[Reference, ...] = ()
    """ICMP errors that asked the senders for smaller packets."""
    stacks: Sequence[Stack] = ()
    settings: Sequence[Setting] = ()
    devices: Mapping[tuple[str, str], Device] = field(default_factory=dict)
    untold: str = ""
    """What no capture shows of the tags on the hop."""

    @property
    def main(self) -> Hop:
        """The direction that loses most."""
        return self.hops[0]

    @property
    def between(self) -> list[str | None]:
        """Last point that saw the lost packets, next one that did not."""
        return [self.main.near.point, self.main.far.point if self.main.far else None]

    def parts(self) -> list[Part]:
        """What all ways tell, in both directions."""
        return [part for hop in self.hops for part in hop.parts]

    def gone(self, part: Part) -> Flags:
        """Lost packets above the boundary."""
        large: Flags = part.lost & (part.way.sizes() > self.main.largest_delivered)
        return large

    def reference(self, way: Way, row: int, place: int) -> Reference:
        """A packet at a place, cited."""
        own = self.joined.row(int(way.cells[row, place]), named=True)
        return Reference(own["source"], f"frame:{own['position']}", iso(own["at"]))

    # ---- figures

    def mtu(self) -> int:
        """What the ends may send: their MSS with both headers, or the largest packet that was tried."""
        told = []
        for part in self.parts():
            mss = [one.rows["tcp_mss"].drop_nulls() for one in (part.way, part.back) if one is not None]
            told += [int(v) + 40 for values in mss for v in values if v]
            told.append(int(part.way.sizes()[part.delivered | self.gone(part)].max(initial=0)))
        return max(told, default=0)

    def stack(self) -> tuple[int, ...]:
        """Tags on the hop, outermost first; those that a card took off before the capture are seen at its other end."""
        ends = [end.vids for hop in self.hops for end in (hop.near, hop.far) if end is not None]
        return max(ends, key=len, default=())

    def outgrown(self, vids: Sequence[int]) -> bool:
        """Whether tags explain the boundary: whatever is lost would have room without them."""
        return len(vids) >= 2 and self.main.smallest_lost > self.mtu() - TAG_BYTES * len(vids)

    def listed(self, vids: Sequence[int]) -> Stack | None:
        """The host's listing of that stack: of the sending host if there is one."""
        own = [one for one in self.stacks if (one.outer_vid, one.inner_vid) == (vids[0], vids[-1])]
        near = host_of(self.main.near.point, {one.host for one in own})
        return next((one for one in own if one.host == near), own[0] if own else None)

    def told_to(self, vids: Sequence[int]) -> Setting | None:
        """The setting that made it so."""
        return next((one for one in self.settings if named_vid(one.value) == vids[0]), None)

    def probes(self) -> tuple[int, int, str]:
        """Echo requests of the pairs that cross the hop and those never replied to; else data segments; and which."""
        asked = lost = tried = gone = 0
        above = False
        pairs: set[frozenset[str]] = set()
        ways: set[tuple[str, str]] = set()
        for part in self.parts():
            if (pair := frozenset((part.way.src, part.way.dst))) not in pairs:
                pairs.add(pair)
                for one, other in ((part.way, part.back), (part.back, part.way)):
                    if one is not None:
                        told = echoes(one, other)
                        vain = told.filter(~pl.col("answered"))
                        asked, lost = asked + told.height, lost + vain.height
                        above |= vain.filter(pl.col("ip_bytes") > self.main.largest_delivered).height > 0
            if (part.way.src, part.way.dst) not in ways:
                ways.add((part.way.src, part.way.dst))
                own = segments(part.way, part.back, part.delivered if self.main.far else None)
                own = own.filter(pl.col("arrived").is_not_null())
                tried, gone = tried + own.height, gone + own.filter(~pl.col("arrived")).height
        if asked and (above or not gone):
            return asked, lost, "echo requests"
        return tried, gone, "TCP data segments"

    def direction(self) -> str | None:
        """Whether what is lost goes away from whoever spoke first, or back to it; None where nobody can tell."""
        if self.main.far is None and self.main.kind == "echoes":
            return None
        told = {word for part in self.parts() for word in directions(part, self.gone(part))}
        return "both" if len(told) > 1 else next(iter(told), None)

    def has_segments(self) -> bool:
        """Whether TCP data is among what is lost: somebody's work hangs."""
        return any((part.way.rows["is_data"].to_numpy() & self.gone(part)).any() for part in self.parts())

    def credible(self, *, stacked: bool) -> bool:
        """Whether there is enough to speak of: what few probes say counts where tags or a router explain it."""
        main = self.main
        if not main.placed and not self.needed:
            fits = (10 if main.amid and stacked else 1) * (CHANCE if main.amid or stacked else SURE)
            return main.large > 1 and main.chance < fits
        return bool(self.needed) or (main.large > 1 and (stacked or main.chance < 10 * CHANCE))

    def inferred(self) -> list[str]:
        """Links of the chain that nothing cites."""
        open_links = []
        if self.main.far is None:
            open_links.append("where they are lost: no capture saw the place behind it")
        if self.main.assumed:
            open_links.append(f"where they are lost: the capture at {self.between[1]} may have ended before")
        if not self.main.amid and not self.needed:
            open_links.append("that the link was up: nothing came through between the first and the last lost packet")
        if self.main.chance >= (CHANCE if self.main.placed else SURE) and not self.needed:
            open_links.append(f"that size decides: chance alone does this in {self.main.chance:.2%} of cases")
        return open_links


def scenes(found: Sequence[Hop], joined: pl.DataFrame) -> list[Scene]:
    """Hops put together: the two directions of one link, with the same tags on it, are one fault."""
    groups: dict[tuple[object, ...], list[Hop]] = {}
    for hop in found:
        forms = frozenset((hop.near.form, hop.far.form)) if hop.far else _addresses(hop)
        groups.setdefault((*hop.key, forms), []).append(hop)
    for hops in groups.values():
        _one_boundary(hops)
    return [
        Scene(sorted(hops, key=lambda hop: (-hop.large, hop.near, hop.kind)), joined)
        for _, hops in sorted(groups.items(), key=lambda item: (item[0][:2], sorted(item[0][2])))  # type: ignore[call-overload]
    ]


def _one_boundary(hops: Sequence[Hop]) -> None:
    """Both directions of a link have one limit, where what they lose and let pass does not contradict that."""
    delivered, lost = max(hop.largest_delivered for hop in hops), min(hop.smallest_lost for hop in hops)
    if lost > delivered:
        for hop in hops:
            hop.largest_delivered, hop.smallest_lost = delivered, lost


def _addresses(hop: Hop) -> frozenset[str]:
    return frozenset(address for part in hop.parts for address in (part.way.src, part.way.dst))


def directions(part: Part, gone: Flags) -> set[str]:
    """The directions of some packets of a way: ``request``, ``reply`` or both."""
    rows = part.way.rows.filter(pl.Series(gone))
    told = set()
    if rows.filter(ECHO).height:
        told.add("request")
    if rows.filter(ECHO_REPLY).height:
        told.add("reply")
    ports = ["protocol", "src_port", "dst_port"]
    flows = rows.filter(pl.col("src_port").is_not_null()).select(ports).unique()
    if flows.is_empty():
        return told
    own = _opened(part.way).join(flows, on=ports, how="semi")
    if part.back is None:
        return told | {"request"}
    turned = _opened(part.back).rename({"src_port": "dst_port", "dst_port": "src_port"})
    both = own.join(turned.select(*ports, "opened"), on=ports, how="left", suffix="_back")
    first = (pl.col("opened") <= pl.col("opened_back")).fill_null(value=True)
    return told | {"request" if away else "reply" for away in both.select(first).to_series()}


def _opened(way: Way) -> pl.DataFrame:
    """When each flow of a way was first heard of in this direction; a SYN alone opens it before anything."""
    flags = pl.col("tcp_flags").cast(pl.Int64).fill_null(0)
    syn = (pl.col("protocol") == TCP) & (flags & SYN != 0) & (flags & ACK == 0)
    rows = way.rows.with_columns(sent=pl.Series(way.sent_at()))
    return rows.group_by("protocol", "src_port", "dst_port").agg(
        opened=pl.when(syn.any()).then(pl.lit(0, pl.Int64)).otherwise(pl.col("sent").min())
    )


def cited(scene: Scene, part: Part, rows: Flags, place: Place, most: int) -> tuple[Reference, ...]:
    """A few packets of a part at a place: different sizes before more of one."""
    way = part.way
    column = next((n for n, one in enumerate(way.places) if one == place), None)
    if column is None:
        column = next((n for n, one in enumerate(way.places) if one[:2] == place[:2]), 0)
    nth = np.flatnonzero(rows & way.seen[:, column])
    sizes = way.sizes()[nth]
    again = dict.fromkeys(set(sizes.tolist()), 0)
    ranked = []
    for row, size in zip(nth.tolist(), sizes.tolist(), strict=True):
        ranked.append((again[size], size, row))
        again[size] += 1
    chosen = sorted(row for *_, row in sorted(ranked)[:most])
    return tuple(scene.reference(way, row, column) for row in chosen)
