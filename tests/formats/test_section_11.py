"""Section 11 of the reference: what a host shows of its interfaces, configuration and memory."""

import json

import pytest

from forensics.records import ConfigOption, ForwardingEntry, HostInterface, InstancePort, LogRecord, ProcessMemory
from tests.formats._met import Line, Wanted, meet, parameters

MAC = "fa:16:3e:24:e7:22"
PORT = "cf0a1b2c-3d00-4000-8000-000000000001"
UUID = "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"
TAKEN = {"taken_ns": 1_389_316_201_000_000_000, "taken_basis": "command", "host": "cc12", "zone": "UTC"}
TS = "2014-01-10 01:10:01"
ON = ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"]
FLAGS = ",".join(ON)
KIB = 1024


def interfaces(section: str, text: str, *want: Wanted, name: str = "cc12/x", command: str | None = None) -> Line:
    said = [{"host": "cc12", "ts": TS, "ts_basis": "command"} | one for one in want]
    return Line(section, text, HostInterface, said, name, TAKEN | {"command": command})


def link(text: str, **want: object) -> Line:
    return interfaces("11.1", text, want)


def option(section: str, text: str, *want: Wanted, command: str | None = None) -> Line:
    name = "cc12/etc/nova/nova.conf"
    return Line(section, text, ConfigOption, want, name, TAKEN | {"command": command})


def memory(section: str, text: str, *want: Wanted, name: str = "cc12/x", command: str | None = None) -> Line:
    return Line(section, text, ProcessMemory, want, name, TAKEN | {"command": command})


PS = (
    "nobody 3735 0.0 0.0 27540 1044 ? S 15:40 0:00 /usr/sbin/dnsmasq --strict-order --bind-interfaces --conf-file= "
    "--domain=novalocal --pid-file=/var/lib/nova/networks/nova-br100.pid --listen-address=192.168.100.1 "
    "--except-interface=lo --dhcp-range=set:'novanetwork',192.168.100.2,static,120s --dhcp-lease-max=256 "
    "--dhcp-hostsfile=/var/lib/nova/networks/nova-br100.conf --dhcp-script=/usr/bin/nova-dhcpbridge --leasefile-ro"
)
SAR = """\
Linux 3.2.0-35-generic (cc12) \t01/10/2014 \t_x86_64_\t(16 CPU)

{0} kbmemfree kbmemused  %memused kbbuffers  kbcached  kbcommit   %commit
{1}   1234567  48123456     97.50      1000      2000      3000      4.00

{2}       LINUX RESTART

{2} kbmemfree kbmemused  %memused kbbuffers  kbcached  kbcommit   %commit  kbavail
{3}   1234567  48123456     97.50      1000      2000      3000      4.00     5000
Average:      1234567  48123456     97.50      1000      2000      3000      4.00     5000
"""
SARRED = {"used_bytes": 48123456 * KIB, "free_bytes": 1234567 * KIB, "cached_bytes": 2000 * KIB, "tool": "sar"}
DUMPED = {"type": "802.1Q", "id": 100, "flags": ["REORDER_HDR"], "protocol": "802.1Q"}

