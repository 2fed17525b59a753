"""Pseudonyms: consistent, of the same kind, and not to be undone without the key."""

import hashlib
import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensics.bundle._checksums import number
from forensics.bundle._key import Key
from forensics.bundle._names import MERE
from forensics.bundle._packets import Packet
from forensics.bundle._pseudonyms import Pseudonyms
from forensics.bundle._sql import Numbers
from forensics.bundle._text import Text

V4 = st.integers(0, 2**32 - 1)


def fresh() -> Pseudonyms:
    own = Pseudonyms(Key(hashlib.sha256(b"test").digest()), MERE)
    own.add_names(["cc35", "dair-ua-c03", "web-1", "alice", "shop before christmas", "SW-1"])
    return own


OWN = fresh()
TEXT = Text(OWN, literal=("shop before christmas",))


def kind(value: int) -> tuple[bool, ...]:
    address = ipaddress.IPv4Address(value)
    ten, hundred = ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("172.16.0.0/12")
    return (address.is_private, address.is_multicast, address.is_loopback, address in ten, address in hundred)


@given(V4, V4)
def test_ipv4_keeps_prefixes_and_kinds(one: int, other: int) -> None:
    a, b = OWN.ipv4(one), OWN.ipv4(other)
    assert (one ^ other).bit_length() == (a ^ b).bit_length()
    assert kind(a) == kind(one)


@given(st.integers(0, 2**128 - 1), st.integers(0, 63))
def test_ipv6_keeps_prefixes(value: int, bit: int) -> None:
    other = value ^ 1 << (127 - bit)
    if any(v >> 120 in (0, 0xFE, 0xFF) for v in (value, other)):
        return
    assert (OWN.ipv6(value) ^ OWN.ipv6(other)).bit_length() == (value ^ other).bit_length()


@pytest.mark.parametrize(
    "text", ["255.255.255.0", "0.0.0.255", "127.0.0.1", "224.0.0.251", "255.255.255.255", "169.254.169.254", "0.0.0.0"]
)
def test_what_is_no_address_of_anybody_stays(text: str) -> None:
    assert TEXT(text) == text


def test_networks_gateways_and_broadcasts_stay() -> None:
    for last in ("0", "1", "254", "255"):
        assert TEXT(f"10.17.99.{last}").rpartition(".")[2] == last


def test_taps_follow_macs_and_ports() -> None:
    port, tap = TEXT("fa:16:3e:24:e7:22"), TEXT("fe:16:3e:24:e7:22")
    assert (port[:8], tap[:8]) == ("fa:16:3e", "fe:16:3e")
    assert port[8:] == tap[8:] != ":24:e7:22"
    uuid = "7f2546d5-afd1-52cf-94f7-473917d80edb"
    made = TEXT(uuid)
    assert made[14] == "5"
    assert made[19] == "9"
    assert TEXT(f"tap{uuid[:11]}") == f"tap{made[:11]}"
    assert TEXT(f"req-{uuid}") == f"req-{made}"
    assert TEXT(uuid.replace("-", "")) == made.replace("-", "")
    assert TEXT(uuid.upper()) == made.upper()


def test_a_link_local_address_follows_its_mac() -> None:
    mac = TEXT("fa:16:3e:24:e7:22").split(":")
    assert TEXT("fe80::f816:3eff:fe24:e722") == f"fe80::f816:3eff:fe{mac[3]}:{mac[4]}{mac[5]}"
    low = f"{int(mac[3], 16):02x}:{int(mac[4] + mac[5], 16):x}"
    assert TEXT("ff02::1:ff24:e722") == f"ff02::1:ff{low}"
    assert TEXT("33:33:ff:24:e7:22") == f"33:33:ff:{':'.join(mac[3:])}"


def test_base_files_follow_their_image() -> None:
    own = fresh()
    image = "173cf42f-ff93-4286-95f3-640584958357"
    text = Text(own)
    own.learn(image, text(image))
    name = hashlib.sha1(image.encode()).hexdigest()
    assert text(f"/_base/{name}_10") == f"/_base/{hashlib.sha1(text(image).encode()).hexdigest()}_10"


def test_names_keep_their_shape_and_words_stay() -> None:
    made = TEXT("nova-compute on cc35: CC35 alice@dair-ua-c03 compute.cc35 /home/alice rabbit@SW-1 batch-cc35-x")
    for original in ("cc35", "CC35", "alice", "dair", "SW-1"):
        assert original not in made
    host = made.split()[2].rstrip(":")
    assert host[:2].isalpha()
    assert host[2:].isdigit()
    assert len(host) == 4
    assert made.startswith("nova-compute on ")
    assert f"compute.{host}" in made
    assert f"batch-{host}-x" in made
    assert TEXT("the Shop before Christmas!") != "the Shop before Christmas!"


