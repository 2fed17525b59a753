"""The chart of nested tags draws every chain from the card up, and says what room there is."""

from typing import Any

import polars as pl

from forensics.analysis.vlan_stacks import CHARTS, chart_frames, findings
from forensics.charts.tag_stacks import MOST_CHAINS, tag_stacks
from forensics.records import ConfigOption, HostInterface, Record

EVIL = "<img src=x onerror=alert(1)>"


def frame(record: type[Record], rows: list[dict[str, Any]]) -> pl.LazyFrame:
    return pl.DataFrame(rows, schema=record.polars_schema()).lazy()


def listed(host: str = "cc1", mtu: int | None = 1500) -> list[dict[str, Any]]:
    devices = [("eth1", None, None), ("vlan20", "eth1", 20), ("vlan100", "vlan20", 100)]
    return [
        {"host": host, "source": f"{host}/ip.txt", "position": n, "interface": name, "parent": parent, "vlan_id": vid,
         "mtu_bytes": mtu, "vlan_protocol": "802.1Q" if vid else None, "ts_basis": "none"}
        for n, (name, parent, vid) in enumerate(devices, 1)
    ]  # fmt: skip


def test_a_chain_stands_from_the_card_to_the_innermost_tag() -> None:
    interfaces = frame(HostInterface, [*listed(), *listed("cc2")])
    (finding,) = findings(interfaces)
    given = chart_frames(finding, interfaces)
    assert given is not None
    assert given["boxes"].select("host", "nth", "device", "role").rows() == [
        (host, n, device, role)
        for host in ("cc1", "cc2")
        for n, (device, role) in enumerate([("eth1", "plain"), ("vlan20", "outer"), ("vlan100", "inner")])
    ]
    figure = tag_stacks(**given)
    assert list(figure.layout.yaxis.ticktext) == ["cc1", "cc2"]
    assert [note.text for note in figure.layout.annotations] == ["0 octets to spare"] * 2
    inner = next(trace for trace in figure.data if trace.name == "inner tag")
    assert inner.base == (2, 2)
    assert inner.hovertext[0].endswith("<b>vlan100</b><br>VLAN 100, 802.1Q; MTU 1,500<br>cc1/ip.txt:3")
    assert "tag_stacks" in CHARTS


def test_what_only_the_configuration_asks_for_is_drawn_as_asked() -> None:
    option = {"host": "cc1", "source": "cc1/nova.conf", "position": 9, "key": "vlan_interface", "value": "vlan20",
              "is_commented": False, "ts_basis": "none", "section": "DEFAULT"}  # fmt: skip
    manager = option | {"key": "network_manager", "value": "nova.network.manager.VlanManager", "position": 8}
    options = frame(ConfigOption, [option, manager])
    (finding,) = findings(HostInterface.empty().lazy(), options)
    given = chart_frames(finding, HostInterface.empty().lazy(), options)
    assert given is not None
    assert given["boxes"].select("nth", "device", "role", "position").rows() == [
        (0, "vlan20", "outer", 9),
        (1, "tenants' VLANs", "told", 9),
    ]
    assert tag_stacks(**given).data


def test_many_hosts_are_cut_and_text_is_escaped() -> None:
    interfaces = frame(HostInterface, [row for n in range(40) for row in listed(f"{EVIL}{n:02}", mtu=None)])
    (finding,) = findings(interfaces)
    given = chart_frames(finding, interfaces)
    assert given is not None
    figure = tag_stacks(**given, dark=True)
    assert len(figure.layout.yaxis.ticktext) == MOST_CHAINS
    assert "16 more chains are not drawn" in figure.layout.title.subtitle.text
    assert "<img" not in figure.to_json().replace("\\u003c", "<")
    assert figure.layout.annotations[0].text == "room unknown"
