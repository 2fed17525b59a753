"""DhcpMessage, from the packets to and from the BOOTP ports (RFC 951, 2131, 2132, 3396)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from forensics.loaders.captures._block import Block
from forensics.records import DhcpMessage
from forensics.records.dhcp_message import MESSAGE_TYPES

RECORD = DhcpMessage
SERVER_PORT, CLIENT_PORT = 67, 68
UDP = 17


def _bootp(prefix: str) -> pl.Expr:
    """UDP with a BOOTP port at either end: relays talk from 67 to 67, renewing clients from 68 to 67."""
    ports = (SERVER_PORT, CLIENT_PORT)
    either = pl.col(f"{prefix}src_port").is_in(ports) | pl.col(f"{prefix}dst_port").is_in(ports)
    return (pl.col(f"{prefix}protocol") == UDP) & either


WANTS = _bootp("") | _bootp("inner_")
"""The packets that may hold a DHCP message, outside a tunnel or inside."""

BOOTP_BYTES = 236
"""Fixed part of a BOOTP message (RFC 951); a shorter datagram is none."""
COOKIE = bytes((99, 130, 83, 99))
"""Options follow behind this (RFC 2131 section 3)."""
PAD, END = 0, 255
HOSTNAME, REQUESTED_IP, LEASE, OVERLOAD, MESSAGE_TYPE, SERVER_ID = 12, 50, 51, 52, 53, 54
MESSAGE, RENEWAL, REBINDING, CLIENT_ID = 56, 58, 59, 61
SNAME, FILE, OPTIONS = slice(44, 108), slice(108, 236), slice(240, None)
BROADCAST = 0x8000
MAX_ADDRESS_BYTES = 16
FROM_PACKET = ("ts", "host", "source", "position", "offset_bytes", "length_bytes", "interface")
"""Columns that a message shares with its packet, in a tunnel or not."""
FROM_HEADERS = ("eth_src", "eth_dst", "src", "dst", "vlan_ids")
"""Columns that come from the innermost packet."""


def options(message: bytes) -> list[tuple[int, bytes]]:
    r"""All options of a message, in wire order, with what belongs together joined (RFC 3396).

    Option 52 may say that the fields for the boot file and the server name hold further options; they are read
    in that order. An option whose length leads out of its field ends that field: what stands before it is kept.

    Args:
        message: The BOOTP message from its first octet on; it may be cut short.

    Returns:
        Code and data, once a code, in the order of first occurrence; nothing for BOOTP without options.

    Examples:
        >>> options(bytes(236) + COOKIE + bytes((53, 1, 1, 0, 12, 2)) + b"vm" + bytes((12, 1)) + b"1" + bytes((255,)))
        [(53, b'\x01'), (12, b'vm1')]
    """
    if message[BOOTP_BYTES:240] != COOKIE:
        return []
    found: dict[int, bytes] = {}
    for code, data in _field(message[OPTIONS]):
        found[code] = found.get(code, b"") + data
    overload = found.get(OVERLOAD, b"\0")[:1]
    for bit, field in ((1, FILE), (2, SNAME)):
        if overload and overload[0] & bit and overload[0] <= 3:
            for code, data in _field(message[field]):
                found[code] = found.get(code, b"") + data
    return list(found.items())


def _field(octets: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(octets):
        code = octets[place]
        if code == PAD:
            place += 1
            continue
        if code == END or place + 2 > len(octets) or place + 2 + octets[place + 1] > len(octets):
            return
        yield code, octets[place + 2 : place + 2 + octets[place + 1]]
        place += 2 + octets[place + 1]


def fields(message: bytes) -> dict[str, Any]:
    """The columns of a message that come from the message itself.

    Args:
        message: The BOOTP message from its first octet on. Where it is cut short, what is missing is None.

    Returns:
        Values by column name of `DhcpMessage`.
    """
    found = options(message)
    by_code = dict(found)
    kind = by_code.get(MESSAGE_TYPE, b"")
    word = MESSAGE_TYPES[kind[0] - 1] if len(kind) == 1 and 1 <= kind[0] <= len(MESSAGE_TYPES) else None
    return {
        "message_type": word,
        "xid": _number(message[4:8]),
        "chaddr": _hardware(message),
        "ciaddr": _ip(message[12:16]),
        "yiaddr": _ip(message[16:20]),
        "siaddr": _ip(message[20:24]),
        "giaddr": _ip(message[24:28]),
        "broadcast_flag": bool(message[10] & BROADCAST >> 8) if len(message) >= 12 else None,
        "requested_ip": _ip(by_code.get(REQUESTED_IP)),
        "server_id": _ip(by_code.get(SERVER_ID)),
        "lease_s": _span(by_code.get(LEASE)),
        "renewal_s": _span(by_code.get(RENEWAL)),
        "rebinding_s": _span(by_code.get(REBINDING)),
        "client_id": by_code[CLIENT_ID].hex() if CLIENT_ID in by_code else None,
        "hostname": _text(by_code.get(HOSTNAME)),
        "refusal": _text(by_code.get(MESSAGE)) if word == "NAK" else None,
        "options": [{"code": code, "data": data} for code, data in found] if len(message) >= BOOTP_BYTES else None,
    }


def _number(octets: bytes) -> int | None:
    return struct.unpack(">I", octets)[0] if len(octets) == 4 else None


def _span(octets: bytes | None) -> float | None:
    number = None if octets is None else _number(octets)
    return None if number is None else float(number)


def _ip(octets: bytes | None) -> str | None:
    return "{}.{}.{}.{}".format(*octets) if octets is not None and len(octets) == 4 else None


def _hardware(message: bytes) -> str | None:
    """Client hardware address, as many octets as the message says that it has."""
    size = message[2] if len(message) > 2 else 0
    if not 0 < size <= MAX_ADDRESS_BYTES or len(message) < 28 + size:
        return None
    return message[28 : 28 + size].hex(":")


def _text(octets: bytes | None) -> str | None:
    """Text of an option; some senders end it with NUL (RFC 2132 section 2), and what is no UTF-8 stays visible."""
    return None if octets is None else octets.rstrip(b"\0").decode("utf-8", "backslashreplace")


def read(block: Block, packets: pl.DataFrame) -> pl.DataFrame:
    """Read the DHCP messages that these packets hold.

    Args:
        block: The packets' octets.
        packets: Rows of Packet out of this block that `WANTS` let pass, all columns.

    Returns:
        DhcpMessage, a row per message, in the order of the packets. A datagram that is too short for BOOTP, or
        whose operation is neither request nor reply, is none. What a capture cut off is null.
    """
    in_tunnel = packets.select(~_bootp("").fill_null(False)).to_series()
    rows = np.searchsorted(block.record_offset, packets["offset_bytes"].to_numpy())
    ends = (block.start[rows] + block.captured[rows]).tolist()
    said: list[dict[str, Any]] = []
    kept: list[int] = []
    places = packets.select(
        place=pl.when(in_tunnel).then("inner_payload_offset_bytes").otherwise("payload_offset_bytes"),
        size=pl.when(in_tunnel).then("inner_payload_bytes").otherwise("payload_bytes"),
    )
    for row, ((place, size), end) in enumerate(zip(places.iter_rows(), ends, strict=True)):
        if place is None or size is None or size < BOOTP_BYTES:
            continue
        low = place - block.base_offset
        message = block.buffer[low : min(low + size, end)].tobytes()
        if message and message[0] not in (1, 2):  # BOOTREQUEST, BOOTREPLY
            continue
        said.append(fields(message))
        kept.append(row)
    schema = DhcpMessage.polars_schema()
    if not kept:
        return DhcpMessage.empty()
    mine = packets[kept].with_columns(tunnelled=in_tunnel.gather(kept))
    header = [pl.when("tunnelled").then(f"inner_{name}").otherwise(name).alias(name) for name in FROM_HEADERS]
    messages = pl.DataFrame(said, schema={name: schema[name] for name in said[0]})
    told = mine.select(*FROM_PACKET, *header, seen_by=pl.lit("capture"))
    return pl.concat([told, messages], how="horizontal").select(schema.names()).cast(schema)
