"""`ip addr` and `ip link` of every era, their JSON, and what the kernel says of itself: formats.md 11.1, A10, C13."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from forensics.loaders.documents._network import vlan_of
from forensics.records import HostInterface
from tests._evidence import evidence_root
from tests.loaders.documents._picked import TAKEN, done, picked, rejects, rows

A10 = "10: vlan100@vlan20: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue master br100 state UP"
VLAN100 = {
    "interface": "vlan100", "index": 10, "parent": "vlan20", "kind": "vlan", "vlan_id": 100, "mtu_bytes": 1500,
    "master": "br100", "state": "UP", "carrier": True, "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
    "qdisc": "noqueue",
}  # fmt: skip


def named(text: str, interface: str, **rest: str) -> dict:
    """The one row of an interface."""
    (found,) = [row for row in rows(text, HostInterface, **rest) if row["interface"] == interface]
    return found


@pytest.mark.parametrize(
    "text",
    [
        f"{A10}\n",
        A10,
        f"{A10} \n",
        f"…\n{A10}\n…\n",
        f"...\n{A10}\n...\n",
        f"[...]\r\n{A10}\r\n[...]\r\n",
        f"    {A10}\n",
        A10.replace(" qdisc", "\nqdisc") + "\n",
        A10.replace(" master", "\n    master") + "\n",
        A10.replace("mtu 1500 ", "") + "\n    mtu 1500\n",
        f"\x1b[36m{A10[:5]}\x1b[0m{A10[5:]}\n",
    ],
)
def test_one_line_pasted_by_somebody_is_read(text: str) -> None:  # formats.md A10
    (row,) = rows(text, HostInterface)
    assert {**row, "vlan_id": 100} == VLAN100
    assert rejects(text) == []


def test_a_snapshot_has_the_time_host_and_lines_of_its_document() -> None:
    below = "    link/ether fa:16:3e:24:e7:22 brd ff:ff:ff:ff:ff:ff"
    frame = done(f"\n{A10}\n{below}\n").of(HostInterface)
    told = frame.select(ts=frame["ts"].dt.epoch("ns")).row(0), frame.select("ts_basis", "host", "position").row(0)
    assert told == ((TAKEN,), ("command", "cc12", 2))
    assert frame["length_bytes"].to_list() == [len(A10) + len(below) + 2]


def test_the_first_iproutes_have_neither_mode_nor_group() -> None:  # formats.md 11.1
    text = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 16436 qdisc noqueue state UNKNOWN \n\
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
    inet6 ::1/128 scope host \n\
       valid_lft forever preferred_lft forever
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc pfifo_fast state UP qlen 1000
    link/ether 00:1B:21:aa:bb:cc brd ff:ff:ff:ff:ff:ff
    inet 10.0.0.12/24 brd 10.0.0.255 scope global eth0
    inet 169.254.169.254/32 scope link lo
    inet 10.0.0.99/32 scope global secondary eth0:nova
    inet6 FE80::21b:21ff:feaa:bbcc/64 scope link tentative dadfailed \n\
       valid_lft forever preferred_lft forever
5: bond0.20@bond0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP
    link/ether 00:1b:21:aa:bb:cc brd ff:ff:ff:ff:ff:ff
8: vnet0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc pfifo_fast master br100 state UNKNOWN qlen 500
    link/ether fe:16:3e:24:e7:22 brd ff:ff:ff:ff:ff:ff
9: eth1: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc pfifo_fast state DOWN qlen 1000
    link/ether 00:1b:21:aa:bb:cd brd ff:ff:ff:ff:ff:ff
"""
    assert rejects(text) == []
    assert named(text, "eth0") == {
        "interface": "eth0", "index": 2, "mtu_bytes": 1500, "state": "UP", "carrier": True, "qdisc": "pfifo_fast",
        "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"], "mac": "00:1b:21:aa:bb:cc",
        "addresses": ["10.0.0.12/24", "169.254.169.254/32", "10.0.0.99/32", "fe80::21b:21ff:feaa:bbcc/64"],
    }  # fmt: skip
    assert named(text, "bond0.20").items() >= {"parent": "bond0", "vlan_id": 20, "kind": "vlan"}.items()
    assert named(text, "vnet0").items() >= {"master": "br100", "mac": "fe:16:3e:24:e7:22"}.items()
    assert named(text, "eth1")["carrier"] is False
    assert named(text, "lo")["mac"] == "00:00:00:00:00:00"


