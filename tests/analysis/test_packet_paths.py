"""Packets followed from point to point: one logical packet each, the hop that loses large ones, tags out of place."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import forensics
from forensics.analysis import packet_paths
from forensics.analysis._paths_packets import sightings
from forensics.records import Clock, Finding, HostInterface, Packet
from tests._paths_model import FLOATING, INSIDE, POINTS, Model

SECOND = 10**9
A, B = "10.0.0.5", "198.51.100.9"
NEAR, FAR = "compute/bond0", "controller/bond0"
LAB = Path(__file__).resolve().parents[2] / "data" / "double_vlan"


# ---- the join


def clocks_of(model: Model) -> pl.DataFrame:
    """What is known of the model's clocks."""
    rows = [
        {"source": f"{point}.pcap", "host": point, "reference": "tap.pcap", "bound_s": 3e-4, "exchanges": 3,
         "offset_s": (model.offsets[point] - model.offsets["tap"]) / 1e9, "basis": "known"}
        for point in POINTS
    ]  # fmt: skip
    return pl.concat([Clock.empty(), pl.DataFrame(rows)], how="diagonal_relaxed")


@pytest.mark.parametrize("seed", range(24))
def test_every_packet_once_and_never_two_in_one(seed: int, tmp_path: Path) -> None:
    tunnel, snap = seed % 3 == 0, (68, 96, 65535)[seed // 3 % 3]
    model = Model(seed, nat=seed % 2 == 0, tunnel=tunnel, doubled=("", "tap", "tenant")[seed % 3], snap_bytes=snap)
    model.run()
    truth = model.write(tmp_path)
    read = [forensics.scan_packets(str(tmp_path / f"{point}.pcap")).collect() for point in POINTS]
    rows = pl.concat(read).with_columns(pl.col("source").str.split("/").list.last())
    known = clocks_of(model) if seed % 4 < 2 or tunnel else None  # clocks that are half a minute apart do no harm
    found = packet_paths.paths(rows, known, {FLOATING: INSIDE} if model.nat else None)
    claimed: dict[tuple[str, int], int] = {}
    for column in (name for name in found.columns if name.partition(" ")[0] in POINTS):
        for packet, sighting in found.select("packet", column).iter_rows():
            if sighting:
                claimed[column.partition(" ")[0], sighting["position"]] = packet
    first: dict[tuple[str, int], tuple[str, int]] = {}
    for place, number in truth.items():
        first.setdefault((place[0], number), place)
    assert set(claimed) == set(first.values()), "a copy at one point is no packet of its own"
    assert together(claimed) == together({place: truth[place] for place in first.values()})


def together(numbers: dict[tuple[str, int], int]) -> set[tuple[tuple[str, int], tuple[str, int]]]:
    """Pairs of sightings of one packet."""
    groups = defaultdict(list)
    for place, number in sorted(numbers.items()):
        groups[number].append(place)
    return {pair for places in groups.values() for pair in itertools.combinations(places, 2)}


# ---- loss by size, by packets that are written here


def ping(
    n: int, at_s: float, size: int, points: Iterable[str], *, reply: bool = False, **more: Any
) -> list[dict[str, Any]]:
    """An echo request (or reply) as some points saw it."""
    src, dst = (B, A) if reply else (A, B)
    row = {"src": src, "dst": dst, "protocol": 1, "icmp_type": 0 if reply else 8, "icmp_code": 0, "icmp_id": 7,
           "icmp_seq": n, "ip_id": 5000 + n, "ttl": 64, "dont_fragment": False, "ip_bytes": size}  # fmt: skip
    return seen(row | more, at_s, points)


def segment(
    seq: int, at_s: float, payload: int, points: Iterable[str], *, back: bool = False, **more: Any
) -> list[dict[str, Any]]:
    """A TCP segment as some points saw it."""
    src, dst = (B, A) if back else (A, B)
    ports = (22, 40000) if back else (40000, 22)
    row = {"src": src, "dst": dst, "protocol": 6, "src_port": ports[0], "dst_port": ports[1], "tcp_seq": seq,
           "tcp_ack": 1, "tcp_flags": 0x18, "payload_bytes": payload, "ip_bytes": payload + 52, "ttl": 64,
           "ip_id": int(at_s * 1000) & 0xFFFF | 1, "dont_fragment": True}  # fmt: skip
    return seen(row | more, at_s, points)


def seen(row: dict[str, Any], at_s: float, points: Iterable[str]) -> list[dict[str, Any]]:
    """A packet at points, fifty microseconds apart."""
    tags = row.pop("tags", {})
    return [
        row | {"host": point, "source": f"{point}.pcap", "ts": int(at_s * 1e9) + n * 50_000,
               "vlan_ids": tags.get(point, []), "ip_version": 4}
        for n, point in enumerate(points)
    ]  # fmt: skip


def frame(rows: list[list[dict[str, Any]]]) -> pl.LazyFrame:
    """Rows of `Packet`, numbered by file."""
    flat = sorted(itertools.chain.from_iterable(rows), key=lambda row: (row["source"], row["ts"]))
    columns = {name for row in flat for name in row}
    told = pl.DataFrame(
        [{name: row.get(name) for name in columns} for row in flat],
        schema={name: pl.Int64 if name == "ts" else Packet.polars_schema()[name] for name in columns},
    ).with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC")), position=pl.int_range(1, pl.len() + 1).over("source"))
    return pl.concat([Packet.empty(), told], how="diagonal_relaxed").lazy()


def sweep(
    limit: int, *, sizes: Iterable[int] = range(1400, 1501, 10), times: int = 3, **more: Any
) -> list[list[dict[str, Any]]]:
    """Pings of all sizes in turn; above a limit the request never comes to the far point."""
    rows, n = [], 0
    for _ in range(times):
        for size in sizes:
            n += 1
            lost = size > limit
            rows.append(ping(n, n, size, [NEAR] if lost else [NEAR, FAR], **more))
            if not lost:
                rows.append(ping(n, n + 0.01, size, [FAR, NEAR], reply=True, **more))
    return rows


def of(kind: str, found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.kind == kind]


def test_large_requests_that_vanish_on_a_hop() -> None:
    (finding,) = packet_paths.findings(frame(sweep(1460)))
    assert (finding.kind, finding.confidence) == ("size-dependent-loss", "proven")
    assert finding.facts == {
        "largest_delivered_bytes": 1460, "smallest_lost_bytes": 1470, "lost_between": [NEAR, FAR],
        "direction": "request", "probes": 33, "probes_lost": 12, "fragmentation_needed_seen": False,
    }  # fmt: skip
    assert {one.verdict for one in finding.alternatives} == {"ruled out"}
    assert all(step.evidence for step in finding.story[:-1])


def test_lost_replies_are_counted_at_the_senders_point() -> None:
    rows = []
    for n, size in enumerate([100, 1400, 1500] * 6, 1):
        rows.append(ping(n, n, size, [NEAR, FAR]))
        rows.append(ping(n, n + 0.01, size, [FAR] if size > 1400 else [FAR, NEAR], reply=True))
    (finding,) = packet_paths.findings(frame(rows))
    assert (finding.facts["direction"], finding.facts["lost_between"]) == ("reply", [FAR, NEAR])
    assert (finding.facts["probes"], finding.facts["probes_lost"]) == (18, 6)


def test_segments_count_where_nobody_pings() -> None:
    rows, seq, at = [segment(0, 1, 0, [NEAR, FAR], tcp_flags=2, tcp_mss=1460)], 1, 2.0
    for _ in range(20):
        rows += [segment(seq, at, 40, [NEAR, FAR]), segment(1, at + 0.01, 0, [FAR, NEAR], back=True, tcp_ack=seq + 40)]
        seq, at = seq + 40, at + 1
    for other in range(3):
        for again in range(4):
            rows.append(segment(seq + 1448 * other, at + 0.3 * 2**again + other * 0.001, 1448, [NEAR]))
    rows += [ping(1, at + 1, 60, [NEAR, FAR]), ping(2, at + 9, 60, [NEAR, FAR])]
    (finding,) = packet_paths.findings(frame(rows))
    assert finding.severity == "high"
    assert (finding.facts["direction"], finding.facts["smallest_lost_bytes"]) == ("request", 1500)
    assert (finding.facts["probes"], finding.facts["probes_lost"]) == (23, 3)


def test_a_router_that_says_so_is_no_black_hole() -> None:
    rows = sweep(1460, dont_fragment=True)
    for n in (8, 19, 30):
        error = {"src": "10.0.0.1", "dst": A, "protocol": 1, "icmp_type": 3, "icmp_code": 4, "icmp_mtu": 1460,
                 "quoted_src": A, "quoted_dst": B, "ip_bytes": 56, "ip_id": n, "ttl": 64}  # fmt: skip
        rows.append(seen(error, n + 0.001, [NEAR]))
    (finding,) = packet_paths.findings(frame(rows))
    assert (finding.severity, finding.facts["fragmentation_needed_seen"]) == ("info", True)


def test_one_capture_alone_says_what_it_cannot_tell() -> None:
    rows = frame(sweep(1460)).filter(pl.col("host") == NEAR)
    (finding,) = packet_paths.findings(rows)
    assert finding.confidence == "likely"
    assert (finding.facts["lost_between"], finding.facts["direction"]) == ([NEAR, None], None)
    assert (finding.facts["probes"], finding.facts["probes_lost"]) == (33, 12)
    assert any("capture at the next hop" in text for text in finding.next_evidence)


def test_a_reply_whose_icmp_header_was_cut_off() -> None:
    cut = {"icmp_type": None, "icmp_code": None, "icmp_id": None, "icmp_seq": None}
    rows = frame([*sweep(1460), ping(99, 40.0, 1400, [NEAR], reply=True, **cut)]).filter(pl.col("host") == NEAR)
    (finding,) = packet_paths.findings(rows)
    assert (finding.facts["probes"], finding.facts["probes_lost"]) == (33, 12)


def test_of_very_many_packets_some_conversations_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = frame(sweep(1460, times=20))
    (whole,) = packet_paths.findings(rows)
    monkeypatch.setattr(packet_paths, "MOST_PACKETS", rows.collect().height // 3)
    (part,) = packet_paths.findings(rows)
    assert part.facts["lost_between"] == whole.facts["lost_between"]
    assert part.facts["probes"] < whole.facts["probes"] / 2
    for name in ("size_steps", "path_matrix"):
        assert packet_paths.CHARTS[name](part, rows) is not None


def pieces() -> list[list[dict[str, Any]]]:
    """A card cuts up what the host hands down in one piece, behind its capture."""
    rows = []
    for n in range(12):
        begin = n * 5000
        rows.append(segment(begin, n + 1, 4344, [NEAR]))
        rows += [segment(begin + 1448 * k, n + 1.00002 + k / 1e6, 1448, [FAR]) for k in range(3)]
        rows.append(segment(begin + 4344, n + 1.5, 656, [NEAR, FAR]))
    return rows


def fragments() -> list[list[dict[str, Any]]]:
    """A router cuts packets up that do not ask for the contrary."""
    rows = []
    for n in range(1, 25):
        size = 1500 if n % 2 else 200
        rows.append(ping(n, n, size, [NEAR] if n % 2 else [NEAR, FAR]))
        if n % 2:
            rows.append(ping(n, n + 0.0001, 1420, [FAR], more_fragments=True))
            rest = {"icmp_type": None, "icmp_id": None, "icmp_seq": None, "fragment_offset_bytes": 1400}
            rows.append(ping(n, n + 0.0002, 100, [FAR], **rest))
    return rows


def early_end() -> list[list[dict[str, Any]]]:
    """The far capture ends before the large packets are sent."""
    rows = [ping(n, n, 100 + n, [NEAR, FAR]) for n in range(1, 20)]
    return rows + [ping(n, n + 10, 1400, [NEAR]) for n in range(20, 40)]


def by_chance() -> list[list[dict[str, Any]]]:
    """Every seventh packet is lost, whatever its size."""
    return [ping(n, n, 100 + n * 389 % 1400, [NEAR] if n % 7 == 0 else [NEAR, FAR]) for n in range(1, 200)]


def outage() -> list[list[dict[str, Any]]]:
    """The link is down while two large packets are sent."""
    rows = [ping(n, n, 100 + n, [NEAR, FAR]) for n in range(1, 9)]
    return rows + [ping(n, n, 1400, [NEAR]) for n in (9,)] + [ping(n, n, 90, [NEAR, FAR]) for n in range(10, 14)]


def parallel() -> list[list[dict[str, Any]]]:
    """An instance moves: what came through one host comes through another, where only little is said."""
    old = [ping(n, n, 60 + n * 70 % 1440, ["gw/eth0", "compute1/bond0"]) for n in range(1, 30)]
    return old + [ping(n, n, 60 + n, ["gw/eth0", "compute2/bond0"]) for n in range(30, 60)]


def answered() -> list[list[dict[str, Any]]]:
    """The far capture keeps small packets only, but the large ones are answered."""
    rows = []
    for n, size in enumerate([100, 1400, 1500] * 8, 1):
        rows.append(ping(n, n, size, [NEAR, FAR] if size == 100 else [NEAR]))
        rows.append(ping(n, n + 0.01, size, [FAR, NEAR] if size == 100 else [NEAR], reply=True))
    return rows


@pytest.mark.parametrize("rows", [pieces, fragments, early_end, by_chance, outage, parallel, answered])
def test_what_only_looks_like_loss_by_size(rows: Any) -> None:
    assert packet_paths.findings(frame(rows())) == []


# ---- stacked VLANs


STACK = {NEAR: [20, 100], FAR: [20, 100]}


def test_two_tags_and_a_boundary_that_is_theirs() -> None:
    found = packet_paths.findings(frame(sweep(1496, sizes=range(1480, 1501), tags=STACK)))
    (stack,), (loss,) = of("stacked-vlan", found), of("size-dependent-loss", found)
    facts = stack.facts
    assert (facts["outer_vid"], facts["inner_vid"], facts["overhead_bytes"]) == (20, 100, 4)
    assert (facts["largest_delivered_bytes"], facts["smallest_lost_bytes"]) == (1496, 1497)
    assert facts["interface"] is None
    assert stack.confidence == "likely"
    assert packet_paths.explained(stack, found) == [loss.id]
    assert not packet_paths.explained(loss, found)


@pytest.mark.parametrize(("tags", "limit"), [({NEAR: [100], FAR: [100]}, 1496), (STACK, 1400)])
def test_a_small_link_is_no_stack(tags: dict[str, list[int]], limit: int) -> None:
    rows = sweep(limit, sizes=range(1380, 1501, 4), tags=tags)
    assert [one.kind for one in packet_paths.findings(frame(rows))] == ["size-dependent-loss"]


def test_a_stack_with_room_is_no_fault() -> None:
    assert packet_paths.findings(frame(sweep(1500, tags=STACK))) == []


# ---- leaks


def spoken(point: str, n: int, *, tag: int | None = None, macs: tuple[str, str] = ("02:aa", "02:bb")) -> dict[str, Any]:
    """A frame from one card to another."""
    full = tuple(f"02:00:00:00:00:{mac[-2:]}" for mac in macs)
    return {"host": point, "source": f"{point}.pcap", "ts": n * SECOND, "eth_src": full[0], "eth_dst": full[1],
            "vlan_ids": [tag] if tag else [], "src": A, "dst": B, "ip_bytes": 100, "protocol": 17}  # fmt: skip


def conversation(
    point: str, tag: int | None = None, macs: tuple[str, str] = ("02:aa", "02:bb")
) -> list[dict[str, Any]]:
    return [spoken(point, n, tag=tag, macs=macs if n % 2 else macs[::-1]) for n in range(1, 21)]


def broadcast(point: str, tags: list[int], count: int = 3) -> list[dict[str, Any]]:
    return [
        {"host": point, "source": f"{point}.pcap", "ts": n * SECOND + 5, "eth_src": "02:00:00:00:00:cc",
         "eth_dst": "ff:ff:ff:ff:ff:ff", "ethertype": 0x0806, "vlan_ids": tags}
        for n in range(1, count + 1)
    ]  # fmt: skip


def test_a_tag_that_was_left_on() -> None:
    rows = frame([conversation("gw/eth0"), broadcast("gw/eth0", [100]), broadcast(NEAR, [20, 100])])
    (leak,) = packet_paths.findings(rows)
    assert (leak.kind, leak.severity, leak.confidence) == ("vlan-leak", "medium", "likely")
    assert leak.facts == {"capture_point": "gw/eth0", "vid": 100, "frames": 3}
    listing = [{"host": "gw", "source": "gw/ip_link.txt", "position": 1, "interface": "eth0", "ts_basis": "none"}]
    hosts = pl.concat([HostInterface.empty(), pl.DataFrame(listing)], how="diagonal_relaxed").lazy()
    assert packet_paths.findings(rows, hosts)[0].confidence == "proven"
    child = pl.DataFrame([listing[0] | {"interface": "vlan7", "parent": "eth0", "vlan_id": 7}])
    knows = pl.concat([hosts.collect(), child], how="diagonal_relaxed").lazy()
    assert packet_paths.findings(rows, knows) == [], "a host with VLANs on that interface sees tags every day"


@pytest.mark.parametrize(
    "rows",
    [
        [conversation("gw/eth0"), broadcast("gw/eth0", [100])],
        [conversation("gw/eth0"), conversation("gw/eth0", 100, ("02:cc", "02:dd")), broadcast(NEAR, [20, 100])],
        [conversation("gw/eth0", 100), broadcast("gw/eth0", [100]), broadcast(NEAR, [20, 100])],
        [[spoken("gw/eth0", n, tag=100 if n % 2 else None, macs=("02:aa", "02:bb") if n % 2 else ("02:bb", "02:aa"))
          for n in range(1, 30)]],
    ],
    ids=["nothing says that it should not", "a trunk", "no untagged talk", "tags taken off what comes in"],
)  # fmt: skip
def test_what_is_no_leak(rows: list[list[dict[str, Any]]]) -> None:
    assert packet_paths.findings(frame(rows)) == []


# ---- the lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return forensics.open_case(LAB / "guilty", out=tmp_path_factory.mktemp("lab") / "out.case", workers=1)


PARTS = {
    "both bonds": ([NEAR, FAR], "likely", [NEAR, FAR]),
    "ends": (["outside/eth0", "web-1/eth0"], None, None),
    "one bond": ([NEAR], "possible", [NEAR, None]),
}


@pytest.mark.parametrize("part", PARTS)
def test_whatever_captures_there_are(lab: Any, part: str) -> None:
    points, confidence, between = PARTS[part]
    packets = lab.packets.lazy().filter(pl.col("host").is_in(points))
    found = packet_paths.findings(packets, clocks=lab.clocks.lazy())
    (loss,) = of("size-dependent-loss", found)
    assert (loss.facts["largest_delivered_bytes"], loss.facts["smallest_lost_bytes"]) == (1496, 1497)
    stacks = of("stacked-vlan", found)
    assert [one.confidence for one in stacks] == ([confidence] if confidence else [])
    assert [one.facts["lost_between"] for one in stacks] == ([between] if between else [])


def ascending(
    points: tuple[str, ...], tags: tuple[int, ...] = (), *, limit: int = 1496, far_sees: bool = True
) -> list[list[dict[str, Any]]]:
    """Three pings of each size, smallest first, and nothing else: what is lost comes last, and ends the captures."""
    rows, n = [], 0
    marks = {"tags": {point: list(tags) for point in points}}
    for size in (84, 576, 1000, 1400, 1450, 1472, 1496, 1497, 1500):
        for _ in range(3):
            n += 1
            lost = size > limit
            rows.append(ping(n, n, size, points[:1] if lost else points if far_sees else points[:1], **marks))
            if not lost:
                rows.append(ping(n, n + 0.01, size, points[::-1], reply=True, **marks))
    return rows


@pytest.mark.parametrize("points", [(NEAR, FAR), (NEAR,)])
def test_the_largest_pings_come_last_and_two_tags_explain_their_loss(points: tuple[str, ...]) -> None:
    found = packet_paths.findings(frame(ascending(points, (210, 3012))))
    (finding,) = of("stacked-vlan", found)
    assert (finding.facts["outer_vid"], finding.facts["inner_vid"]) == (210, 3012)
    assert (finding.facts["largest_delivered_bytes"], finding.facts["smallest_lost_bytes"]) == (1496, 1497)
    assert finding.facts["lost_between"] == [NEAR, FAR if len(points) > 1 else None]
    assert finding.confidence != "proven", "a capture that had ended would show the same"
    assert finding.next_evidence


def test_the_largest_pings_come_last_without_tags_to_explain_it() -> None:
    assert not packet_paths.findings(frame(ascending((NEAR, FAR)))), "the other end may just have gone"


def test_large_pings_after_the_other_end_has_gone_are_no_harm() -> None:
    rows = [one for n in range(40) for one in (ping(n, n, 84, [NEAR]), ping(n, n + 0.01, 84, [NEAR], reply=True))]
    rows += [ping(n, n, 1500, [NEAR]) for n in range(40, 60)]
    assert {one.severity for one in packet_paths.findings(frame(rows))} <= {"info"}


def test_both_directions_of_a_link_have_one_limit() -> None:
    rows = sweep(1492, sizes=(84, 1400, 1492, 1493, 1500))
    for n, seq in enumerate(range(1, 9000, 1448)):
        rows += [segment(seq, 100 + n, 100, [FAR, NEAR], back=True), segment(seq, 100.5 + n, 1448, [FAR], back=True)]
    rows += [segment(1, 99.2 + n, 20, [NEAR, FAR]) for n in range(8)]
    (finding,) = packet_paths.findings(frame(rows))
    assert finding.facts["direction"] == "both"
    assert (finding.facts["largest_delivered_bytes"], finding.facts["smallest_lost_bytes"]) == (1492, 1493)


def test_segments_sent_again_are_found_in_any_number_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = frame([segment(n // 3 * 1000, n, 1000, [NEAR, FAR]) for n in range(30)])
    seen = sightings(rows)
    whole = packet_paths._repeated(seen, 60)
    assert whole.rows() == [(A, B)]
    monkeypatch.setattr(packet_paths, "MOST_SEGMENTS", 7)
    assert set(packet_paths._repeated(seen, 60).rows()) == set(whole.rows())
    assert packet_paths._repeated(sightings(frame([segment(1, 1, 1000, [NEAR])])), 1).is_empty()
