"""Section 12 of the reference: the essentials of captures for the six stories."""

import struct

import pytest

from forensics.records import Bpdu, DhcpMessage, Packet
from tests._captures import Pcapng, pcap
from tests.formats._met import Line, Wanted, meet, parameters

GUEST, HOST = bytes.fromhex("fa163e24e722"), bytes.fromhex("001b21000001")
MAC = "fa:16:3e:24:e7:22"
NS = 1_360_892_418_123_456_789
AT = "2013-02-15 01:40:18"
SYN = bytes.fromhex("9c4416280000000100000000600216d0000000000204") + b"\x05\xb4"  # MSS 1460, ports 40004 to 5672


def ip(payload: bytes, protocol: int = 6, size: int | None = None, *, fragment: int = 0x4000) -> bytes:
    """An IPv4 packet from 10.0.0.5 to 10.0.0.9, DF unless told otherwise."""
    total = 20 + len(payload) if size is None else size
    head = struct.pack("!BBHHHBBH", 0x45, 0, total, 7, fragment, 64, protocol, 0)
    return head + bytes((10, 0, 0, 5, 10, 0, 0, 9)) + payload


def frame(payload: bytes, *tags: int, tpid: int = 0x8100, ethertype: int = 0x0800) -> bytes:
    stack = b"".join(struct.pack("!HH", tpid, tag) for tag in tags)
    return HOST + GUEST + stack + struct.pack("!H", ethertype) + payload


def packet(data: bytes, wire: int | None = None, *, link_type: int = 1, **want: object) -> Line:
    return Line("12", pcap([(NS, data, wire or len(data))], link_type=link_type), Packet, dict(want), "compute3.pcap")


def whole(mtu: int, *tags: int) -> bytes:
    """The longest frame that an MTU allows, without its checksum."""
    return frame(ip(SYN + bytes(mtu - 20 - len(SYN))), *tags)


def bpdu(kind: int, version: int, dst: str = "0180c2000000", llc: str = "424203", tags: bytes = b"") -> bytes:
    body = bytes((0, 0, version, kind, 0)) + bytes.fromhex("8000001906eab880000000048001") + GUEST
    said = bytes.fromhex(llc) + body + bytes.fromhex("80050100140002000f00")
    if kind == 0x80:
        said = bytes.fromhex(llc) + body[:4]
    found = bytes.fromhex(dst) + GUEST + tags + len(said).to_bytes(2, "big") + said
    return found + bytes(max(0, 60 - len(found)))


def guarded(data: bytes, **want: object) -> Line:
    return Line("12", pcap([(NS, data)]), Bpdu, {"eth_src": MAC, **want}, "compute3.pcap")


def dhcp() -> bytes:
    """A BOOTP message with every field and option that the reference names, each at its offset."""
    boot = bytearray(240)
    boot[0:3] = b"\x02\x01\x06"
    boot[4:8] = bytes.fromhex("a66b782e")
    boot[12:16], boot[16:20], boot[28:34] = bytes((10, 0, 0, 5)), bytes((10, 0, 0, 6)), GUEST
    boot[236:240] = bytes.fromhex("63825363")
    options = {53: b"\x05", 50: bytes((10, 0, 0, 6)), 51: struct.pack("!I", 120), 54: bytes((10, 0, 0, 1)),
               58: struct.pack("!I", 60), 59: struct.pack("!I", 105), 61: b"\x01" + GUEST}  # fmt: skip
    said = bytes(boot) + b"".join(bytes((code, len(value))) + value for code, value in options.items()) + b"\xff"
    return frame(ip(struct.pack("!HHHH", 67, 68, 8 + len(said), 0) + said, 17))


LEASED = {"message_type": "ACK", "xid": 0xA66B782E, "chaddr": MAC, "ciaddr": "10.0.0.5", "yiaddr": "10.0.0.6",
          "requested_ip": "10.0.0.6", "server_id": "10.0.0.1", "lease_s": 120.0, "renewal_s": 60.0,
          "rebinding_s": 105.0, "client_id": f"01{GUEST.hex()}", "vlan_ids": []}  # fmt: skip
