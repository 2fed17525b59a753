"""`ifconfig`, `/proc/net/vlan` and `ethtool`: formats.md 11.2, 11.3."""

import pytest

from forensics.records import HostInterface
from tests.loaders.documents._picked import picked, rejects, rows

OLD = """\
eth0      Link encap:Ethernet  HWaddr FA:16:3e:24:e7:22  \n\
          inet addr:10.0.0.5  Bcast:10.0.0.255  Mask:255.255.255.0
          inet6 addr: fe80::f816:3eff:fe24:e722/64 Scope:Link
          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1
          RX packets:1203 errors:0 dropped:0 overruns:0 frame:0
          TX packets:1012 errors:0 dropped:0 overruns:0 carrier:0
          collisions:0 txqueuelen:1000 \n\
          RX bytes:118294 (118.2 KB)  TX bytes:100231 (100.2 KB)

eth0:1    Link encap:Ethernet  HWaddr fa:16:3e:24:e7:22  \n\
          inet addr:10.0.0.6  Bcast:10.0.0.255  Mask:255.255.0.0
          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1

lo        Link encap:Local Loopback  \n\
          inet addr:127.0.0.1  Mask:255.0.0.0
          LOOPBACK  MTU:16436  Metric:1
"""
NEW = """\
bond0: flags=5187<UP,BROADCAST,RUNNING,MASTER,MULTICAST>  mtu 9000
        inet 10.0.0.5  netmask 255.255.255.0  broadcast 10.0.0.255
        inet6 fe80::f816:3eff:fe24:e722  prefixlen 64  scopeid 0x20<link>
        ether fa:16:3e:24:e7:22  txqueuelen 1000  (Ethernet)
        RX packets 2  bytes 152 (152.0 B)

vlan100: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0 mtu 1500
\tether fa:16:3e:24:e7:22
\tinet 192.0.2.1 netmask 0xffffff00 broadcast 192.0.2.255
\tvlan: 100 vlanproto: 802.1q vlanpcp: 0 parent interface: em0
"""


def test_ifconfig_of_net_tools_1() -> None:
    assert picked(OLD) == "ifconfig"
    assert rejects(OLD) == []
    assert rows(OLD, HostInterface) == [
        {"interface": "eth0", "mac": "fa:16:3e:24:e7:22", "mtu_bytes": 1500, "carrier": True,
         "flags": ["UP", "BROADCAST", "RUNNING", "MULTICAST"],
         "addresses": ["10.0.0.5/24", "fe80::f816:3eff:fe24:e722/64"]},
        {"interface": "eth0:1", "mac": "fa:16:3e:24:e7:22", "mtu_bytes": 1500, "carrier": True,
         "flags": ["UP", "BROADCAST", "RUNNING", "MULTICAST"], "addresses": ["10.0.0.6/16"]},
        {"interface": "lo", "mtu_bytes": 16436, "flags": ["LOOPBACK"], "addresses": ["127.0.0.1/8"]},
    ]  # fmt: skip


def test_ifconfig_of_net_tools_2_and_of_bsd() -> None:
    assert rejects(NEW) == []
    first, second = rows(NEW, HostInterface)
    assert first == {
        "interface": "bond0", "mtu_bytes": 9000, "carrier": True, "mac": "fa:16:3e:24:e7:22",
        "flags": ["UP", "BROADCAST", "RUNNING", "MASTER", "MULTICAST"],
        "addresses": ["10.0.0.5/24", "fe80::f816:3eff:fe24:e722/64"],
    }  # fmt: skip
    assert second.items() >= {"kind": "vlan", "vlan_id": 100, "parent": "em0", "addresses": ["192.0.2.1/24"]}.items()


CONFIG = """\
VLAN Dev name    | VLAN ID
Name-Type: VLAN_NAME_TYPE_PLUS_VID_NO_PAD
vlan20         | 20  | bond0
vlan100        | 100  | vlan20
"""
DEVICE = """\
vlan100  VID: 100\t REORDER_HDR: 1  dev->priv_flags: 1
         total frames received            0
          total bytes received            0
      Broadcast/Multicast Rcvd            0

      total frames transmitted            8
       total bytes transmitted          648
            total headroom inc            0
           total encap on xmit            8
Device: vlan20
INGRESS priority mappings: 0:0  1:0  2:0  3:0  4:0  5:0  6:0 7:0
 EGRESS priority mappings: \n\
"""


@pytest.mark.parametrize(
    "text", [CONFIG, CONFIG.partition("PAD\n")[2], CONFIG.replace("_NO_PAD", "_NO_PAD bad_proto_recvd: 0")]
)
def test_the_kernel_s_list_of_vlans(text: str) -> None:  # formats.md 11.2, 11.3
    assert picked(text) == "proc-vlan-config"
    assert rows(text, HostInterface) == [
        {"interface": "vlan20", "parent": "bond0", "kind": "vlan", "vlan_id": 20},
        {"interface": "vlan100", "parent": "vlan20", "kind": "vlan", "vlan_id": 100},
    ]
    assert rejects(text) == []


def test_the_kernel_s_file_of_one_vlan() -> None:
    assert picked(DEVICE) == "proc-vlan-device"
    assert rows(DEVICE, HostInterface) == [{"interface": "vlan100", "parent": "vlan20", "kind": "vlan", "vlan_id": 100}]
    assert rejects(DEVICE) == []
    two = DEVICE + DEVICE.replace("vlan20", "bond0").replace("vlan100", "vlan20").replace("VID: 100", "VID: 20")
    assert [row["parent"] for row in rows(two, HostInterface)] == ["vlan20", "bond0"]


SETTINGS = """\
Settings for eth2:
\tSupported ports: [ FIBRE ]
\tSupported link modes:   1000baseT/Full \n\
\t                        10000baseT/Full \n\
\tSpeed: {speed}
\tDuplex: {duplex}
\tPort: FIBRE
\tAuto-negotiation: on
\tCurrent message level: 0x00000007 (7)
\t\t\t       drv probe link
\tLink detected: {link}
"""


@pytest.mark.parametrize(
    ("speed", "duplex", "link", "told"),
    [
        ("10000Mb/s", "Full", "yes", {"speed_mbps": 10_000, "duplex": "full", "carrier": True}),
        ("100Mb/s", "Half", "no", {"speed_mbps": 100, "duplex": "half", "carrier": False}),
        ("Unknown!", "Unknown! (255)", "no", {"carrier": False}),
        ("Unknown!", "Unknown!", "no (No cable)", {"carrier": False}),
    ],
)
def test_ethtool(speed: str, duplex: str, link: str, told: dict) -> None:
    text = SETTINGS.format(speed=speed, duplex=duplex, link=link)
    assert picked(text) == "ethtool"
    assert rows(text * 2, HostInterface) == [{"interface": "eth2", **told}] * 2
    assert rejects(f"Cannot get wake-on-lan settings: Operation not permitted\n{text}") == []


def test_the_driver_of_an_interface_that_only_the_command_names() -> None:
    text = "driver: ixgbe\nversion: 3.9.15-k\nfirmware-version: 0x61bd0001\nbus-info: 0000:04:00.0\n"
    assert rows(text, HostInterface, command="ethtool -i eth2") == [{"interface": "eth2", "driver": "ixgbe 3.9.15-k"}]
    sos = "sosreport-cc12/sos_commands/networking/ethtool_-i_eth2"
    assert rows(text, HostInterface, name=sos) == [{"interface": "eth2", "driver": "ixgbe 3.9.15-k"}]
    assert rows(text, HostInterface) == [{"interface": "?", "driver": "ixgbe 3.9.15-k"}]
