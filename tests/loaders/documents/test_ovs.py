"""`ovs-vsctl show`, `list`, and `ovs-appctl fdb/show`: formats.md 7.5, 11.2."""

import json

import pytest

from forensics.records import ForwardingEntry, HostInterface, InstancePort
from tests.loaders.documents._picked import picked, rejects, rows

SHOW = """\
4cd7a5d8-6eba-4510-b707-dd951dc05605
    Manager "ptcp:6640:127.0.0.1"
        is_connected: true
    Bridge br-int
        Controller "tcp:127.0.0.1:6633"
            is_connected: true
        fail_mode: secure
        Port "tapcf0a1b2c-3d"
            tag: 7
            Interface "tapcf0a1b2c-3d"
        Port patch-tun
            Interface patch-tun
                type: patch
                options: {peer=patch-int}
        Port "trunk0"
            trunks: [1, 2, 30]
            Interface "trunk0"
                type: internal
        Port "bond1"
            tag: 9
            Interface "eth2"
            Interface "eth3"
                error: "could not open network device eth3 (No such device)"
        Port br-int
            Interface br-int
                type: internal
    Bridge br-tun
        Port "vxlan-0a000002"
            Interface "vxlan-0a000002"
                type: vxlan
                options: {df_default="true", in_key=flow, local_ip="10.0.0.1", out_key=flow, remote_ip="10.0.0.2"}
        Port "gre1"
            Interface "gre1"
                type: gre
                options: {key="77", remote_ip="10.0.0.3"}
    ovs_version: "2.0.2"
"""
TREE = [
    {"interface": "br-int", "kind": "bridge"},
    {"interface": "tapcf0a1b2c-3d", "master": "br-int", "vlan_id": 7},
    {"interface": "patch-tun", "master": "br-int", "kind": "patch", "peer": "patch-int"},
    {"interface": "trunk0", "master": "br-int", "kind": "ovs-internal", "trunks": [1, 2, 30]},
    {"interface": "bond1", "master": "br-int", "kind": "bond", "vlan_id": 9},
    {"interface": "eth2", "master": "bond1"},
    {"interface": "eth3", "master": "bond1", "error": "could not open network device eth3 (No such device)"},
    {"interface": "br-int", "master": "br-int", "kind": "ovs-internal"},
    {"interface": "br-tun", "kind": "bridge"},
    {"interface": "vxlan-0a000002", "master": "br-tun", "kind": "vxlan", "remote_ip": "10.0.0.2"},
    {"interface": "gre1", "master": "br-tun", "kind": "gre", "remote_ip": "10.0.0.3", "tunnel_id": 77},
]


def without_quotes(text: str) -> str:
    """As releases since 2.9 print it."""
    lines = text.splitlines(keepends=True)
    return "".join(line.replace('"', "") if "Port" in line or "Interface" in line else line for line in lines)


@pytest.mark.parametrize("text", [SHOW, without_quotes(SHOW), SHOW.partition("\n")[2], SHOW.replace("\n", "\r\n")])
def test_the_tree_of_bridges_ports_and_interfaces(text: str) -> None:
    assert picked(text) == "ovs-vsctl-show"
    assert rejects(text) == []
    assert rows(text, HostInterface) == TREE


UUID = "7e1f0a52-0c3a-4a1c-9d3e-2b1a0c9d8e7f"
PORT = "cf0a1b2c-3d4e-5f60-7182-93a4b5c6d7e8"
TAP = {
    "interface": "tapcf0a1b2c-3d", "index": 12, "kind": "ovs-internal", "mtu_bytes": 1500, "carrier": True,
    "mac": "fe:16:3e:24:e7:22", "speed_mbps": 10_000, "duplex": "full", "port": PORT, "instance": UUID,
    "driver": "tun 1.6",
}  # fmt: skip
PATCH = {"interface": "patch-tun", "index": 0, "kind": "patch", "carrier": True, "peer": "patch-int"}
LINK = {
    "mac": "fa:16:3e:24:e7:22",
    "instance": UUID,
    "port": PORT,
    "tap": "tapcf0a1b2c-3d",
    "compute_host": "cc12",
    "state": "active",
}
IDS = f'attached-mac="fa:16:3e:24:e7:22", iface-id="{PORT}", iface-status=active, vm-uuid="{UUID}"'

TEXT = f"""\
_uuid               : 41745551-cc9e-4a45-8673-e5204335f979
admin_state         : up
duplex              : full
error               : []
external_ids        : {{{IDS}}}
ifindex             : 12
ingress_policing_burst: 0
link_speed          : 10000000000
link_state          : up
mac_in_use          : "fe:16:3e:24:e7:22"
mtu                 : 1500
name                : "tapcf0a1b2c-3d"
ofport              : 3
options             : {{}}
status              : {{driver_name=tun, driver_version="1.6"}}
type                : internal

_uuid               : 2bbd9b28-6b2e-4b04-949f-8663a22ab1db
error               : []
external_ids        : {{}}
ifindex             : 0
link_state          : up
name                : patch-tun
options             : {{peer=patch-int}}
type                : patch
"""
HEADINGS = ["duplex", "error", "external_ids", "ifindex", "link_speed", "link_state", "mac_in_use", "mtu", "name",
            "options", "status", "type"]  # fmt: skip
