"""What Linux says of bonds and teams and their members."""

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._ports import KERNEL, Wording, port_format

# Since mid-2019 the member stands in front of the message, before that in it; until 2014 the module's name came first.
_BOND = r"(?:bonding:\x20)?(?P<master>[^\s:]+):\x20(?:(?i:warning):\x20)?(?:\(slave\x20(?P<interface>[^\s)]+)\):\x20)?"
_IN = r"(?P<interface>[^\s,]+?)"
_FOR = rf"(?:\x20for\x20(?:(?:active|backup|idle|inactive)\x20)?interface(?:\x20{_IN})?)?"

WORDINGS = (
    Wording(
        "member_",
        rf"link\x20status\x20definitely\x20(?P<went>up|down){_FOR}(?:,.*|\.)?|(?:backup\x20)?interface\x20(?:{_IN}\x20)?is\x20now\x20(?P<went>up|down)\.?",
        samples=(
            Sample(
                "bonding: bond0: link status definitely down for interface eth2, disabling it",
                {
                    "event": "member_down",
                    "interface": "eth2",
                    "master": "bond0",
                    "state": "down",
                    "agent": "kernel",
                    "vendor": "linux",
                },
            ),
            Sample(
                "[65818.378287] bond0: link status definitely down for interface eth0, disabling it",
                {"event": "member_down", "interface": "eth0", "master": "bond0"},
            ),
            Sample(
                "[ 1021.1][  T123] bond0: (slave eth2): link status definitely down, disabling slave",
                {"event": "member_down", "interface": "eth2", "master": "bond0"},
            ),
            Sample(
                "bond0: link status definitely up for interface eth0, 10000 Mbps full duplex.",
                {"event": "member_up", "interface": "eth0", "state": "up"},
            ),
            Sample(
                "bond0: (slave eth2): link status definitely up, 10000 Mbps full duplex",
                {"event": "member_up", "interface": "eth2"},
            ),
            Sample("bonding: bond1: link status definitely up for interface eth1.", {"interface": "eth1"}),
            Sample("bond0: interface eth1 is now down", {"event": "member_down", "interface": "eth1"}),
        ),
    ),
    # not yet definitely: the delay runs (downdelay, updelay)
    Wording(
        "link_",
        rf"link\x20status\x20(?P<went>up|down)(?:\x20again\x20after\x20\d+\x20ms)?{_FOR}(?:,.*|\.)?",
        samples=(
            Sample(
                "bonding: bond0: link status down for active interface eth0, disabling it in 200 ms.",
                {"event": "link_down", "interface": "eth0", "master": "bond0", "state": "down"},
            ),
            Sample(
                "bond0: link status up again after 100 ms for interface eth0.",
                {"event": "link_up", "interface": "eth0", "state": "up"},
            ),
            Sample(
                "bond0: (slave eth0): link status down for active interface, disabling it in 200 ms",
                {"event": "link_down", "interface": "eth0"},
            ),
            Sample("bond0: (slave eth0): link status up, enabling it in 200 ms", {"event": "link_up"}),
        ),
    ),
    Wording(
        "no_active_member",
        r"now\x20running\x20without\x20any\x20active\x20interface\x20?!",
        samples=(
            Sample(
                "bonding: bond0: now running without any active interface !",
                {"event": "no_active_member", "interface": None, "master": "bond0", "state": "down"},
            ),
            Sample("bond0: now running without any active interface!", {"event": "no_active_member"}),
        ),
    ),
    Wording(
        "first_member",
        r"(?:first\x20)?active\x20interface\x20up!",
        samples=(
            Sample("bond0: first active interface up!", {"event": "first_member", "master": "bond0", "state": "up"}),
            Sample("bond0: active interface up!", {"event": "first_member", "interface": None}),
        ),
    ),
    Wording(
        "active",
        rf"making\x20interface\x20(?:{_IN}\x20)?the\x20new\x20active\x20one(?:\x20\d+\x20ms\x20earlier)?\.?",
        samples=(
            Sample(
                "bonding: bond0: making interface eth1 the new active one.",
                {"event": "active", "interface": "eth1", "master": "bond0"},
            ),
            Sample("bond0: (slave eth1): making interface the new active one", {"interface": "eth1"}),
            Sample("bond0: making interface eth1 the new active one 200 ms earlier", {"interface": "eth1"}),
        ),
    ),
    Wording(
        "enslaved",
        rf"(?i:enslaving)\x20(?:{_IN}\x20)?as\x20an?\x20\w+\x20interface\x20with\x20an?\x20\w+\x20link\.?",
        samples=(
            Sample(
                "bonding: bond0: enslaving eth0 as a backup interface with a down link.",
                {"event": "enslaved", "interface": "eth0", "master": "bond0", "state": None},
            ),
            Sample(
                "bond0: (slave eth0): Enslaving as an active interface with an up link",
                {"event": "enslaved", "interface": "eth0"},
            ),
        ),
    ),
    Wording(
        "released",
        rf"(?i:releasing)\x20(?:active|backup)\x20interface(?:\x20{_IN})?\.?",
        samples=(
            Sample(
                "bonding: bond0: releasing active interface eth0",
                {"event": "released", "interface": "eth0", "master": "bond0"},
            ),
            Sample("bond0: (slave eth0): Releasing backup interface", {"event": "released", "interface": "eth0"}),
        ),
    ),
    Wording(
        "inactive",
        r"(?P<cause>No\x20802\.3ad\x20response\x20from\x20the\x20link\x20partner)\x20for\x20any\x20adapters\x20in\x20the\x20bond",
        samples=(
            Sample(
                "bonding: bond0: Warning: No 802.3ad response from the link partner for any adapters in the bond",
                {"event": "inactive", "interface": None, "master": "bond0", "state": "inactive"},
            ),
        ),
    ),
    Wording(
        "own_address",
        rf"An\x20(?P<cause>illegal\x20loopback)\x20occurred\x20on\x20(?:adapter\x20\({_IN}\)|slave).*",
        samples=(
            Sample(
                "bond0: An illegal loopback occurred on adapter (eth0)",
                {"event": "own_address", "interface": "eth0", "master": "bond0"},
            ),
            Sample("bond0: (slave eth0): An illegal loopback occurred on slave", {"interface": "eth0"}),
        ),
    ),
    Wording(
        "other",
        rf"""(?P<cause>failed\x20to\x20get\x20link\x20speed/duplex)(?:\x20for\x20{_IN})?
        |(?P<cause>speed\x20changed\x20to\x200)(?:\x20(?:for|on)\x20port(?:\x20{_IN})?)?""",
        samples=(
            Sample(
                "bond0: failed to get link speed/duplex for eth0",
                {"event": "other", "interface": "eth0", "master": "bond0", "state": None},
            ),
            Sample("bond0: (slave eth0): speed changed to 0 on port", {"interface": "eth0"}),
        ),
    ),
    Wording(
        "enslaved",
        rf"Port\x20device\x20{_IN}\x20added",
        samples=(Sample("team0: Port device eth0 added", {"event": "enslaved", "master": "team0"}),),
    ),
    Wording(
        "released",
        rf"Port\x20device\x20{_IN}\x20removed",
        samples=(Sample("team0: Port device eth0 removed", {"event": "released", "interface": "eth0"}),),
    ),
)

