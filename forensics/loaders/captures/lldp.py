"""LldpNeighbour, from frames of ethertype 0x88cc (IEEE 802.1AB-2016)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import polars as pl

from forensics.loaders.captures._block import Block
from forensics.loaders.captures._frames import ETHERNET, FROM_PACKET, bodies
from forensics.records import LldpNeighbour

RECORD = LldpNeighbour
ETHERTYPE = 0x88CC
WANTS = pl.col("ethertype") == ETHERTYPE
"""The packets that hold an announcement."""

_END, _CHASSIS, _PORT, _TTL, _PORT_TEXT, _NAME, _TEXT, _CAPABILITIES, _MANAGEMENT, _OWN = 0, 1, 2, 3, 4, 5, 6, 7, 8, 127
_MAC_SUBTYPES, _IP_SUBTYPES = {_CHASSIS: 4, _PORT: 3}, {_CHASSIS: 5, _PORT: 4}
"""How ids are written, tables 8-2 and 8-3; what is neither is text."""
_NAMES = ("other", "repeater", "bridge", "wlan", "router", "telephone", "docsis", "station", "c-vlan", "s-vlan", "tpmr")
_OUI_8021, _OUI_8023 = b"\x00\x80\xc2", b"\x00\x12\x0f"
_PORT_VLAN, _LARGEST_FRAME = 1, 4


def tlvs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each element; one that leads beyond the end is the last, and left out."""
    at = 0
    while at + 2 <= len(data):
        head = int.from_bytes(data[at : at + 2], "big")
        kind, size = head >> 9, head & 0x1FF
        value = data[at + 2 : at + 2 + size]
        if kind == _END or len(value) < size:
            return
        yield kind, value
        at += 2 + size


def fields(data: bytes) -> dict[str, Any]:
    """One announcement, from behind the ethertype on.

    Examples:
        >>> data = "0207 04 000130f9ada0 0404 05 312f31 0602 0078 0a05 5357 2d31 20 0000"
        >>> found = fields(bytes.fromhex(data))
        >>> found["chassis_id"], found["port_id"], found["ttl_s"], found["system_name"]
        ('00:01:30:f9:ad:a0', '1/1', 120.0, 'SW-1 ')
    """
    told: dict[str, Any] = {"capabilities": None}
    for kind, value in tlvs(data):
        if kind == _CHASSIS:
            told["chassis_id"] = _id(kind, value)
        elif kind == _PORT:
            told["port_id"] = _id(kind, value)
        elif kind == _TTL and len(value) >= 2:
            told["ttl_s"] = float(int.from_bytes(value[:2], "big"))
        elif kind in (_PORT_TEXT, _NAME, _TEXT):
            name = {_PORT_TEXT: "port_description", _NAME: "system_name", _TEXT: "system_description"}[kind]
            told[name] = _text(value)
        elif kind == _CAPABILITIES and len(value) >= 4:
            enabled = int.from_bytes(value[2:4], "big")
            told["capabilities"] = [name for bit, name in enumerate(_NAMES) if enabled >> bit & 1]
        elif kind == _MANAGEMENT and len(value) > 2:
            address = _address(value[1], value[2 : 1 + value[0]])
            told["management_ip"] = told.get("management_ip") or address
        elif kind == _OWN and value[:4] == _OUI_8021 + bytes((_PORT_VLAN,)) and len(value) >= 6:
            told["vlan_id"] = int.from_bytes(value[4:6], "big")
        elif kind == _OWN and value[:4] == _OUI_8023 + bytes((_LARGEST_FRAME,)) and len(value) >= 6:
            told["mtu_bytes"] = int.from_bytes(value[4:6], "big")
    return told


def _id(kind: int, value: bytes) -> str | None:
    subtype, data = value[:1], value[1:]
    if not subtype:
        return None
    if subtype[0] == _MAC_SUBTYPES[kind] and len(data) == 6:
        return data.hex(":")
    if subtype[0] == _IP_SUBTYPES[kind] and data:
        return _address(data[0], data[1:]) or data.hex(":")
    return _text(data)


def _address(family: int, data: bytes) -> str | None:
    """An address of IANA's address family 1 or 2."""
    if (family, len(data)) in ((1, 4), (2, 16)):
        return str(ipaddress.ip_address(data))
    return None


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "backslashreplace")


def read(block: Block, packets: pl.DataFrame) -> pl.DataFrame:
    """Read the announcements among these packets.

    Args:
        block: The packets' octets.
        packets: Rows of Packet out of this block that `WANTS` let pass, all columns.
    """
    cooked = (packets["link_type"] != ETHERNET).to_list()
    found = [fields(body if one else body[2:]) for body, one in zip(bodies(block, packets), cooked, strict=True)]
    schema = LldpNeighbour.polars_schema()
    told = {name for one in found for name in one}
    said = pl.DataFrame(found, schema={name: kind for name, kind in schema.items() if name in told})
    rows = pl.concat([packets.select(*FROM_PACKET, mac="eth_src"), said], how="horizontal")
    missing = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in rows.columns]
    return rows.with_columns(missing).select(schema.names()).cast(schema)