ORIGINALS = ("10.17.99.5", "fa:16:3e:24:e7:22", "24:e7:22", "24e7.22", "24e722", "7f2546d5", "cc35", "8175953c2090")


@pytest.mark.parametrize(
    "line",
    [
        "IP 10.17.99.5.68 > 10.17.99.1.67: BOOTP",
        "Host:ip-10-17-99-5.ec2.internal 5.99.17.10.in-addr.arpa",
        r'"a\n10.17.99.5\n7f2546d5-afd1-52cf-94f7-473917d80edb\tfa:16:3e:24:e7:22"',
        "fa16.3e24.e722 8000.fa163e24e722 FA-16-3E-24-E7-22 01:fa:16:3e:24:e7:22 01-fa-16-3e-24-e7-22",
        "ff:3e:24:e7:22:00:01:00:01:2a:3b:4c:5d:fa:16:3e:24:e7:22",
        "/var/lib/nova/instances/7f2546d5-afd1-52cf-94f7-473917d80edb/disk qdhcp-7f2546d5-afd1-52cf-94f7-473917d80edb",
        "tenant=8175953c209044358ab5e0ec19d52c37_x user:8175953c209044358ab5e0ec19d52c37",
        "('cc35','10.17.99.5',NULL) lladdr fa:16:3e:24:e7:22 fe80::f816:3eff:fe24:e722/64 10.17.99.5/24",
        "cc35.example.org,cc35:8774 http://10.17.99.5:8774/v2/8175953c209044358ab5e0ec19d52c37/servers",
        "mac:fa:16:3e:24:e7:22, fa:16:3e:24:e7:22: seen",
        "TRACE a#01210.17.99.5#0127f2546d5-afd1-52cf-94f7-473917d80edb#012fa:16:3e:24:e7:22#011cc35 u'cc35'",
        r"\\n10.17.99.5 \u003d10.17.99.5 \u003dcc35 \ncc35",
    ],
)
def test_no_original_is_left_in_text(line: str) -> None:
    own = fresh()
    own.mac(bytes.fromhex("fa163e24e722"))
    made = Text(own)(line)
    assert [name for name in ORIGINALS if name in made.lower()] == []
    assert len(made.split()) == len(line.split())


@pytest.mark.parametrize(
    "line",
    [
        "Nov 22 18:51:35 host kernel: [18821.574974] ixgbe 0000:04:00.0 eth2: NIC Link is Down",
        "2013-01-22 10:30:55.123 2435 INFO nova.virt.libvirt.imagecache [-] std::string 12:30 C:\\temp",
        "%SPANTREE-4-BLOCK_BPDUGUARD: Received BPDU packet on Port-Channel35 ver 2013.1.5 10.11.19-MariaDB",
        "INSERT INTO `instances` VALUES ('2026-11-19 18:51:03',NULL,'active',2048,1)",
    ],
)
def test_what_is_no_name_stays(line: str) -> None:
    assert TEXT(line) == line


def test_the_key_decides_and_nothing_else() -> None:
    again, other = fresh(), Pseudonyms(Key(bytes(32)), MERE)
    line = "10.17.99.5 fa:16:3e:24:e7:22 7f2546d5-afd1-52cf-94f7-473917d80edb instance-0000002a"
    assert Text(again)(line) == TEXT(line)
    assert all(a != b for a, b in zip(Text(other)(line).split(), TEXT(line).split(), strict=True))


@given(st.lists(st.text("abcxyz019-", min_size=3, max_size=5), unique_by=str.lower, max_size=40))
def test_two_names_never_become_one(names: list[str]) -> None:
    own = Pseudonyms(Key(bytes(32)))
    own.add_names(names)
    assert len(set(own.names.values())) == len(own.names)


def test_row_numbers_follow_instance_names() -> None:
    numbers = Numbers(OWN, mask=True)
    dump = ["CREATE TABLE `instances` (", "  `id` int(11) NOT NULL,", "  `user_data` text,", "  `x` int,"]
    dump += ["  PRIMARY KEY (`id`)", ") ENGINE=InnoDB;", "INSERT INTO `instances` VALUES (42,'c2VjcmV0',42),"]
    dump += ["(42,NULL,'a(42,)''42');"]
    made = [numbers(line.encode() + b"\n").decode() for line in dump]
    id_ = int(TEXT("instance-0000002a")[9:], 16)
    assert made[6] == f"INSERT INTO `instances` VALUES ({id_},'•••',42),\n"
    assert made[7] == f"({id_},NULL,'a(42,)''42');\n"


