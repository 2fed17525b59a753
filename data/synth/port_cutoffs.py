"""Instances that send BPDUs and switches that shut their hosts' ports; and ports that close for other reasons.

Guilty: one to three instances of one user and image are launched over hours; each sends a BPDU every two seconds, which
shuts the host's port at one switch and, once its bond has turned to the other, there as well. Ports stay shut, are
taken back by hand, or by err-disable's timer, which starts it all over. Healthy: BPDUs of switches only, an operator's
shutdown, links that flap, another root, a reboot for maintenance, with the same instances launched.

`cut_at` is the BPDU's arrival, `restored_at` the link's return, both in true time; logs have them by their clocks.
What no file shows is None in the facts: Cisco and Juniper name no source address, a listing of servers no user.
Ports that went down are listed under `around`, as `link-down`, in both kinds of cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.synth._cloud import (
    HOUR,
    MINUTE,
    SECOND,
    SITES,
    SWITCHES,
    ZONES,
    Draw,
    Folder,
    Recorder,
    a_clock,
    iso,
)
from data.synth._frames import UDP, Packet, Seen, bpdu, ethernet, pattern, udp
from data.synth._hosts import Host, Link, kernel_log
from data.synth._listings import Guest, csv_tables, listings, notifications
from data.synth._switches import FRAMINGS, STATES_ZONE, Switch, chatter

HEALTHY = ("operator", "flap", "topology", "reboot", "switch_bpdus", "other_guard")
TIMER_S = 300


def guilty(seed: int, folder: Path) -> dict[str, Any]:
    """Write an incident in which instances had their hosts' ports shut; returns its truth."""
    return _Incident(Draw("port-cutoffs", seed), guilty=True).write(folder)


def healthy(seed: int, folder: Path) -> dict[str, Any]:
    """Write days on which no instance had a port shut; returns their truth."""
    return _Incident(Draw("sound-ports", seed), guilty=False, seed=seed).write(folder)


def cases() -> Any:
    """Hypothesis: a function of this module and a number for it."""
    from hypothesis import strategies as st

    return st.tuples(st.sampled_from((guilty, healthy)), st.integers(0, 2**32))


@dataclass
class _Cut:
    switch: Switch
    host: Host
    guest: Guest
    at: int
    link_down_at: int
    restored_at: int | None = None