_TEAMD = (
    Wording(
        "member_",
        rf"{_IN}:\x20(?:ethtool|nsna_ping|arp_ping|openvswitch)-link\x20went\x20(?P<went>up|down)\.",
        samples=(
            Sample("eth0: ethtool-link went down.", {"event": "member_down", "interface": "eth0", "vendor": "linux"}),
        ),
    ),
    Wording(
        "active",
        r"Changed\x20active\x20port\x20to\x20\"?(?P<interface>[^\s\"]+?)\"?\.",
        samples=(Sample('Changed active port to "eth1".', {"event": "active", "interface": "eth1"}),),
    ),
)

FORMATS = (
    port_format(
        "bonding",
        "linux",
        WORDINGS,
        reference="Linux drivers/net/bonding/bond_main.c and bond_3ad.c, 2.6.18 to 6.12; drivers/net/team/team.c",
        program=r"^kernel$",
        said_by="kernel",
        alone=(
            *("link status ", "running without any active interface", "active interface up!", "the new active one"),
            *(
                "nslaving ",
                "eleasing active interface",
                "eleasing backup interface",
                "No 802.3ad response",
                "illegal loopback",
                "Port device ",
            ),
            *(" is now up", " is now down", "failed to get link speed", "speed changed to 0"),
        ),
        whole=True,
        front=KERNEL + _BOND,
    ),
    port_format(
        "teamd",
        "linux",
        _TEAMD,
        reference="libteam teamd/teamd_link_watch.c and teamd_runner_activebackup.c, 1.0 to 1.32",
        program=r"^teamd(?:_[\w.-]+)?$",
        said_by="teamd_team0",
        front=r"(?:(?P<master>team\d+):\x20)?",
    ),
)
