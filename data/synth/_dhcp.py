"""DHCP: messages octet by octet, and how dnsmasq, dhclient, udhcpc and networkd tell of them through syslog."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterable
from typing import NamedTuple

from data.synth._cloud import SECOND, Clock
from data.synth._frames import mac_octets

NOBODY, ALL = "0.0.0.0", "255.255.255.255"
TYPES = ("DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM")
BY_SERVER = ("OFFER", "ACK", "NAK")
INFINITE = 0xFFFFFFFF
FRAMINGS = ("traditional", "traditional", "traditional", "rfc3339", "journal")


class Said(NamedTuple):
    """A DHCP message."""

    kind: str
    xid: int
    mac: str
    ciaddr: str = NOBODY
    yiaddr: str = NOBODY
    requested: str | None = None
    server: str | None = None
    lease_s: int | None = None
    hostname: str | None = None
    secs: int = 0
    giaddr: str = NOBODY

    def octets(self) -> bytes:
        """The message as it lies in its datagram: 300 octets at least, as BOOTP wants them."""
        answer = self.kind in BY_SERVER
        siaddr = self.server or NOBODY if answer and self.kind != "NAK" else NOBODY
        addresses = b"".join(map(socket.inet_aton, (self.ciaddr, self.yiaddr, siaddr, self.giaddr)))
        head = struct.pack(">BBBBIHH", 2 if answer else 1, 1, 6, 0, self.xid, self.secs, 0) + addresses
        head += mac_octets(self.mac) + bytes(10 + 64 + 128) + b"\x63\x82\x53\x63"
        options = [(53, bytes([TYPES.index(self.kind) + 1]))]
        options += [(54, socket.inet_aton(self.server))] if self.server else []
        options += [(50, socket.inet_aton(self.requested))] if self.requested else []
        if self.lease_s is not None:
            spans = (self.lease_s,) * 3 if self.lease_s == INFINITE else (
                self.lease_s, self.lease_s // 2, self.lease_s * 7 // 8)  # fmt: skip
            options += [(code, struct.pack(">I", span)) for code, span in zip((51, 58, 59), spans, strict=True)]
            net, gateway = self.yiaddr.rpartition(".")[0], socket.inet_aton(self.server or NOBODY)
            options += [(1, b"\xff\xff\xff\0"), (28, socket.inet_aton(f"{net}.255")), (3, gateway), (6, gateway)]
        elif not answer:
            options += [(12, self.hostname.encode())] if self.hostname else []
            options += [(55, b"\x01\x1c\x03\x06")]
        told = b"".join(bytes([code, len(value)]) + value for code, value in options) + b"\xff"
        return (head + told).ljust(300, b"\0")


class Line(NamedTuple):
    """What a program said."""

    at: int
    program: str
    text: str


def dnsmasq(said: Said, interface: str, hostname: str, refusal: str = "", xid: bool = False) -> str:
    """A message as dnsmasq logs it, whoever sent it; with log-dhcp its xid stands first."""
    given = said.yiaddr if said.kind in ("OFFER", "ACK") else said.requested or said.ciaddr
    address = f"{given} " if given != NOBODY else ""
    tail = hostname if said.kind == "ACK" else refusal
    return f"{f'{said.xid} ' if xid else ''}DHCP{said.kind}({interface}) {address}{said.mac} {tail}"


def dhclient(said: Said, interface: str, dst: str, interval_s: int, xid: bool = False) -> str:
    """A message as Debian's dhclient logs it."""
    told = f" (xid=0x{said.xid:x})" if xid else ""
    if said.kind in BY_SERVER:
        of = f" of {said.yiaddr}" if said.kind != "NAK" else ""
        return f"DHCP{said.kind}{of} from {said.server}{told}"
    if said.kind == "DISCOVER":
        return f"DHCPDISCOVER on {interface} to {dst} port 67 interval {interval_s}{told}"
    held = said.ciaddr if said.ciaddr != NOBODY else said.requested
    return f"DHCP{said.kind} {'for' if said.kind == 'REQUEST' else 'of'} {held} on {interface} to {dst} port 67{told}"


def udhcpc(said: Said, dst: str) -> str:
    """A message as busybox's udhcpc logs it, 1.30 and later."""
    if said.kind in ("OFFER", "NAK"):
        return "" if said.kind == "OFFER" else "received DHCP NAK"
    if said.kind == "ACK":
        return f"lease of {said.yiaddr} obtained from {said.server}, lease time {said.lease_s}"
    if said.kind == "REQUEST" and said.ciaddr != NOBODY:
        return f"sending renew to server {dst}" if dst != ALL else "broadcasting renew"
    if said.kind == "REQUEST":
        return f"broadcasting select for {said.requested}, server {said.server}" if said.server else ""
    return "broadcasting discover" if said.kind == "DISCOVER" else ""


def started(client: str, interface: str, mac: str) -> list[str]:
    """What a client says first."""
    if client == "dhclient":
        version, until = (("4.1-ESV-R4", 2011), ("4.2.4", 2012), ("4.4.3-P1", 2022))[int(mac[-2:], 16) % 3]
        return [f"Internet Systems Consortium DHCP Client {version}",
                f"Copyright 2004-{until} Internet Systems Consortium.", "All rights reserved.",
                "For info, please visit https://www.isc.org/software/dhcp/", "",
                f"Listening on LPF/{interface}/{mac}", f"Sending on   LPF/{interface}/{mac}",
                "Sending on   Socket/fallback"]  # fmt: skip
    return ["started, v1.30.1"] if client == "udhcpc" else []


def framed(lines: Iterable[Line], host: str, clock: Clock, framing: str, pids: dict[str, int]) -> str:
    """A log of a host: syslog's two file formats, or journalctl -o json."""
    told = []
    for number, (at, program, text) in enumerate(sorted(lines, key=lambda line: line.at)):
        now, pid = clock.local(at), pids.get(program)
        if framing == "journal":
            entry = {
                "__CURSOR": f"s=0;i={number:x}", "__REALTIME_TIMESTAMP": str(clock.reads(at) // 1000),
                "__MONOTONIC_TIMESTAMP": str(3600 * 10**6 + at // 1000 % 10**9), "_BOOT_ID": "0" * 31 + "1",
                "PRIORITY": "6", "SYSLOG_IDENTIFIER": program, "_HOSTNAME": host, "MESSAGE": text,
            }  # fmt: skip
            told.append(json.dumps(entry | ({"_PID": str(pid), "SYSLOG_PID": str(pid)} if pid else {})))
            continue
        stamp = f"{now:%b} {now.day:2d} {now:%H:%M:%S}"
        if framing == "rfc3339":
            stamp = now.isoformat(timespec="microseconds")
        tag = f"{program}[{pid}]" if pid else program
        told.append(f"{stamp} {host.split('.')[0]} {tag}: {text}")
    return "".join(f"{line}\n" for line in told)


def stamped(at: int, clock: Clock, framing: str) -> int:
    """The true instant that a line's stamp tells, once the clock's offset is taken out."""
    step = SECOND if framing == "traditional" else 1000
    return at - clock.reads(at) % step
