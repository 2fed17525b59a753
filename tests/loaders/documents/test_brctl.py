"""`brctl show`, `showmacs`, `showstp`: formats.md 11.2, 11.3."""

import pytest

from forensics.records import ForwardingEntry, HostInterface
from tests.loaders.documents._picked import picked, rejects, rows

SHOW = """\
bridge name\tbridge id\t\tSTP enabled\tinterfaces
br100\t\t8000.fa163e24e722\tno\t\tvlan100
\t\t\t\t\t\t\tvnet0
\t\t\t\t\t\t\tvnet1
virbr0\t\t8000.000000000000\tyes\t\t
brq7e1f0a52-0c\t\t8000.0e0000000005\tno\t\ttapcf0a1b2c-3d
"""
BRIDGE = {"interface": "br100", "kind": "bridge", "bridge_id": "8000.fa163e24e722", "stp": False}


@pytest.mark.parametrize(
    "text", [SHOW, SHOW.expandtabs(), SHOW.replace("\t\t\t\t\t\t\t", ""), SHOW.replace("\n", "\r\n")]
)
def test_bridges_and_what_is_in_them(text: str) -> None:
    assert picked(text) == "brctl-show"
    assert rejects(text) == []
    assert rows(text, HostInterface) == [
        BRIDGE,
        {"interface": "vlan100", "master": "br100"},
        {"interface": "vnet0", "master": "br100"},
        {"interface": "vnet1", "master": "br100"},
        {"interface": "virbr0", "kind": "bridge", "bridge_id": "8000.000000000000", "stp": True},
        {"interface": "brq7e1f0a52-0c", "kind": "bridge", "bridge_id": "8000.0e0000000005", "stp": False},
        {"interface": "tapcf0a1b2c-3d", "master": "brq7e1f0a52-0c"},
    ]


def test_a_line_alone_and_what_is_no_bridge() -> None:
    text = "br100\t\t8000.fa163e24e722\tno\t\tvlan100\n"
    assert rows(text, HostInterface) == [BRIDGE, {"interface": "vlan100", "master": "br100"}]
    heading = SHOW.splitlines()[0] + "\n"
    for line in ("eth0\t\tcan't get info Operation not supported\n", "bridge br7 does not exist!\n"):
        assert rows(heading + text + line, HostInterface)[:1] == [BRIDGE]
    told = rows(heading + "eth0\t\tcan't get info Operation not supported\n", HostInterface)
    assert told == [{"interface": "eth0", "error": "can't get info Operation not supported"}]


def test_addresses_that_a_bridge_learned() -> None:
    text = """\
port no\tmac addr\t\tis local?\tageing timer
  1\t16:56:68:29:23:73\tyes\t\t   0.00
  2\tfa:16:3e:24:e7:22\tno\t\t   4.43
"""
    assert rejects(text) == []
    assert rows(text, ForwardingEntry, command="brctl showmacs br100") == [
        {
            "mac": "16:56:68:29:23:73",
            "interface": "1",
            "bridge": "br100",
            "is_local": True,
            "kind": "permanent",
            "age_s": 0.0,
        },
        {
            "mac": "fa:16:3e:24:e7:22",
            "interface": "2",
            "bridge": "br100",
            "is_local": False,
            "kind": "dynamic",
            "age_s": 4.43,
        },
    ]
    sos = "sosreport-cc12/sos_commands/networking/brctl_showmacs_br100"
    assert {row["bridge"] for row in rows(text, ForwardingEntry, name=sos)} == {"br100"}
    assert all("bridge" not in row for row in rows(text, ForwardingEntry))


def test_states_of_spanning_tree() -> None:
    text = """\
br100
 bridge id\t\t8000.fa163e24e722
 designated root\t8000.fa163e24e722
 root port\t\t   0\t\t\tpath cost\t\t   0
 flags\t\t\t


vlan100 (1)
 port id\t\t8001\t\t\tstate\t\t     forwarding
 designated root\t8000.fa163e24e722\tpath cost\t\t   2
 flags\t\t\t

vnet0 (2)
 port id\t\t8002\t\t\tstate\t\t       blocking
 flags\t\t\tCONFIG_PENDING
"""
    assert picked(text) == "brctl-showstp"
    assert rejects(text) == []
    assert rows(text, HostInterface) == [
        {"interface": "br100", "kind": "bridge", "bridge_id": "8000.fa163e24e722"},
        {"interface": "vlan100", "master": "br100", "mode": "forwarding"},
        {"interface": "vnet0", "master": "br100", "mode": "blocking"},
    ]