TOO_BIG = ip(bytes((3, 4, 0, 0, 0, 0)) + (1450).to_bytes(2, "big") + ip(SYN)[:28], 1)
FORMS: list[tuple[bytes, Wanted]] = [
    *((pcap([(NS, frame(ip(SYN)))], big_endian=big, digits=digits), {"ts": f"{AT}.{str(NS)[10:10 + digits]}"})
      for big in (False, True) for digits in (6, 9)),
    (b"".join(Pcapng().section().interface().packet(NS // 1000, frame(ip(SYN))).parts), {"ts": f"{AT}.123456"}),
    (b"".join(Pcapng().section().interface(options=[(9, b"\x09")]).packet(NS, frame(ip(SYN))).parts),
     {"ts": f"{AT}.123456789"}),
    (b"".join(Pcapng().section().interface(options=[(9, b"\x03")]).packet(NS // 10**6, frame(ip(SYN))).parts),
     {"ts": f"{AT}.123"}),
]  # fmt: skip
SLL = bytes.fromhex("000000010006") + GUEST + b"\0\0"
SLL2 = bytes.fromhex("0800000000000003000100") + b"\x06" + GUEST + b"\0\0"
ENDS = {"src": "10.0.0.5", "dst": "10.0.0.9", "dst_port": 5672}

LINES = [
    # magic numbers; resolutions: tests/loaders/captures/test_container.py::test_resolutions_are_exact_or_null
    *(Line("12", octets, Packet, want | ENDS, "compute3.pcap") for octets, want in FORMS),
    # link types
    packet(SLL + b"\x08\0" + ip(SYN), link_type=113, eth_src=MAC, eth_dst=None, **ENDS),
    packet(SLL2 + ip(SYN), link_type=276, eth_src=MAC, **ENDS),
    *(packet(ip(SYN), link_type=kind, eth_src=None, **ENDS) for kind in (12, 101)),
    # tags: types, priority, DEI and id; what MTU 1500 allows without, with one and with two
    *(packet(frame(ip(SYN), 0x7000 | 20, tpid=tpid), vlan_ids=[20], vlan_tpids=[tpid], vlan_priorities=[3], **ENDS)
      for tpid in (0x8100, 0x88A8, 0x9100, 0x9200)),
    *(packet(whole(1500, *tags), wire_bytes=size, vlan_ids=list(tags), ip_bytes=1500, captured_bytes=size)
      for tags, size in (((), 1514), ((20,), 1518), ((20, 100), 1522))),
    # a tag on `-i any` is at most a protocol: what stands behind it is read all the same
    packet(SLL + bytes.fromhex("8100001408") + b"\0" + ip(SYN), link_type=113, vlan_ids=[20], **ENDS),
    # the capture point of each file is kept
    Line("12", pcap([(NS, frame(ip(SYN)))]), Packet, {"host": "vlan100"}, "cc12/x.pcap",
         {"capture_point": "vlan100"}),
    # frames far above the MTU are kept as they are
    packet(whole(9000), wire_bytes=9014, ip_bytes=9000, decode_status="ok"),
    # padding; tests/loaders/captures/test_headers.py::test_padding_is_no_payload
    packet(frame(ip(b"\x01\x02", 17)).ljust(60, b"\0"), captured_bytes=60, ip_bytes=22),
    # MTU evidence: fragments, type 3 code 4, MSS
    packet(frame(ip(SYN)), tcp_mss=1460, tcp_flags=2, dont_fragment=True),
    packet(frame(TOO_BIG), icmp_type=3, icmp_code=4, icmp_mtu=1450, quoted_src="10.0.0.5", quoted_dst_port=5672),
    packet(frame(ip(bytes(24), 17, fragment=0x2000)), more_fragments=True, fragment_offset_bytes=0, ip_id=7),
    packet(frame(ip(bytes(24), 17, fragment=0x00B9)), more_fragments=False, fragment_offset_bytes=1480, src_port=None),
    # BPDU: kinds, PVST+ behind a tag, who sent it
    guarded(bpdu(0x00, 0), kind="STP", version=0, bpdu_type=0, root_mac="00:19:06:ea:b8:80", root_cost=4,
            root_priority=0x8000, bridge_mac=MAC, bridge_priority=0x8001, port_id=0x8005, eth_dst="01:80:c2:00:00:00"),
    guarded(bpdu(0x02, 2), kind="RSTP", version=2, bpdu_type=2),
    guarded(bpdu(0x80, 0), kind="TCN", bpdu_type=0x80),
    guarded(bpdu(0x00, 0, "01000ccccccd", "aaaa0300000c010b", bytes.fromhex("81000064")), kind="PVST+", vlan_ids=[100],
            eth_dst="01:00:0c:cc:cc:cd"),
    # 802.1Q trees of version 3: tests/loaders/captures/test_bpdu.py::test_every_kind
    Line("12", pcap([(NS, dhcp())]), DhcpMessage, LEASED, "compute3.pcap"),
    # two capture points: ids, ports and sequence numbers that both have
    *(packet(data, ip_id=7, src_port=40004, tcp_seq=1, **ENDS) for data in (frame(ip(SYN)), frame(ip(SYN), 20, 100))),
]  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_12(line: Line) -> None:
    meet(line)
