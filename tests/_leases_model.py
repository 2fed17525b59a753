"""A small discrete model of DHCP clients, a server, the path between them and its watchers; one seed, one history."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from forensics.records import DhcpClientEvent, DhcpMessage, Packet, Record, Source

NS = 1_000_000_000
EPOCH = 1_346_300_000 * NS
SERVER_IP, SERVER_MAC = "10.0.0.1", "00:25:90:3a:5c:10"
BROADCAST = "ff:ff:ff:ff:ff:ff"
CAUSES = (
    *("link-dead-before-dhcp", "reply-not-delivered", "client-deaf", "server-silent"),
    *("request-not-delivered", "refused", "client-gone"),
)
HEALTHY = (
    *("plain", "idle", "short-lease", "one-xid", "lost-once", "released", "init-reboot", "rediscover", "deleted"),
    *(
        "mid-start",
        "cut-end",
        "foreign-discover",
        "inform",
        "relay",
        "doubled",
        "two-servers",
        "nak-reboot",
        "bystander",
    ),
    *("moved", "rebound"),
)
POINTS = ("web-3/eth0", "compute07/vnet4", "controller/br100")
LOGS = ("controller/syslog", "web-3/syslog")
PREFIX = {"client": "DHCP"}


@dataclass
class Plan:
    """What is to happen."""

    seed: int
    cause: str | None = None
    healthy: str = "plain"
    sources: tuple[str, ...] = (*POINTS, *LOGS)
    lease_s: int = 120
    client: str = "dhclient"
    rate: float = 4.0
    pings: bool = True
    clients: int = 2
    quiet: bool = False
    client_xid: bool = True
    segment: int = 0
    exits: bool = True
    skew: bool = True


@dataclass
class History:
    """What can be seen of it, and what is true."""

    plan: Plan
    rows: dict[type[Record], list[dict[str, Any]]] = field(default_factory=dict)
    truth: dict[str, Any] = field(default_factory=dict)
    offsets: dict[str, tuple[int, float]] = field(default_factory=dict)
    start: int = EPOCH
    end: int = EPOCH

    def frame(self, record: type[Record]) -> pl.DataFrame:
        """All rows of one record, in the order of their files."""
        schema = record.polars_schema()
        rows = sorted(self.rows.get(record, []), key=lambda row: (row["source"], row.get("position", 0)))
        told = set().union(*(row.keys() for row in rows)) & schema.keys() if rows else set()
        instants = {name for name in told if schema[name] == pl.Datetime("ns", "UTC")}
        given = {name: pl.Int64() if name in instants else schema[name] for name in schema if name in told}
        made = pl.from_dicts(rows, schema=given) if rows else pl.DataFrame(schema=given)
        made = made.with_columns(pl.col(name).cast(schema[name]) for name in instants)
        missing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name not in told]
        untagged = pl.lit([], dtype=pl.List(pl.UInt16)).alias("vlan_ids")
        made = made.with_columns(missing)
        return (
            made.with_columns(untagged).select(schema.names()) if "vlan_ids" in schema else made.select(schema.names())
        )

    def sources(self) -> pl.DataFrame:
        """One row per source."""
        seen = {(row["source"], row["host"]) for rows in self.rows.values() for row in rows}
        rows = [
            {"source": s, "host": h, "status": "read", "zone": None if "pcap" in s else "UTC",
             "zone_basis": "utc-by-definition" if "pcap" in s else "assumed"}
            for s, h in sorted(seen)
        ]  # fmt: skip
        return pl.DataFrame(rows, schema={**Source.polars_schema()}) if rows else Source.empty()

    def offset_s(self, source: str, at: int) -> float:
        """How far the clock of a source was ahead at a true instant."""
        base, drift = self.offsets[source]
        return (base + drift * 1e-6 * (at - self.start)) / 1e9


class World:
    """The path: client — compute — controller with the server, and the watchers."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.dice = plan, random.Random(plan.seed)
        self.history = History(plan)
        dice, skew = self.dice, plan.skew
        self.delays = [int(dice.uniform(20e3, 200e3)), int(dice.uniform(60e3, 400e3)), 20_000]
        zones = [0, -6, -7, 5.5, 9.5, 1]
        for host in ("web-3", "compute07", "controller"):
            own = int(dice.uniform(-8, 8) * NS) if skew else 0
            drift = dice.uniform(-20, 20) if skew else 0.0
            zone = int(dice.choice(zones) * 3600 * NS) if skew else 0
            for source in (*POINTS, *LOGS):
                if source.startswith(host):
                    name = source if source.endswith("syslog") else f"{source}.pcap"
                    self.history.offsets[name] = (own + (zone if "syslog" in source else 0), drift)
        self.pending: list[tuple[int, int, type[Record], dict[str, Any]]] = []
        self.ip_ids: dict[str, int] = {}
        self.drops: Any = lambda t, way, segment, dhcp: False
        self.last_reached: dict[str, int] = {}

    def clock(self, source: str, t: int) -> int:
        base, drift = self.history.offsets[source]
        return t + base + int(drift * 1e-6 * (t - EPOCH))

    def see(self, point: str, t: int, packet: dict[str, Any], dhcp: dict[str, Any] | None) -> None:
        """A frame passes a capture point."""
        if point not in self.plan.sources:
            return
        copies = 2 if self.plan.healthy == "doubled" and self.plan.cause is None else 1
        for copy in range(copies):
            source = f"{point}.pcap"
            row = {**packet, "source": source, "host": point, "ts": self.clock(source, t + copy * 3000) // 1000 * 1000,
                   "interface_id": copy, "interface": f"if{copy}" if copies > 1 else None}  # fmt: skip
            self.pending.append((t + copy * 3000, len(self.pending), Packet, row))
            if dhcp:
                told = {**dhcp, "source": source, "host": point, "ts": row["ts"], "seen_by": "capture",
                        "src": packet["src"], "dst": packet["dst"], "eth_src": packet["eth_src"],
                        "eth_dst": packet["eth_dst"], "interface": row["interface"], "_of": row}  # fmt: skip
                self.pending.append((t + copy * 3000, len(self.pending), DhcpMessage, told))

    def send(
        self, t: int, way: str, packet: dict[str, Any], dhcp: dict[str, Any] | None = None, mac: str = ""
    ) -> int | None:
        """Carry a frame along the path; the time of its arrival, or None where it was dropped."""
        ip_id = self.ip_ids[packet["src"]] = (self.ip_ids.get(packet["src"], 0) + 1) % 65536
        base = {
            "wire_bytes": 60 + (packet.get("payload_bytes") or 0),
            "captured_bytes": 60,
            "after_gap": False,
            "decode_status": "ok",
            "link_type": 1,
            "ethertype": 0x800,
            "ip_version": 4,
            "ip_id": ip_id,
            "ttl": 64,
            "fragment_offset_bytes": 0,
            **packet,
        }
        if packet.get("arp_op"):
            base.update(
                ethertype=0x806,
                ip_version=None,
                ip_id=None,
                ttl=None,
                src=None,
                dst=None,
                protocol=None,
                fragment_offset_bytes=None,
            )
        order = [0, 1, 2] if way == "up" else [2, 1, 0]
        points = POINTS
        for step in order:
            if way == "up":
                self.see(points[step], t, base, dhcp)
            if self.drops(t, way, step, dhcp and dhcp["message_type"]):
                return None
            t += int(self.delays[step] * self.dice.uniform(1, 1.3))
            if way == "down" and step > 0:
                self.see(points[step], t, base, dhcp) if step == 2 else self.see(points[1], t, base, dhcp)
            if way == "down" and step == 0:
                self.see(points[0], t, base, dhcp)
        if way == "down":
            self.last_reached[mac] = t
        return t

    def log(self, source: str, t: int, record: type[Record], row: dict[str, Any]) -> None:
        """A line of a log, stamped in whole seconds."""
        if source in self.plan.sources:
            stamp = self.clock(source, t) // NS * NS
            self.pending.append(
                (t, len(self.pending), record, {**row, "source": source, "host": source.split("/")[0], "ts": stamp})
            )

    def finish(self, start: int, end: int) -> History:
        """Number lines and frames, and keep what falls into the time of watching."""
        counts: dict[str, int] = {}
        for t, _, record, row in sorted(self.pending, key=lambda entry: entry[:2]):
            if not start <= t <= end:
                continue
            if "_of" in row:
                row["position"] = row.pop("_of")["position"]
            else:
                counts[row["source"]] = counts.get(row["source"], 0) + 1
                row["position"] = counts[row["source"]]
            row.update(offset_bytes=row["position"] * 100, length_bytes=100)
            self.history.rows.setdefault(record, []).append(row)
        self.history.start, self.history.end = start, end
        return self.history


