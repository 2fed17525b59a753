"""Wordings of ports that only Cisco NX-OS has."""

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._ports import IF, Wording

_NAMED = rf"Interface\x20{IF}(?:,\x20description:?\x20(?P<description>.*?),?)?\x20"

NXOS = (
    Wording(
        "error_disabled",
        rf"{_NAMED}is\x20down\x20\(Error\x20disabled\.?(?:\x20?Reason:\x20?(?P<cause>.*?))?\)",
        samples=(
            Sample(
                "%ETHPORT-5-IF_DOWN_ERROR_DISABLED: Interface Ethernet1/3 is down (Error disabled. Reason:BPDUGuard)",
                {"event": "error_disabled", "interface": "Ethernet1/3", "cause": "BPDUGuard", "state": "errdisabled"},
            ),
        ),
    ),
    Wording(
        "recovering",
        rf"{_NAMED}is\x20being\x20recovered\x20from\x20error\x20disabled\x20state(?:\x20\(Last\x20Reason:\x20?(?P<cause>.*?)\))?",
        samples=(
            Sample(
                "%ETHPORT-5-IF_ERRDIS_RECOVERY: Interface Ethernet1/3 is being recovered from error disabled state "
                "(Last Reason:BPDUGuard)",
                {"event": "recovering", "interface": "Ethernet1/3", "cause": "BPDUGuard", "state": None},
            ),
        ),
    ),
    Wording(
        "link_down",
        rf"{_NAMED}is\x20down(?:\x20\((?P<cause>.*)\))?",
        samples=(
            Sample(
                "%ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface Ethernet1/1 is down (Link failure)",
                {"event": "link_down", "interface": "Ethernet1/1", "cause": "Link failure", "state": "down"},
            ),
            Sample(
                "%ETHPORT-5-IF_DOWN_ADMIN_DOWN: Interface Ethernet1/1 is down (Administratively down)",
                {"event": "link_down", "cause": "Administratively down"},
            ),
            Sample(
                "%ETHPORT-5-IF_DOWN_PORT_CHANNEL_MEMBERS_DOWN: Interface port-channel1 is down (No members)",
                {"event": "link_down", "interface": "port-channel1", "cause": "No members"},
            ),
            Sample(
                "%PORT-5-IF_DOWN_LINK_FAILURE: %$VSAN 10%$ Interface fc1/5 is down (Link failure loss of signal)",
                {"interface": "fc1/5", "cause": "Link failure loss of signal"},
            ),
            Sample(
                "%ETHPORT-5-IF_DOWN_NONE: Interface Ethernet1/1, description: c12 bond0, is down (None)",
                {"interface": "Ethernet1/1", "description": "c12 bond0", "cause": "None"},
            ),
        ),
    ),
    Wording(
        "link_up",
        rf"{_NAMED}is\x20up(?:\x20in\x20.*)?",
        samples=(
            Sample(
                "%ETHPORT-5-IF_UP: Interface Ethernet1/33 is up in mode trunk",
                {"event": "link_up", "interface": "Ethernet1/33", "state": "up"},
            ),
            Sample("%ETHPORT-5-IF_UP: Interface Ethernet1/33 is up in Layer3", {"event": "link_up"}),
        ),
    ),
    Wording(
        "link_",
        rf"individual\x20port\x20{IF}\x20is\x20(?P<went>up|down)",
        samples=(
            Sample(
                "%ETH_PORT_CHANNEL-5-PORT_INDIVIDUAL_DOWN: individual port Ethernet1/33 is down",
                {"event": "link_down", "interface": "Ethernet1/33", "state": "down"},
            ),
        ),
    ),
    Wording(
        "member_",
        rf"(?P<master>port-channel\d+):\x20{IF}\x20is\x20(?P<went>up|down)",
        samples=(
            Sample(
                "%ETH_PORT_CHANNEL-5-PORT_DOWN: port-channel23: Ethernet1/15 is down",
                {"event": "member_down", "interface": "Ethernet1/15", "master": "port-channel23", "state": "down"},
            ),
            Sample(
                "%ETH_PORT_CHANNEL-5-PORT_UP: port-channel23: Ethernet1/15 is up",
                {"event": "member_up", "interface": "Ethernet1/15", "state": "up"},
            ),
        ),
    ),
    Wording(
        "inactive",
        rf"""(?:(?P<master>port-channel\d+)|\S+):\x20{IF}\x20is\x20suspended
        |port\x20{IF}\x20is\x20operationally\x20individual""",
        samples=(
            Sample(
                "%ETH_PORT_CHANNEL-5-PORT_SUSPENDED: Ethernet1/38: Ethernet1/38 is suspended",
                {"event": "inactive", "interface": "Ethernet1/38", "master": None, "state": "inactive"},
            ),
            Sample(
                "%ETH_PORT_CHANNEL-5-PORT_INDIVIDUAL: port Ethernet1/33 is operationally individual",
                {"event": "inactive", "interface": "Ethernet1/33"},
            ),
        ),
    ),
    # FOP: the first operational port of a channel
    Wording(
        "no_active_member",
        r"(?P<master>port-channel\d+):\x20first\x20operational\x20port\x20changed\x20from\x20\S+\x20to\x20none",
        samples=(
            Sample(
                "%ETH_PORT_CHANNEL-5-FOP_CHANGED: port-channel5: first operational port changed from Eth1/1 to none",
                {"event": "no_active_member", "interface": None, "master": "port-channel5", "state": "down"},
            ),
        ),
    ),
    Wording(
        "first_member",
        rf"(?P<master>port-channel\d+):\x20first\x20operational\x20port\x20changed\x20from\x20none\x20to\x20{IF}",
        samples=(
            Sample(
                "%ETH_PORT_CHANNEL-5-FOP_CHANGED: port-channel5: first operational port changed from none to Eth1/2",
                {"event": "first_member", "interface": "Eth1/2", "master": "port-channel5", "state": "up"},
            ),
        ),
    ),
    Wording(
        "active",
        rf"(?P<master>port-channel\d+):\x20first\x20operational\x20port\x20changed\x20from\x20[A-Z]\S+\x20to\x20{IF}",
        samples=(
            Sample(
                "%ETH_PORT_CHANNEL-5-FOP_CHANGED: port-channel5: first operational port changed from Ethernet1/1 to "
                "Ethernet1/2",
                {"event": "active", "interface": "Ethernet1/2", "master": "port-channel5"},
            ),
        ),
    ),
    Wording(
        "other",
        rf"{_NAMED}is\x20admin\x20(?:up|down)\x20?\.?",
        samples=(
            Sample(
                "%ETHPORT-5-IF_ADMIN_UP: Interface Ethernet1/1 is admin up .",
                {"event": "other", "interface": "Ethernet1/1", "state": None},
            ),
        ),
    ),
)