class _Incident:
    def __init__(self, draw: Draw, guilty: bool, seed: int = 0) -> None:
        self.draw, self.guilty = draw, guilty
        self.start = draw.start()
        self.names = draw.choice(SITES)
        self.vendor = draw.choice(("arista", "arista", "arista", "ios", "nxos", "junos"))
        framing, zone = draw.choice(FRAMINGS[self.vendor]), draw.choice(ZONES)
        zone = "UTC" if framing in ("dated", "wire") else zone
        pairs, single = draw.randrange(1, 3), draw.often(0.2)
        channels = self.vendor == "arista" and not single
        prefix = SWITCHES[self.vendor]
        self.switches = [
            Switch(name, self.vendor, framing, a_clock(draw, self.start, zone, 5), draw.mac(prefix), channels)
            for name in self.names.switches(2 * pairs)
        ]
        host_zone, first = draw.choice(ZONES), draw.randrange(1, 30)
        self.hosts = []
        for number, name in enumerate(self.names.computes(draw.randrange(2, 6), first)):
            pair = self.switches[number % pairs * 2 :][:2]
            own = pair[:1] if single else draw.sample(pair, 2)
            mac = draw.mac("90:e2:ba")
            self.hosts.append(Host(name, first + number, own, a_clock(draw, self.start, host_zone), mac))
        image, other_image = draw.uuid(), draw.uuid()
        self.source = (draw.hex_id(), draw.hex_id(), image)
        self.others = [(draw.hex_id(), draw.hex_id(), draw.choice((other_image, image))) for _ in range(2)]
        self.guests: list[Guest] = []
        self.cuts: list[_Cut] = []
        self.links: list[Link] = []
        self.end = self.start + HOUR
        self.database = draw.choice(("csv", "listing", "notifications", "absent"))
        self.restore = draw.choice(("none", "manual", "manual", "timer"))
        if self.restore == "timer" and self.database == "listing":
            self.restore = "manual"  # a listing has the living alone, who would send for ever
        self.kinds = [HEALTHY[seed % len(HEALTHY)], *draw.sample(HEALTHY, draw.randrange(3))]
        self.happened: list[str] = []

    # ---- what happens

    def _guest(self, host: Host, owner: tuple[str, str, str], created: int, name: str) -> Guest:
        draw = self.draw
        number = 3500 + len(self.guests)
        user, project, image = owner
        ip = f"10.0.{draw.randrange(4)}.{10 + len(self.guests)}"
        guest = Guest(number, name, host.name, draw.mac(), ip, user, project, image, draw.uuid(), draw.uuid(),
                      f"req-{draw.uuid()}", created)  # fmt: skip
        self.guests.append(guest)
        return guest

    def _stand(self) -> None:
        """Instances that have been there for days, and one that is gone by now."""
        for host in self.hosts:
            for _ in range(self.draw.randrange(5)):
                created = self.start - self.draw.randrange(1, 20) * 24 * HOUR
                guest = self._guest(host, self.draw.choice(self.others), created, f"web-{len(self.guests)}")
                if self.draw.often(0.2):
                    guest.deleted = created + self.draw.randrange(1, 20) * HOUR

    def _launch(self) -> None:
        """The same user launches the same image, again and again."""
        at = self.start + self.draw.randrange(5, 30) * MINUTE
        count = self.draw.randrange(1, 4)
        hosts = self.draw.sample(self.hosts, min(count, len(self.hosts)))
        for host in hosts:
            guest = self._guest(host, self.source, at, "centos-test")
            guest.sends = self.guilty
            if self.guilty:
                self._strike(guest, host)
            elif self.draw.often(0.4) and self.database != "listing":
                guest.deleted = at + 20 * MINUTE
            last = max((cut.restored_at or cut.at for cut in self.cuts), default=at)
            at = max(last, at) + self.draw.randrange(20, 100) * MINUTE
        self.end = at
        if self.guilty and self.restore == "manual" and self.draw.often(0.5) and self.database != "listing":
            self._guest(hosts[0], self.others[0], self.end - MINUTE, "late-1")

    def _strike(self, guest: Guest, host: Host) -> None:
        """BPDUs every two seconds, each of which shuts the port that it comes to."""
        draw = self.draw
        first = guest.created + draw.randrange(12, 40) * SECOND + draw.randrange(SECOND)
        if self.restore != "none" and self.database != "listing":
            after = TIMER_S // 2 + TIMER_S * draw.randrange(3) if self.restore == "timer" else draw.randrange(600, 2400)
            guest.deleted = first + after * SECOND
        last = guest.deleted or first + 2 * TIMER_S * SECOND
        by_switch = {switch.name: first for switch in host.switches}  # up from then on
        at = first
        while at < last:
            where = next((switch for switch in host.switches if by_switch[switch.name] <= at), None)
            if where is not None:
                cut = _Cut(where, host, guest, at + 60_000, at + draw.randrange(100, 1400) * 10**6)
                self.cuts.append(cut)
                by_switch[where.name] = last + HOUR
                if self.restore == "timer":
                    cut.restored_at = cut.at + TIMER_S * SECOND + draw.randrange(2000, 4000) * 10**6
                    by_switch[where.name] = cut.restored_at
            elif self.restore != "timer":
                break
            at += 2 * SECOND
        if self.restore == "manual":
            back = (guest.deleted or first) + draw.randrange(2, 9) * MINUTE
            for number, cut in enumerate(one for one in self.cuts if one.guest is guest):
                cut.restored_at = back + number * draw.randrange(5, 40) * SECOND + draw.randrange(SECOND)

    def _tell_cuts(self) -> None:
        for cut in self.cuts:
            switch, host, server = cut.switch, cut.host, f"Server{cut.host.port}"
            switch.cut(host.port, cut.at, cut.guest.mac, server, cut.link_down_at)
            self.links.append(Link(cut.link_down_at, host, switch, up=False, reason="bpduguard"))
            self._peers(host, switch, cut.at, active=False)
            if cut.restored_at is not None:
                if self.restore == "timer":
                    switch.recover(host.port, cut.at + TIMER_S * SECOND)
                else:
                    switch.configured(cut.restored_at - 2 * SECOND)
                self._up(host, switch, cut.restored_at)

    def _peers(self, host: Host, switch: Switch, at: int, active: bool) -> None:
        for peer in host.switches:
            if peer is not switch:
                peer.mirrored(host.port, at + self.draw.randrange(SECOND), active)

    def _up(self, host: Host, switch: Switch, at: int) -> None:
        switch.up(host.port, at, f"Server{host.port}")
        self.links.append(Link(at, host, switch, up=True))
        self._peers(host, switch, at, active=True)

    def _down(self, host: Host, switch: Switch, at: int, reason: str | None) -> None:
        self.links.append(Link(at, host, switch, up=False, reason=reason))
        self._peers(host, switch, at, active=False)

    def _ordinary(self, kind: str, at: int, host: Host) -> None:
        """What closes a port, or seems to, without any guest's doing."""
        switch, server = self.draw.choice(host.switches), f"Server{host.port}"
        self.happened.append(kind)
        if kind == "operator":
            switch.shut(host.port, at, server)
            self._down(host, switch, at, "administratively down")
            self._up(host, switch, at + self.draw.randrange(1, 20) * MINUTE)
        elif kind == "flap":
            for n in range(self.draw.randrange(1, 4)):
                switch.down(host.port, at + n * MINUTE, at + n * MINUTE, server)
                self._down(host, switch, at + n * MINUTE, None)
                self._up(host, switch, at + n * MINUTE + self.draw.randrange(2, 30) * SECOND)
        elif kind == "topology":
            for one in self.switches:
                one.topology(at + self.draw.randrange(3 * SECOND))
        elif kind == "reboot":
            for one in host.switches:
                one.down(host.port, at, at, server)
                self._down(host, one, at, None)
                self._up(host, one, at + 4 * MINUTE + self.draw.randrange(9) * SECOND)
        elif kind == "other_guard" and switch.other_guard(host.port, at, server):
            self._down(host, switch, at, "link-flap")
            switch.configured(at + 9 * MINUTE)
            self._up(host, switch, at + 10 * MINUTE)

    # ---- what is written

    def write(self, root: Path) -> dict[str, Any]:
        """Let it happen, write the folder, and tell the truth."""
        draw = self.draw
        self._stand()
        self._launch()
        self._tell_cuts()
        if self.guilty:
            calm = [host for host in self.hosts if all(cut.host is not host for cut in self.cuts)]
            for kind, host in zip(draw.sample(HEALTHY[:4], draw.randrange(3)), calm, strict=False):
                self._ordinary(
                    kind, self.start + draw.randrange(max(MINUTE, self.end - self.start - 30 * MINUTE)), host
                )
        else:
            self.end = max(self.end, self.start + 2 * HOUR)
            for number, kind in enumerate(self.kinds):  # one after the other, so that nobody's link is down twice
                self._ordinary(kind, self.start + (10 + 30 * number) * MINUTE, draw.choice(self.hosts))
        self.end = max(self.end, *(link.at for link in self.links), self.start) + 10 * MINUTE
        for switch in self.switches:
            chatter(switch, draw, self.start, self.end - MINUTE)
        folder = Folder(root, self.end + HOUR)
        self._write_switches(folder)
        logged = self._write_hosts(folder) if draw.often(0.7) else set()
        captured = self._write_captures(folder) if draw.often(0.6) else {}
        place = draw.choice(("controller", "database", "openstack"))
        if self.database == "csv":
            csv_tables(folder, self.guests, place)
        elif self.database == "listing":
            listings(folder, self.guests, place, draw.often(0.5))
        elif self.database == "notifications":
            notifications(folder, self.guests, place)
        return self._truth(folder, logged, captured)

    def _write_switches(self, folder: Folder) -> None:
        draw = self.draw
        layout = draw.choice(("{}/messages", "switches/{}.log", "network/{}/syslog", "rsyslog/{}/syslog.log"))
        declared = []
        for switch in self.switches:
            name = layout.format(switch.name) + (".gz" if draw.often(0.2) else "")
            folder.octets(name, switch.text().encode())
            folder.clocks[name] = switch.clock.told()
            if switch.framing not in STATES_ZONE and switch.clock.zone != "UTC":
                declared.append((name, f'zone = "{switch.clock.zone}"'))
        titles = ("Compute nodes are down", "Two alerts within an hour", "A node without network")
        folder.case_file(draw.choice(titles), declared)

    def _write_hosts(self, folder: Folder) -> set[str]:
        """Each host's own kernel log; returns whose there is."""
        for host in self.hosts:
            text = kernel_log(host, [one for one in self.links if one.host is host], self.start, self.end)
            folder.text(f"{host.name}/syslog", text)
            folder.clocks[f"{host.name}/syslog"] = host.clock.told()
            if host.clock.zone != "UTC":
                folder.text(f"{host.name}/etc/timezone", f"{host.clock.zone}\n")
        return {host.name for host in self.hosts}

    def _write_captures(self, folder: Folder) -> dict[str, dict[str, int]]:
        """bond0 of the hosts that were cut (or some), around the first cut: who sent how many BPDUs, by file."""
        draw, counted = self.draw, dict[str, dict[str, int]]()
        hosts = list({cut.host.name: cut.host for cut in self.cuts}.values()) or self.hosts[:2]
        for host in hosts:
            cuts = [cut for cut in self.cuts if cut.host is host]
            middle = cuts[0].at if cuts else self.start + 20 * MINUTE
            begin, end = middle - 40 * SECOND, middle + 60 * SECOND
            changes = sorted((one for one in self.links if one.host is host), key=lambda one: one.at)
            seen, senders = list[Seen](), dict[str, int]()
            root = host.switches[0].mac[:-2] + "01"
            for number, at in enumerate(range(begin, end, 2 * SECOND)):
                state = {link.switch.name: link.up for link in changes if link.at <= at}
                for switch in [one for one in host.switches if state.get(one.name, True)][:1]:
                    bridge, port = (32768, switch.mac), 0x8000 + host.port
                    told = bpdu(switch.mac, (8192, root), bridge, port, rapid=True, cost=2000)
                    seen.append(Seen(at + 300 * 10**6, told))
                    senders[switch.mac] = senders.get(switch.mac, 0) + 1
                    if number % 3 == 0:
                        beat = Packet(f"10.9.0.{host.port}", "10.9.0.1", UDP, udp((514, 514), pattern(80)), number)
                        seen.append(Seen(at, ethernet(host.mac, "00:25:90:00:00:01", 0x0800, beat.octets())))
            for cut in cuts:
                if begin <= cut.at <= end:
                    mac = cut.guest.mac
                    told = bpdu(mac, (32768, mac), (32768, mac), 0x8001, rapid=False)
                    seen.append(Seen(cut.at - 60_000, told))
                    senders[mac] = senders.get(mac, 0) + 1
            recorder = Recorder.drawn(draw, host.clock)
            path = draw.choice(("{}/bond0", "{}/pcap/bond0", "captures/{}-bond0")).format(host.name)
            recorder.write(folder, path, ["bond0"], seen)
            counted[path] = senders
        return counted

    # ---- what is true

    def _truth(self, folder: Folder, logged: set[str], captured: dict[str, dict[str, int]]) -> dict[str, Any]:
        events: dict[str, Any] = {
            "vendor": self.vendor, "framing": self.switches[0].framing, "database": self.database,
            "restore": self.restore, "happened": self.happened, "bpdus": captured,
            "switch_lines": {switch.name: len(switch.lines) for switch in self.switches},
            "instances": sum(self.database != "listing" or guest.deleted is None for guest in self.guests)
            if self.database != "absent" else 0,
        }  # fmt: skip
        truth: dict[str, Any] = {"findings": [], "events": events, "clocks": folder.clocks}
        truth["around"] = self._around(logged)
        if not self.guilty:
            return truth
        senders = {mac for told in captured.values() for mac in told}
        real = [self._cut(cut) for cut in self.cuts]
        standing = [
            guest.uuid for guest in self.guests if not guest.sends and any(
                cut.host.name == guest.host and guest.alive(cut.at) for cut in self.cuts
            )
        ]  # fmt: skip
        source_user, _, source_image = self.source
        fact = {"cuts": real, "source_image": source_image, "source_user": source_user, "bystanders": standing}
        mapped = {guest.mac for guest in self.guests if self.database != "absent"
                  and (self.database != "listing" or guest.deleted is None)}  # fmt: skip
        cuts = []
        for cut in real:
            mac = cut["mac"] if self.vendor == "arista" or cut["mac"] in senders else None
            if mac is None and self.database in ("csv", "notifications") and cut["host"] in logged:
                mac = cut["mac"]  # the one instance that was started there in the minutes before
            shown = mac in mapped
            host = cut["host"] if shown or mac in senders or cut["host"] in logged else None
            cuts.append(cut | {"mac": mac, "instance": cut["instance"] if shown else None, "host": host})
        known = any(cut["instance"] for cut in cuts)
        bystanders: list[str] | None = standing
        if self.database == "absent" or not all(cut["host"] for cut in cuts):
            bystanders = []
        elif self.database == "listing" and not all(cut["instance"] for cut in cuts):
            bystanders = None  # nothing tells the senders from the others: no address, no time of start
        told = {
            "cuts": cuts,
            "source_image": source_image if known else None,
            "source_user": source_user if known and self.database != "listing" else None,
            "bystanders": bystanders,
        }
        truth["findings"] = [{"kind": "bpdu-guard-cutoff", "facts": told}]
        truth["in_fact"] = fact
        return truth

    def _cut(self, cut: _Cut) -> dict[str, Any]:
        return {
            "switch": cut.switch.name, "port": cut.switch.port(cut.host.port), "mac": cut.guest.mac,
            "instance": cut.guest.uuid, "host": cut.host.name, "cut_at": iso(cut.at),
            "restored_at": iso(cut.restored_at),
        }  # fmt: skip

    def _around(self, logged: set[str]) -> list[dict[str, Any]]:
        """Ports that were down: the switches', and the cards of hosts whose log there is."""
        found, open_at = [], dict[tuple[str, str], Link]()
        for link in sorted(self.links, key=lambda one: one.at):
            key = (link.switch.name, link.host.name)
            if not link.up:
                open_at[key] = link
                continue
            found.append((open_at.pop(key), link.at))
        ordered = sorted([*found, *((link, None) for link in open_at.values())], key=lambda one: one[0].at)
        facts = []
        for link, until in ordered:
            span = {"from": iso(link.at), "to": iso(until)}
            facts.append({"switch": link.switch.name, "interface": link.switch.member(link.host.port), **span,
                          "reason": link.reason})  # fmt: skip
            if link.host.name in logged:
                card = link.host.card(link.switch)
                facts.append({"host": link.host.name, "interface": card, **span, "reason": None})
        for host in self.hosts if logged else ():
            down, since = set[str](), 0
            for link in sorted((one for one in self.links if one.host is host), key=lambda one: one.at):
                whole = len(down) == len(host.switches)
                down = down - {link.switch.name} if link.up else down | {link.switch.name}
                bond = {"host": host.name, "interface": "bond0", "from": iso(since), "to": iso(link.at), "reason": None}
                if whole and link.up:
                    facts.append(bond)
                elif not whole and len(down) == len(host.switches):
                    since = link.at
            if len(down) == len(host.switches):
                facts.append({"host": host.name, "interface": "bond0", "from": iso(since), "to": None, "reason": None})
        return [{"kind": "link-down", "facts": one} for one in facts]