DETAILS = """\
3: eth2: <BROADCAST,MULTICAST,SLAVE,UP,LOWER_UP> mtu 9000 qdisc mq master bond0 state UP qlen 1000
    link/ether a0:36:9f:00:00:02 brd ff:ff:ff:ff:ff:ff permaddr a0:36:9f:00:00:03 minmtu 68 maxmtu 9710 \n\
    bond_slave state ACTIVE mii_status UP link_failure_count 7 perm_hwaddr a0:36:9f:00:00:03 queue_id 0 \
ad_aggregator_id 4 ad_actor_oper_port_state 61 addrgenmode none numtxqueues 64 numrxqueues 64 gso_max_segs 65535
    vf 0 MAC fa:16:3e:24:e7:22, vlan 100, spoof checking off, link-state auto, trust off
    vf 1     link/ether fa:16:3e:00:00:01 brd ff:ff:ff:ff:ff:ff, spoof checking on, link-state auto
    altname enp4s0f0
    alias to  the rack
    RX:  bytes  packets errors dropped  missed   mcast
    4567890123 12345678      0       1       0     123
    TX:  bytes  packets errors dropped carrier collsns
    1234567890  9876543      0       0       0       0
4: bond0: <BROADCAST,MULTICAST,MASTER,UP,LOWER_UP> mtu 9000 qdisc noqueue state UP mode DEFAULT group default qlen 1000
    link/ether a0:36:9f:00:00:02 brd ff:ff:ff:ff:ff:ff promiscuity 0  allmulti 0 minmtu 68 maxmtu 65535
    bond mode 802.3ad miimon 100 updelay 0 downdelay 0 peer_notify_delay 0 use_carrier 1 arp_interval 0 lacp_rate fast \
ad_select stable ad_aggregator 4 ad_num_ports 2 ad_actor_key 15 ad_partner_key 32773 ad_partner_mac 00:1c:73:aa:bb:cc \
ad_actor_sys_prio 65535 tlb_dynamic_lb 1 addrgenmode eui64
5: vlan20@bond0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default
    link/ether a0:36:9f:00:00:02 brd ff:ff:ff:ff:ff:ff promiscuity 1
    vlan protocol 802.1Q id 20 <REORDER_HDR> addrgenmode eui64
6: storage@bond0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP
    link/ether a0:36:9f:00:00:02 brd ff:ff:ff:ff:ff:ff
    vlan id 300 <REORDER_HDR> \n\
      ingress-qos-map { 1:2 }
7: s20@bond0: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 1500 qdisc noqueue state LOWERLAYERDOWN
    link/ether a0:36:9f:00:00:02 brd ff:ff:ff:ff:ff:ff promiscuity 0
    vlan protocol 802.1ad id 2000 <REORDER_HDR,GVRP>
11: gre0@NONE: <NOARP> mtu 1476 qdisc noop state DOWN mode DEFAULT group default qlen 1000
    link/gre 0.0.0.0 brd 0.0.0.0 promiscuity 0 minmtu 0 maxmtu 0
    gre remote any local any ttl inherit nopmtudisc numtxqueues 1
12: gretap1@NONE: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1462 qdisc fq_codel state UNKNOWN
    link/ether 0e:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff
    gretap remote 10.0.0.3 local 10.0.0.1 ttl inherit ikey 0.0.1.5 okey 0.0.1.5
13: tapcf0a1b2c-3d@if6: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 master brq1 state UP qlen 1000
    link/ether 0e:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff link-netnsid 0 promiscuity 1
    veth
    bridge_slave state forwarding priority 32 cost 2 hairpin off
14: macvtap0@eth2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9000 qdisc fq state UP
    link/ether fa:16:3e:00:00:09 brd ff:ff:ff:ff:ff:ff
    macvtap mode passthru numtxqueues 1
15: br-int: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN
    link/ether 0e:00:00:00:00:04 brd ff:ff:ff:ff:ff:ff
    openvswitch numtxqueues 1
16: ib0: <BROADCAST,MULTICAST> mtu 2044 qdisc mq state DOWN
    link/infiniband 80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:00:01 brd 00:ff:ff:ff:ff:12:40:1b:ff:ff
17: br100: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP
    link/ether 0e:00:00:00:00:05 brd ff:ff:ff:ff:ff:ff
    bridge forward_delay 1500 hello_time 200 stp_state 0 priority 32768 vlan_protocol 802.1Q bridge_id 8000.e:0:0:0:0:5
18: overlay: <BROADCAST,MULTICAST> mtu 1450 qdisc noop state DOWN
    link/ether 0e:00:00:00:00:06 brd ff:ff:ff:ff:ff:ff
    vxlan id 7 remote 10.9.9.9 local 10.0.0.1 dev eth2 srcport 0 0 dstport 4789
"""


