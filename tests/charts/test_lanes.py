"""Lanes draw stretches and instants of any number, cite them, and evidence never becomes markup."""

from datetime import UTC, datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import polars as pl
import pytest

from forensics.analysis import broker_alarms, duplicate_ips, link_events, rogue_dhcp_servers
from forensics.charts import lanes as module
from forensics.charts._theme import DARK, LIGHT
from forensics.charts.lanes import BARS, LEVELS, MARKS, MOST_LANES, MOST_MARKS, lanes
from forensics.records import BrokerEvent, DhcpMessage, Finding, Packet, PortEvent, Record

NOON = datetime(2013, 2, 15, 12, tzinfo=UTC)
MINE = "fa:16:3e:24:e7:22"
EVIL = "<img src=x onerror=alert(1)>"


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def bar(start: float | None, end: float | None, lane: str = "cc12", **rest: Any) -> dict[str, Any]:
    told = {"group": "", "what": "down", "meaning": "trouble", "text": "said", "source": "a/syslog", "position": 7}
    ends = {"from_at": None if start is None else after(start), "to_at": None if end is None else after(end)}
    return told | {"lane": lane} | ends | rest


def mark(at: float, lane: str = "cc12", **rest: Any) -> dict[str, Any]:
    told = {"group": "", "what": "ask", "meaning": "asks", "text": "said", "source": "a.pcap", "position": 3}
    return told | {"lane": lane, "at": after(at)} | rest


def drawn(bars: list[dict[str, Any]], marks: list[dict[str, Any]] | None = None, **rest: Any) -> go.Figure:
    return lanes("title", pl.DataFrame(bars, schema=BARS), pl.DataFrame(marks or [], schema=MARKS), **rest)


def frame(record: type[Record], rows: list[dict[str, Any]]) -> pl.LazyFrame:
    return pl.DataFrame(rows, schema=record.polars_schema()).lazy()


def test_the_analyses_name_it() -> None:
    for analysis in (broker_alarms, duplicate_ips, link_events, rogue_dhcp_servers):
        assert list(analysis.CHARTS) == ["lanes"]
    assert callable(module.lanes)


def test_a_bar_says_when_how_long_and_where_it_is_written() -> None:
    figure = drawn([bar(0, 90)], [mark(5)])
    assert figure.data[0].hovertext[0] == (
        "<b>cc12</b>: down<br>2013-02-15 12:00:00.000 to 12:01:30.000 (1.5 min)<br>said<br>a/syslog:7"
    )
    assert figure.data[0].x[0] == 90_000
    assert figure.data[1].hovertext[0].endswith("said<br>a.pcap:3")


def test_what_has_no_end_reaches_to_the_edge_and_has_an_arrow() -> None:
    figure = drawn([bar(None, 10), bar(20, None, lane="cc13")], [mark(60)])
    (bars, left, right, _) = figure.data
    assert [bars.base[0][11:19], bars.x[0]] == [
        "12:00:10",
        pytest.approx(50_000 / 300),
    ]  # nothing is known before: it is still to be seen
    assert "before the evidence" in bars.hovertext[0]
    assert (bars.x[1], "the end of the evidence" in bars.hovertext[1]) == (40_000, True)
    assert [left.marker.symbol, right.marker.symbol] == ["triangle-left", "triangle-right"]
    assert [left.y, right.y] == [(0,), (1,)]
    wide = drawn([bar(None, None)], span=(after(-100), after(100)))
    assert wide.data[0].x[0] == 200_000


def test_lanes_stand_as_they_are_named_and_are_cut_where_they_are_too_many() -> None:
    figure = drawn([bar(0, 1, "b"), bar(2, 3, "a")], [mark(1, "c")])
    assert list(figure.layout.yaxis.ticktext) == ["b", "a", "c"]
    many = drawn([bar(n, n + 1, f"port {n}") for n in range(MOST_LANES + 5)])
    assert len(many.layout.yaxis.ticktext) == MOST_LANES
    assert "5 more lanes are not drawn" in many.layout.title.subtitle.text


@pytest.mark.parametrize("events_", [10, 100_000])
def test_ten_events_and_a_hundred_thousand(events_: int) -> None:
    figure = drawn([bar(n, n + 0.5) for n in range(events_)], [mark(n) for n in range(events_)])
    bars, marks = figure.data
    shown = figure.layout.title.subtitle.text
    if events_ == 10:
        assert (len(bars.x), len(marks.x), shown) == (10, 10, "")
        return
    assert len(bars.x) < MOST_MARKS
    assert len(marks.x) < MOST_MARKS
    assert shown == (
        "100,000 stretches, those that begin within 30 min are drawn as one; 100,000 marks in bins of 30 min, "
        "the larger the more"
    )
    assert "1,800 times down, 15 min together" in bars.hovertext[1]
    assert "ask, 1,800 times; the first" in marks.hovertext[1]


def test_levels_are_drawn_below() -> None:
    row = {
        "what": "in use",
        "meaning": "asks",
        "at": NOON,
        "size_bytes": 5,
        "text": "",
        "source": "r.log",
        "position": 1,
    }
    levels = pl.DataFrame([row, row | {"at": after(9), "size_bytes": 8}], schema=LEVELS)
    figure = lanes("title", pl.DataFrame([bar(0, 9)], schema=BARS), levels=levels)
    assert (figure.data[1].yaxis, list(figure.data[1].y)) == ("y2", [5, 8])
    assert figure.layout.yaxis2.title.text == "octets"


def test_evidence_text_is_escaped_everywhere_light_and_dark() -> None:
    evil = {"text": EVIL, "source": EVIL, "group": EVIL}
    for dark, colours in ((False, LIGHT), (True, DARK)):
        figure = drawn([bar(0, 9, EVIL, **evil)], [mark(1, EVIL, **evil)], note=EVIL, dark=dark)
        assert "<img" not in figure.to_json().replace("\\u003c", "<")
        assert figure.layout.template.layout.paper_bgcolor == colours.paper


