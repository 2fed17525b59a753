"""Clients that lose their lease, each for one of seven causes, and clients of whom one might think so.

Guilty: the way to the instance dies, the answer or the question gets lost, the client does not listen, the server says
nothing or refuses, or nobody asks any more. Healthy: every cloud has an answer that came late, a server that was
started again, an instance that was deleted. Captures at up to four points and two logs, never all of them; clients,
leases, clocks, zones, framings and noise vary in both.

How figures are counted: requests by their destination, as the client's log has them, or where there is none as the
captures have them (a unicast request whose next hop nobody knows is logged and never sent). Which of the facts, the
cause among them, can be known depends on what was handed over.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from data.synth._cloud import (
    HOUR,
    LAYOUTS,
    SECOND,
    SITES,
    ZONES,
    Draw,
    Folder,
    Names,
    Recorder,
    a_clock,
    point_name,
)
from data.synth._dhcp import FRAMINGS, INFINITE, TYPES, Line, framed
from data.synth._lease_facts import LOGS, PLACES, Evidence, FaultSeen
from data.synth._leases import (
    BOND,
    ELSEWHERE,
    GUEST,
    MS,
    TAP,
    WIRE,
    Attempt,
    Client,
    Fault,
    Lan,
    Point,
    Server,
    traffic,
)

CAUSES = ("link-dead-before-dhcp", "reply-not-delivered", "client-deaf", "server-silent", "request-not-delivered",
          "refused", "client-gone")  # fmt: skip
HEALTHY = ("plain", "idle", "one_xid", "lost_once", "rebound", "released", "deleted", "init_reboot", "rediscover",
           "nak_reboot", "inform", "foreign_discover", "doubled", "mid_start", "cut_end", "link_flap",
           "server_restart", "infinite")  # fmt: skip
FILES = ("{host}/{file}", "{host}/var/log/{file}", "logs/{host}/{file}")
SPANS = {120: "2m", 600: "10m", 3600: "1h", 86400: "1d", INFINITE: "infinite"}


def guilty(seed: int, folder: Path) -> dict[str, Any]:
    """Write an incident in which an instance loses its lease; returns its truth."""
    return _Incident(Draw("lost-lease", seed), CAUSES[seed // 2 % len(CAUSES)]).write(folder)


def healthy(seed: int, folder: Path) -> dict[str, Any]:
    """Write a network in which every client has its lease as long as it wants it; returns its truth."""
    return _Incident(Draw("kept-lease", seed), "", HEALTHY[seed // 2 % len(HEALTHY)]).write(folder)


def cases() -> Any:
    """Hypothesis: a function of this module and a number for it."""
    from hypothesis import strategies as st

    return st.tuples(st.sampled_from((guilty, healthy)), st.integers(0, 2**32))


class _Incident:
    def __init__(self, draw: Draw, cause: str, story: str = "") -> None:
        self.draw, self.cause, self.story = draw, cause, story
        self.start = draw.start()
        self.names: Names = draw.choice(SITES)
        self.hosts = {"controller": self.names.controller, "compute": self.names.compute.format(draw.randrange(1, 60)),
                      "instance": self.names.instance}  # fmt: skip
        self.lease_s = INFINITE if story == "infinite" else draw.choice((120, 120, 120, 600, 3600, 86400))
        self.program = draw.choice(("dhclient", "dhclient", "dhclient", "udhcpc", "systemd-networkd"))
        self.edge = draw.choice((0.5, 1.5, 2.3))
        self.both_ways = cause == "link-dead-before-dhcp" and draw.often(0.25)
        self.dies = cause == "server-silent" and draw.often(0.4)
        self.sources = self._sources()
        self.lan = Lan(draw)
        self._network()
        self.attempts: list[Attempt] = []
        self.from_at, self.to_at, self.life = self.start, 0, 1 << 63
        self.lost_at = 0

    def _sources(self) -> frozenset[str]:
        """Any part of what there is that shows the failure, mostly one that shows its cause."""
        every = [frozenset(some) for size in range(1, 7) for some in combinations((*PLACES, *LOGS), size)]
        if self.cause:
            fault = FaultSeen(self.cause, self.edge, self.both_ways, self.dies)
            seen, plain = [some for some in every if fault.fails(some)], self.draw.often(0.75)
            every = [some for some in seen if fault.decided(some) == plain] or seen
        size = self.draw.choice(sorted({len(some) for some in every}))
        return self.draw.choice([some for some in every if len(some) == size])

    def _network(self) -> None:
        draw, site = self.draw, self.hosts
        net = f"10.{draw.randrange(256)}.{draw.randrange(256)}"
        vid, card = draw.randrange(2, 4095), draw.choice(("eth0", "eth0", "ens3"))
        nova = draw.often(0.6)
        port = f"{draw.getrandbits(44):011x}"
        interface = f"br{vid}" if nova else f"{draw.choice(('ns-', 'tap'))}{port[:8]}-{port[8:10]}"
        self.server = Server(self.lan, f"{net}.{1 if nova else 2}", draw.mac("00:25:90"), interface, self.lease_s,
                             with_xid=draw.often(0.2))  # fmt: skip
        self.server.refusal = draw.choice(("lease not found", "address not available", "wrong network"))
        self.range = draw.choice(("static leases only on {net}.2", "IP range {net}.2 -- {net}.254"))
        mac = draw.mac()
        ips = draw.sample(range(3, 250), 5)
        self.main = Client(
            self.lan, self.server, mac, f"{net}.{ips[0]}", self.names.instance.split(".")[0], self.program, card,
            one_xid=self.story == "one_xid" or draw.often(0.3), with_xid=draw.often(0.4),
            hold=draw.randrange(15, 50) * SECOND,
        )  # fmt: skip
        self.others = [
            Client(self.lan, self.server, draw.mac(), f"{net}.{ip}", f"other-{ip}", "", place=ELSEWHERE)
            for ip in ips[1 : draw.randrange(2, 5)]
        ]
        tags = ((0x8100, vid),)
        tap = f"vnet{draw.randrange(9)}" if nova else f"tap{draw.getrandbits(44):011x}"[:14]
        known = {"guest": Point(site["instance"], card, GUEST), "tap": Point(site["compute"], tap, TAP),
                 "bond": Point(site["compute"], "bond0", BOND, tags),
                 "wire": Point(site["controller"], interface, WIRE)}  # fmt: skip
        self.known = {name: point for name, point in known.items() if name in self.sources}
        self.lan.points = list(self.known.values())
        if self.story == "doubled":
            for point in self.lan.points:
                point.copies = 2

    # ---- what happens

    def _happen(self) -> None:
        draw, main = self.draw, self.main
        at = self.start + draw.randrange(2, 6) * SECOND
        self._server_starts(self.start + SECOND)
        main.boot(at)
        self.strike_round, rounds = draw.randrange(2, 4), draw.randrange(3, 6)
        if self.story == "infinite":
            self.to_at = self.life = self.start + 2 * HOUR
            main.due = self.to_at + 1
        number = 0
        while main.due < (self.to_at or 1 << 62):
            number += 1
            due = main.due
            if self.cause and number == self.strike_round:
                self._fail(due)
                break
            if number > rounds or (self.story and not self._tells(number, due)):
                self.to_at = self.to_at or due - SECOND
                break
            main.renew(due, [])
        if self.cause:
            last = max(self.lost_at, max((when for when, _ in main.said), default=0))
            self.to_at = last + draw.randrange(20, 60) * SECOND
            if self.cause == "client-gone":  # it lives on, and that must be seen
                self.to_at += self.lease_s * SECOND // 2
            if draw.often(0.25):
                self.from_at = at + int(self.server.lease_s * SECOND * 0.2)
        self.server.mode = "fine"
        if not self.dies and self.lease_s != INFINITE:
            self._others()
        self._background()

    def _fail(self, due: int) -> None:
        """The cause strikes before a renewal is due; the client tries until its lease ends."""
        draw, main, server = self.draw, self.main, self.server
        lead = min(draw.randrange(2 * SECOND, 20 * SECOND), (due - main.bound_at) // 2)
        begin, cause = due - lead, self.cause
        self.lost_at = main.ends
        if cause in ("link-dead-before-dhcp", "reply-not-delivered", "request-not-delivered"):
            up = cause == "request-not-delivered" or self.both_ways
            self.lan.faults.append(
                Fault(self.edge, up, cause != "request-not-delivered", cause != "link-dead-before-dhcp", begin)
            )
        elif cause == "client-gone":
            if draw.often(0.5) and self.program == "dhclient":
                main.tell(begin, "Received signal 15, initiating shutdown.")
            return
        main.deaf = cause == "client-deaf"
        server.mode = {"server-silent": "dead" if self.dies else "silent", "refused": "refuse"}.get(cause, "fine")
        if self.dies:
            server.lines.append(Line(begin, "dnsmasq", "exiting on receipt of SIGTERM"))
        main.renew(due, self.attempts)
        if cause == "refused":
            main.give_up(self.attempts[-1].at + 50 * MS)
        else:
            main.give_up(self.lost_at + 3 * MS)

    def _tells(self, number: int, due: int) -> bool:
        """What a healthy story does at a renewal; whether life goes on as ever."""
        draw, main, story = self.draw, self.main, self.story
        span = due - main.bound_at
        if story in ("released", "deleted") and number == 3:
            self.life = due - span // 8 if story == "deleted" else due
            if story == "released":
                main.fresh(due)
                main.say(due, "RELEASE", dst=self.server.ip, ciaddr=main.ip, chosen=True)
            self.to_at = due + 2 * (main.ends - main.bound_at)
            return False
        if story == "lost_once" and number == 2:
            self.lan.faults.append(Fault(self.edge, False, True, True, due - SECOND, due + SECOND))
        elif story == "link_flap" and number == 2:
            begin = main.bound_at + span // 4
            self.lan.faults.append(Fault(self.edge, True, True, False, begin, begin + min(span // 2, 300 * SECOND)))
        elif story == "rebound" and number == 2:
            rebind = main.ends - (main.ends - main.bound_at) // 8
            self.lan.faults.append(Fault(self.edge, True, False, True, due - SECOND, rebind - SECOND))
        elif story == "server_restart" and number == 2:
            self.server.lines.append(Line(due - span // 3, "dnsmasq", "exiting on receipt of SIGTERM"))
            self._server_starts(due - span // 3 + 2 * SECOND)
        elif story == "inform" and number == 2:
            main.fresh(due - span // 2)
            main.say(due - span // 2, "INFORM", dst=self.server.ip, ciaddr=main.ip)
        elif story in ("init_reboot", "rediscover", "nak_reboot") and number == 2:
            again = main.bound_at + span // draw.randrange(2, 5)
            if story == "init_reboot":
                main.fresh(again)
                heard, _, _ = main.say(again, "REQUEST", requested=main.ip)
                main.bind(heard)
                return self._tells(0, main.due)
            if story == "nak_reboot":
                main.fresh(again)
                main.say(again, "REQUEST", requested=f"{main.ip.rpartition('.')[0]}.251", wrong=True)
            main.boot(again + SECOND)
            due = main.due
        elif story == "mid_start" and number == 2:
            self.from_at = due - span // 3
        elif story == "cut_end" and number == 3:
            self.to_at = due + 150_000
        main.due = due
        return True

    def _server_starts(self, at: int) -> None:
        net = self.server.ip.rpartition(".")[0]
        said = ("dnsmasq", "started, version 2.59 cachesize 150"), ("dnsmasq", "cleared cache"), (
            "dnsmasq-dhcp", f"DHCP, {self.range.format(net=net)}, lease time {SPANS[self.lease_s]}"), (
            "dnsmasq-dhcp", "read /var/lib/nova/networks/nova-br100.conf")  # fmt: skip
        self.server.lines += [Line(at + n * MS, program, text) for n, (program, text) in enumerate(said)]

    def _others(self) -> None:
        """The other clients renew all the time; a stranger asks and is not known."""
        draw, main = self.draw, self.main
        for other in self.others:
            at = other.boot(self.start + draw.randrange(2 * SECOND, 4 * SECOND))
            while at and other.due < self.to_at:
                at = other.renew(other.due, [])
        if self.story == "foreign_discover":
            net = main.ip.rpartition(".")[0]
            ghost = Client(self.lan, self.server, draw.mac("00:11:22"), f"{net}.252", "ghost", "", place=ELSEWHERE)
            self.server.mode = "refuse"
            for n in range(6):
                ghost.fresh(self.start)
                ghost.say(self.start + (n + 1) * (self.to_at - self.start) // 8, "DISCOVER")

    def _background(self) -> None:
        """Load, pings, cron; the gateway asks for who is gone."""
        draw, main = self.draw, self.main
        stop = min(self.to_at, self.life, self.lost_at or self.to_at)
        if self.cause == "client-gone":
            stop = self.to_at
        if self.story != "idle":
            stream = draw.often(0.8)
            traffic(main, self.start + 7 * SECOND, stop, draw.randrange(150, 400), stream=stream,
                    pings=not stream or draw.often(0.8))  # fmt: skip
        for n in range(40):
            at = self.start + (self.to_at - self.start) * n // 40
            line = Line(at + 70 * MS, "CRON", "(root) CMD (test -x /usr/sbin/anacron)")
            self.server.lines.append(line)
            if at < self.life:
                main.lines.append(line._replace(at=at + 90 * MS))

    # ---- what is written

    def write(self, root: Path) -> dict[str, Any]:
        """Let it happen, write the folder, and tell the truth."""
        self._happen()
        draw = self.draw
        folder = Folder(root, self.to_at + HOUR)
        folder.case_file(draw.choice(("An instance disappears from the network", "Leases", "No address")))
        self.clocks = {
            host: a_clock(draw, self.start, draw.choice(ZONES) if draw.often(0.5) else "UTC")
            for host in self.hosts.values()
        }
        layout = draw.choice(LAYOUTS)
        recorders = {
            host: replace(Recorder.drawn(draw, clock), snap_bytes=draw.choice((400, 1514, 65535, 65535)))
            for host, clock in self.clocks.items()
        }
        for point in self.lan.points:
            point.label = point_name(layout, point.host, point.interface)
            point.seen = [one for one in point.seen if self.from_at <= one.at < self.to_at]
            path = layout.format(host=point.host, name=point.interface)
            recorders[point.host].write(folder, path, [point.interface], point.seen)
        self.framing = {name: draw.choice(FRAMINGS) for name in LOGS}
        counted = {}
        for name, host, lines in (("server_log", "controller", self.server.lines),
                                  ("client_log", "instance", self.main.lines)):  # fmt: skip
            if name in self.sources:
                counted |= self._log(folder, name, self.hosts[host], lines)
        return self._truth(folder, counted)

    def _log(self, folder: Folder, name: str, host: str, lines: list[Line]) -> dict[str, dict[str, int]]:
        draw, clock, framing = self.draw, self.clocks[host], self.framing[name]
        kept = sorted((line for line in lines if self.from_at <= line.at < self.to_at), key=lambda line: line.at)
        file = "journal.json" if framing == "journal" else draw.choice(("syslog", "messages", "daemon.log"))
        path = draw.choice(FILES).format(host=host, file=file)
        pids = {program: draw.randrange(200, 32000) for program in sorted({line.program for line in kept})}
        if "dnsmasq-dhcp" in pids:
            pids["dnsmasq"] = pids["dnsmasq-dhcp"]  # one process under two names
        cut = draw.randrange(len(kept)) if framing != "journal" and draw.often(0.3) else 0
        counted = {}
        for part, source in ((kept[:cut], f"{path}.1{draw.choice(('', '.gz'))}"), (kept[cut:], path)):
            if part or source == path:
                last = part[-1].at if part else self.to_at
                folder.octets(source, framed(part, host, clock, framing, pids).encode(), clock.reads(last) + SECOND)
                folder.clocks[source] = clock.told(zone=framing != "journal")
                words = (word for _, _, text in part for word in re.findall(r"DHCP([A-Z]+)[ (]", text) if word in TYPES)
                counted[source] = dict(sorted(Counter(words).items()))
        if clock.zone != "UTC" and draw.often(0.4):
            folder.text(f"{host}/etc/timezone", f"{clock.zone}\n")
        return counted

    # ---- what is true

    def _truth(self, folder: Folder, counted: dict[str, dict[str, int]]) -> dict[str, Any]:
        main, server = self.main, self.server
        wire = {point.label: len(point.seen) for point in self.lan.points}
        truth: dict[str, Any] = {
            "findings": [], "clocks": folder.clocks, "on_the_wire": wire, "in_the_logs": counted,
            "points": {name: point.label for name, point in self.known.items()},
            "in_fact": {"cause": self.cause or self.story, "sources": sorted(self.sources), "client": self.program,
                        "mac": main.mac, "ip": main.ip, "server": server.ip, "lease_s": self.lease_s,
                        "framing": {name: self.framing[name] for name in LOGS if name in self.sources},
                        "acks_sent": self._evidence().sent("ACK", self.from_at, self.to_at)},
        }  # fmt: skip
        if self.cause:
            facts = self._evidence().facts()
            truth["findings"] = [{"kind": "dhcp-renewal-failure", "facts": facts}]
            truth["in_fact"]["attempts"] = [sum(one.unicast == way for one in self.attempts) for way in (True, False)]
        return truth

    def _evidence(self) -> Evidence:
        clocks = {
            "server_log": self.clocks[self.hosts["controller"]],
            "client_log": self.clocks[self.hosts["instance"]],
        }
        return Evidence(FaultSeen(self.cause, self.edge, self.both_ways, self.dies), self.sources, self.main,
                        self.attempts, self.lost_at, self.from_at == self.start, clocks, self.framing)  # fmt: skip
