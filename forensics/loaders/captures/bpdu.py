"""Bpdu, from frames to the bridge group addresses (IEEE 802.1D clause 9, 802.1Q clause 14; Cisco's PVST+)."""

from __future__ import annotations

from typing import Any

import polars as pl

from forensics.loaders.captures._block import Block
from forensics.loaders.captures._frames import ETHERNET, FROM_PACKET, SLL, SLL2, bodies
from forensics.records import Bpdu

RECORD = Bpdu
BRIDGES, PROVIDER_BRIDGES, PVST = "01:80:c2:00:00:00", "01:80:c2:00:00:08", "01:00:0c:cc:cc:cd"
_COOKED = pl.col("link_type").is_in((SLL, SLL2)) & pl.col("ip_version").is_null() & pl.col("arp_op").is_null()
WANTS = pl.col("eth_dst").is_in((BRIDGES, PROVIDER_BRIDGES, PVST)) | _COOKED
"""The packets that may hold a BPDU; a cooked capture does not say where a frame was sent to."""

_LLC = bytes((0x42, 0x42, 0x03))
"""Both service access points of the spanning tree, unnumbered information (IEEE 802.2)."""
_SNAP_PVST = bytes((0xAA, 0xAA, 0x03, 0x00, 0x00, 0x0C, 0x01, 0x0B))
"""SNAP header of PVST+: Cisco's organisation code, protocol 0x010b."""
_CONFIG, _RAPID, _TCN = 0x00, 0x02, 0x80
_CONFIG_BYTES = 35
"""A configuration BPDU from protocol id to forward delay."""
_ROLES = ("master", "alternate or backup", "root", "designated")
"""Bits 3 and 4 of the flags of a rapid BPDU, 802.1D-2004 clause 9.2.9."""
_FROM_HEADERS = ("eth_src", "eth_dst", "vlan_ids")


def fields(body: bytes, *, cooked: bool = False) -> dict[str, Any] | None:
    """One BPDU.

    Args:
        body: The frame from its length field on, or from the payload on where it is cooked.
        cooked: Whether the length field is not there.

    Returns:
        Columns of `Bpdu`, null for what the capture cut off; None where it is no BPDU.

    Examples:
        >>> config = "0026424203 0000000000 8000001906eab880 00000000 8000001906eab880 8005 0000 1400 0200 0f00"
        >>> found = fields(bytes.fromhex(config))
        >>> found["kind"], found["root_priority"], found["bridge_mac"], found["port_id"], found["hello_s"]
        ('STP', 32768, '00:19:06:ea:b8:80', 32773, 2.0)
    """
    llc = body if cooked else body[2:]
    pvst = llc.startswith(_SNAP_PVST)
    if not pvst and not llc.startswith(_LLC):
        return None
    data = llc[len(_SNAP_PVST) if pvst else len(_LLC) :]
    if len(data) < 4 or data[:2] != b"\0\0":
        return None
    version, kind = data[2], data[3]
    told: dict[str, Any] = {"kind": _kind(version, kind, pvst), "version": version, "bpdu_type": kind}
    if kind in (_CONFIG, _RAPID):
        flags = data[4] if len(data) > 4 else None
        told |= {
            "topology_change": None if flags is None else bool(flags & 1),
            "port_role": _ROLES[flags >> 2 & 3] if kind == _RAPID and flags is not None else None,
            "root_priority": _number(data[5:7], 2),
            "root_mac": _mac(data[7:13]),
            "root_cost": _number(data[13:17], 4),
            "bridge_priority": _number(data[17:19], 2),
            "bridge_mac": _mac(data[19:25]),
            "port_id": _number(data[25:27], 2),
            "message_age_s": _span(data[27:29]),
            "max_age_s": _span(data[29:31]),
            "hello_s": _span(data[31:33]),
            "forward_delay_s": _span(data[33:35]),
        }
        if pvst:
            told["pvst_vlan"] = _originating(data[_CONFIG_BYTES + (kind == _RAPID) :])
        elif version >= 3:
            told["region"] = _region(data[38:])
    return told


def _kind(version: int, kind: int, pvst: bool) -> str:
    if kind == _TCN:
        return "TCN"
    if kind not in (_CONFIG, _RAPID):
        return "unknown"
    if pvst:
        return "RPVST+" if kind == _RAPID else "PVST+"
    return {0: "STP", 1: "STP", 2: "RSTP", 3: "MSTP", 4: "SPB"}.get(version, "unknown")


def _originating(rest: bytes) -> int | None:
    """The VLAN in the TLV behind a PVST+ BPDU: type 0, length 2; filler of an octet or two may stand before it."""
    for skip in range(3):
        if rest[skip : skip + 4] == b"\0\0\0\x02" and len(rest) >= skip + 6:
            return _number(rest[skip + 4 : skip + 6], 2)
    return None


def _region(rest: bytes) -> str | None:
    """Configuration name, behind the format selector (802.1Q clause 13.8)."""
    name = rest[1:33]
    return name.split(b"\0")[0].decode("utf-8", "backslashreplace") or None if len(name) == 32 else None


def _number(octets: bytes, size: int) -> int | None:
    return int.from_bytes(octets, "big") if len(octets) == size else None


def _span(octets: bytes) -> float | None:
    """Times are in 1/256 s."""
    number = _number(octets, 2)
    return None if number is None else number / 256


def _mac(octets: bytes) -> str | None:
    return octets.hex(":") if len(octets) == 6 else None


def read(block: Block, packets: pl.DataFrame) -> pl.DataFrame:
    """Read the BPDUs among these packets.

    Args:
        block: The packets' octets.
        packets: Rows of Packet out of this block that `WANTS` let pass, all columns.
    """
    cooked = (packets["link_type"] != ETHERNET).to_list()
    found = [fields(body, cooked=one) for body, one in zip(bodies(block, packets), cooked, strict=True)]
    kept = [row for row, told in enumerate(found) if told is not None]
    if not kept:
        return Bpdu.empty()
    schema = Bpdu.polars_schema()
    told = {name for one in found if one for name in one}
    said = pl.DataFrame([found[row] for row in kept], schema={n: k for n, k in schema.items() if n in told})
    own = packets[kept].select(*FROM_PACKET, *_FROM_HEADERS, frame_bytes="wire_bytes")
    rows = pl.concat([own, said], how="horizontal")
    missing = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in rows.columns]
    return rows.with_columns(missing).select(schema.names()).cast(schema)
