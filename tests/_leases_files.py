"""A history as the files that an operator would hand over: captures in pcap, logs as rsyslog writes them."""

import socket
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forensics.records import DhcpClientEvent, DhcpMessage, LogRecord, Packet
from forensics.records.dhcp_message import MESSAGE_TYPES
from tests._leases_model import History

NOBODY = "0.0.0.0"


def write(history: History, folder: Path) -> None:
    """Write every source of a history below a folder."""
    packets = history.rows.get(Packet, [])
    told = {
        (row["source"], row["position"]): row
        for row in history.rows.get(DhcpMessage, [])
        if row["seen_by"] == "capture"
    }
    for source in sorted({row["source"] for row in packets}):
        rows = sorted((row for row in packets if row["source"] == source), key=lambda row: row["position"])
        target = folder / source
        target.parent.mkdir(parents=True, exist_ok=True)
        head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        target.write_bytes(head + b"".join(_record(row, told.get((source, row["position"]))) for row in rows))
    lines: dict[str, list[tuple[int, str]]] = {}
    for record in (DhcpMessage, DhcpClientEvent, LogRecord):
        for row in history.rows.get(record, []):
            if row.get("seen_by") != "capture":
                lines.setdefault(row["source"], []).append((row["position"], _line(row)))
    for source, texts in lines.items():
        target = folder / source
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(f"{text}\n" for _, text in sorted(texts)))


def _record(row: dict[str, Any], dhcp: dict[str, Any] | None) -> bytes:
    frame = _frame(row, dhcp)
    whole, rest = divmod(row["ts"], 10**9)
    return struct.pack("<IIII", whole, rest // 1000, len(frame), len(frame)) + frame


def _frame(row: dict[str, Any], dhcp: dict[str, Any] | None) -> bytes:
    ethernet = _mac(row["eth_dst"]) + _mac(row["eth_src"]) + struct.pack(">H", row["ethertype"])
    if row.get("arp_op"):
        sender = _mac(row["arp_sender_mac"]) + socket.inet_aton(row["arp_sender_ip"])
        return (
            ethernet
            + struct.pack(">HHBBH", 1, 0x800, 6, 4, row["arp_op"])
            + sender
            + bytes(6)
            + socket.inet_aton(row["arp_target_ip"])
        )
    if row["protocol"] == 17:
        payload = _dhcp(dhcp) if dhcp else bytes(row["payload_bytes"])
        layer = struct.pack(">HHHH", row["src_port"], row["dst_port"], 8 + len(payload), 0) + payload
    elif row["protocol"] == 1:
        layer = struct.pack(">BBHHH", row["icmp_type"], 0, 0, row["icmp_id"], row["icmp_seq"]) + bytes(
            row["payload_bytes"]
        )
    else:
        ports = struct.pack(
            ">HHIIBBHHH",
            row["src_port"],
            row["dst_port"],
            row["tcp_seq"],
            row["tcp_ack"],
            80,
            row["tcp_flags"],
            502,
            0,
            0,
        )
        layer = ports + bytes(row["payload_bytes"])
    addresses = socket.inet_aton(row["src"]) + socket.inet_aton(row["dst"])
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(layer), row["ip_id"], 0, row["ttl"], row["protocol"], 0)
    return ethernet + header + addresses + layer


def _dhcp(row: dict[str, Any]) -> bytes:
    def ip(name: str) -> bytes:
        return socket.inet_aton(row.get(name) or NOBODY)

    asks = row["message_type"] in ("DISCOVER", "REQUEST", "RELEASE", "DECLINE", "INFORM")
    fixed = struct.pack(">BBBBIHH", 1 if asks else 2, 1, 6, 0, row["xid"], 0, 0)
    fixed += ip("ciaddr") + ip("yiaddr") + ip("siaddr") + ip("giaddr") + _mac(row["chaddr"]) + bytes(10 + 64 + 128)
    options = bytes([53, 1, MESSAGE_TYPES.index(row["message_type"]) + 1])
    for code, name in ((50, "requested_ip"), (54, "server_id")):
        if row.get(name):
            options += bytes([code, 4]) + socket.inet_aton(row[name])
    for code, name in ((51, "lease_s"), (58, "renewal_s"), (59, "rebinding_s")):
        if row.get(name):
            options += bytes([code, 4]) + struct.pack(">I", int(row[name]))
    return fixed + b"\x63\x82\x53\x63" + options + b"\xff"


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _line(row: dict[str, Any]) -> str:
    stamp = datetime.fromtimestamp(row["ts"] // 10**9, UTC)
    return f"{stamp:%b} {stamp.day:2d} {stamp:%H:%M:%S} {row['host']} {_text(row)}"


def _text(row: dict[str, Any]) -> str:
    if "event" in row:
        return f"dhclient[812]: {_event(row)}"
    if "seen_by" not in row:
        return f"cron[9]: {row['message']}"
    kind = f"DHCP{row['message_type']}"
    if row["seen_by"] == "server":
        address = row.get("yiaddr") or row.get("requested_ip") or ""
        parts = [address, row["chaddr"], row.get("refusal") or ""]
        return f"dnsmasq-dhcp[37]: {kind}(br100) " + " ".join(part for part in parts if part) + " "
    xid = f" (xid=0x{row['xid']:x})" if row.get("xid") else ""
    if row["message_type"] in ("DISCOVER", "REQUEST", "RELEASE", "INFORM"):
        of = f" for {row['requested_ip']}" if row.get("requested_ip") and row["message_type"] != "DISCOVER" else ""
        every = " interval 6" if row["message_type"] == "DISCOVER" else ""
        return f"dhclient[812]: {kind}{of} on eth0 to {row['dst']} port 67{every}{xid}"
    of = f" of {row['yiaddr']}" if row["message_type"] != "NAK" else ""
    return f"dhclient[812]: {kind}{of} from {row['server_id']}{xid}"


def _event(row: dict[str, Any]) -> str:
    return {
        "started": f"Listening on LPF/eth0/{row.get('mac')}",
        "bound": f"bound to {row.get('ip')} -- renewal in {round(row.get('renewal_s') or 0)} seconds.",
        "no_offers": "No DHCPOFFERS received.",
        "exited": "Unable to obtain a lease on first try.  Exiting.",
        "expired": "Trying recorded lease 10.0.0.5",
    }[row["event"]]
