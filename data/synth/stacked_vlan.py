"""Large packets that do not come through: a VLAN on top of a VLAN, or a link that is too small, and sound clouds.

Guilty, by chance: a tenant's VLAN stacked on another (three of four), or a hop whose MTU is smaller than its
neighbours', with a router that says so or none. Healthy: trunks, a provider's Q-in-Q with room, jumbo frames, VXLAN
with a smaller MTU inside, loss that asks for no size, no tags at all. Captures, hosts' listings, clocks, cuts and
noise vary in both.

How figures are counted: sizes are of all IP packets that met the lossy hop in its direction. Probes are echo requests;
where nobody pinged, the distinct data segments in that direction. `lost_between` names points whose captures exist.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.synth._cloud import HOUR, LAYOUTS, MINUTE, SECOND, SITES, Draw, Folder, Names, Recorder, a_clock, point_name
from data.synth._frames import Packet, Tag
from data.synth._paths import MS, Point, Session, Way, tagged
from data.synth._snapshots import devices, ip_json, ip_link, nova_conf, proc_vlan

HEALTHY = ("trunk", "qinq", "jumbo", "vxlan", "random_loss", "untagged")
ZONES = ("compute", "controller")


def guilty(seed: int, folder: Path) -> dict[str, Any]:
    """Write an incident in which large packets vanish on one hop; returns its truth."""
    draw = Draw("stacked-vlan", seed)
    return _Incident(draw, draw.choice(("stacked", "stacked", "stacked", "small_link"))).write(folder)


def healthy(seed: int, folder: Path) -> dict[str, Any]:
    """Write a cloud in which no size is lost that others are not; returns its truth."""
    draw = Draw("sound-vlan", seed)
    return _Incident(draw, HEALTHY[seed % len(HEALTHY)]).write(folder)


def cases() -> Any:
    """Hypothesis: a function of this module and a number for it."""
    from hypothesis import strategies as st

    return st.tuples(st.sampled_from((guilty, healthy)), st.integers(0, 2**32))


@dataclass
class _Plan:
    """What one incident is, before anything is sent."""

    uplink: Tag
    tenant: tuple[Tag, ...]
    room: int
    mtu: int
    parent: str
    losing: str
    edge: float


class _Incident:
    def __init__(self, draw: Draw, kind: str) -> None:
        self.draw, self.kind = draw, kind
        self.guilty = kind in ("stacked", "small_link")
        self.start = draw.start()
        self.names: Names = draw.choice(SITES)
        self.hosts = {
            "outside": self.names.outside,
            "controller": self.names.controller,
            "compute": self.names.compute.format(draw.randrange(1, 60)),
            "instance": self.names.instance,
        }
        self.plan = self._plan()
        self.pings = draw.choice(("outside", "instance", "both", "both", "none"))
        self.sessions = draw.randrange(1, 4) if self.pings == "none" or draw.often(0.6) else 0
        self.icmp = kind == "small_link" and self.plan.edge < 1 and self.pings in ("outside", "instance")
        self.icmp = self.icmp and draw.often(0.7)
        if self.icmp:  # a router speaks to who sent what is too large: pings go the way that loses, nothing else does
            self.plan.losing, self.sessions = "in" if self.pings == "outside" else "out", 0
        self.way = self._way()
        self.layout = draw.choice(LAYOUTS)
        self._points()

    def _plan(self) -> _Plan:
        draw, kind = self.draw, self.kind
        uplink, inner, other = draw.sample(range(2, 4095), 3)
        mtu = 9000 if kind == "jumbo" or (self.guilty and draw.often(0.15)) else 1450 if kind == "vxlan" else 1500
        tenant: tuple[Tag, ...] = ((0x8100, inner),)
        parent, room = "bond0", mtu + 18
        if kind == "stacked":
            outer = (0x8100, uplink) if draw.often(0.75) else (draw.choice((0x8100, 0x88A8)), other)
            tenant, parent = (outer, *tenant), f"vlan{outer[1]}"
        elif kind == "qinq":
            tenant, parent = ((draw.choice((0x88A8, 0x8100)), other), *tenant), f"vlan{other}"
            room = mtu + 18 + draw.choice((4, 4, 8, 100))
        elif kind in ("untagged", "vxlan"):
            tenant, room = (), 9216 if kind == "vxlan" else mtu + 18
        elif kind == "small_link":
            room = mtu + 14 - draw.choice((4, 8, 20, 50, 100, mtu // 8))
        edge = draw.choice((0.5, 2.5)) if kind == "small_link" else 2.5
        room += 4 if kind == "small_link" and edge > 1 else 0
        losing = draw.choice(("in", "out", "out"))
        return _Plan((0x8100, uplink), tenant, room, mtu, parent, losing, edge)

    def _way(self) -> Way:
        draw, plan = self.draw, self.plan
        net = f"10.{draw.randrange(256)}.{draw.randrange(256)}"
        instance, gone = draw.sample(range(3, 250), 2)
        public = draw.choice(("198.51.100", "203.0.113", "192.0.2"))
        mac = draw.mac()
        way = Way(
            draw, (plan.uplink,), plan.tenant,
            {"outside": f"{public}.9", "controller": f"{public}.2", "instance": f"{net}.{instance}",
             "gone": f"{net}.{gone}", "gateway": f"{net}.1"},
            {"outside": draw.mac("00:1c:73"), "controller": draw.mac("00:25:90"), "compute": draw.mac("90:e2:ba"),
             "instance": mac},
            plan.mtu, edge=plan.edge,
        )  # fmt: skip
        if self.kind == "vxlan":
            way.vni = draw.randrange(1, 1 << 24)
        way.leak = self.kind == "stacked" and plan.tenant[0] == plan.uplink and draw.often(0.7)
        way.id_mode = draw.choice(("counter", "counter", "zero", "reused"))
        way.replies_df = draw.often(0.5)
        if self.guilty:
            way.drops = lambda _, inward, size: inward == (plan.losing == "in") and size > plan.room
            if self.icmp:
                way.router, way.router_mtu = f"{way.addresses['outside'].rpartition('.')[0]}.254", plan.room - 14
        elif self.kind == "random_loss":
            way.drops = self._by_chance()
        return way

    def _by_chance(self) -> Any:
        """Loss of any size: one packet in so many, the first small and the last large ones among them."""
        every, counts = self.draw.randrange(6, 14), Counter[bool]()

        def drops(packet: Packet, *_: object) -> bool:
            if packet.protocol == 6 and packet.size < 100:
                return False  # a lost SYN is another story
            large = packet.size > self.plan.mtu * 3 // 4
            counts[large] += 1
            return counts[large] % every == 2

        return drops

    # ---- who captures

    def _points(self) -> None:
        draw, plan = self.draw, self.plan
        stacked = self.kind in ("stacked", "qinq")
        bridge = f"br{plan.tenant[-1][1]}" if plan.tenant else "br-int"
        known = {
            "outside": Point(self.hosts["outside"], draw.choice(("eth0", "ens3", "em1")), (0.0,)),
            "controller": Point(self.hosts["controller"], "bond0", (1.0, 2.0)),
            "gateway": Point(self.hosts["controller"], bridge, (1.6,)),
            "compute": Point(self.hosts["compute"], "bond0", (3.0,)),
            "lower": Point(self.hosts["compute"], plan.parent, (3.1,)),
            "upper": Point(self.hosts["compute"], f"vlan{plan.tenant[-1][1] if plan.tenant else 0}", (3.2,)),
            "bridge": Point(self.hosts["compute"], bridge, (3.3,)),
            "tap": Point(self.hosts["compute"], f"vnet{draw.randrange(9)}", (3.4,)),
            "instance": Point(self.hosts["instance"], draw.choice(("eth0", "ens3")), (4.0,)),
        }
        senders = [draw.choice(("instance", "tap")) if end == "instance" else end for end in self._senders()]
        chosen = {*senders, "compute", "controller"}
        if draw.often(0.3):  # one of the two bonds alone will do, if somebody captured on the other side of the hop
            gone, still = draw.choice((("compute", "tap"), ("controller", "outside")))
            chosen = chosen - {gone} | {still}
        if plan.edge < 1:
            chosen |= {"outside"}
        spare = [name for name in known if (name != "lower" or stacked) and (name != "upper" or plan.tenant)]
        chosen |= {name for name in spare if draw.often(0.25)}
        self.way.points = [known[name] for name in known if name in chosen]
        self.senders = {"outside": known["outside"], "instance": next(
            (known[name] for name in ("instance", "tap") if name in chosen), known["tap"])}  # fmt: skip
        by_two = {"compute", "controller"} <= chosen
        if by_two and draw.often(0.15):
            known["controller"].hidden = 1  # the card took the outer tag off, and nobody put it back
        if "bridge" in chosen and draw.often(0.5):
            known["bridge"].doubled = True
        near = {"outside", "controller"} <= chosen and plan.edge > 1
        if self.guilty and near and draw.often(0.5):
            self.way.stray = set(draw.sample(range(12), 2))
        self.known = known

    def _senders(self) -> list[str]:
        if self.pings == "none":
            return ["outside" if self.plan.losing == "in" else "instance"]
        return ["outside", "instance"] if self.pings == "both" else [self.pings]

    # ---- what happens

    def _sizes(self) -> list[int]:
        draw, plan = self.draw, self.plan
        tags = len(plan.tenant) if plan.edge > 1.5 else 0
        largest = min(plan.room - 14 - 4 * tags, plan.mtu)
        if not self.guilty:
            large, small = draw.sample(range(plan.mtu * 3 // 4, plan.mtu), 3), draw.sample(range(100, 600), 3)
            return sorted({*small, *large, plan.mtu})
        small = draw.sample(range(plan.mtu // 2, largest), 3)
        edges = (largest, largest + 1) if draw.often(0.6) else (largest - draw.randrange(1, 9), plan.mtu)
        return sorted({*small, 100, *edges, plan.mtu})

    def _happen(self) -> None:
        draw, way = self.draw, self.way
        at, self.probes, self.lost = self.start + 2 * SECOND, 0, 0
        times = draw.randrange(2, 4)
        for size in self._sizes() if self.pings != "none" else ():
            for df in (True,) if self.icmp else draw.choice(((True, False), (True,), (False,))):
                for who in ("outside", "instance") if self.pings == "both" else (self.pings,):
                    ident = draw.randrange(1, 1 << 16)
                    for seq in range(1, times + 1):
                        self.lost += not way.ping(who == "outside", ident, seq, size, df, at + seq * 200 * MS)
                        self.probes += 1
                at += times * 200 * MS + SECOND
        losing = self.plan.losing == "in"
        offload = self.pings != "none" and draw.often(0.4)
        segments, delivered = 0, 0
        for number, port in enumerate(draw.sample(range(32768, 61000), self.sessions)):
            session = Session(way, port, at + number * MINUTE, offload)
            for inward, size in ((True, 40), (False, 700), (True, 36), (losing, self.plan.mtu - 60), (losing, 300)):
                session.say(inward, size)
            session.say(losing, self.plan.mtu * draw.randrange(2, 6) + 111)
            session.say(not losing, 60)
            session.close()
            segments += len({key for key in session.segments if key[0] == losing})
            delivered += len({key for key in session.delivered if key[0] == losing})
            at = max(at, session.at)
        if self.pings == "none":
            self.probes, self.lost = segments, segments - delivered
        end = at + 3 * SECOND
        for number in range(12):
            way.query(number, self.start + (end - self.start) * number // 12 + 77 * MS)
        for number in range(draw.randrange(1, 8)):
            way.neighbour(self.start + (end - self.start) * number // 8 + 31 * MS)
        switch = draw.mac("00:1c:73")
        for number in range(draw.choice((0, 5, 10))):
            way.hello(self.start + number * 2 * SECOND, switch)

    # ---- what is written

    def write(self, root: Path) -> dict[str, Any]:
        """Let it happen, write the folder, and tell the truth."""
        self._happen()
        folder = Folder(root, self.start + 2 * HOUR)
        titles = ("Instances lock up now and then", "Some sessions hang", "Ping in all sizes")
        folder.case_file(self.draw.choice(titles))
        clocks = {host: a_clock(self.draw, self.start) for host in self.hosts.values()}
        recorders = {host: Recorder.drawn(self.draw, clock) for host, clock in clocks.items()}
        together = self.draw.often(0.15)  # one file of several interfaces on compute
        joined: list[Point] = []
        for point in self.way.points:
            point.label = point_name(self.layout, point.host, point.interface)
            point.recorder = recorders[point.host]
            if together and point.host == self.hosts["compute"] and point.recorder.form == "pcapng":
                joined.append(point)
                continue
            path = self.layout.format(host=point.host, name=point.interface)
            point.recorder.write(folder, path, [point.interface], point.seen)
        if joined:
            self._write_together(folder, joined)
        shown = self._snapshots(folder)
        return self._truth(folder, shown)

    def _write_together(self, folder: Folder, points: list[Point]) -> None:
        path = self.layout.format(host=points[0].host, name="all")
        if len(points) > 1:
            for point in points:
                point.label = f"{point_name(self.layout, point.host, 'all')}/{point.interface}"
        else:
            points[0].label = point_name(self.layout, points[0].host, "all")
        seen = [one._replace(interface=n) for n, point in enumerate(points) for one in point.seen]
        points[0].recorder.write(folder, path, [point.interface for point in points], seen)

    def _snapshots(self, folder: Folder) -> bool:
        """The hosts' own listings; whether they were taken."""
        draw, plan, way = self.draw, self.plan, self.way
        if draw.often(0.35):
            return False
        outer = plan.tenant[0] if len(plan.tenant) == 2 else None
        protocol = (outer[1], "802.1ad" if outer[0] == 0x88A8 else "802.1Q") if outer else None
        spare = plan.mtu + (plan.room - plan.mtu - 18 if self.kind == "qinq" else 50 if way.vni else 0)
        inner = plan.tenant[-1][1] if plan.tenant else None
        form, with_conf = draw.choice(("ip_-d_link.txt", "ip_a.txt", "ip_-d_-j_link.json", "proc")), draw.often(0.5)
        for host, number in ((self.hosts["controller"], 2), (self.hosts["compute"], 3)):
            address = f"{way.addresses['controller'].rpartition('.')[0]}.{number}"
            end = "controller" if number == 2 else "compute"
            tap = "fe" + way.macs["instance"][2:] if number == 3 else None
            found = devices(way.macs[end], tap, plan.mtu, spare, plan.parent, protocol, inner, plan.uplink[1],
                            f"{address}/24")  # fmt: skip
            if form == "proc" and inner is not None:
                folder.text(f"{host}/proc/net/vlan/config", proc_vlan(found))
            elif form.endswith("json"):
                folder.text(f"{host}/{form}", ip_json(found))
            else:
                folder.text(f"{host}/ip_-d_link.txt" if form == "proc" else f"{host}/{form}",
                            ip_link(found, detailed=form != "ip_a.txt"))  # fmt: skip
            if with_conf and inner is not None:
                folder.text(f"{host}/etc/nova/nova.conf", nova_conf(plan.parent, address, inner))
        return True

    # ---- what is true

    def _truth(self, folder: Folder, shown: bool) -> dict[str, Any]:
        way, plan = self.way, self.plan
        tags = dict(tagged(way.points))
        wire = {
            "kind": self.kind,
            "packets": {point.label: len(point.seen) for point in way.points},
            "frames_by_tags": tags,
            "probes": self.probes,
            "probes_lost": self.lost,
            "fragmentation_needed": way.needed,
            "losing": plan.losing,
        }
        truth: dict[str, Any] = {"findings": [], "on_the_wire": wire, "clocks": folder.clocks}
        truth["points"] = {name: point.label for name, point in self.known.items() if point in way.points}
        truth["ends"] = {end: way.addresses[end] for end in ("outside", "instance")}
        truth["probes_by"] = [] if self.pings == "none" else self._senders()
        truth["sender_points"] = {end: point.label for end, point in self.senders.items() if point in way.points}
        if not self.guilty:
            return truth
        inward = plan.losing == "in"
        sizes = {lost: [size for size, way_in, gone in way.crossed if way_in == inward and gone == lost]
                 for lost in (True, False)}  # fmt: skip
        last, following = self._around(inward)
        loss = {
            "largest_delivered_bytes": max(sizes[False]), "smallest_lost_bytes": min(sizes[True]),
            "lost_between": [last, following], "probes": self.probes, "probes_lost": self.lost,
        }  # fmt: skip
        by_size = loss | {"direction": self._direction(inward), "fragmentation_needed_seen": way.needed > 0}
        if self.kind == "small_link":
            truth["findings"] = [{"kind": "size-dependent-loss", "facts": by_size}]
            return truth
        (_, outer), (_, inner) = plan.tenant
        stacked = {
            "outer_vid": outer, "inner_vid": inner, "overhead_bytes": 4,
            "interface": f"vlan{inner}" if shown else None, "parent_interface": plan.parent if shown else None,
        }  # fmt: skip
        truth["findings"] = [{"kind": "stacked-vlan", "facts": stacked | loss}]
        outside = self.known["outside"]
        if way.leak and outside in way.points and (stray := tags[outside.label].get(str(inner))):
            facts = {"capture_point": outside.label, "vid": inner, "frames": stray}
            truth["findings"].append({"kind": "vlan-leak", "facts": facts})
        truth["explained"] = [{"kind": "size-dependent-loss", "facts": by_size}]
        return truth

    def _direction(self, inward: bool) -> str:
        """Which way the lost packets go; outside opens the sessions, whoever pings speaks first there."""
        if self.pings == "both":
            return "both"
        first_inward = self.pings != "instance"
        lost = {"request" if first_inward == inward else "reply"}
        if self.sessions and self.pings == "instance":
            lost.add("request" if inward else "reply")
        return "both" if len(lost) > 1 else lost.pop()

    def _around(self, inward: bool) -> tuple[str, str]:
        """The last point that saw what was lost, and the next one on the way."""
        stops = [(place, point.label) for place, point in self.way.stops()]
        before = max(stop for stop in stops if stop[0] < self.plan.edge)
        behind = min(stop for stop in stops if stop[0] > self.plan.edge)
        return (before[1], behind[1]) if inward else (behind[1], before[1])
