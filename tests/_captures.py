"""Writes capture files for tests, octet by octet: no library stands between a test and what it means."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

Packet = tuple[int, bytes] | tuple[int, bytes, int]
"""Nanoseconds since 1970, captured octets, and octets on the wire where that is more."""


def pcap(
    packets: Iterable[Packet],
    *,
    big_endian: bool = False,
    digits: int = 6,
    magic: int | None = None,
    version: tuple[int, int] = (2, 4),
    snap_bytes: int = 262_144,
    link_type: int = 1,
    record_bytes: int = 16,
) -> bytes:
    """A classic capture file.

    ``digits`` is 6 for microseconds and 9 for nanoseconds; ``magic`` overrules the one that follows from it.
    ``record_bytes`` is 24 for the layout of 1999 with the interface and the protocol in each record.
    """
    order = ">" if big_endian else "<"
    if magic is None:
        magic = 0xA1B2CD34 if record_bytes == 24 else 0xA1B23C4D if digits == 9 else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, *version, 0, 0, snap_bytes, link_type)]
    if magic in (0x1C0001AC, 0x1C0001AB):
        parts.append(bytes(4))
    layout = {"big_endian": big_endian, "digits": digits, "record_bytes": record_bytes}
    parts += [pcap_record(packet, **layout) for packet in packets]
    return b"".join(parts)


def pcap_record(packet: Packet, *, big_endian: bool = False, digits: int = 6, record_bytes: int = 16) -> bytes:
    """One record of a classic capture file."""
    ns, data = packet[:2]
    wire = packet[2] if len(packet) > 2 else len(data)
    order = ">" if big_endian else "<"
    seconds, fraction = divmod(ns, 10**9)
    header = struct.pack(order + "IIII", seconds, fraction // 10 ** (9 - digits), len(data), wire)
    return header + bytes(record_bytes - 16) + data


class Pcapng:
    """A pcapng file, block by block."""

    def __init__(self, *, big_endian: bool = False) -> None:
        self.order = ">" if big_endian else "<"
        self.parts: list[bytes] = []

    def block(self, kind: int, body: bytes) -> Pcapng:
        """Any block: type, body padded to four octets, and the length before and after."""
        body += bytes(-len(body) % 4)
        length = struct.pack(self.order + "I", len(body) + 12)
        self.parts.append(struct.pack(self.order + "I", kind) + length + body + length)
        return self

    def options(self, options: Sequence[tuple[int, bytes]]) -> bytes:
        """An option list with its end; nothing where there are none."""
        if not options:
            return b""
        parts = [
            struct.pack(self.order + "HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options
        ]
        return b"".join(parts) + bytes(4)

    def section(self, options: Sequence[tuple[int, bytes]] = (), *, big_endian: bool | None = None) -> Pcapng:
        """Section Header Block; may change the byte order."""
        if big_endian is not None:
            self.order = ">" if big_endian else "<"
        return self.block(0x0A0D0D0A, struct.pack(self.order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + self.options(options))

    def interface(
        self, link_type: int = 1, snap_bytes: int = 262_144, options: Sequence[tuple[int, bytes]] = ()
    ) -> Pcapng:
        """Interface Description Block."""
        return self.block(1, struct.pack(self.order + "HHI", link_type, 0, snap_bytes) + self.options(options))

    def packet(
        self,
        units: int,
        data: bytes,
        wire: int | None = None,
        interface: int = 0,
        options: Sequence[tuple[int, bytes]] = (),
    ) -> Pcapng:
        """Enhanced Packet Block; ``units`` is the stamp in the interface's own resolution."""
        head = struct.pack(
            self.order + "IIIII", interface, units >> 32 & 0xFFFFFFFF, units & 0xFFFFFFFF, len(data), wire or len(data)
        )
        return self.block(6, head + data + bytes(-len(data) % 4) + self.options(options))

    def simple_packet(self, data: bytes, wire: int | None = None) -> Pcapng:
        """Simple Packet Block: no time, first interface."""
        return self.block(3, struct.pack(self.order + "I", wire or len(data)) + data)

    def obsolete_packet(
        self, units: int, data: bytes, wire: int | None = None, interface: int = 0, drops: int = 0xFFFF
    ) -> Pcapng:
        """Packet Block, which Enhanced Packet Blocks have replaced."""
        head = struct.pack(
            self.order + "HHIIII",
            interface, drops, units >> 32 & 0xFFFFFFFF, units & 0xFFFFFFFF, len(data), wire or len(data),
        )  # fmt: skip
        return self.block(2, head + data)

    def statistics(self, units: int, interface: int = 0, options: Sequence[tuple[int, bytes]] = ()) -> Pcapng:
        """Interface Statistics Block."""
        head = struct.pack(self.order + "III", interface, units >> 32 & 0xFFFFFFFF, units & 0xFFFFFFFF)
        return self.block(5, head + self.options(options))

    def custom(self, pen: int, data: bytes = b"", *, kind: int = 0xBAD) -> Pcapng:
        """Custom Block."""
        return self.block(kind, struct.pack(self.order + "I", pen) + data)

    @property
    def octets(self) -> bytes:
        """The whole file."""
        return b"".join(self.parts)