JSON = {
    "headings": HEADINGS,
    "data": [
        ["full", ["set", []], ["map", [["attached-mac", "fa:16:3e:24:e7:22"], ["iface-id", PORT],
                                       ["iface-status", "active"],
                                       ["vm-uuid", UUID]]],
         12, 10_000_000_000, "up", "fe:16:3e:24:e7:22", 1500, "tapcf0a1b2c-3d", ["map", []],
         ["map", [["driver_name", "tun"], ["driver_version", "1.6"]]], "internal"],
        [["set", []], ["set", []], ["map", []], 0, ["set", []], "up", ["set", []], ["set", []], "patch-tun",
         ["map", [["peer", "patch-int"]]], ["map", []], "patch"],
    ],
}  # fmt: skip
QUOTED = IDS.replace('"', '""')
CSV = f"""\
{",".join(HEADINGS)}
full,[],"{{{QUOTED}}}",12,10000000000,up,"""
CSV += '"""fe:16:3e:24:e7:22""",1500,tapcf0a1b2c-3d,{},"{driver_name=tun, driver_version=""1.6""}",internal\n'
CSV += "[],[],{},0,[],up,[],[],patch-tun,{peer=patch-int},{},patch\n"


@pytest.mark.parametrize(
    ("text", "form"),
    [(TEXT, "ovs-list"), (json.dumps(JSON), "ovs-list-json"), (json.dumps(JSON, indent=2), "ovs-list-json"),
     (json.dumps(dict(sorted(JSON.items()))), "ovs-list-json"), (CSV, "ovs-list-csv")],
)  # fmt: skip
def test_interfaces_and_whose_they_are(text: str, form: str) -> None:
    assert picked(text) == form
    assert rejects(text) == []
    assert rows(text, HostInterface) == [TAP, PATCH]
    assert rows(text, InstancePort) == [LINK]


def test_a_table_with_rules() -> None:
    cells = [["name", "external_ids", "type"], ["tapcf0a1b2c-3d", "{" + IDS + "}", '""'], ["gone0", "{}", "internal"]]
    widths = [max(len(row[at]) for row in cells) for at in range(3)]
    cells.insert(1, ["-" * width for width in widths])
    text = "".join(
        " ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in cells
    )
    assert picked(text) == "ovs-list-table"
    assert rejects(text) == []
    assert rows(text, HostInterface)[0] == {"interface": "tapcf0a1b2c-3d", "port": PORT, "instance": UUID}
    assert rows(text, InstancePort) == [LINK]


def test_ports_and_bridges() -> None:
    ports = {
        "headings": ["name", "tag", "trunks", "interfaces", "vlan_mode", "bond_mode"],
        "data": [
            ["tap1", 7, ["set", []], ["uuid", UUID], ["set", []], ["set", []]],
            ["trunk0", ["set", []], ["set", [1, 2, 30]], ["uuid", UUID], "trunk", ["set", []]],
            ["bond1", ["set", []], ["set", []], ["set", [["uuid", UUID], ["uuid", PORT]]], ["set", []], "balance-tcp"],
        ],
    }
    assert rows(json.dumps(ports), HostInterface) == [
        {"interface": "tap1", "vlan_id": 7},
        {"interface": "trunk0", "trunks": [1, 2, 30], "mode": "trunk"},
        {"interface": "bond1", "kind": "bond", "mode": "balance-tcp"},
    ]
    assert rows('name,tag,trunks\ntap1,7,[]\ntrunk0,[],"[1, 2]"\n', HostInterface) == [
        {"interface": "tap1", "vlan_id": 7}, {"interface": "trunk0", "trunks": [1, 2]}
    ]  # fmt: skip
    bridges = {"headings": ["datapath_id", "name", "stp_enable"], "data": [["0000", "br-int", False]]}
    assert rows(json.dumps(bridges), HostInterface) == [{"interface": "br-int", "kind": "bridge", "stp": False}]


def test_addresses_that_a_bridge_learned() -> None:
    text = """\
 port  VLAN  MAC                Age
LOCAL     0  16:56:68:29:23:73    2
    3     7  fa:16:3e:24:e7:22   13
    4     0  02:00:00:00:00:01  static
"""
    assert rejects(text) == []
    assert rows(text, ForwardingEntry, command="ovs-appctl fdb/show br-int")[1] == {
        "mac": "fa:16:3e:24:e7:22", "interface": "3", "bridge": "br-int", "vlan_id": 7, "is_local": False,
        "kind": "dynamic", "age_s": 13.0,
    }  # fmt: skip
    assert [row["kind"] for row in rows(text, ForwardingEntry)] == ["dynamic", "dynamic", "static"]


@pytest.mark.parametrize(
    "text", ["name,age\nbob,7\n", "Bridge over troubled water\n", '{"data": [[1, 2]], "headings": ["a"]}\n']
)
def test_false_friends(text: str) -> None:
    assert not (picked(text) or "").startswith("ovs")


def test_hostile_values() -> None:
    text = TEXT + "\nname : x\nexternal_ids : {" + 'a="' * 100_000 + "\nofport : " + "9" * 100_000 + "\n"
    assert rows(text, HostInterface)[:2] == [TAP, PATCH]
    deep = json.dumps(JSON)[:-2] + ',"x",' + '["map",[' * 50 + "]]" * 50 + "]}"
    assert rows(json.dumps(JSON) + "\n" + deep, HostInterface)[:2] == [TAP, PATCH]