def test_nothing_at_all_is_no_error() -> None:
    assert "tells no instant" in drawn([]).layout.xaxis.title.text


def test_claims_of_an_address_by_two_machines() -> None:
    macs = [MINE, "fa:16:3e:5b:03:91"]
    rows = [
        {"ts": after(n * 20 + (n % 2) * 0.2), "position": n + 1, "source": "br.pcap", "arp_op": 2, "vlan_ids": [],
         "arp_sender_mac": macs[n % 2], "arp_sender_ip": "10.0.0.5", "arp_target_mac": "fa:16:3e:00:00:01",
         "link_type": 1, "interface_id": 0}
        for n in range(8)
    ]  # fmt: skip
    rows[1]["ts"] = after(0.2)  # one question, two answers
    packets = frame(Packet, rows)
    (finding,) = duplicate_ips.findings(packets)
    given = duplicate_ips.chart_frames(finding, packets)
    assert given["marks"]["lane"].unique().sort().to_list() == macs
    assert given["marks"].group_by("what").len().sort("what").rows() == [("answers", 6), ("both answer", 2)]
    figure = lanes(**given)
    assert any("br.pcap:1" in text for trace in figure.data for text in trace.hovertext or ())


def test_a_line_that_says_in_use_is_drawn_where_no_capture_is() -> None:
    said = [{"ts": NOON, "message_type": "DECLINE", "requested_ip": "10.0.0.5", "chaddr": MINE, "source": "d.log",
             "position": 4, "seen_by": "server"}]  # fmt: skip
    messages = frame(DhcpMessage, said)
    (finding,) = duplicate_ips.findings(Packet.empty().lazy(), dhcp_messages=messages)
    given = duplicate_ips.chart_frames(finding, Packet.empty().lazy(), dhcp_messages=messages)
    assert given["marks"]["position"].to_list() == [4]
    assert "d.log:4" in lanes(**given).data[-1].hovertext[0]


def test_answers_of_the_rogue_one_are_told_apart_and_what_two_captures_saw_is_one() -> None:
    servers = {"10.0.0.1": ("00:25:90:3a:5c:10", "10.0.0.5"), "192.168.122.1": ("fa:16:3e:e0:31:7c", "192.168.122.67")}
    rows = [
        {"ts": after(10 * n + late), "source": f"{point}.pcap", "position": 2 * n + (server != "10.0.0.1") + 1,
         "seen_by": "capture", "message_type": "OFFER", "xid": n, "chaddr": MINE, "yiaddr": ip, "eth_src": mac,
         "server_id": server, "src": server}
        for point, late in (("a", 0.0), ("b", 0.001))
        for n in range(3)
        for server, (mac, ip) in servers.items()
    ]  # fmt: skip
    rows.append(rows[0] | {"ts": after(-60), "chaddr": "fa:16:3e:00:00:02", "xid": 77, "position": 99})
    messages = frame(DhcpMessage, rows)
    (finding,) = rogue_dhcp_servers.findings(messages)
    assert finding.facts["server"] == "192.168.122.1"
    assert finding.facts["offers"] == 3
    given = rogue_dhcp_servers.chart_frames(finding, messages)
    assert given["bars"]["lane"].to_list()[0].startswith("192.168.122.1 at")
    assert given["marks"].group_by("what").len().sort("what").rows() == [
        ("OFFER of others", 4), ("OFFER of the rogue one", 3)]  # fmt: skip


def test_alarms_of_a_node_over_its_memory() -> None:
    common = {"source": "rabbit.log", "host": "mq1", "node": "rabbit@mq1", "message": "vm_memory_high_watermark"}
    mark = {"kind": "memory_mark", "limit_bytes": 8}
    rows = [
        common | mark | {"ts": after(0), "state": "set", "used_bytes": 9, "position": 1},
        common | mark | {"ts": after(30), "state": "clear", "used_bytes": 5, "position": 2},
        common
        | {"ts": after(60), "kind": "disk_low", "state": "set", "used_bytes": 1, "limit_bytes": 2, "position": 3},
    ]
    told = frame(BrokerEvent, rows)
    memory = next(one for one in broker_alarms.findings(told) if one.facts["kind"] == "memory")
    given = broker_alarms.chart_frames(memory, told)
    assert given["bars"]["lane"].to_list() == ["rabbit@mq1: memory", "rabbit@mq1: disk"]
    assert given["bars"]["to_at"].to_list() == [after(30), None]
    assert given["levels"].filter(pl.col("what") == "in use")["size_bytes"].to_list() == [9, 5]


def test_ports_that_were_down_at_the_same_time() -> None:
    rows: list[Finding] = link_events.findings(told := frame(PortEvent, ports()))
    own = next(one for one in rows if one.facts["interface"] == "eth2")
    given = link_events.chart_frames(own, told)
    assert given["bars"].select("lane", "what").rows() == [("eth2", "this port is down"), ("eth3", "another is down")]
    assert given["bars"]["from_at"][0] == NOON


def ports() -> list[dict[str, Any]]:
    told = []
    for name, start in (("eth2", 0), ("eth3", 5), ("eth4", 86_400)):
        common = {
            "source": "cc1/kern.log",
            "host": "cc1",
            "interface": name,
            "vendor": "linux",
            "message": f"{name} {start}",
        }
        told += [common | {"ts": after(start), "event": "link_down", "position": 2 * len(told) + 1},
                 common | {"ts": after(start + 60), "event": "link_up", "position": 2 * len(told) + 2}]  # fmt: skip
    return told
