"""DHCP messages out of captures: all options, relays and renewals, cut and broken ones, and what other tools say."""

from __future__ import annotations

import csv
import io
import struct
from pathlib import Path

import dpkt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin
from forensics.loaders.captures import dhcp, packets
from forensics.records import DhcpMessage
from tests._captures import pcap
from tests._evidence import evidence_root

NS = 1_346_123_456_789_012_000
CHADDR = bytes.fromhex("fa163e24e722")


def bootp(
    options: bytes = b"", *, op: int = 1, xid: int = 0x3903F326, hlen: int = 6, flags: int = 0,
    ciaddr: bytes = bytes(4), yiaddr: bytes = bytes(4), giaddr: bytes = bytes(4), sname: bytes = b"", file: bytes = b"",
    cookie: bytes = dhcp.COOKIE,
) -> bytes:  # fmt: skip
    head = struct.pack(">BBBBIHH", op, 1, hlen, 0, xid, 0, flags) + ciaddr + yiaddr + bytes(4) + giaddr
    return head + CHADDR.ljust(16, b"\0") + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + cookie + options


def option(code: int, data: bytes) -> bytes:
    return bytes((code, len(data))) + data


def frame(
    payload: bytes,
    ports: tuple[int, int] = (68, 67),
    src: bytes = bytes(4),
    dst: bytes = b"\xff" * 4,
    tags: bytes = b"",
) -> bytes:
    udp = struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + src + dst
    return b"\xff" * 6 + CHADDR + tags + b"\x08\x00" + ip + udp


def messages(octets: bytes, name: str = "a.pcap") -> pl.DataFrame:
    stream = stream_of(io.BytesIO(octets), name)
    head = stream.peek()
    reader = max(packets.READERS, key=lambda one: one.likeness(head, name))
    batches = reader.batches(stream, Origin(name, capture_point="tap0"), records=[DhcpMessage])
    found = [batch.rows[DhcpMessage] for batch in batches if DhcpMessage in batch.rows]
    frame_ = pl.concat(found) if found else DhcpMessage.empty()
    DhcpMessage.validate(frame_)
    return frame_


def one(*args: object, **options: object) -> dict[str, object]:
    found = messages(pcap([(NS, frame(*args, **options))]))  # type: ignore[arg-type]
    assert len(found) == 1
    return found.row(0, named=True)


END = b"\xff"
REQUEST = option(53, b"\x03")


