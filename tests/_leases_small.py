"""Short conversations written by hand: one client, one server, as a capture or a log would show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from forensics.analysis.dhcp_leases import findings
from forensics.records import DhcpClientEvent, DhcpMessage, Finding, LogRecord, Packet, Record
from tests._leases_model import BROADCAST, EPOCH, NS, SERVER_IP, SERVER_MAC, History, Plan

MAC, IP = "fa:16:3e:aa:bb:cc", "10.0.0.5"
ALL = "255.255.255.255"


class Talk:
    """Rows as they are said; times are seconds since the start."""

    def __init__(self, lease_s: float | None = 120, point: str = "cap") -> None:
        self.lease_s, self.point = lease_s, point
        self.rows: dict[type[Record], list[dict[str, Any]]] = {}
        self.counts: dict[str, int] = {}
        self.xid = 1000
        self.options: dict[str, float] = {}

    def add(self, record: type[Record], at_s: float, source: str, host: str, row: dict[str, Any]) -> None:
        """One more row of a source."""
        self.counts[source] = position = self.counts.get(source, 0) + 1
        ts = EPOCH + round(at_s * NS)
        place = {"source": source, "host": host, "position": position, "offset_bytes": position, "length_bytes": 1}
        self.rows.setdefault(record, []).append({**row, **place, "ts": ts})

    def ask(self, at_s: float, kind: str, *, to: str = ALL, ciaddr: str = "0.0.0.0", **rest: Any) -> None:
        """What the client sends."""
        self.xid += 1
        self.say(at_s, kind, src=ciaddr, dst=to, ciaddr=ciaddr, eth_src=MAC, **rest)

    def answer(self, at_s: float, kind: str = "ACK", to: str = IP, ciaddr: str = "0.0.0.0") -> None:
        """What the server sends."""
        told = {} if kind == "NAK" else {"yiaddr": IP, "lease_s": self.lease_s, **self.options}
        self.say(at_s, kind, src=SERVER_IP, dst=to, ciaddr=ciaddr, eth_src=SERVER_MAC, server_id=SERVER_IP, **told)

    def say(self, at_s: float, kind: str, **row: Any) -> None:
        """One message at the capture."""
        ids = {"xid": self.xid, "chaddr": MAC, "giaddr": "0.0.0.0", "seen_by": "capture", "message_type": kind}
        empty = {"yiaddr": "0.0.0.0", "options": []}
        self.add(DhcpMessage, at_s, f"{self.point}.pcap", self.point, {**empty, **ids, **row})
        eth = {"eth_src": row["eth_src"], "eth_dst": BROADCAST if row["dst"] == ALL else MAC}
        ports = {"src_port": 68, "dst_port": 67} if row["eth_src"] == MAC else {"src_port": 67, "dst_port": 68}
        self.packet(at_s, {**eth, **ports, "src": row["src"], "dst": row["dst"], "protocol": 17})

    def packet(self, at_s: float, row: dict[str, Any]) -> None:
        """A packet at the capture, numbered as its DHCP message is."""
        last = self.rows.get(DhcpMessage, [])
        same = last and last[-1]["source"] == f"{self.point}.pcap" and row.get("protocol") == 17
        position = last[-1]["position"] if same else None
        fixed = {"wire_bytes": 300, "captured_bytes": 300, "after_gap": False, "decode_status": "ok", "link_type": 1}
        source = f"{self.point}.pcap"
        if position is None:
            self.add(Packet, at_s, source, self.point, {**fixed, **row})
            return
        place = {"source": source, "host": self.point, "position": position, "offset_bytes": 1, "length_bytes": 1}
        self.rows.setdefault(Packet, []).append({**fixed, **row, **place, "ts": EPOCH + round(at_s * NS)})

    def ping(self, at_s: float, turn_s: float, number: int) -> None:
        """The server asks for an echo and gets it."""
        echo = {"protocol": 1, "icmp_code": 0, "icmp_id": 7, "icmp_seq": number}
        there = {"eth_src": SERVER_MAC, "eth_dst": MAC, "src": SERVER_IP, "dst": IP, "icmp_type": 8}
        back = {"eth_src": MAC, "eth_dst": SERVER_MAC, "src": IP, "dst": SERVER_IP, "icmp_type": 0}
        self.packet(at_s, {**echo, **there})
        self.packet(at_s + turn_s, {**echo, **back})

    def boot(self, at_s: float, turn_s: float = 0.001) -> None:
        """DISCOVER to ACK."""
        self.ask(at_s, "DISCOVER")
        self.answer(at_s + turn_s, "OFFER")
        self.xid -= 1
        self.ask(at_s + 0.01, "REQUEST", server_id=SERVER_IP, requested_ip=IP)
        self.answer(at_s + 0.01 + turn_s)

    def renew(self, at_s: float, *, to: str = SERVER_IP, answered: bool = True, turn_s: float = 0.001) -> None:
        """A renewal."""
        self.ask(at_s, "REQUEST", to=to, ciaddr=IP)
        if answered:
            self.answer(at_s + turn_s, ciaddr=IP)

    def log(self, at_s: float, kind: str, source: str = "srv/syslog") -> None:
        """A line of the server's."""
        row = {"seen_by": "server", "message_type": kind, "chaddr": MAC, "interface": "br100"}
        named = {"requested_ip": IP} if kind == "REQUEST" else {"yiaddr": IP}
        self.add(DhcpMessage, float(int(at_s)), source, source.split("/")[0], {**row, **named})

    def event(self, at_s: float, event: str, **rest: Any) -> None:
        """A line of the client's."""
        row = {"event": event, "interface": "eth0", "message": event, **rest}
        self.add(DhcpClientEvent, at_s, "web-3/syslog", "web-3", row)

    def goes_on(self, at_s: float, source: str = "web-3/syslog") -> None:
        """The log has a line of something else."""
        self.add(LogRecord, at_s, source, source.split("/")[0], {"program": "cron", "message": "tick"})

    def findings(self, **replaced: Any) -> list[Finding]:
        """What the analysis makes of it."""
        told = History(Plan(seed=0), rows=self.rows)
        records: Iterable[type[Record]] = (DhcpMessage, DhcpClientEvent, Packet, LogRecord)
        frames = [replaced.get(record.__name__, told.frame(record)).lazy() for record in records]
        return findings(*frames)