@pytest.mark.parametrize("one_line", [False, True])
def test_details_of_every_kind_of_device(one_line: bool) -> None:  # formats.md 11.1
    text = DETAILS
    if one_line:  # ip -o
        text = text.replace("\n    ", "\\    ").replace("\\    qlen", " qlen").replace("\n      ", "\\      ")
        text = text.replace("\n    4567", "\\    4567")
        assert all(line[:1].isdigit() for line in text.splitlines())
    assert picked(text) == "ip"
    assert rejects(text) == []
    wanted: dict[str, dict] = {
        "eth2": {"master": "bond0", "permanent_mac": "a0:36:9f:00:00:03", "link_failures": 7, "aggregator": 4},
        "eth2 vf 0": {"kind": "vf", "parent": "eth2", "mac": "fa:16:3e:24:e7:22", "vlan_id": 100},
        "eth2 vf 1": {"kind": "vf", "parent": "eth2", "mac": "fa:16:3e:00:00:01"},
        "bond0": {"kind": "bond", "mode": "802.3ad", "aggregator": 4, "partner_mac": "00:1c:73:aa:bb:cc"},
        "vlan20": {"kind": "vlan", "parent": "bond0", "vlan_id": 20, "vlan_protocol": "802.1Q"},
        "storage": {"kind": "vlan", "parent": "bond0", "vlan_id": 300},
        "s20": {"kind": "vlan", "parent": "bond0", "vlan_id": 2000, "vlan_protocol": "802.1ad"},
        "gre0": {"kind": "gre", "state": "DOWN", "carrier": False},
        "gretap1": {"kind": "gretap", "remote_ip": "10.0.0.3", "tunnel_id": 261},
        "tapcf0a1b2c-3d": {"kind": "veth", "parent": "if6", "peer": "if6", "master": "brq1", "mode": "forwarding"},
        "macvtap0": {"kind": "macvtap", "parent": "eth2", "mode": "passthru"},
        "br-int": {"kind": "openvswitch"},
        "br100": {"kind": "bridge", "stp": False, "bridge_id": "8000.0e0000000005"},
        "overlay": {"kind": "vxlan", "tunnel_id": 7, "remote_ip": "10.9.9.9", "parent": "eth2"},
    }  # fmt: skip
    found = {row["interface"]: row for row in rows(text, HostInterface)}
    for name, columns in wanted.items():
        assert found[name].items() >= columns.items(), name
    assert "parent" not in found["gre0"]
    assert "remote_ip" not in found["gre0"]
    assert "qdisc" not in found["tapcf0a1b2c-3d"]  # the kernel left it out
    assert "mac" not in found["ib0"]
    assert "vlan_id" not in found["eth2 vf 1"]
    assert "vlan_protocol" not in found["br100"]


@pytest.mark.parametrize(
    ("name", "parent", "vid"),
    [
        ("vlan0100", "eth1", 100), ("vlan100", "vlan20", 100), ("bond0.0020", "bond0", 20), ("eth0.20", "eth0", 20),
        ("vlan20.100", "vlan20", 100), ("vlan100", None, None), ("eth0.20", "eth1", None), ("vlan100", "if6", None),
        ("vlan4095", "eth0", None), ("vlan0", "eth0", None), ("vlanx", "eth0", None), ("veth20", "eth0", None),
        ("eth0.20", "if3", None), ("vlan12345", "eth0", None),
    ],
)  # fmt: skip
def test_a_name_tells_a_vlan_only_in_the_kernel_s_own_forms(name: str, parent: str | None, vid: int | None) -> None:
    assert vlan_of(name, parent) == vid
    shown = f"7: {name}@{parent}:" if parent else f"7: {name}:"
    (row,) = rows(f"{shown} <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP\n", HostInterface)
    assert (row.get("vlan_id"), row.get("kind")) == (vid, "vlan" if vid else None)


def test_details_beat_the_name() -> None:
    text = "7: vlan100@eth0: <UP> mtu 1500 qdisc noqueue state UP\n    link/ether 02:00:00:00:00:01\n    {}\n"
    assert named(text.format("vlan protocol 802.1Q id 5 <REORDER_HDR>"), "vlan100")["vlan_id"] == 5
    macvlan = named(text.format("macvlan mode bridge"), "vlan100")
    assert (macvlan["kind"], macvlan.get("vlan_id")) == ("macvlan", None)


