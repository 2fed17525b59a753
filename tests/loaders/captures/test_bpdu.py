"""Bpdu: every kind, wherever it lies in a frame, cut at every length, and as tshark reads strangers' captures."""

import csv
import io
from pathlib import Path

import polars as pl
import pytest

from forensics import scan_records
from forensics.records import Bpdu
from tests._captures import pcap
from tests._evidence import evidence_root
from tests._system import program

GUEST, BRIDGE = bytes.fromhex("fa163e24e722"), bytes.fromhex("001906eab880")
STP, PVST = bytes.fromhex("0180c2000000"), bytes.fromhex("01000ccccccd")
LLC, SNAP = bytes.fromhex("424203"), bytes.fromhex("aaaa0300000c010b")


def config(version: int = 0, kind: int = 0, flags: int = 0, tail: bytes = b"") -> bytes:
    body = bytes((0, 0, version, kind, flags)) + bytes.fromhex("8000") + BRIDGE + (4).to_bytes(4, "big")
    return body + bytes.fromhex("8001") + GUEST + bytes.fromhex("80050100140002000f00") + tail


def frame(dst: bytes, llc: bytes, tags: bytes = b"") -> bytes:
    body = dst + GUEST + tags + len(llc).to_bytes(2, "big") + llc
    return body + bytes(max(0, 60 - len(body)))


FRAMES = {
    "STP": frame(STP, LLC + config(flags=1)),
    "RSTP": frame(STP, LLC + config(2, 2, 0x3C, b"\0")),
    "MSTP": frame(STP, LLC + config(3, 2, 0x38, b"\0\0\x59\0" + b"Brewery".ljust(32, b"\0") + bytes(60))),
    "PVST+": frame(PVST, SNAP + config(tail=b"\0\0\0\0\x02\0\x64")),
    "RPVST+": frame(PVST, SNAP + config(2, 2, 0x3C, b"\0\0\0\0\x02\0\x64"), tags=bytes.fromhex("81000064")),
    "TCN": frame(STP, LLC + bytes((0, 0, 0, 0x80))),
}


def read(octets: bytes) -> pl.DataFrame:
    rows = scan_records(io.BytesIO(octets), Bpdu).collect()
    Bpdu.validate(rows)
    return rows


def test_every_kind() -> None:
    rows = read(pcap([(n * 10**9, octets) for n, octets in enumerate(FRAMES.values())]))
    assert rows["kind"].to_list() == list(FRAMES)
    assert rows["position"].to_list() == [1, 2, 3, 4, 5, 6]
    assert set(rows["eth_src"]) == {"fa:16:3e:24:e7:22"}
    assert rows["root_mac"].to_list() == ["00:19:06:ea:b8:80"] * 5 + [None]
    assert rows["root_cost"].to_list() == [4] * 5 + [None]
    assert rows["bridge_mac"].to_list() == ["fa:16:3e:24:e7:22"] * 5 + [None]
    assert rows["port_id"].to_list() == [0x8005] * 5 + [None]
    assert rows["message_age_s"].to_list() == [1.0] * 5 + [None]
    assert rows["forward_delay_s"].to_list() == [15.0] * 5 + [None]
    assert rows["topology_change"].to_list() == [True, False, False, False, False, None]
    assert rows["port_role"].to_list() == [None, "designated", "root", None, "designated", None]
    assert rows["pvst_vlan"].to_list() == [None, None, None, 100, 100, None]
    assert rows["vlan_ids"].to_list() == [[], [], [], [], [100], []]
    assert rows["region"].to_list() == [None, None, "Brewery", None, None, None]


def test_a_cut_gives_nulls_or_the_same() -> None:
    for kind, octets in FRAMES.items():
        whole = read(pcap([(0, octets)])).row(0, named=True)
        for length in range(14, len(octets)):
            rows = read(pcap([(0, octets[:length], len(octets))]))
            for row in rows.iter_rows(named=True):
                told = {name: value for name, value in row.items() if value is not None and name != "length_bytes"}
                assert {name: whole[name] for name in told} == told, (kind, length)


def test_what_is_no_bpdu() -> None:
    others = [
        frame(STP, bytes.fromhex("aaaa03") + bytes(40)),
        frame(STP, LLC + b"\x01\0\0\0" + bytes(40)),
        frame(bytes.fromhex("01000ccccccc"), SNAP + config()),
        frame(b"\xff" * 6, LLC + config()),
        STP + GUEST + b"\x08\x00" + bytes(46),
    ]
    assert read(pcap([(0, octets) for octets in others])).is_empty()


def test_cooked_captures() -> None:
    header = bytes.fromhex("0001 0001 0006 fa163e24e722 0000 0004")
    rows = read(pcap([(0, header + LLC + config())], link_type=113))
    assert rows.select("kind", "eth_src", "root_cost").row(0) == ("STP", "fa:16:3e:24:e7:22", 4)


def test_tshark_agrees(tmp_path: Path) -> None:
    import subprocess

    path = tmp_path / "x.pcap"
    path.write_bytes(pcap([(0, octets) for octets in FRAMES.values()]))
    names = ["stp.version", "stp.type", "stp.root.cost", "stp.root.hw", "stp.bridge.hw", "stp.port", "stp.hello"]
    command = [program("tshark"), "-r", path, "-T", "fields", *(a for n in names for a in ("-e", n))]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = read(path.read_bytes())
    for line, row in zip(told, rows.iter_rows(named=True), strict=True):
        version, kind, cost, root, bridge, port, hello = line.split("\t")
        assert (int(version), int(kind, 16)) == (row["version"], row["bpdu_type"])
        if row["kind"] == "TCN":
            continue
        assert (int(cost), root, bridge) == (row["root_cost"], row["root_mac"], row["bridge_mac"])
        assert (int(port, 16), float(hello)) == (row["port_id"], row["hello_s"])


@pytest.mark.parametrize("count", [14, 30, 10, 40, 72])
def test_strangers_captures(count: int) -> None:
    """As tshark decodes them: collection, `pcap/stp`."""
    names = {
        14: "tcpdump__802.1D_spanning_tree.pcap", 30: "tcpdump__802.1w_rapid_STP.pcap",
        10: "tcpdump__MSTP_Intra-Region_BPDUs.pcap", 40: "packetlife__rpvstp-access.pcap.cap",
        72: "packetlife__rpvstp-trunk-native-vid1.pcap.cap",
    }  # fmt: skip
    root = evidence_root()
    rows = scan_records(root / "pcap/stp" / names[count], Bpdu).collect()
    assert rows.height == count
    with (root / f"expected/tshark/stp/{names[count]}.tsv").open() as file:
        told = [row for row in csv.DictReader(file, delimiter="\t") if row["stp.version"]]
    for row, other in zip(rows.iter_rows(named=True), told, strict=True):
        assert row["position"] == int(other["frame.number"])
        assert (row["version"], row["bpdu_type"]) == (int(other["stp.version"]), int(other["stp.type"], 16))
        assert (row["root_mac"], row["bridge_mac"]) == (other["stp.root.hw"], other["stp.bridge.hw"])
        assert (row["root_cost"], row["port_id"]) == (int(other["stp.root.cost"]), int(other["stp.port"], 16))
        assert row["root_priority"] & 0xF000 == int(other["stp.root.prio"])