def test_all_typed_columns() -> None:
    options = b"".join(
        [
            option(53, b"\x05"), option(54, bytes((10, 0, 0, 1))), option(51, struct.pack(">I", 120)),
            option(58, struct.pack(">I", 60)), option(59, struct.pack(">I", 105)), option(12, b"vm1\0"),
            option(50, bytes((10, 0, 0, 5))), option(61, b"\x01" + CHADDR), END,
        ]
    )  # fmt: skip
    payload = bootp(options, op=2, yiaddr=bytes((10, 0, 0, 5)), flags=0x8000)
    row = one(payload, ports=(67, 68), src=bytes((10, 0, 0, 1)), tags=b"\x81\x00\x00\x64")
    wanted = {
        "seen_by": "capture", "message_type": "ACK", "xid": 0x3903F326, "chaddr": "fa:16:3e:24:e7:22",
        "ciaddr": "0.0.0.0", "yiaddr": "10.0.0.5", "giaddr": "0.0.0.0", "requested_ip": "10.0.0.5",
        "server_id": "10.0.0.1", "lease_s": 120.0, "renewal_s": 60.0, "rebinding_s": 105.0, "hostname": "vm1",
        "client_id": "01fa163e24e722", "broadcast_flag": True, "src": "10.0.0.1", "dst": "255.255.255.255",
        "vlan_ids": [100], "eth_src": "fa:16:3e:24:e7:22", "position": 1, "host": "tap0", "offset_bytes": 24,
        "refusal": None,
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert row["options"][:2] == [{"code": 53, "data": b"\x05"}, {"code": 54, "data": bytes((10, 0, 0, 1))}]  # type: ignore[index]


@pytest.mark.parametrize(
    ("ports", "count"), [((68, 67), 1), ((67, 68), 1), ((67, 67), 1), ((5353, 53), 0), ((4011, 68), 1)]
)
def test_ports_of_clients_servers_and_relays(ports: tuple[int, int], count: int) -> None:
    assert len(messages(pcap([(NS, frame(bootp(REQUEST + END), ports=ports))]))) == count


def test_relay_leg_and_unicast_renewal() -> None:
    relayed = one(bootp(REQUEST + END, giaddr=bytes((192, 168, 1, 1))), ports=(67, 67), dst=bytes((192, 168, 0, 2)))
    assert (relayed["giaddr"], relayed["broadcast_flag"]) == ("192.168.1.1", False)
    renewal = one(bootp(REQUEST + END, ciaddr=bytes((10, 0, 0, 5))), dst=bytes((10, 0, 0, 1)))
    assert (renewal["ciaddr"], renewal["dst"]) == ("10.0.0.5", "10.0.0.1")


def test_long_options_are_joined() -> None:
    """RFC 3396: an option that occurs twice is one, in the place of its first part."""
    row = one(bootp(option(43, b"a" * 200) + REQUEST + option(43, b"b" * 100) + END))
    assert row["options"] == [{"code": 43, "data": b"a" * 200 + b"b" * 100}, {"code": 53, "data": b"\x03"}]


@pytest.mark.parametrize(("overload", "hostname"), [(1, "file"), (2, "sname"), (3, "filesname"), (0, None), (7, None)])
def test_option_overload(overload: int, hostname: str | None) -> None:
    row = one(
        bootp(
            REQUEST + option(52, bytes((overload,))) + END,
            file=option(12, b"file") + END, sname=b"\0" + option(12, b"sname") + END,
        )
    )  # fmt: skip
    assert row["hostname"] == hostname


def test_what_is_sound_of_broken_options_is_kept() -> None:
    row = one(bootp(REQUEST + option(50, b"\x0a\0\0") + option(51, b"\1") + option(53, b"")[:1]))
    assert row["message_type"] == "REQUEST"
    assert row["requested_ip"] is None
    assert row["lease_s"] is None
    assert [entry["code"] for entry in row["options"]] == [53, 50, 51]  # type: ignore[index, union-attr]
    row = one(bootp(REQUEST + bytes((12, 200)) + b"cut"))
    assert (row["message_type"], row["hostname"]) == ("REQUEST", None)
    assert one(bootp(option(53, b"\x63") + END))["message_type"] is None
    assert one(bootp(option(12, b"\xff\x01") + END))["hostname"] == "\\xff\x01"


def test_bootp_has_no_message_type() -> None:
    assert one(bootp(END))["message_type"] is None
    row = one(bootp(bytes(60), cookie=bytes(4)))
    assert (row["message_type"], row["options"], row["chaddr"]) == (None, [], "fa:16:3e:24:e7:22")


@pytest.mark.parametrize(
    ("hlen", "chaddr"), [(6, "fa:16:3e:24:e7:22"), (0, None), (8, "fa:16:3e:24:e7:22:00:00"), (17, None)]
)
def test_hardware_address_has_the_length_that_is_said(hlen: int, chaddr: str | None) -> None:
    found = dhcp.fields(bootp(END, hlen=hlen))
    assert found["chaddr"] == chaddr


def test_refusal_is_the_servers_message() -> None:
    assert one(bootp(option(53, b"\x06") + option(56, b"wrong network") + END, op=2))["refusal"] == "wrong network"
    assert one(bootp(option(53, b"\x04") + option(56, b"in use") + END))["refusal"] is None


def test_cut_captures_give_nulls() -> None:
    whole = frame(bootp(REQUEST + option(12, b"vm1") + END))
    kinds = []
    for kept in range(42, len(whole) + 1):
        (row,) = messages(pcap([(NS, whole[:kept], len(whole))], snap_bytes=kept)).iter_rows(named=True)
        kinds.append((row["xid"], row["chaddr"], row["message_type"], row["hostname"]))
    assert kinds[0] == (None, None, None, None)
    assert kinds[60] == (0x3903F326, "fa:16:3e:24:e7:22", None, None)
    assert kinds[-1] == (0x3903F326, "fa:16:3e:24:e7:22", "REQUEST", "vm1")
    for column in zip(*kinds, strict=True):  # once known, known from there on
        known = [value is not None for value in column]
        assert known == sorted(known)


def test_other_datagrams_on_these_ports_are_no_messages() -> None:
    assert len(messages(pcap([(NS, frame(b"hello"))]))) == 0
    assert len(messages(pcap([(NS, frame(bootp(REQUEST + END, op=9)))]))) == 0


def test_inside_a_tunnel() -> None:
    vxlan = b"\x08\0\0\0\0\0\x2a\0" + frame(bootp(REQUEST + END), src=bytes((10, 9, 9, 9)))
    row = one(vxlan, ports=(40_000, 4789), src=bytes((172, 16, 0, 1)))
    assert (row["message_type"], row["src"]) == ("REQUEST", "10.9.9.9")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 240))
def test_no_octets_raise(octets: bytes, sound: int) -> None:
    message = (bootp(b"")[:sound] + octets) if sound < 240 else bootp(octets)
    found = dhcp.fields(message)
    if found["options"]:
        assert all(0 < entry["code"] < 255 for entry in found["options"])