LINES = [
    # 11.1: IPLINK, its examples and each part that may be absent
    link(f"10: vlan100@vlan20: <{FLAGS}> mtu 1500 qdisc noqueue master br100 state UP", interface="vlan100", index=10,
         parent="vlan20", mtu_bytes=1500, qdisc="noqueue", master="br100", state="UP", flags=ON, carrier=True,
         kind="vlan", vlan_id=100),
    link(f"2: eth0: <{FLAGS}> mtu 1500 qdisc pfifo_fast state UP qlen 1000", interface="eth0", index=2, parent=None,
         qdisc="pfifo_fast", master=None, state="UP"),
    link(f"7: tapcf0a1b2c-3d@if6: <{FLAGS}> mtu 1450 qdisc noqueue master brq1 state UP mode DEFAULT group default "
         "qlen 1000", interface="tapcf0a1b2c-3d", parent="if6", master="brq1", mtu_bytes=1450, kind=None),
    link("8: sit0@NONE: <NOARP> mtu 1480 state DOWN", interface="sit0", parent=None, qdisc=None, state="DOWN"),
    link("8: sit0@NONE: <> mtu 1480", flags=[], state=None, mtu_bytes=1480),
    link(f"5: br100: <{FLAGS}> mtu 1500 qdisc noqueue state UP group 7 qlen 1000\n    link/ether {MAC} brd "
         "ff:ff:ff:ff:ff:ff\n    bridge forward_delay 1500 hello_time 200\n    inet 10.0.0.5/24 brd 10.0.0.255 scope "
         "global br100\n       valid_lft forever preferred_lft forever\n    inet6 fe80::1/64 scope link \n",
         interface="br100", mac=MAC, addresses=["10.0.0.5/24", "fe80::1/64"], kind="bridge"),
    *(link(f"11: v@eth1: <UP> mtu 1500\n    link/ether {MAC} brd ff:ff:ff:ff:ff:ff\n    vlan {protocol}id 101 "
           "<REORDER_HDR> \n", interface="v", kind="vlan", vlan_id=101, parent="eth1")
      for protocol in ("", "protocol 802.1Q ")),
    link(f"4: bond0: <{FLAGS}> mtu 1500 state UP\n    link/ether {MAC} brd ff:ff:ff:ff:ff:ff promiscuity 0\n    bond "
         "mode 802.3ad miimon 100\n", interface="bond0", kind="bond", mode="802.3ad"),
    link(f"2: eth0: <{FLAGS}> mtu 1500 qdisc mq state UP qlen 1000\\    link/ether {MAC} brd ff:ff:ff:ff:ff:ff",
         interface="eth0", mac=MAC, qdisc="mq"),
    link(json.dumps([{"ifindex": 10, "ifname": "vlan100", "link": "vlan20", "flags": ON, "mtu": 1500,
         "qdisc": "noqueue", "master": "br100", "operstate": "UP", "linkmode": "DEFAULT", "group": "default",
         "txqlen": 1000, "link_type": "ether", "address": MAC, "broadcast": "ff:ff:ff:ff:ff:ff",
         "linkinfo": {"info_kind": "vlan", "info_data": DUMPED}, "addr_info": [
             {"family": "inet", "local": "10.0.0.5", "prefixlen": 24, "scope": "global", "label": "vlan100"}]}]),
         interface="vlan100", index=10, parent="vlan20", flags=ON, mtu_bytes=1500, master="br100", state="UP", mac=MAC,
         kind="vlan", vlan_id=100, vlan_protocol="802.1Q", addresses=["10.0.0.5/24"], carrier=True),
    link(json.dumps([{"ifindex": 7, "ifname": "tap0", "link_index": 6, "flags": [], "mtu": 1450, "operstate": "UP",
         "linkinfo": {"info_kind": "veth", "info_slave_kind": "bridge"}}]), interface="tap0",
         parent="if6", kind="veth"),
    # a VLAN on a VLAN, equal MTU: the rows that the double-VLAN test is made of
    interfaces("11.1", f"8: vlan20@eth0: <{FLAGS}> mtu 1500 qdisc noqueue state UP\n"
               f"10: vlan100@vlan20: <{FLAGS}> mtu 1500 qdisc noqueue master br100 state UP\n",
               {"interface": "vlan20", "parent": "eth0", "kind": "vlan", "mtu_bytes": 1500},
               {"interface": "vlan100", "parent": "vlan20", "kind": "vlan", "mtu_bytes": 1500}),
    # 11.2
    interfaces("11.2", "VLAN Dev name    | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n"
               "vlan100        | 100  | vlan20\n", {"interface": "vlan100", "vlan_id": 100, "parent": "vlan20"},
               name="cc12/proc/net/vlan/config"),
    interfaces("11.2", "vlan100  VID: 100\t REORDER_HDR: 1  dev->priv_flags: 1\n         total frames received      0\n"
               "Device: vlan20\nINGRESS priority mappings: 0:0  1:0\n",
               {"interface": "vlan100", "vlan_id": 100, "parent": "vlan20"}, name="cc12/proc/net/vlan/vlan100"),
    interfaces("11.2", "bridge name\tbridge id\t\tSTP enabled\tinterfaces\nbr100\t\t8000.fa163e24e722\tno\t\tvlan100\n"
               "\t\t\t\t\t\t\tvnet0\nbr101\t\tcan't get info Operation not supported\n",
               {"interface": "br100", "kind": "bridge", "bridge_id": "8000.fa163e24e722", "stp": False},
               {"interface": "vlan100", "master": "br100"}, {"interface": "vnet0", "master": "br100"},
               {"interface": "br101", "error": "can't get info Operation not supported"}),
    interfaces("11.2", "3: vnet0 state UP : <BROADCAST,UP,LOWER_UP> mtu 1500 master br100 state forwarding priority 32 "
               "cost 100\n", {"interface": "vnet0", "master": "br100", "mode": "forwarding"}, command="bridge link"),
    interfaces("11.2", "port\tvlan ids\nvnet0\t 1 PVID Egress Untagged\n\t 100\n",
               {"interface": "vnet0", "vlan_id": 1, "trunks": [100]}, command="bridge vlan show"),
    Line("11.2", f"{MAC} dev vnet0 vlan 1 master br100 permanent\n{MAC} dev vxlan1 dst 10.0.0.9 self permanent\n",
         ForwardingEntry, [{"mac": MAC, "interface": "vnet0", "vlan_id": 1, "bridge": "br100", "kind": "permanent"},
                           {"interface": "vxlan1", "remote_ip": "10.0.0.9"}]),
    *(interfaces("11.2", f"{UUID}\n    Bridge {q}br-int{q}\n        Port {q}tapcf0a1b2c-3d{q}\n            tag: 7\n"
                 f"            Interface {q}tapcf0a1b2c-3d{q}\n        Port {q}vxlan-1{q}\n            Interface {q}"
                 f"vxlan-1{q}\n                type: vxlan\n                options: {{in_key=flow, remote_ip="
                 f'"10.0.0.9"}}\n    ovs_version: "2.0.1"\n', {"interface": "br-int", "kind": "bridge"},
                 {"interface": "tapcf0a1b2c-3d", "vlan_id": 7, "master": "br-int"},
                 {"interface": "vxlan-1", "kind": "vxlan", "remote_ip": "10.0.0.9"}) for q in ('"', "")),
    *(Line("11.2", json.dumps({"headings": ["_uuid", "external_ids", "name", "type"], "data": [[["uuid", UUID],
           ["map", [["attached-mac", MAC], ["iface-id", PORT], ["vm-uuid", UUID]]], "tapcf0a1b2c-3d", ["set", []]]]}),
           record, want | {"port": PORT, "instance": UUID}, "cc12/x", TAKEN)
      for record, want in ((HostInterface, {"interface": "tapcf0a1b2c-3d"}),
                           (InstancePort, {"mac": MAC, "tap": "tapcf0a1b2c-3d"}))),
    interfaces("11.2", "Ethernet Channel Bonding Driver: v3.7.1\n\nBonding Mode: IEEE 802.3ad Dynamic link"
         " aggregation\n"
               "MII Status: down\n\n802.3ad info\nSlave Interface: eth2\nMII Status: up\nSpeed: 10000 Mbps\nDuplex:"
               " full"
               "\nLink Failure Count: 1\nPermanent HW addr: 00:1b:21:00:00:01\nAggregator ID: 1\n",
               {"interface": "bond0", "kind": "bond", "mode": "802.3ad", "carrier": False},
               {"interface": "eth2", "master": "bond0", "carrier": True, "speed_mbps": 10000, "duplex": "full",
                "link_failures": 1, "permanent_mac": "00:1b:21:00:00:01", "aggregator": 1},
               name="cc12/proc/net/bonding/bond0"),
    option("11.2", "[DEFAULT]\nvlan-interface = vlan20\nmy_ip=10.0.0.1\nservers = $my_ip:9292\nfilters=a\nfilters=b\n"
           "long = one\n  two\n#debug = false\n;verbose=true\n; a"
           " remark\n[database]\nconnection=mysql://nova:s3cret@db/n\n",
           {"section": "DEFAULT", "key": "vlan_interface", "value": "vlan20", "service": "nova", "is_commented": False,
            "file": "/etc/nova/nova.conf", "host": "cc12", "position": 2},
           {"key": "my_ip"}, {"key": "servers", "value": "$my_ip:9292", "effective": "10.0.0.1:9292"},
           {"key": "filters", "value": "a"}, {"key": "filters", "value": "b"}, {"key": "long", "value": "one\ntwo"},
           {"key": "debug", "value": "false", "is_commented": True}, {"key": "verbose", "is_commented": True},
           {"section": "database", "key": "connection", "value": "mysql://nova:•••@db/n"}),
    option("11.2", "--vlan_interface=vlan20\n--nouse_ipv6\n--flagfile=/etc/nova/x.conf\n",
           {"key": "vlan_interface", "value": "vlan20", "section": "DEFAULT"}, {"key": "use_ipv6", "value": "False"},
           {"key": "flagfile", "value": "/etc/nova/x.conf"}),
    memory("11.2", "USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\nnova      3735  0.5"
         " 10.0  "
           "27540  1044 ?        S    Feb14   0:01 /usr/bin/python /usr/bin/nova-api --x y\nroot         1  0.0  0.0"
           "    "
           "100    10 ?        Ss   2013   0:05 /sbin/init\nroot         2  0.0  0.0    100    10 ?        Ss  "
           " 00:40   "
           "0:05 /sbin/x\n", {"process": "nova-api", "pid": 3735, "user": "nova", "resident_bytes": 1044 * KIB,
           "virtual_bytes": 27540 * KIB, "command": "/usr/bin/python /usr/bin/nova-api --x y",
           "started_at": "2013-02-14 00:00:00", "ts": TS}, {"process": "init", "started_at": None},
           {"started_at": "2014-01-10 00:40:00"}),
    memory("11.2", "procs -----------memory---------- ---swap-- -----io---- -system-- ----cpu----\n r  b   swpd  "
         " free   "
           "buff  cache   si   so    bi    bo   in   cs us sy id wa st\n 1  0      7 123456   1000   2000    0    0 "
           "    "
           "1     2    3    4  5  6 89  0  0\n", {"free_bytes": 123456 * KIB, "buffers_bytes": 1000 * KIB,
           "cached_bytes": 2000 * KIB, "swap_used_bytes": 7 * KIB, "tool": "vmstat", "process": None},
           command="vmstat 5"),
    memory("11.2", "             total       used       free     shared    buffers     cached\nMem:         64000      "
           "60000       4000          0        100       1000\n-/+ buffers/cache:      58900       5100\nSwap:         "
           "2000       500       1500\n", {"total_bytes": 64000 << 20, "used_bytes": 60000 << 20,
           "free_bytes": 4000 << 20, "buffers_bytes": 100 << 20, "cached_bytes": 1000 << 20,
           "swap_used_bytes": 500 << 20}, command="free -m"),
    memory("11.2", "              total        used        free      shared  buff/cache   available\nMem:         "
         " 64000"
           "       60000        2000          10        2000        3500\nSwap:          2000         500       "
           " 1500\n",
           {"total_bytes": 64000 << 20, "available_bytes": 3500 << 20, "swap_total_bytes": 2000 << 20},
           command="free -m"),
    *(memory("11.2", SAR.format(*times), {"ts": "2014-01-10 23:55:01", "host": "cc12", **SARRED},
             {"ts": "2014-01-11 00:05:01", "host": "cc12", "available_bytes": 5000 * KIB, **SARRED})
      for times in (("11:50:01 PM", "11:55:01 PM", "12:00:01 AM", "12:05:01 AM"),
                    ("23:50:01", "23:55:01", "00:00:01", "00:05:01"))),
    memory("11.2", "epoch,value\n1389315000.123,1.2e+10\n",
           {"ts": "2014-01-10 00:50:00.123", "used_bytes": 12_000_000_000, "process": None, "host": "cc12"},
           name="collectd/cc12/memory/memory-used-2014-01-10"),
    memory("11.2", "epoch,value\n1389315000.123,1.2e+09\n", {"process": "nova-api", "resident_bytes": 1_200_000_000},
           name="collectd/cc12/processes-nova-api/ps_rss-2014-01-10"),
    # -t in local time, -j and -p: tests/loaders/documents/test_memory.py::test_sadf and ::test_sadf_json
    Line("11.2", "11:23:54.378332 IP 192.168.0.100.68 > 192.168.0.5.67: BOOTP/DHCP, Request from b8:2c:a0:0c:d6:1e,"
         " length"
         " 548\n11:23:54.378333 fa:16:3e:24:e7:22 > fa:16:3e:24:e7:23, ethertype 802.1Q (0x8100), length 1518: vlan"
         " 20, "
         "p 0, ethertype 802.1Q, vlan 100, p 0, ethertype IPv4, 10.0.0.1.1 > 10.0.0.2.2: x\n", LogRecord,
         [{"ts": "2014-01-10 11:23:54.378332", "framing": "tcpdump"}, {"n_lines": 1}], "cc12/x", TAKEN),
    Line("11.2", "2014-01-10 11:23:54.378332 IP 192.168.0.100.68 > 192.168.0.5.67: BOOTP/DHCP, Request from "
         "b8:2c:a0:0c:d6:1e, length 548\n", LogRecord, {"ts": "2014-01-10 11:23:54.378332"}),
    Line("11.2", "1389353034.378332 IP 192.168.0.100.68 > 192.168.0.5.67: BOOTP/DHCP, Request from b8:2c:a0:0c:d6:1e\n",
         LogRecord, {"ts": "2014-01-10 11:23:54.378332"}),
    # 11.3
    interfaces("11.3", "vlan100        | 100  | vlan20\n", {"interface": "vlan100", "vlan_id": 100, "parent": "vlan20"},
               name="cc12/proc/net/vlan/config"),
    interfaces("11.3", "br100\t\t8000.fa163e24e722\tno\t\tvlan100\n", {"interface": "br100", "stp": False},
               {"interface": "vlan100", "master": "br100"}),
    interfaces("11.3", "Slave Interface: eth2\nMII Status: up\n", {"interface": "eth2", "master": "bond0",
               "carrier": True}, name="cc12/proc/net/bonding/bond0"),
    option("11.3", "vlan_interface=vlan20\n", {"key": "vlan_interface", "value": "vlan20"}),
    option("11.3", "--vlan_interface=vlan20\n", {"key": "vlan_interface", "value": "vlan20"}),
    memory("11.3", PS + "\n", {"process": "dnsmasq", "pid": 3735, "user": "nobody", "resident_bytes": 1044 * KIB,
           "virtual_bytes": 27540 * KIB, "command": PS[PS.index("/usr"):], "started_at": "2014-01-09 15:40:00"}),
    memory("11.3", "# hostname;interval;timestamp;kbmemfree;kbmemused;%memused\ncc12;600;2014-01-10 01:10:01"
         " UTC;1234567;"
           "48123456;97.50\n", {"host": "cc12", "ts": TS, "free_bytes": 1234567 * KIB, "used_bytes": 48123456 * KIB}),
    # 11.5: UP says little, carrier much; qlen below or behind; no time unless something beside it tells
    link("9: eth1: <NO-CARRIER,BROADCAST,UP> mtu 1500 qdisc mq state UP mode DEFAULT \n    qlen 1000\n", state="UP",
         carrier=False),
    Line("11.5", f"2: eth0: <{FLAGS}> mtu 1500 state UP\n", HostInterface, {"ts": None, "ts_basis": "none"}),
]  # fmt: skip
# 11.x, what tells a host's zone: tests/loaders/documents/test_zone.py::test_a_zone_is_told and
# tests/loaders/documents/test_transcript.py::test_the_output_of_date


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_11(line: Line) -> None:
    meet(line)
