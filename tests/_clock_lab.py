"""A made-up cloud whose clocks are known at every instant: what its captures and logs would hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import polars as pl

from forensics.analysis._correlate import on_one_clock
from forensics.analysis.clock_alignment import SHARED, clocks
from forensics.records import (
    ApiRequest,
    BrokerEvent,
    ConsoleRequest,
    DhcpMessage,
    Instance,
    InstanceEvent,
    LogRecord,
    Notification,
    Packet,
    Record,
    Source,
)

NS = 1_000_000_000
EPOCH = 1_400_000_000 * NS
ZONES = [quarter * 900 for quarter in (-48, -28, -24, -14, -12, 0, 0, 4, 8, 22, 23, 32, 38, 51)]
"""Seconds east of UTC: whole hours, halves and quarters."""


@dataclass
class Clock:
    """A clock: an offset, a drift, and instants at which it was set by so much."""

    offset: int
    drift_ppm: float
    steps: list[tuple[int, int]] = field(default_factory=list)

    def offset_at(self, t: int) -> int:
        """Nanoseconds ahead of the truth."""
        return self.offset + round((t - EPOCH) * self.drift_ppm * 1e-6) + sum(by for at, by in self.steps if t >= at)

    def reads(self, t: int) -> int:
        """What it shows."""
        return t + self.offset_at(t)


class Lab:
    """One made-up cloud, by a seed."""

    def __init__(self, seed: int, *, stepping: str | None = None, step_s: float = 0.0, summer: bool = False) -> None:
        self.dice = Random(seed)
        self.span = round(self.dice.choice((600, 3600, 7200, 28_800)) * NS)
        self.clocks: dict[str, Clock] = {}
        self.zones: dict[str, int] = {}
        self.summer_at: int | None = EPOCH + self.span // 2 if summer else None
        self.rows: dict[type[Record], list[dict[str, Any]]] = {}
        self.hosts_of: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.instants: dict[tuple[str, int], int] = {}
        for host in ("ctl", "cc1", "cc2", "mq", "logs"):
            kind = self.dice.choice(("near", "off", "off", "far"))
            reach = {"near": 0.02, "off": 40.0, "far": 200.0}[kind]
            drift = self.dice.choice((0.0, self.dice.uniform(-100, 100), self.dice.uniform(-20, 20)))
            self.clocks[host] = Clock(round(self.dice.uniform(-reach, reach) * NS), drift)
        if stepping:
            at = EPOCH + round(self.span * self.dice.uniform(0.3, 0.7))
            self.clocks[stepping].steps.append((at, round(step_s * NS)))
        self.zone = self.dice.choice(ZONES)

    def stamp(self, source: str, host: str, t: int, *, log: bool, whole: bool) -> int:
        """What a source has of an instant: by its host's clock, in its zone, cut to what it prints."""
        read = self.clocks[host].reads(t)
        if log:
            summer = 3600 if self.summer_at is not None and t >= self.summer_at else 0
            read += (self.zones.setdefault(source, self.zone) + (summer if self.zones[source] else 0)) * NS
        self.hosts_of[source] = host
        return read // NS * NS if whole else (read // 1_000_000 * 1_000_000 if log else read // 1000 * 1000)

    def put(
        self, record: type[Record], source: str, host: str, t: int, *, log: bool = True, whole: bool = True,
        said_by: str | None = None, **columns: Any,
    ) -> None:  # fmt: skip
        """Add a row; a line of one host may be kept by another's log, with its stamp."""
        at = self.stamp(source, said_by or host, t, log=log, whole=whole)
        self.counts[source] = self.counts.get(source, 0) + 1
        self.instants[source, self.counts[source]] = t
        row = {"source": source, "host": host if log else source.removesuffix(".pcap"), "ts": at,
               "position": self.counts[source], "offset_bytes": self.counts[source] * 100,
               "length_bytes": 100}  # fmt: skip
        self.rows.setdefault(record, []).append({**row, **columns})

    def times(self, count: int) -> list[int]:
        """Instants, in order."""
        return sorted(EPOCH + round(self.dice.uniform(0.02, 0.98) * self.span) for _ in range(count))

    def line(self, source: str, host: str, t: int, message: str, *, whole: bool = True, **columns: Any) -> None:
        """A line of a log."""
        self.put(LogRecord, source, host, t, whole=whole, message=message, framing="oslo", n_lines=1,
                 year_basis="stated", zone_basis="assumed", **columns)  # fmt: skip

    def traffic(self, one: str, other: str, count: int) -> None:
        """Packets between two capture points, with queues that differ by direction, and some that are lost."""
        base, slow = self.dice.randrange(20_000, 2_000_000), self.dice.choice((1.0, 4.0))
        for n, t in enumerate(self.times(count)):
            away = n % 2 == 0
            wait = base + round(self.dice.expovariate(1 / 300_000) * (slow if away else 1))
            packet = {"src": "10.0.0.1", "dst": "10.0.0.2", "protocol": 6, "ip_id": n % 65536, "src_port": 5000,
                      "dst_port": 80, "tcp_seq": n * 1400, "tcp_ack": 1, "payload_bytes": 1400}  # fmt: skip
            if not away:
                packet |= {"src": "10.0.0.2", "dst": "10.0.0.1", "src_port": 80, "dst_port": 5000}
            sides = (one, other) if away else (other, one)
            self.packet(sides[0], t, packet)
            if self.dice.random() < 0.95:
                self.packet(sides[1], t + wait, packet)

    def packet(self, host: str, t: int, columns: dict[str, Any]) -> None:
        """A packet at a capture point."""
        base = {"interface_id": 0, "link_type": 1, "wire_bytes": 1500, "captured_bytes": 1500, "after_gap": False,
                "decode_status": "ok", "eth_src": "02:00:00:00:00:01", "eth_dst": "02:00:00:00:00:02"}  # fmt: skip
        self.put(Packet, f"{host}/eth0.pcap", host, t, log=False, whole=False, **base, **columns)

    def leases(
        self, server: str, count: int, *, named: bool, period_s: float | None = None, point: str | None = None
    ) -> None:
        """DHCP exchanges at the server's capture and in its log; every so many seconds, or when they come."""
        source, clients = f"{server}/syslog", 1 if period_s else 3
        for n, t in enumerate(self.times(count)):
            if period_s:
                t = EPOCH + NS + round(n * period_s * NS + self.dice.uniform(0, 0.002) * NS)
            mac = f"fa:16:3e:00:00:{n % clients:02x}"
            for kind, after in (("REQUEST", 0), ("ACK", self.dice.randrange(300_000, 3_000_000))):
                wire = {"message_type": kind, "chaddr": mac, "xid": 1000 + n}
                where = point or server
                self.put(DhcpMessage, f"{where}/eth0.pcap", where, t + after, log=False, whole=False,
                         seen_by="capture", **wire)  # fmt: skip
                line = {"message_type": kind, "chaddr": mac, "xid": 1000 + n if named else None}
                gap = self.dice.randrange(50_000, 5_000_000) * (1 if kind == "REQUEST" else -1)
                gap = max(gap, -after // 2) if after else gap
                self.put(DhcpMessage, source, server, t + after + gap, seen_by="server", **line)

    def copies(self, sender: str, keeper: str, count: int, *, restamped: bool, whole: bool) -> None:
        """Lines in a host's own log and in the log server's, with the sender's stamp or with one of its own."""
        own, far = f"{sender}/messages", f"{keeper}/{sender}.log"
        for n, t in enumerate(self.times(count)):
            self.line(own, sender, t, f"line number {n} says something", whole=whole, pid=n)
            later = t + self.dice.randrange(1_000_000, 300_000_000) if restamped else t
            self.line(far, sender, later, f"line number {n} says something", whole=whole, pid=n,
                      **({"said_by": keeper} if restamped else {}))  # fmt: skip

    def consoles(self, api: str, host: str, count: int) -> None:
        """Requests that the API waits for."""
        for n, t in enumerate(self.times(count)):
            took = self.dice.randrange(50_000_000, 900_000_000)
            self.request(api, t, took, f"req-sync-{host}-{n}")
            told = {"request_id": f"req-sync-{host}-{n}"}
            at = t + round(took * self.dice.uniform(0.1, 0.8))
            self.line(f"{host}/compute.log", host, at, "Get console output", **told)
            self.put(ConsoleRequest, f"{host}/compute.log", host, at, stage="compute", **told)

    def boots(self, api: str, host: str, count: int) -> None:
        """Requests that the API hands on; notifications and the database tell of them in UTC."""
        for n, t in enumerate(self.times(count)):
            name = f"req-boot-{host}-{n}"
            self.request(api, t, self.dice.randrange(80_000_000, 400_000_000), name)
            began = t + round(self.dice.uniform(0.3, 6.0) * NS)
            done = began + round(self.dice.uniform(2, 40) * NS)
            uuid = f"00000000-0000-0000-0000-{n:012d}"
            for at, text in ((began, "Starting instance"), (done, "Instance spawned successfully.")):
                self.line(f"{host}/compute.log", host, at, text, request_id=name, instance=uuid)
            self.put(InstanceEvent, f"{host}/compute.log", host, done, event="spawned", instance=uuid, request_id=name)
            sent = self.clocks[host].reads(done + 200_000_000)
            common = {"position": n + 1, "offset_bytes": n, "length_bytes": 1}
            self.rows.setdefault(Notification, []).append(
                {"source": "ctl/notifications.json", "host": host, "ts": sent, "request_id": name,
                 "event_type": "compute.instance.create.end", "versioned": False, **common}
            )  # fmt: skip
            self.rows.setdefault(Instance, []).append(
                {"source": "ctl/nova.sql", "compute_host": host, "instance": uuid, "launched_at": sent // NS * NS,
                 "ts_basis": "none", **common}
            )  # fmt: skip

    def request(self, api: str, t: int, took: int, name: str) -> None:
        """A request at an API."""
        source = f"{api}/api.log"
        at = self.stamp(source, api, t + took, log=True, whole=True)
        self.put(ApiRequest, source, api, t + took, service="nova-osapi_compute", request_id=name, duration_s=took / NS,
                 started_at=at - took, stamped="end", malformed=False, written_by="eventlet")  # fmt: skip
        self.line(source, api, t + took, f"200 len 12 {name}", request_id=name)

    def connections(self, broker: str, count: int) -> None:
        """Connections to a broker: in a capture and in its log."""
        for n, t in enumerate(self.times(count)):
            port, ms = 30_000 + n, 1_000_000
            flow = {"protocol": 6, "ip_id": 9000 + n}
            there = {"src": "10.9.0.1", "dst": "10.9.0.2", "src_port": port, "dst_port": 5672}
            back = {"src": "10.9.0.2", "dst": "10.9.0.1", "src_port": 5672, "dst_port": port}
            self.packet(broker, t, {**flow, **there, "tcp_flags": 2, "payload_bytes": 0})
            self.packet(broker, t + ms, {**flow, **back, "tcp_flags": 18, "payload_bytes": 0})
            self.packet(broker, t + 9 * ms, {**flow, **back, "tcp_flags": 24, "payload_bytes": 300})
            self.put(BrokerEvent, f"{broker}/rabbit.log", broker, t + self.dice.randrange(2 * ms, 8 * ms),
                     whole=False, kind="conn_open", src="10.9.0.1", src_port=port, dst="10.9.0.2",
                     dst_port=5672)  # fmt: skip
            self.line(f"{broker}/rabbit.log", broker, t + 3 * ms, f"accepting AMQP connection {port}", whole=False)

    def frame(self, record: type[Record]) -> pl.DataFrame:
        """All rows of a record."""
        schema = record.polars_schema()
        return pl.DataFrame(self.rows.get(record, []), schema={
            name: pl.Int64 if isinstance(kind, pl.Datetime) else kind for name, kind in schema.items()
        }).cast(dict(schema))  # type: ignore[arg-type]  # fmt: skip

    def sources(self, *, known: tuple[str, ...] = ()) -> pl.DataFrame:
        """One row per source; zones are assumed, but those that are known."""
        rows = [
            {"source": source, "host": host, "status": "read", "rows": 1, "rejects": 0, "gaps": 0, "size_bytes": 1,
             "zone": None if "pcap" in source else "UTC",
             "zone_basis": "utc-by-definition" if "pcap" in source or source in known else "assumed"}
            for source, host in sorted(self.hosts_of.items())
        ]  # fmt: skip
        return pl.DataFrame(rows, schema=Source.polars_schema())

    def clock_rows(self, *, known: tuple[str, ...] = ()) -> pl.DataFrame:
        """What is concluded of its clocks."""
        others = {record: self.frame(record).lazy() for record in SHARED}
        return clocks(self.frame(DhcpMessage), self.frame(Packet), self.sources(known=known), others)

    def errors(self, rows: pl.DataFrame) -> list[tuple[str, float, float, str]]:
        """Of each source that is tied: how far the worst of its rows is outside its bound, and that bound, in s."""
        found = []
        told = rows.drop_nulls("reference")
        for record in (Packet, LogRecord, DhcpMessage):
            own = self.frame(record).lazy().filter(pl.col("source").is_in(told["source"].implode()))
            for (source,), part in on_one_clock(own, rows.lazy()).collect().group_by("source", maintain_order=True):
                reference = part["reference"][0]
                if source == reference:
                    continue
                worst, wide = -1e9, 0.0
                for off, bound, position in part.select("off", "bound", "position").iter_rows():
                    t = self.instants[str(source), position]
                    true = self.true_s(str(source), t) - self.true_s(reference, t)
                    worst, wide = max(worst, abs(off / NS - true) - bound / NS), max(wide, bound / NS)
                basis = rows.row(by_predicate=pl.col("source") == source, named=True)["basis"]
                found.append((str(source), worst, wide, basis))
        return found

    def true_s(self, source: str, t: int) -> float:
        """How far its stamps are ahead of UTC, the zone included."""
        host = self.hosts_of[source]
        summer = 3600 if self.summer_at is not None and t >= self.summer_at and self.zones.get(source) else 0
        return self.clocks[host].offset_at(t) / NS + self.zones.get(source, 0) + summer
