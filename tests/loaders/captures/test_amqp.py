"""BrokerTransfer: contents of every size, cut into segments, reordered, sent again, cut by the snap length."""

import io
import random
import struct
import subprocess

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics import scan_records
from forensics.loaders.captures import amqp
from forensics.loaders.captures._amqp_frames import Frames
from forensics.records import BrokerTransfer
from tests._captures import pcap
from tests._evidence import evidence_root
from tests._system import program

CLIENT, BROKER = bytes((10, 0, 0, 5)), bytes((10, 0, 0, 9))
PREAMBLE = b"AMQP\x00\x00\x09\x01"
HEARTBEAT = b"\x08\0\0\0\0\0\0\xce"


def frame(kind: int, payload: bytes, channel: int = 1) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def short(text: str) -> bytes:
    return bytes((len(text),)) + text.encode()


def publish(exchange: str, key: str, body: bytes, *, channel: int = 1, frame_max: int = 131_072) -> bytes:
    method = struct.pack(">HHH", 60, 40, 0) + short(exchange) + short(key) + b"\0"
    flags = struct.pack(">H", 0x8000 | 0x2000 | 0x1000 | 0x0400 | 0x0200)
    table = b"\x01aS" + struct.pack(">I", 2) + b"xy"
    properties = flags + short("application/json") + struct.pack(">I", len(table)) + table + b"\x02"
    properties += short("corr-7") + short("reply_0123")
    header = struct.pack(">HHQ", 60, 0, len(body)) + properties
    size = frame_max - 8
    parts = [frame(3, body[at : at + size], channel) for at in range(0, len(body), size)]
    return frame(1, method, channel) + frame(2, header, channel) + b"".join(parts)


def deliver(key: str, body: bytes) -> bytes:
    method = struct.pack(">HH", 60, 60) + short("ctag-1") + struct.pack(">QB", 9, 0) + short("nova") + short(key)
    header = struct.pack(">HHQH", 60, 0, len(body), 0)
    return frame(1, method, 3) + frame(2, header, 3) + (frame(3, body, 3) if body else b"")


def packet(seq: int, data: bytes, flags: int = 0x18) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", 40_004, 5672, seq % (1 << 32), 1, 5 << 4, flags, 500, 0, 0)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 40 + len(data), 1, 0x4000, 64, 6, 0) + CLIENT + BROKER
    return bytes(12) + b"\x08\0" + ip + tcp + data


def segments(stream: bytes, size: int = 1448, seq: int = 1000) -> list[bytes]:
    return [packet(seq + at, stream[at : at + size]) for at in range(0, len(stream), size)]


def read(packets: list[bytes], snap: int = 1 << 18) -> pl.DataFrame:
    octets = pcap([(n * 1_000_000, one[:snap], len(one)) for n, one in enumerate(packets)])
    rows = scan_records(io.BytesIO(octets), BrokerTransfer).collect()
    BrokerTransfer.validate(rows)
    return rows


BODIES = [b"{}", b"x" * 200_000, b"", b"y" * 131_064, b"z" * 3_000_000]
STREAM = PREAMBLE + b"".join(publish("nova", f"compute.cc{n}", body) for n, body in enumerate(BODIES)) + HEARTBEAT