def ipv4(protocol: int, body: bytes, src: str = "10.17.99.5", dst: str = "198.51.100.9") -> bytes:
    ends = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    head = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, 0, 64, protocol, 0) + ends)
    head[10:12] = (-number(head) % 65535).to_bytes(2, "big")
    return bytes(head) + body


def with_sum(octets: bytes, at: int, pseudo: bytes = b"", wrong: int = 0) -> bytes:
    total = (-(number(octets) + number(pseudo)) + wrong) % 65535
    return octets[:at] + total.to_bytes(2, "big") + octets[at + 2 :]


def pseudo(packet: bytes, protocol: int, length: int) -> bytes:
    return packet[12:20] + struct.pack("!HH", protocol, length)


ETHERNET = bytes.fromhex("fa163e24e722 002590000001 0800")


@pytest.mark.parametrize("wrong", [0, 1, 4711])
@pytest.mark.parametrize("protocol", [6, 17])
def test_checksums_stay_as_right_or_wrong_as_they_were(protocol: int, wrong: int) -> None:
    body = struct.pack("!HHIIBBHHH", 5000, 80, 1, 2, 0x50, 16, 99, 0, 0) + b"odd payload"
    at = 16
    if protocol == 17:
        body, at = struct.pack("!HHHH", 5000, 53, 8 + 11, 0) + b"odd payload", 6
    ends = pseudo(ipv4(protocol, body), protocol, len(body))
    packet = Packet(ETHERNET + ipv4(protocol, with_sum(body, at, ends, wrong)), OWN, TEXT)
    packet.shared(1)
    made = bytes(packet.new[14:])
    assert made[12:20] != ends[:8]
    assert number(made[:20]) % 65535 == 0
    assert (number(made[20:]) + number(pseudo(made, protocol, len(body)))) % 65535 == wrong


def test_inner_headers_of_tunnels_are_replaced_and_mended() -> None:
    inner_udp = struct.pack("!HHHH", 5000, 53, 9, 0) + b"x"
    inner = ipv4(17, with_sum(inner_udp, 6, pseudo(ipv4(17, inner_udp), 17, 9)), "10.1.2.3", "10.1.2.4")
    inner = ipv4(17, with_sum(inner_udp, 6, pseudo(inner, 17, 9)), "10.1.2.3", "10.1.2.4")
    body = (
        struct.pack("!HHHH", 40000, 4789, 16 + 14 + len(inner), 0)
        + bytes.fromhex("0800000000006400")
        + ETHERNET
        + inner
    )
    outer = ipv4(17, with_sum(body, 6, pseudo(ipv4(17, body), 17, len(body))))
    packet = Packet(ETHERNET + outer, OWN, TEXT)
    shared = packet.shared(1)
    made = bytes(packet.new)
    assert len(shared) == 14 + 20 + 16 + 14 + 28
    assert bytes((10, 1, 2, 3)) not in made
    assert bytes.fromhex("fa163e24e722") not in made
    inside = made[14 + 20 + 16 + 14 :]
    assert number(inside[:20]) % 65535 == 0
    assert (number(inside[20:]) + number(pseudo(inside, 17, 9))) % 65535 == 0
    assert (number(made[34:]) + number(pseudo(made[14:], 17, len(body)))) % 65535 == 0


def test_icmp_quotes_are_replaced() -> None:
    quoted = ipv4(17, struct.pack("!HHHH", 1, 2, 3, 4))
    body = with_sum(b"\x03\x04\0\0\0\0\x05\xdc" + quoted, 2)
    packet = Packet(ETHERNET + ipv4(1, body, "10.1.1.2", "10.17.99.5"), OWN, TEXT)
    made = packet.shared(1)
    assert number(made[34:]) % 65535 == 0
    assert number(made[42:62]) % 65535 == 0
    assert bytes((10, 17, 99, 5)) not in made


@given(st.binary(max_size=200), st.sampled_from([0, 1, 12, 101, 113, 147, 276]))
def test_any_octets_are_taken(octets: bytes, link_type: int) -> None:
    for own in (None, OWN):
        made = Packet(octets, own, TEXT).shared(link_type)
        assert len(made) <= len(octets)
        if own is None:
            assert made == octets[: len(made)]


@given(st.binary(max_size=80), st.sampled_from(["0800", "86dd", "0806", "88cc", "8809", "8100", "8847", "0026424203"]))
def test_any_octets_behind_ethernet_are_taken(octets: bytes, kind: str) -> None:
    packet = ETHERNET[:12] + bytes.fromhex(kind) + octets
    assert len(Packet(packet, OWN, TEXT).shared(1)) <= len(packet)


@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    TEXT.octets(text.encode("utf-8", "surrogatepass"))
