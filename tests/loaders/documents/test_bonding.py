"""`/proc/net/bonding`: every mode, members, partners: formats.md 11.2."""

import pytest

from forensics.records import HostInterface
from tests.loaders.documents._picked import picked, rejects, rows

LACP = """\
Ethernet Channel Bonding Driver: v3.7.1 (April 27, 2011)

Bonding Mode: IEEE 802.3ad Dynamic link aggregation
Transmit Hash Policy: layer3+4 (1)
MII Status: up
MII Polling Interval (ms): 100
Up Delay (ms): 0
Down Delay (ms): 0

802.3ad info
LACP rate: fast
Min links: 0
Aggregator selection policy (ad_select): stable
System priority: 65535
System MAC address: a0:36:9f:00:00:02
Active Aggregator Info:
\tAggregator ID: 4
\tNumber of ports: 2
\tActor Key: 15
\tPartner Key: 32773
\tPartner Mac Address: 00:1c:73:aa:bb:cc

Slave Interface: eth2
MII Status: down
Speed: Unknown
Duplex: Unknown
Link Failure Count: 1
Permanent HW addr: a0:36:9f:00:00:02
Slave queue ID: 0
Aggregator ID: 4
Actor Churn State: none
details actor lacp pdu:
    system priority: 65535
    system mac address: a0:36:9f:00:00:02
    port key: 15
details partner lacp pdu:
    system priority: 32768
    system mac address: 00:1c:73:aa:bb:cc
    oper key: 32773
    port number: 35

Slave Interface: eth3
MII Status: up
Speed: 10000 Mbps
Duplex: full
Link Failure Count: 0
Permanent HW addr: a0:36:9f:00:00:03
Slave queue ID: 0
Aggregator ID: 4
"""
BOND = {"interface": "bond0", "kind": "bond", "mode": "802.3ad", "carrier": True, "mac": "a0:36:9f:00:00:02",
        "aggregator": 4, "partner_mac": "00:1c:73:aa:bb:cc"}  # fmt: skip
ETH2 = {"interface": "eth2", "master": "bond0", "carrier": False, "link_failures": 1,
        "permanent_mac": "a0:36:9f:00:00:02", "aggregator": 4, "partner_mac": "00:1c:73:aa:bb:cc"}  # fmt: skip
ETH3 = {"interface": "eth3", "master": "bond0", "carrier": True, "link_failures": 0,
        "permanent_mac": "a0:36:9f:00:00:03", "aggregator": 4, "speed_mbps": 10_000, "duplex": "full"}  # fmt: skip


@pytest.mark.parametrize(
    "name", ["cc12/proc/net/bonding/bond0", "sos/sos_commands/bonding/bond0", "cc12/bond0.txt", "bond0"]
)
def test_a_bond_and_its_members(name: str) -> None:
    assert picked(LACP, name) == "bonding"
    assert rejects(LACP, name) == []
    assert rows(LACP, HostInterface, name) == [BOND, ETH2, ETH3]


def test_the_first_status_is_the_bond_s() -> None:
    text = LACP.replace("MII Status: up", "MII Status: down", 1)
    found = {
        row["interface"]: row["carrier"] for row in rows(text, HostInterface, command="cat /proc/net/bonding/bond0")
    }
    assert found == {"bond0": False, "eth2": False, "eth3": True}


def test_the_name_is_told_by_file_command_or_heading_or_not_at_all() -> None:
    text = f"==> /proc/net/bonding/bond0 <==\n{LACP}\n==> /proc/net/bonding/bond1.5 <==\n{LACP}"
    assert rejects(text) == []
    found = [row["interface"] for row in rows(text, HostInterface)]
    assert found == ["bond0", "eth2", "eth3", "bond1.5", "eth2", "eth3"]
    assert rows(LACP, HostInterface, command="cat /proc/net/bonding/*")[0]["interface"] == "?"
    assert rows(LACP, HostInterface)[0]["interface"] == "?"
    assert rows(LACP, HostInterface)[1]["master"] == "?"
    assert len(rows(LACP + LACP, HostInterface)) == 6


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("load balancing (round-robin)", "balance-rr"), ("fault-tolerance (active-backup)", "active-backup"),
        ("fault-tolerance (active-backup) (fail_over_mac active)", "active-backup"),
        ("load balancing (xor)", "balance-xor"),
        ("fault-tolerance (broadcast)", "broadcast"), ("transmit load balancing", "balance-tlb"),
        ("adaptive load balancing", "balance-alb"), ("something of tomorrow", "something of tomorrow"),
    ],
)  # fmt: skip
def test_every_mode(said: str, mode: str) -> None:
    text = f"""\
Ethernet Channel Bonding Driver: v3.5.0 (November 4, 2008)

Bonding Mode: {said}
Primary Slave: None
Currently Active Slave: eth2
MII Status: up
MII Polling Interval (ms): 100
ARP IP target/s (n.n.n.n form): 10.0.0.1

Slave Interface: eth2
MII Status: going back
Link Failure Count: 3
Permanent HW addr: a0:36:9f:00:00:02
"""
    assert rejects(text, "bond7") == []
    assert rows(text, HostInterface, "bond7") == [
        {"interface": "bond7", "kind": "bond", "mode": mode, "carrier": True},
        {
            "interface": "eth2",
            "master": "bond7",
            "carrier": False,
            "link_failures": 3,
            "permanent_mac": "a0:36:9f:00:00:02",
        },
    ]