@dataclass
class Guest:
    """One DHCP client."""

    world: World
    mac: str
    ip: str
    main: bool
    xid: int = 0
    lease_end: int = 0
    deaf: bool = False
    server_silent: bool = False
    refuse: bool = False
    relay: str | None = None

    def fresh(self) -> None:
        if not (self.xid and self.world.plan.healthy == "one-xid"):
            self.xid = self.world.dice.randrange(1, 2**32)

    def say(self, t: int, kind: str, **rest: Any) -> tuple[int | None, str | None]:
        """Send a client message; the time of the answer at the client, and its type."""
        plan, world = self.world.plan, self.world
        unicast = rest.get("unicast", False)
        dst = SERVER_IP if unicast else "255.255.255.255"
        message = {"message_type": kind, "xid": self.xid, "chaddr": self.mac, "ciaddr": rest.get("ciaddr", "0.0.0.0"),
                   "requested_ip": rest.get("requested"), "server_id": rest.get("server"), "yiaddr": "0.0.0.0",
                   "giaddr": "0.0.0.0", "siaddr": "0.0.0.0", "hostname": "web-3"}  # fmt: skip
        src = rest.get("ciaddr", "0.0.0.0")
        if self.main and plan.client in ("dhclient", "udhcpc"):
            xid = self.xid if world.dice.random() < 0.5 else int.from_bytes(self.xid.to_bytes(4, "little"), "big")
            line = {"seen_by": "client", "message_type": kind, "xid": xid if plan.client_xid else None, "dst": dst,
                    "requested_ip": self.ip if kind != "DISCOVER" else None, "interface": "eth0"}  # fmt: skip
            if plan.client == "dhclient":
                world.log("web-3/syslog", t - 200_000, DhcpMessage, line)
        packet = {"eth_src": self.mac, "eth_dst": SERVER_MAC if unicast else BROADCAST, "src": src, "dst": dst,
                  "protocol": 17, "src_port": 68, "dst_port": 67, "payload_bytes": 300}  # fmt: skip
        there = world.send(t, "up", packet, message, self.mac)
        if there is None or kind in ("RELEASE", "DECLINE"):
            if there and kind == "RELEASE":
                self.served(there, kind, None)
            return None, None
        refusal = "no address available" if self.refuse and kind == "DISCOVER" else None
        self.served(there, kind, refusal)
        if self.server_silent or refusal:
            return None, None
        answer = {
            "DISCOVER": "OFFER",
            "REQUEST": "NAK" if self.refuse or rest.get("wrong") else "ACK",
            "INFORM": "ACK",
        }[kind]
        back = there + world.dice.randrange(200_000, 2_000_000)
        self.served(back, answer, "address not available" if answer == "NAK" else None)
        lease = plan.lease_s if answer != "NAK" and kind != "INFORM" else None
        reply = {
            "message_type": answer,
            "xid": self.xid,
            "chaddr": self.mac,
            "ciaddr": "0.0.0.0",
            "giaddr": "0.0.0.0",
            "siaddr": SERVER_IP,
            "yiaddr": self.ip if lease else "0.0.0.0",
            "server_id": SERVER_IP,
            "lease_s": lease and float(lease),
            "renewal_s": lease and lease * 0.5,
            "rebinding_s": lease and lease * 0.875,
        }
        packet = {
            "eth_src": SERVER_MAC,
            "eth_dst": BROADCAST if answer == "NAK" else self.mac,
            "src": SERVER_IP,
            "dst": "255.255.255.255" if answer == "NAK" else self.ip,
            "protocol": 17,
            "src_port": 67,
            "dst_port": 68,
            "payload_bytes": 308,
        }
        heard = world.send(back + 50_000, "down", packet, reply, self.mac)
        if plan.cause is None and plan.healthy == "two-servers":
            second = {**reply, "server_id": "10.0.0.2", "siaddr": "10.0.0.2"}
            world.send(
                back + 900_000, "down", {**packet, "src": "10.0.0.2", "eth_src": "00:25:90:3a:5c:11"}, second, self.mac
            )
        if heard is None or self.deaf:
            return None, None
        if self.main and plan.client == "dhclient":
            line = {
                "seen_by": "client",
                "message_type": answer,
                "xid": self.xid if plan.client_xid else None,
                "yiaddr": self.ip,
                "server_id": SERVER_IP,
            }
            world.log("web-3/syslog", heard + 300_000, DhcpMessage, line)
        return heard, answer

    def served(self, t: int, kind: str, refusal: str | None) -> None:
        given = self.ip if kind in ("OFFER", "ACK") else None
        asked = self.ip if kind in ("REQUEST", "NAK", "RELEASE") else None
        row = {"seen_by": "server", "message_type": kind, "chaddr": self.mac, "yiaddr": given, "requested_ip": asked,
               "interface": "br100", "refusal": refusal}  # fmt: skip
        self.world.log("controller/syslog", t, DhcpMessage, row)

    def event(self, t: int, event: str, **rest: Any) -> None:
        if self.main and self.world.plan.client in ("dhclient", "networkd"):
            self.world.log(
                "web-3/syslog", t, DhcpClientEvent, {"event": event, "interface": "eth0", "message": event, **rest}
            )

    def boot(self, t: int) -> int:
        """DISCOVER to ACK; the time of being bound, or 0."""
        self.fresh()
        self.event(t, "started", mac=self.mac)
        heard, _ = self.say(t, "DISCOVER")
        if not heard:
            return 0
        heard, said = self.say(heard + 1_000_000, "REQUEST", requested=self.ip, server=SERVER_IP)
        return self.bind(heard) if heard and said == "ACK" else 0

    def bind(self, t: int) -> int:
        lease = self.world.plan.lease_s * NS
        self.lease_end = t + lease
        self.event(t + 1_000_000, "bound", ip=self.ip, renewal_s=self.first_wait() / NS)
        return t

    def first_wait(self) -> int:
        t1 = self.world.plan.lease_s * NS // 2
        return int(t1 * (self.world.dice.uniform(0.76, 1.0) if self.world.plan.client == "dhclient" else 1.0))

    def renewal(self, t: int, attempts: list[tuple[int, bool]]) -> int:
        """Renew from T1 to the end of the lease; when it was bound again, or 0."""
        lease = self.world.plan.lease_s * NS
        t2, end, client = self.lease_end - lease // 8, self.lease_end, self.world.plan.client
        wait = 10 * NS if client == "dhclient" else 60 * NS
        self.fresh()
        while t < end - 50_000_000:
            unicast = t < t2
            attempts.append((t, unicast))
            heard, said = self.say(t, "REQUEST", unicast=unicast, ciaddr=self.ip)
            if said == "ACK" and heard:
                return self.bind(heard)
            if said == "NAK":
                return 0
            edge = t2 if unicast else end
            if client == "dhclient":
                wait = min(int(wait * self.world.dice.uniform(1, 2)), max(lease // 12, 3 * NS))
                t = min(t + wait, edge + 1_000_000 if t + wait > edge else t + wait)
            else:
                t = min(t + max((edge - t) // 2, 60 * NS if client == "networkd" else 3 * NS), edge + 1_000_000)
        return 0
