"""What each kind of packet says, column by column."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from forensics.records import Packet
from tests.loaders.captures._decoding import COLUMNS, frame, said
from tests.loaders.captures._packets import (
    A,
    B,
    arp,
    echo,
    ethernet,
    extension,
    fragment,
    gre,
    icmp,
    ipv4,
    ipv6,
    llc,
    samples,
    tcp,
    udp,
    vxlan,
)

UNTAGGED: dict[str, Any] = {"vlan_ids": [], "vlan_tpids": [], "vlan_priorities": []}
FRAMED = {"eth_src": A, "eth_dst": B, **UNTAGGED}
FOUR = {
    "ip_version": 4, "src": "10.0.0.1", "dst": "10.0.0.2", "ttl": 64, "ip_id": 0x1234, "dont_fragment": True,
    "more_fragments": False, "fragment_offset_bytes": 0,
}  # fmt: skip
SIX = {"ip_version": 6, "src": "2001:db8::1", "dst": "2001:db8::2", "ttl": 63}
DATAGRAM = {**FOUR, "protocol": 17, "src_port": 68, "dst_port": 67, "ip_bytes": 35, "payload_bytes": 7}
SEGMENT = {"tcp_flags": 0x018, "tcp_seq": 0x89ABCDEF, "tcp_ack": 0x76543210, "tcp_window": 501}
QUOTED = {
    "quoted_src": "10.9.9.9", "quoted_dst": "10.8.8.8", "quoted_protocol": 17, "quoted_ip_id": 77,
    "quoted_src_port": 5000, "quoted_dst_port": 53,
}  # fmt: skip
INNER = {
    "eth_src": "02:00:00:00:00:01", "eth_dst": B, "ethertype": 0x0800, **UNTAGGED, **FOUR, **SEGMENT,
    "src": "192.168.0.1", "dst": "192.168.0.2", "protocol": 6, "src_port": 1000, "dst_port": 22, "ip_bytes": 45,
    "payload_bytes": 5,
}  # fmt: skip
ASKED = {
    "arp_op": 1, "arp_sender_mac": A, "arp_sender_ip": "10.0.0.1", "arp_target_mac": "00:00:00:00:00:00",
    "arp_target_ip": "10.0.0.2",
}  # fmt: skip


def inside(columns: dict[str, Any]) -> dict[str, Any]:
    return {f"inner_{name}": value for name, value in columns.items()}


def over(ethertype: int, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    merged: dict[str, Any] = {**FRAMED, "ethertype": ethertype}
    for part in parts:
        merged |= part
    return merged | more


EXPECTED: dict[str, dict[str, Any]] = {
    "ipv4 tcp": over(0x0800, FOUR, SEGMENT, protocol=6, src_port=1234, dst_port=80, ip_bytes=54, payload_bytes=14),
    "ipv4 syn": over(
        0x0800, FOUR, SEGMENT, protocol=6, src_port=1, dst_port=2, tcp_flags=2, tcp_mss=1460, ip_bytes=52,
        payload_bytes=0
    ),
    "ipv4 udp": over(0x0800, DATAGRAM),
    "ipv4 sctp": over(0x0800, FOUR, protocol=132, src_port=2905, dst_port=2906, ip_bytes=37, payload_bytes=5),
    "ipv4 options": over(0x0800, DATAGRAM, src_port=1, dst_port=2, ip_bytes=39),
    "ipv4 first fragment": over(
        0x0800, DATAGRAM, src_port=53, dst_port=54, dont_fragment=False, more_fragments=True, ip_bytes=100,
        payload_bytes=72
    ),
    "ipv4 later fragment": over(
        0x0800, FOUR, protocol=17, dont_fragment=False, more_fragments=True, fragment_offset_bytes=1480, ip_bytes=100,
        payload_bytes=80,
    ),
    "ipv4 echo": over(
        0x0800, FOUR, protocol=1, icmp_type=8, icmp_code=0, icmp_id=7, icmp_seq=3, ip_bytes=36, payload_bytes=8
    ),
    "ipv4 timestamp": over(
        0x0800, FOUR, protocol=1, icmp_type=13, icmp_code=0, icmp_id=1, icmp_seq=2, ip_bytes=40, payload_bytes=12
    ),
    "ipv4 needed": over(
        0x0800, FOUR, QUOTED, protocol=1, icmp_type=3, icmp_code=4, icmp_mtu=1400, ip_bytes=96, payload_bytes=68
    ),
    "ipv4 exceeded": over(0x0800, FOUR, QUOTED, protocol=1, icmp_type=11, icmp_code=0, ip_bytes=56, payload_bytes=28),
    "ipv4 offloaded": over(
        0x0800, FOUR, SEGMENT, protocol=6, src_port=1, dst_port=2, ip_bytes=200, payload_bytes=160
    ),
    "ipv4 ospf": over(0x0800, FOUR, protocol=89, ip_bytes=64),
    "ipv4 vxlan": over(
        0x0800, FOUR, inside(INNER), protocol=17, src_port=40000, dst_port=4789, tunnel="vxlan", tunnel_id=70001,
        ip_bytes=95, payload_bytes=67,
    ),
    "ipv4 vxlan of linux": over(
        0x0800, FOUR, inside(over(0x0806, ASKED, arp_op=2, arp_target_mac=B)), protocol=17, src_port=40000,
        dst_port=8472,
        tunnel="vxlan", tunnel_id=5, ip_bytes=78, payload_bytes=50,
    ),
    "ipv4 no vxlan": over(0x0800, DATAGRAM, src_port=40000, dst_port=4789, ip_bytes=95, payload_bytes=67),
    "ipv4 geneve": over(
        0x0800, FOUR, inside(INNER), protocol=17, src_port=40000, dst_port=6081, tunnel="geneve", tunnel_id=0xABCDEF,
        ip_bytes=107, payload_bytes=79,
    ),
    "ipv4 geneve of ip": over(
        0x0800, FOUR,
        inside({**UNTAGGED, **SIX, "ethertype": 0x86DD, "protocol": 17, "src_port": 3, "dst_port": 4, "ip_bytes": 55,
                "payload_bytes": 7}),
        protocol=17, src_port=40000, dst_port=6081, tunnel="geneve", tunnel_id=1, ip_bytes=91, payload_bytes=63,
    ),
    "ipv4 gre": over(
        0x0800, FOUR,
        inside({**UNTAGGED, **FOUR, **QUOTED, "ethertype": 0x0800, "protocol": 1, "icmp_type": 3, "icmp_code": 4,
                "icmp_mtu": 1300, "ip_bytes": 96, "payload_bytes": 68}),
        protocol=47, tunnel="gre", ip_bytes=120,
    ),
    "ipv4 gre with key": over(
        0x0800, FOUR, inside(INNER), protocol=47, tunnel="gre", tunnel_id=0xDEADBEEF, ip_bytes=95
    ),
    "ipv4 gre of ipv6": over(
        0x0800, FOUR,
        inside({**UNTAGGED, **SIX, **SEGMENT, "ethertype": 0x86DD, "protocol": 6, "src_port": 1, "dst_port": 2,
                "ip_bytes": 60, "payload_bytes": 0}),
        protocol=47, tunnel="gre", ip_bytes=88,
    ),
    "ipv4 erspan": over(0x0800, FOUR, inside(INNER), protocol=47, tunnel="gre", ip_bytes=95),
    "ipv4 erspan i": over(0x0800, FOUR, inside(INNER), protocol=47, tunnel="gre", ip_bytes=83),
    "ipv4 erspan iii": over(0x0800, FOUR, inside(INNER), protocol=47, tunnel="gre", ip_bytes=99),
    "ipv4 erspan iii with subheader": over(0x0800, FOUR, inside(INNER), protocol=47, tunnel="gre", ip_bytes=103),
    "ipv4 tagged inside": over(
        0x0800, FOUR,
        inside(over(0x0800, FOUR, vlan_ids=[100, 7], vlan_tpids=[0x88A8, 0x8100], vlan_priorities=[3, 0], protocol=17,
                    src_port=5, dst_port=6, ip_bytes=35, payload_bytes=7)),
        protocol=17, src_port=1, dst_port=4789, tunnel="vxlan", tunnel_id=9, ip_bytes=93, payload_bytes=65,
    ),
    "ipv6 hop by hop": over(0x86DD, SIX, protocol=17, src_port=9, dst_port=10, ip_bytes=87, payload_bytes=7),
    "ipv6 authenticated": over(
        0x86DD, SIX, SEGMENT, protocol=6, src_port=11, dst_port=12, ip_bytes=85, payload_bytes=1
    ),
    "ipv6 first fragment": over(
        0x86DD, SIX, protocol=17, src_port=13, dst_port=14, ip_id=0xCAFE0001, more_fragments=True,
        fragment_offset_bytes=0,
        ip_bytes=120, payload_bytes=64,
    ),
    "ipv6 later fragment": over(
        0x86DD, SIX, protocol=17, ip_id=0xCAFE0001, more_fragments=False, fragment_offset_bytes=1232, ip_bytes=112,
        payload_bytes=64,
    ),
    "ipv6 later fragment of options": over(
        0x86DD, SIX, ip_id=0xCAFE0001, more_fragments=False, fragment_offset_bytes=1232, ip_bytes=112, payload_bytes=64
    ),
    "ipv6 mobile": over(0x86DD, SIX, protocol=59, ip_bytes=56),
    "ipv6 echo": over(
        0x86DD, SIX, protocol=58, icmp_type=128, icmp_code=0, icmp_id=99, icmp_seq=100, ip_bytes=56, payload_bytes=8
    ),
    "ipv6 too big": over(
        0x86DD, SIX, protocol=58, icmp_type=2, icmp_code=0, icmp_mtu=1280, ip_bytes=124, payload_bytes=76,
        quoted_src="2001:db8::9", quoted_dst="2001:db8::2", quoted_protocol=6, quoted_ip_id=0xCAFE0001,
        quoted_src_port=7000, quoted_dst_port=443,
    ),
    "ipv6 neighbour": over(0x86DD, SIX, protocol=58, icmp_type=135, icmp_code=0, ip_bytes=64, payload_bytes=16),
    "ipv6 mapped": over(
        0x86DD, SIX, SEGMENT, src="::ffff:10.0.0.1", dst="::1:2", protocol=6, src_port=5, dst_port=6, ip_bytes=60,
        payload_bytes=0,
    ),
    "arp": over(0x0806, ASKED, eth_dst="ff:ff:ff:ff:ff:ff"),
    "arp of others": over(0x0806, arp_op=1),
    "one tag": over(0x0800, DATAGRAM, vlan_ids=[100], vlan_tpids=[0x8100], vlan_priorities=[5]),
    "provider tag": over(
        0x0800, DATAGRAM, vlan_ids=[20, 100], vlan_tpids=[0x88A8, 0x8100], vlan_priorities=[0, 0]
    ),
    "many tags": over(
        0x0806, ASKED, vlan_ids=[106, 103, 100, 105, 105], vlan_tpids=[0x9100, 0x9200, 0x9300, 0x8100, 0x8100],
        vlan_priorities=[0] * 5,
    ),
    "bpdu": {**FRAMED, "eth_dst": "01:80:c2:00:00:00"},
    "tagged bpdu": {**FRAMED, "vlan_ids": [100], "vlan_tpids": [0x8100], "vlan_priorities": [0]},
    "snap": over(0x0800, DATAGRAM),
    "pvst": FRAMED,
    "labels": over(0x8847, DATAGRAM, mpls_labels=[16, 100_000]),
    "labels of ipv6": over(
        0x8848, SIX, mpls_labels=[3], protocol=17, src_port=1, dst_port=2, ip_bytes=55, payload_bytes=7
    ),
    "pseudowire": over(0x8847, mpls_labels=[16]),
    "lldp": over(0x88CC),
    "cooked": {**UNTAGGED, **DATAGRAM, "eth_src": A, "ethertype": 0x0800},
    "cooked tagged": {
        **ASKED, "eth_src": A, "ethertype": 0x0806, "vlan_ids": [20], "vlan_tpids": [0x8100], "vlan_priorities": [1],
    },
    "cooked bpdu": {**UNTAGGED, "eth_src": A},
    "cooked2": {
        **UNTAGGED, **SIX, "eth_src": A, "ethertype": 0x86DD, "protocol": 17, "src_port": 546, "dst_port": 547,
        "ip_bytes": 55, "payload_bytes": 7,
    },
    "cooked2 tagged": {
        **DATAGRAM, "eth_src": A, "ethertype": 0x0800, "vlan_ids": [5], "vlan_tpids": [0x8100], "vlan_priorities": [0],
    },
    "usb": {"decode_status": "unknown"},
    "null of others": UNTAGGED,
    "no octets": {"decode_status": "cut"},
    "one octet": {"decode_status": "cut"},
}  # fmt: skip
for bare in ("raw", "raw of openbsd", "raw ipv4", "null"):
    EXPECTED[bare] = {**UNTAGGED, **DATAGRAM}
for bare in ("raw of bsd", "raw ipv6", "null swapped", "loop"):
    EXPECTED[bare] = {
        **UNTAGGED, **SIX, "protocol": 17, "src_port": 1, "dst_port": 2, "ip_bytes": 55, "payload_bytes": 7,
    }  # fmt: skip


@pytest.mark.parametrize("name", samples())
def test_a_packet_of_every_kind(name: str) -> None:
    link_type, octets = samples()[name]
    found = said(octets, link_type)
    for level in ("", "inner_"):  # the payload is the tail of the packet, but for padding and what fragments leave out
        place = found.pop(f"{level}payload_offset_bytes", None)
        assert (place is None) == (found.get(f"{level}payload_bytes") is None)
        if place is not None and "arp" not in name:
            assert place == 16 + len(octets) - found[f"{level}payload_bytes"]
    assert found == {"decode_status": "ok", **EXPECTED[name]}


def test_columns_have_the_types_and_the_order_of_the_record() -> None:
    schema = Packet.polars_schema()
    assert frame(list(samples().values())).schema == {name: schema[name] for name in COLUMNS}
    assert frame([(1, b"")]).schema == {name: schema[name] for name in COLUMNS}


def test_padding_is_no_payload() -> None:
    found = said(ethernet(0x0800, ipv4(17, udp(1, 2, b""))) + bytes(18))
    assert (found["payload_bytes"], found["payload_offset_bytes"]) == (0, 16 + 42)


def test_the_payload_of_a_cut_packet_is_what_its_headers_say() -> None:
    octets = ethernet(0x0800, ipv4(17, udp(1, 2, bytes(1000))))
    found = said(octets[:60], wire=len(octets))
    assert (found["payload_bytes"], found["decode_status"]) == (1000, "ok")
    found = said(octets[:41], wire=len(octets))
    assert "payload_bytes" not in found
    assert "src_port" not in found
    assert (found["src"], found["decode_status"]) == ("10.0.0.1", "cut")


def test_options_that_are_cut_leave_what_stands_before_them() -> None:
    octets = ethernet(0x0800, ipv4(6, tcp(1, 2, b"data", flags=2, options=b"\x01\x01\x02\x04\x05\xb4\x01\x01")))
    found = said(octets[:56], wire=len(octets))
    assert "tcp_mss" not in found
    assert "payload_offset_bytes" not in found
    assert (found["src_port"], found["payload_bytes"], found["decode_status"]) == (1, 4, "cut")


@pytest.mark.parametrize(
    ("options", "mss"),
    [
        (b"\x02\x04\x05\xb4", 1460),
        (b"\x01\x01\x01\x01\x02\x04\x02\x18", 536),
        (b"\x08\x0a" + bytes(8) + b"\x02\x04\x23\x00\x01\x01", 8960),
        (b"\x00\x00\x00\x00\x02\x04\x05\xb4", None),  # behind the end of the list
        (b"\x02\x03\x05\xb4", None),  # of a wrong length
        (b"\x05\x00\x02\x04\x05\xb4\x01\x01", None),  # an option of no length: nothing behind it can be trusted
        (b"\x05\x20\x02\x04\x05\xb4\x01\x01", None),  # an option that reaches beyond the header
        (b"\x01\x01\x01\x02", None),  # begun in the last octet
    ],
)
def test_the_segment_size_wherever_it_stands(options: bytes, mss: int | None) -> None:
    segment = tcp(1, 2, b"\x04\x05\xb4", flags=2, options=options)
    assert said(ethernet(0x0800, ipv4(6, segment))).get("tcp_mss") == mss


def test_only_opening_segments_have_a_segment_size() -> None:
    assert "tcp_mss" not in said(ethernet(0x0800, ipv4(6, tcp(1, 2, options=b"\x02\x04\x05\xb4"))))


MALFORMED: dict[str, tuple[int, bytes, dict[str, Any]]] = {
    "a type that is neither length nor type": (1, ethernet(1520, bytes(40)), FRAMED),
    "a length that leaves no room": (1, ethernet(2, b"\x42\x42\x03" + bytes(35)), FRAMED),
    "another version of IP": (1, ethernet(0x0800, b"\x65" + bytes(40)), over(0x0800)),
    "an IPv4 header of 16 octets": (1, ethernet(0x0800, b"\x44" + bytes(40)), over(0x0800)),
    "a total shorter than its header": (1, ethernet(0x0800, ipv4(17, udp(1, 2), total=19)), over(0x0800)),
    "an IPv4 packet called IPv6": (1, ethernet(0x86DD, ipv4(17, udp(1, 2)) + bytes(30)), over(0x86DD)),
    "no version at all": (101, b"\x25" + bytes(40), UNTAGGED),
    "a datagram shorter than its header": (
        1, ethernet(0x0800, ipv4(17, udp(1, 2, length=7))), over(0x0800, FOUR, protocol=17, ip_bytes=35),
    ),
    "a datagram longer than its packet": (
        1, ethernet(0x0800, ipv4(17, udp(1, 2, length=99))),
        over(0x0800, FOUR, protocol=17, ip_bytes=35, src_port=1, dst_port=2),
    ),
    "a segment header of 16 octets": (
        1, ethernet(0x0800, ipv4(6, struct.pack("!HHIIHHHH", 1, 2, 3, 4, 4 << 12, 5, 0, 0))),
        over(0x0800, FOUR, protocol=6, ip_bytes=40),
    ),
    "a segment header longer than its packet": (
        1, ethernet(0x0800, ipv4(6, struct.pack("!HHIIHHHH", 1, 2, 3, 4, 15 << 12, 5, 0, 0)) + bytes(60)),
        over(0x0800, FOUR, protocol=6, ip_bytes=40),
    ),
    "a header behind the end that IP declares": (
        1, ethernet(0x0800, ipv4(17, udp(1, 2), total=24)), over(0x0800, FOUR, protocol=17, ip_bytes=24),
    ),
    "an error that quotes nothing": (
        1, ethernet(0x0800, ipv4(1, icmp(3, 1, bytes(4)))),
        over(0x0800, FOUR, protocol=1, ip_bytes=28, icmp_type=3, icmp_code=1, payload_bytes=0),
    ),
    "a jumbogram that is none": (
        1, ethernet(0x86DD, ipv6(0, extension(59, b"", b"\xc2\x04" + struct.pack("!I", 100)), length=0)),
        over(0x86DD, SIX, protocol=59, ip_bytes=48),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_header_that_contradicts_itself_says_nothing(name: str) -> None:
    link_type, octets, expected = MALFORMED[name]
    found = said(octets, link_type)
    found.pop("payload_offset_bytes", None)
    assert found == {"decode_status": "malformed", **expected}


def test_a_jumbogram_has_the_length_of_its_option() -> None:
    octets = ethernet(
        0x86DD, ipv6(0, extension(17, udp(1, 2, b"", length=0), b"\xc2\x04" + struct.pack("!I", 70_000)), length=0)
    )
    found = said(octets, wire=70_054)
    assert (found["ip_bytes"], found["src_port"], found["payload_bytes"]) == (70_040, 1, 70_000 - 16)


def test_a_long_chain_of_extension_headers() -> None:
    packet = udp(1, 2)
    for following in [17] + [60] * 99:
        packet = extension(following, packet)
    assert said(ethernet(0x86DD, ipv6(60, packet)))["protocol"] == 17


def test_fragments_of_fragments_do_not_confuse() -> None:
    packet = ipv6(44, fragment(44, fragment(17, udp(1, 2), ident=2), ident=1))
    found = said(ethernet(0x86DD, packet))
    assert (found["ip_id"], found["src_port"]) == (2, 1)


def test_only_one_level_of_tunnels_is_opened() -> None:
    deepest = ethernet(0x0800, ipv4(6, tcp(1, 2), src="10.3.0.1"))
    middle = ethernet(0x0800, ipv4(17, udp(3, 4789, vxlan(2, deepest)), src="10.2.0.1"))
    found = said(ethernet(0x0800, ipv4(17, udp(5, 4789, vxlan(1, middle)))))
    assert (found["tunnel_id"], found["inner_src"], found["inner_src_port"]) == (1, "10.2.0.1", 3)
    assert found["decode_status"] == "ok"


def test_pptp_is_a_tunnel_without_an_id() -> None:
    packet = struct.pack("!HHHHI", 0x3001, 0x880B, 5, 77, 1) + b"\xff\x03\x00\x21\x45"
    found = said(ethernet(0x0800, ipv4(47, packet)))
    assert found["tunnel"] == "gre"
    assert [name for name in found if name.startswith(("inner", "tunnel_"))] == []


def test_a_quoted_fragment_has_no_ports() -> None:
    quoted = ipv4(17, udp(1, 2, bytes(30)), flags=185)
    found = said(ethernet(0x0800, ipv4(1, icmp(11, 0, bytes(4), quoted))))
    assert "quoted_src_port" not in found
    assert found["quoted_protocol"] == 17


def test_a_cut_inside_the_tunnel_is_told_for_the_packet() -> None:
    inner = ethernet(0x0800, ipv4(17, udp(1, 2, bytes(100))))
    octets = ethernet(0x0800, ipv4(17, udp(1, 4789, vxlan(1, inner))))
    found = said(octets[:90], wire=len(octets))
    assert (found["inner_src"], found["decode_status"]) == ("10.0.0.1", "cut")
    assert "inner_src_port" not in found


def test_flags_have_twelve_bits() -> None:
    assert said(ethernet(0x0800, ipv4(6, tcp(1, 2, flags=0xFFF))))["tcp_flags"] == 0xFFF


def test_gre_without_a_key_has_no_id() -> None:
    assert "tunnel_id" not in said(ethernet(0x0800, ipv4(47, gre(0x0800, ipv4(1, echo())))))


def test_frames_of_one_kind_in_one_window_do_not_mix() -> None:
    packets = [
        (1, ethernet(0x0800, ipv4(17, udp(n, n + 1)), tags=((0x8100, n),) * (n % 5)))
        if n % 3
        else (1, ethernet(0x0806, arp(n % 2 + 1, (A, f"10.0.0.{n}"), (B, "10.0.0.9"))))
        for n in range(1, 200)
    ]
    found = frame(packets, ["src_port", "vlan_ids", "arp_sender_ip"])
    for n, row in enumerate(found.iter_rows(named=True), 1):
        expected = (n, [n] * (n % 5), None) if n % 3 else (None, [], f"10.0.0.{n}")
        assert tuple(row.values()) == expected


def test_a_bpdu_of_any_length_is_no_ethertype() -> None:
    for size in range(3, 60):
        assert said(llc(b"\x42\x42\x03" + bytes(size - 3)))["decode_status"] == "ok"