option_lists = st.lists(
    st.tuples(st.integers(1, 254).filter(lambda code: code != 52), st.binary(max_size=60)),
    max_size=12, unique_by=lambda one: one[0],
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(option_lists, st.integers(0, 2**32 - 1))
def test_dpkt_agrees(listed: list[tuple[int, bytes]], xid: int) -> None:
    octets = bootp(b"".join(option(code, data) for code, data in listed) + END, xid=xid)
    theirs = dpkt.dhcp.DHCP(octets)
    ours = dhcp.fields(octets)
    assert [(entry["code"], entry["data"]) for entry in ours["options"]] == list(theirs.opts) == listed
    assert (ours["xid"], ours["chaddr"]) == (theirs.xid, theirs.chaddr[:6].hex(":"))


# other tools


def evidence(folder: str = "dhcp") -> list[str]:
    try:
        root = evidence_root() / "pcap"
    except pytest.skip.Exception:
        return ["none"]
    return sorted(path.relative_to(root).as_posix() for path in (root / folder).iterdir())


def of(name: str) -> pl.DataFrame:
    return messages(Path(evidence_root() / "pcap" / name).read_bytes(), name)


WORDS = {
    str(i + 1): word
    for i, word in enumerate(("DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"))
}
TSHARK = {
    "dhcp.option.dhcp": "message_type", "dhcp.id": "xid", "dhcp.ip.client": "ciaddr", "dhcp.ip.your": "yiaddr",
    "dhcp.ip.server": "siaddr", "dhcp.ip.relay": "giaddr", "dhcp.hw.mac_addr": "chaddr",
    "dhcp.option.requested_ip_address": "requested_ip", "dhcp.option.dhcp_server_id": "server_id",
    "dhcp.option.ip_address_lease_time": "lease_s", "dhcp.option.hostname": "hostname",
    "dhcp.flags.bc": "broadcast_flag", "ip.src": "src", "ip.dst": "dst",
}  # fmt: skip


def as_tshark(column: str, value: object) -> str:
    if value is None:
        return ""
    if column == "dhcp.option.dhcp":
        return next(number for number, word in WORDS.items() if word == value)
    if column == "dhcp.id":
        return f"0x{value:08x}"
    if column == "dhcp.flags.bc":
        return str(int(bool(value)))
    return str(int(value)) if isinstance(value, float) else str(value)


@pytest.mark.parametrize(
    "name", [*evidence("dhcp"), *evidence("pcapng"), *evidence("pcapng-suite"), *evidence("damaged")]
)
def test_tshark_agrees(name: str) -> None:
    with (evidence_root() / "expected" / "tshark" / f"{name}.tsv").open(newline="\n") as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    wanted = [row for row in rows if row["dhcp.id"]]
    # tshark shows nothing of a message that the capture cut off; we keep what is there.
    given_up = {
        int(row["frame.number"]) for row in rows if row["frame.protocols"].endswith(":dhcp") and not row["dhcp.id"]
    }
    assert all(row["frame.len"] != row["frame.cap_len"] for row in rows if int(row["frame.number"]) in given_up)
    found = [row for row in of(name).to_dicts() if row["position"] not in given_up]
    assert [str(row["position"]) for row in found] == [row["frame.number"] for row in wanted]
    for row, line in zip(found, wanted, strict=True):
        ours = {column: as_tshark(column, row[mine]) for column, mine in TSHARK.items()}
        theirs = {column: line[column] for column in TSHARK}
        # The field stands twice where the client identifier is a hardware address too.
        theirs["dhcp.hw.mac_addr"] = theirs["dhcp.hw.mac_addr"].partition(",")[0]
        assert ours == theirs


def test_zeek_agrees() -> None:
    found = of("dhcp/zeek__dhcp.pcap")
    words = ["DISCOVER", "OFFER", "REQUEST", "NAK", "REQUEST", "ACK", "DECLINE", "RELEASE", "INFORM"]
    assert found["message_type"].to_list() == words
    assert found["refusal"].drop_nulls().to_list() == ["requested address not available"]
    ack = found.row(5, named=True)
    assert (ack["yiaddr"], ack["lease_s"], ack["chaddr"]) == ("128.2.6.189", 900.0, "90:b1:1c:99:49:29")
    span = found["ts"].dt.epoch("ns")
    assert (span[6] - span[0]) // 1000 == 3_058_797
    (lone,) = of("dhcp/zeek__dhcp_ack_subscriber_id_and_agent_remote_id.pcap").to_dicts()
    relay = dict(entry.values() for entry in lone["options"])[82]
    for part in (b"this is only a test...", b"\x13", b"-subID-"):
        assert part in relay


def test_suricata_agrees() -> None:
    request, ack = of("dhcp/suricata__dhcp-eve-extended_input.pcap").to_dicts()
    assert (request["xid"], request["ciaddr"], request["chaddr"]) == (4_016_330_564, "10.16.1.4", "00:11:32:17:49:f0")
    assert request["client_id"] == "01001132" + "1749f0"
    assert (ack["lease_s"], ack["renewal_s"], ack["rebinding_s"]) == (3600.0, 1681.0, 3031.0)
    assert (ack["siaddr"], ack["hostname"]) == ("10.16.1.1", "nas1")


def test_tcpdump_agrees() -> None:
    found = of("dhcp/tcpdump__dhcp-rfc3004.pcap").to_dicts()
    assert [row["message_type"] for row in found] == ["DISCOVER", "OFFER", "REQUEST", "ACK"]
    assert {row["xid"] for row in found} == {0x6E32864}
    classes = dict(entry.values() for entry in found[0]["options"])[77]
    assert classes == b"\x07subopt1\x11subopt2-123456789\x0asubopt3-12"
    assert [row["lease_s"] for row in found] == [None, 86_400.0, None, 86_400.0]