def test_each_content_is_a_row() -> None:
    rows = read([packet(999, b"", 0x02), *segments(STREAM)])
    assert rows["routing_key"].to_list() == [f"compute.cc{n}" for n in range(5)]
    assert rows["body_bytes"].to_list() == rows["seen_bytes"].to_list() == [len(body) for body in BODIES]
    sizes = [len(publish("nova", f"compute.cc{n}", body)) for n, body in enumerate(BODIES)]
    assert rows["carried_bytes"].to_list() == [*sizes[:-1], None]
    first = rows.row(0, named=True)
    told = {
        "method": "publish", "exchange": "nova", "correlation_id": "corr-7", "reply_to": "reply_0123", "channel": 1,
        "src": "10.0.0.5", "src_port": 40004, "dst_port": 5672, "connection": "10.0.0.5:40004-10.0.0.9:5672",
        "position": 2,
    }  # fmt: skip
    assert {name: first[name] for name in told} == told
    assert (rows["ended_at"] >= rows["ts"]).all()
    assert rows["ended_at"][4] == rows["ts"][0] + pl.Series([(len(STREAM) - 1) // 1448]).cast(pl.Duration("ms"))[0]


def test_an_rpc_call_tells_what_it_is_about() -> None:
    bare = (
        b'{"_msg_id": "' + b"ab" * 16 + b'", "method": "get_console_output", "_context_request_id": '
        b'"req-84d16d16-3808-426b-b7af-3b90a11b83b0", "args": {"instance_uuid": '
        b'"871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"}}'
    )
    envelope = b'{"oslo.version": "2.0", "oslo.message": "' + bare.replace(b'"', b'\\"') + b'"}'
    rows = read(segments(PREAMBLE + publish("nova", "k", bare) + publish("nova", "k", envelope)))
    assert rows.height == 2
    for row in rows.iter_rows(named=True):
        assert (row["rpc_method"], row["msg_id"]) == ("get_console_output", "ab" * 16)
        assert row["request_id"] == "req-84d16d16-3808-426b-b7af-3b90a11b83b0"
        assert row["instance"] == "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"


def test_deliveries_and_other_methods_between() -> None:
    stream = deliver("reply_1", b"a" * 50) + frame(1, struct.pack(">HHQB", 60, 80, 1, 0), 3) + deliver("reply_2", b"")
    rows = read(segments(PREAMBLE + stream))
    assert rows.select("method", "consumer_tag", "routing_key", "body_bytes").rows() == [
        ("deliver", "ctag-1", "reply_1", 50),
        ("deliver", "ctag-1", "reply_2", 0),
    ]


@pytest.mark.parametrize("snap", [128, 256, 96])
def test_a_short_snap_length_loses_no_content(snap: int) -> None:
    """The size of a content is in its header, near its start: all of it need not be captured."""
    writes = [publish("", f"reply_{n}", b"c" * size) for n, size in enumerate((5_000_000, 12, 700_000))]
    packets, seq = [], 1000
    for write in writes:
        head = write.index(b"\x02\0\x01")  # method and header are written apart, as pika and the broker itself do
        for part in (write[:head], write[head:]):
            packets += segments(part, seq=seq)
            seq += len(part)
    rows = read(packets, snap)
    assert rows["routing_key"].to_list() == ["reply_0", "reply_1", "reply_2"]
    assert rows["carried_bytes"].to_list() == [len(writes[0]), len(writes[1]), None]
    if snap >= 128:
        assert rows["body_bytes"].to_list() == [5_000_000, 12, 700_000]


def test_sent_again_out_of_order_and_over_the_wrap() -> None:
    packets = segments(STREAM, seq=(1 << 32) - 40_000)
    start = packet((1 << 32) - 40_001, b"", 0x02)
    expected = read([start, *packets])
    rng = random.Random(7)
    mixed = list(packets)
    for at in range(5, len(mixed) - 5, 9):
        mixed[at : at + 5] = rng.sample(mixed[at : at + 5], 5)
    for at in range(10, len(mixed), 13):
        mixed.insert(at + 3, mixed[at])
    found = read([start, *mixed])
    same = ["routing_key", "body_bytes", "seen_bytes", "carried_bytes"]
    assert found.select(same).rows() == expected.select(same).rows()


def test_lost_segments_cost_their_own_content() -> None:
    stream = PREAMBLE + b"".join(publish("nova", f"k{n}", b"b" * 4000) for n in range(1500))
    packets = segments(stream)
    rows = read([packet(999, b"", 0x02), *packets[:100], *packets[101:]])
    assert rows.height >= 1498
    assert rows.filter(pl.col("seen_bytes") < 4000).height <= 2
    assert rows["routing_key"][-1] == "k1499"


def test_a_capture_that_begins_in_the_middle() -> None:
    stream = publish("nova", "early", b"e" * 10_000) + b"".join(publish("nova", f"k{n}", b"b" * 900) for n in range(50))
    rows = read(segments(stream)[3:])
    assert rows["routing_key"].to_list()[-45:] == [f"k{n}" for n in range(5, 50)]
    assert rows["body_bytes"].to_list()[-45:] == [900] * 45


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.lists(st.integers(1, 200), max_size=30), st.booleans())
def test_any_octets(noise: bytes, holes: list[int], from_start: bool) -> None:
    done = []
    frames = Frames(done.append, from_start=from_start)
    octets, place = (
        noise + publish("nova", "k", b"b" * 50) + deliver("k", b"c" * 90) + noise + publish("", "k", b"d"),
        0,
    )
    for size in holes:
        frames.octets(octets[place : place + size], place, {"ts": 0})
        place += size
        if size % 3 == 0:
            frames.hole(size)
            place += size
    frames.end()
    assert all(content.method in {"publish", "deliver"} for content in done if content.fields.get("routing_key") == "k")
    assert len({id(content) for content in done}) == len(done)


def test_as_tshark_sees_a_strangers_capture() -> None:
    """Collection, `pcap/other/ndpi__amqp.pcap`."""
    path = evidence_root() / "pcap/other/ndpi__amqp.pcap"
    rows = scan_records(path, BrokerTransfer).collect()
    names = ["amqp.method.method", "amqp.header.body-size", "amqp.method.arguments.routing_key"]
    command = [program("tshark"), "-r", path, "-Y", "amqp", "-T", "fields", *(a for n in names for a in ("-e", n))]
    told = [
        line.split("\t")
        for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")
        if line
    ]
    assert rows["body_bytes"].sum() == sum(int(size) for _, sizes, _ in told for size in sizes.split(",") if size)
    assert rows.height == sum(sizes.count(",") + 1 for _, sizes, _ in told if sizes) == 31


def told(rows: pl.DataFrame) -> list[tuple[object, ...]]:
    return rows.select("method", "channel", "routing_key", "body_bytes", "seen_bytes").rows()


def test_contents_of_several_channels_between_one_another() -> None:
    """Section 4.2.6: frames of different channels may be mixed, those of one content may not."""
    one, two = publish("nova", "one", b"a" * 90, channel=1), publish("nova", "two", b"b" * 50, channel=2)
    at, to = one.index(b"\x03\0\x01"), two.index(b"\x03\0\x02")
    stream = one[:at] + two[:to] + one[at:] + HEARTBEAT + two[to:] + publish("nova", "three", b"c")
    rows = read(segments(PREAMBLE + stream, size=60))
    assert told(rows) == [
        ("publish", 1, "one", 90, 90), ("publish", 2, "two", 50, 50), ("publish", 1, "three", 1, 1)
    ]  # fmt: skip


def test_what_a_broker_gives_back_is_named() -> None:
    """`basic.return`: reply code and text come before exchange and routing key."""
    method = struct.pack(">HHH", 60, 50, 312) + short("NO_ROUTE") + short("nova") + short("nowhere")
    header = frame(2, struct.pack(">HHQH", 60, 0, 4, 0))
    (row,) = read(segments(frame(1, method) + header + frame(3, b"body"))).iter_rows(named=True)
    assert (row["method"], row["exchange"], row["routing_key"], row["seen_bytes"]) == ("return", "nova", "nowhere", 4)


@pytest.mark.parametrize(
    "odd",
    [
        frame(3, b"of a content that began before the capture", 7),
        frame(2, struct.pack(">HHQH", 60, 0, 4, 0), 7),
        frame(2, b"\0\x3c", 7),
        frame(1, b"\0"),
        frame(1, struct.pack(">HH", 60, 10) + b"\0\0")[:-1] + b"?",
        b"\x09 is no kind of frame",
        b"\x01\0\x01\xff\xff\xff\xff",
    ],
    ids=["body of nothing", "header of nothing", "short header", "short method", "no end", "no kind", "no size"],
)
def test_a_strange_frame_costs_what_is_next_to_it_at_most(odd: bytes) -> None:
    tail = HEARTBEAT + HEARTBEAT + b"".join(publish("nova", f"k{n}", b"b" * 20) for n in range(3))
    rows = read(segments(PREAMBLE + publish("nova", "first", b"a" * 9) + odd + tail, size=700))
    assert told(rows) == [
        ("publish", 1, "first", 9, 9), *(("publish", 1, f"k{n}", 20, 20) for n in range(3))
    ]  # fmt: skip


def test_a_connection_that_begins_anew_on_the_same_ports() -> None:
    first, second = PREAMBLE + publish("nova", "cut", b"a" * 5000), PREAMBLE + publish("nova", "whole", b"b" * 100)
    packets = [packet(999, b"", 0x02), *segments(first, seq=1000)[:2]]
    packets += [packet(70_000, b"", 0x02), *segments(second, size=5, seq=70_001)]
    packets += [packet(70_001 + len(second), b"", 0x11), *segments(publish("nova", "later", b"c"), seq=90_000)]
    rows = read(packets)
    assert rows["routing_key"].to_list() == ["cut", "whole", "later"]
    assert rows["body_bytes"].to_list() == [5000, 100, 1]
    assert rows["seen_bytes"][0] < 5000
    assert rows["seen_bytes"].to_list()[1:] == [100, 1]


def test_segments_that_overlap_are_read_once() -> None:
    """A sender that sends again may cut what it sends otherwise (RFC 9293, 3.8.1)."""
    stream = PREAMBLE + b"".join(publish("nova", f"k{n}", bytes([65 + n]) * 300) for n in range(8))
    parts = [(at, size) for at in range(0, len(stream), 100) for size in (100,)]
    again = [(at, size) for at in range(250, len(stream), 700) for size in (40, 330)]
    places = [parts[0], *again, *parts[1:], *again]
    start = packet(999, b"", 0x02)
    rows = read([start, *(packet(1000 + at, stream[at : at + size]) for at, size in places)])
    assert sorted(told(rows), key=repr) == told(read([start, *segments(stream)])) != []
    lost = [packet(1000 + at, stream[at : at + size]) for at, size in parts if not 400 <= at < 600]
    rows = read([start, *lost, packet(1000 + len(stream) + 50, b"", 0x14)])
    assert rows["routing_key"].to_list()[-6:] == [f"k{n}" for n in range(2, 8)]
    assert rows["seen_bytes"].to_list()[-6:] == [300] * 6


def test_very_many_connections_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqp, "_MOST_STREAMS", 3)
    packets = []
    for port in range(10):
        octets = bytearray(packet(1000, PREAMBLE + publish("nova", f"k{port}", b"b")))
        octets[34:36] = (40_000 + port).to_bytes(2, "big")
        packets.append(bytes(octets))
    assert read(packets)["routing_key"].to_list() == [f"k{port}" for port in range(10)]