def test_namespaces_are_told_by_headings_and_commands() -> None:
    lo = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN\n    inet 127.0.0.1/8 scope host lo\n"
    text = (
        f"netns: qrouter-7e1f0a52-0c3a-4a1c-9d3e-2b1a0c9d8e7f\n{lo}\nqdhcp-cf0a1b2c-3d4e (id: 3)\n{lo}== fip-1 ==\n{lo}"
    )
    assert rejects(text) == []
    names = [row["namespace"] for row in rows(text, HostInterface)]
    assert names == ["qrouter-7e1f0a52-0c3a-4a1c-9d3e-2b1a0c9d8e7f", "qdhcp-cf0a1b2c-3d4e", "fip-1"]
    assert named(lo, "lo", command="ip netns exec qdhcp-1 ip a")["namespace"] == "qdhcp-1"
    assert named(lo, "lo", command="ip -n qdhcp-2 addr")["namespace"] == "qdhcp-2"
    sos = "sosreport-cc12/sos_commands/networking/ip_netns_exec_qrouter-1_ip_address_show"
    assert named(lo, "lo", name=sos)["namespace"] == "qrouter-1"


def test_addresses_one_a_line_become_one_row_an_interface() -> None:
    text = """\
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: br0    inet 10.1.2.3/24 brd 10.1.2.255 scope global br0\\       valid_lft forever preferred_lft forever
2: br0    inet6 fe80::1/64 scope link \\       valid_lft forever preferred_lft forever
7: tun0    inet 192.0.2.1 peer 192.0.2.2/32 scope global tun0\\       valid_lft forever preferred_lft forever
"""
    found = {row["interface"]: row["addresses"] for row in rows(text, HostInterface)}
    assert found == {"lo": ["127.0.0.1/8"], "br0": ["10.1.2.3/24", "fe80::1/64"], "tun0": ["192.0.2.1/32"]}
    assert done(text).of(HostInterface)["position"].to_list() == [1, 2, 4]


def test_the_brief_forms() -> None:
    text = "lo               UNKNOWN        127.0.0.1/8 ::1/128\nvlan100@vlan20   UP           10.0.0.1/24\nvx0  DOWN\n"
    assert rows(text, HostInterface)[1] == {
        "interface": "vlan100", "parent": "vlan20", "kind": "vlan", "vlan_id": 100, "state": "UP",
        "addresses": ["10.0.0.1/24"],
    }  # fmt: skip
    text = "br0              UP             16:56:68:29:23:73 <BROADCAST,MULTICAST,UP,LOWER_UP> \ntun0 DOWN <NOARP>\n"
    assert named(text, "br0").items() >= {"mac": "16:56:68:29:23:73", "carrier": True}.items()


def test_json_says_what_text_says() -> None:  # formats.md 11.1
    device = {
        "ifindex": 10, "link": "vlan20", "ifname": "vlan100", "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
        "mtu": 1500, "qdisc": "noqueue", "master": "br100", "operstate": "UP", "linkmode": "DEFAULT",
        "txqlen": 1000, "link_type": "ether", "address": "FA:16:3e:24:e7:22", "broadcast": "ff:ff:ff:ff:ff:ff",
        "linkinfo": {"info_kind": "vlan", "info_data": {"protocol": "802.1Q", "id": 100, "flags": ["REORDER_HDR"]},
                     "info_slave_kind": "bridge", "info_slave_data": {"state": "forwarding"}},
        "addr_info": [{"family": "inet", "local": "10.0.0.1", "prefixlen": 24, "scope": "global", "label": "vlan100"}],
    }  # fmt: skip
    vf = {"vf": 0, "mac": "fa:16:3e:00:00:01", "vlan_list": [{"vlan": 100, "qos": 0}]}
    others = [
        {},
        {"ifname": "v2", "ifindex": 9, "link_index": 8, "linkinfo": {"info_kind": "veth"}, "vfinfo_list": [vf]},
    ]
    wanted = VLAN100 | {
        "vlan_protocol": "802.1Q", "mac": "fa:16:3e:24:e7:22", "addresses": ["10.0.0.1/24"], "mode": "forwarding"
    }  # fmt: skip
    for text in (json.dumps([device, *others]), json.dumps([device, *others], indent=4)):
        assert picked(text) == "ip-json"
        found = {row["interface"]: row for row in rows(text, HostInterface)}
        assert found["vlan100"] == wanted
        assert found["v2"].items() >= {"parent": "if8", "peer": "if8", "kind": "veth"}.items()
        assert found["v2 vf 0"] == {
            "interface": "v2 vf 0", "kind": "vf", "parent": "v2", "mac": "fa:16:3e:00:00:01", "vlan_id": 100
        }  # fmt: skip
        assert rejects(text) == []


