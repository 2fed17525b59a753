"""LldpNeighbour: what one announcement says, cut at every length, and strangers' captures."""

import io

import polars as pl

from forensics import scan_records
from forensics.loaders.captures.lldp import fields
from forensics.records import LldpNeighbour
from tests._captures import pcap
from tests._evidence import evidence_root


def tlv(kind: int, value: bytes) -> bytes:
    return (kind << 9 | len(value)).to_bytes(2, "big") + value


ANNOUNCED = b"".join(
    (
        tlv(1, b"\x04" + bytes.fromhex("001c73aabbcc")),
        tlv(2, b"\x05Ethernet35"),
        tlv(3, (120).to_bytes(2, "big")),
        tlv(4, b"Server35"),
        tlv(5, b"SW-1"),
        tlv(6, b"Arista Networks EOS"),
        tlv(7, bytes.fromhex("00140014")),
        tlv(8, b"\x05\x01" + bytes((10, 0, 0, 9)) + b"\x02\x00\x00\x00\x01\x00"),
        tlv(127, bytes.fromhex("0080c2010064")),
        tlv(127, bytes.fromhex("00120f0423f0")),
        tlv(127, bytes.fromhex("00120f01ffff")),
        tlv(0, b""),
    )
)
HEADER = bytes.fromhex("0180c200000e 001c73aabbcd 88cc")


def read(octets: bytes) -> pl.DataFrame:
    rows = scan_records(io.BytesIO(octets), LldpNeighbour).collect()
    LldpNeighbour.validate(rows)
    return rows


def test_one_announcement() -> None:
    (row,) = read(pcap([(5, HEADER + ANNOUNCED)], digits=9)).iter_rows(named=True)
    told = {
        "chassis_id": "00:1c:73:aa:bb:cc", "port_id": "Ethernet35", "port_description": "Server35", "ttl_s": 120.0,
        "system_name": "SW-1", "system_description": "Arista Networks EOS", "capabilities": ["bridge", "router"],
        "management_ip": "10.0.0.9", "vlan_id": 100, "mtu_bytes": 9200, "mac": "00:1c:73:aa:bb:cd", "position": 1,
    }  # fmt: skip
    assert {name: row[name] for name in told} == told


def test_a_tag_in_front() -> None:
    tagged = HEADER[:12] + bytes.fromhex("81000005") + HEADER[12:]
    assert read(pcap([(0, tagged + ANNOUNCED)]))["system_name"].to_list() == ["SW-1"]


def test_a_cut_gives_less_never_other() -> None:
    whole = fields(ANNOUNCED)
    for length in range(len(ANNOUNCED)):
        for name, value in fields(ANNOUNCED[:length]).items():
            assert value in (None, whole[name])


def test_ids_in_other_forms() -> None:
    found = fields(tlv(1, b"\x05\x01" + bytes((192, 0, 2, 7))) + tlv(2, b"\x03" + bytes.fromhex("fa163e24e722")))
    assert (found["chassis_id"], found["port_id"]) == ("192.0.2.7", "fa:16:3e:24:e7:22")
    assert fields(tlv(1, b"\x07name\xff"))["chassis_id"] == "name\\xff"


def test_strangers_capture() -> None:
    """Collection, `pcap/other/tcpdump__LLDP_and_CDP.pcap`: 8 of 12 packets, as tcpdump -v prints them."""
    root = evidence_root()
    rows = scan_records(root / "pcap/other/tcpdump__LLDP_and_CDP.pcap", LldpNeighbour).collect()
    printed = (root / "expected/upstream/tcpdump__lldp_cdp-ev.out").read_text()
    assert rows.height == 8
    for row in rows.iter_rows(named=True):
        assert f"System Name TLV (5), length {len(row['system_name'])}: {row['system_name']}" in printed
        assert row["port_id"] in printed
        assert row["chassis_id"] in printed
        assert row["ttl_s"] == 120