def test_json_of_a_bond_and_its_member() -> None:
    facts = {"aggregator": 4, "num_ports": 2, "actor_key": 15, "partner_key": 32773, "partner_mac": "00:1c:73:aa:bb:cc"}
    member = {"state": "ACTIVE", "mii_status": "UP", "link_failure_count": 7, "perm_hwaddr": "a0:36:9f:00:00:03",
              "ad_aggregator_id": 4}  # fmt: skip
    info = {"info_kind": "bond", "info_data": {"mode": "802.3ad", "ad_info": facts}}
    devices = [
        {"ifindex": 4, "ifname": "bond0", "qdisc": "noqueue", "linkinfo": info},
        {"ifindex": 3, "ifname": "eth2", "linkinfo": {"info_slave_kind": "bond", "info_slave_data": member}},
    ]
    bond, eth2 = rows(json.dumps(devices), HostInterface)
    wanted = {"kind": "bond", "mode": "802.3ad", "aggregator": 4, "partner_mac": "00:1c:73:aa:bb:cc"}
    assert bond.items() >= wanted.items()
    assert eth2.items() >= {"link_failures": 7, "permanent_mac": "a0:36:9f:00:00:03", "aggregator": 4}.items()


def test_json_that_was_cut_keeps_what_stood_before_and_after() -> None:
    device = '{"ifindex":1,"ifname":"lo","flags":["UP"],"mtu":65536,"qdisc":"noqueue","operstate":"UNKNOWN"}'
    text = f'qdhcp-1\n[{device},{{"ifindex":2,\n[{device}]\n'
    assert [row["interface"] for row in rows(text, HostInterface)] == ["lo", "lo"]
    assert [row["namespace"] for row in rows(text, HostInterface)] == ["qdhcp-1", "qdhcp-1"]


@pytest.mark.parametrize(
    "device",
    ["[" * 100_000, '{"a":' * 50_000, '[{"ifname":"x","ifindex":1e999,"mtu":-1,"qdisc":[],"flags":"UP"}]',
     '[{"ifname":1}]',
     '[{"ifindex":' + "9" * 5000 + ',"ifname":"x","operstate":0}]', '{"ifname":NaN,"ifindex":0,"qdisc":{}}'],
)  # fmt: skip
def test_hostile_json_costs_no_more_than_a_reject(device: str) -> None:
    text = (
        '[{"ifindex":1,"ifname":"lo","flags":["UP"],"mtu":65536,"qdisc":"noqueue","operstate":"UP"}]\n' + device + "\n"
    )
    assert rows(text, HostInterface)[0]["interface"] == "lo"


def test_a_listing_in_one_line_beyond_the_head_is_known() -> None:
    device = '{"ifindex":1,"ifname":"lo","flags":["UP"],"mtu":65536,"qdisc":"noqueue","operstate":"UNKNOWN"}'
    text = "[" + ",".join([device] * 2_000) + "]"
    assert len(text) > 100_000
    assert len(rows(text, HostInterface)) == 2_000


@pytest.mark.parametrize(
    "text",
    [
        "default via 10.0.0.1 dev eth0\n10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.5\n",
        "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n",
        "10.0.0.1 dev eth0 lladdr 02:00:00:00:00:01 REACHABLE\n",
        "1: this is <no interface> mtu\n2: nor is this\n",
        "Feb 15 01:40:18 cc12 kernel: 2: eth0: <BROADCAST> mtu 1500 qdisc noop\n",
        "nova UP 12\n",
        "nova UP\ncinder DOWN\n",
    ],
)
def test_false_friends(text: str) -> None:
    assert picked(text) not in ("ip", "ip-json")


def test_lines_of_other_listings_are_counted_not_lost() -> None:
    text = f"{A10}\ndefault via 10.0.0.1 dev eth0\n{A10}\n"
    assert rejects(text) == [2]
    assert len(rows(text, HostInterface)) == 2


def test_hostile_sizes() -> None:
    long = f"{A10}\n    link/ether {'x ' * 500_000}\n    {'inet ' * 200_000}\n{A10}\n" + "1: " + "@" * 200_000 + "\n"
    assert [row["interface"] for row in rows(long, HostInterface)] == ["vlan100", "vlan100"]
    many = "".join(f"{n}: tap{n}: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP\n" for n in range(1, 20_001))
    assert len(rows(many, HostInterface)) == 20_000


REAL = """\
set -e
ip link add br0 type bridge
ip link set br0 type bridge stp_state 1
ip link add v0 type veth peer name v1
ip link set v1 master br0
ip link add vx0 type vxlan id 5 dstport 4789 remote 10.9.9.9 dev v0
ip link add vx1 type vxlan id 7 dstport 8472 group 239.1.1.1 dev v0
ip link add v2 type veth peer name v3
ip link set v3 netns $$1
ip tuntap add tap0 mode tap
ip tuntap add tun0 mode tun
for one in lo br0 v0 v1; do ip link set $one up; done
ip addr add 10.1.2.3/24 brd + dev br0
ip addr add 10.1.2.4/24 dev br0 label br0:1
ip addr add 2001:DB8::1/64 dev br0 nodad
ip addr add 192.0.2.1 peer 192.0.2.2/32 dev tun0
ip link set v0 alias 'to the  rack'
"""


def shown(folder: Path) -> dict[str, str]:
    """What the kernel of this machine says of interfaces made for the purpose, by options of ip."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare"))):
        pytest.skip("needs root, ip and unshare to make interfaces in a network namespace of its own")
    # devices that this kernel lacks are left out; what it has must read alike
    lines = "\n".join(f"{line} 2>/dev/null || true" for line in REAL.splitlines()[1:] if "$$1" not in line)
    forms = (
        "a",
        "-d a",
        "-s -d a",
        "-o -d link",
        "-d link",
        "link",
        "-j a",
        "-j -d a",
        "-j -p -d a",
        "-j -d link",
        "-j link",
    )
    script = f"{lines}\nsleep 3\n" + "".join(f"ip {form} > '{folder}/{form}'\n" for form in forms)
    done = subprocess.run(["unshare", "-n", "sh", "-c", script], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no network namespace here: {done.stderr.strip()[:200]}")
    return {form: (folder / form).read_text() for form in forms}


def test_both_readers_agree_on_interfaces_that_a_kernel_made(tmp_path: Path) -> None:
    texts = shown(tmp_path)
    if '"info_kind":"veth"' not in texts["-j -d a"].replace(" ", ""):
        pytest.skip("this kernel makes no veth devices")
    pairs = [("a", "-j a"), ("-d a", "-j -d a"), ("-s -d a", "-j -p -d a"), ("-d link", "-j -d link"),
             ("-o -d link", "-j -d link"), ("link", "-j link")]  # fmt: skip
    for text, other in pairs:
        assert picked(texts[text]) == "ip"
        assert picked(texts[other]) == "ip-json"
        said, told = rows(texts[text], HostInterface), rows(texts[other], HostInterface)
        assert said == told, text
        assert len(said) > 3
        assert rejects(texts[text]) == rejects(texts[other]) == []
    assert named(texts["-d a"], "v0").items() >= {"kind": "veth", "peer": "v1", "parent": "v1"}.items()
    assert named(texts["-d a"], "br0")["stp"] is True
    assert named(texts["a"], "br0")["addresses"][:3] == ["10.1.2.3/24", "10.1.2.4/24", "2001:db8::1/64"]


def test_no_file_of_the_public_collection_is_taken_for_one() -> None:
    mine = {"ip", "ip-json", "ifconfig", "brctl-show", "brctl-showmacs", "brctl-showstp", "bridge-link", "bridge-vlan",
            "bridge-fdb", "bonding", "ethtool", "ethtool-driver", "lldpctl", "lldptool", "libvirt-domain", "qemu-img",
            "ovs-list", "ovs-vsctl-show", "ovs-list-csv", "ovs-list-table", "switch-mac-table",
            "virsh-list"}  # fmt: skip
    from forensics.loaders._registry import readers

    own = [reader for reader in readers() if reader.name in mine]
    assert {reader.name for reader in own} == mine
    for path in sorted(evidence_root().rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(65_536)
            assert {
                reader.name: reader.likeness(head, path.name) for reader in own if reader.likeness(head, path.name)
            } == {}
