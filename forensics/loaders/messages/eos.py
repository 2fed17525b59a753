"""What Arista EOS says of its ports."""

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._ports import IF, MAC, TAG, Wording, port_format

_ERRDISABLED = r"err-?disabled?(?:\x20state)?"
_BPDU = (
    "%SPANTREE-4-BLOCK_BPDUGUARD: Received BPDU packet on Port-Channel35 with BPDU guard enabled. Disabling interface."
)

WORDINGS = (
    Wording(
        "bpdu_received",
        rf"""(?i:Received\x20BPDU(?:\x20packet)?\x20on\x20(?:port\x20|interface\x20)?{IF}\x20with\x20BPDU\x20guard\x20enabled
        \.?\x20Disabling\x20(?:interface|port)\.?(?:\x20\(source\x20mac\x20{MAC}\))?)""",
        cause="bpduguard",
        samples=(
            Sample(
                _BPDU + " (source mac fa:16:3e:24:e7:22)",
                {
                    "event": "bpdu_received",
                    "interface": "Port-Channel35",
                    "state": "errdisabled",
                    "cause": "bpduguard",
                    "mac": "fa:16:3e:24:e7:22",
                    "facility": "SPANTREE",
                    "level": 4,
                    "mnemonic": "BLOCK_BPDUGUARD",
                    "vendor": "arista",
                },
            ),
            Sample(_BPDU, {"interface": "Port-Channel35", "mac": None}),
            Sample(
                "%SPANTREE-4-BLOCK_BPDUGUARD: received bpdu on port Et7 with BPDU Guard Enabled. Disabling port. "
                "(source MAC FA16.3E24.E722)",
                {"event": "bpdu_received", "interface": "Et7", "mac": "fa:16:3e:24:e7:22"},
            ),
        ),
    ),
    Wording(
        "error_disabled",
        rf"(?P<cause>\S+)\x20error\x20detected\x20on\x20(?:interface\x20)?{IF}\.?(?:,?\x20.*)?",
        samples=(
            Sample(
                "%ETH-4-ERRDISABLE: bpduguard error detected on Port-Channel35.",
                {"event": "error_disabled", "interface": "Port-Channel35", "cause": "bpduguard", "level": 4},
            ),
            Sample(
                "%ETH-4-ERRDISABLE: link-flap error detected on Ethernet5, putting Ethernet5 in errdisabled state.",
                {"event": "error_disabled", "cause": "link-flap", "interface": "Ethernet5"},
            ),
            Sample(
                "%ETH-4-ERRDISABLE: uplink-failure-detection error detected on Ethernet5.",
                {"cause": "uplink-failure-detection", "interface": "Ethernet5"},
            ),
        ),
    ),
    Wording(
        "recovering",
        rf"""(?i:Attempting\x20to\x20recover\x20from\x20(?P<cause>\S+)\x20{_ERRDISABLED}\x20on\x20(?:interface\x20)?{IF}\.?
        |Attempting\x20to\x20recover\x20(?:interface\x20)?{IF}\x20from\x20(?:(?P<cause>\S+)\x20)?{_ERRDISABLED}.*
        |(?:Interface\x20)?{IF}:?\x20(?:is\x20)?recover(?:ing|ed)\x20from\x20(?:(?P<cause>\S+)\x20)?{_ERRDISABLED}.*)""",
        samples=(
            Sample(
                "%ETH-4-ERRDISABLE_RECOVERY: Attempting to recover from bpduguard err-disable state on Port-Channel35",
                {"event": "recovering", "interface": "Port-Channel35", "cause": "bpduguard", "state": None},
            ),
            Sample(
                "%ETH-4-ERRDISABLE_RECOVERY: Attempting to recover interface Ethernet5 from errdisabled state",
                {"event": "recovering", "interface": "Ethernet5", "cause": None},
            ),
            Sample(
                "%ETH-6-ERRDISABLE_RECOVER: Ethernet5 recovering from err-disabled",
                {"event": "recovering", "interface": "Ethernet5"},
            ),
        ),
    ),
    Wording(
        "inactive",
        rf"Local\x20interface\x20{IF}\x20is\x20(?:link\x20)?(?:down|inactive)\.?(?:\x20MLAG\x20(?P<mlag>\d+)\x20is\x20[\w-]+\.?)?",
        samples=(
            Sample(
                "%MLAG-4-INTF_INACTIVE_LOCAL: Local interface Port-Channel35 is link down. MLAG 35 is inactive.",
                {"event": "inactive", "interface": "Port-Channel35", "master": "MLAG 35", "state": "inactive"},
            ),
        ),
    ),
    Wording(
        "active",
        rf"Local\x20interface\x20{IF}\x20is\x20(?:link\x20)?(?:up|active)\.?(?:\x20MLAG\x20(?P<mlag>\d+)\x20is\x20[\w-]+\.?)?",
        samples=(
            Sample(
                "%MLAG-6-INTF_ACTIVE_LOCAL: Local interface Port-Channel35 is link up. MLAG 35 is active-partial.",
                {"event": "active", "interface": "Port-Channel35", "master": "MLAG 35", "state": "up"},
            ),
        ),
    ),
    # the port is the partner's: the partner itself tells of it
    Wording(
        "other",
        r"Peer\x20interface\x20\S+\x20is\x20(?:link\x20)?(?:up|active|down|inactive)\.?(?:\x20MLAG\x20(?P<mlag>\d+)\x20is\x20[\w-]+\.?)?",
        samples=(
            Sample(
                "%MLAG-4-INTF_INACTIVE_PEER: Peer interface Port-Channel35 is link down. MLAG 35 is active-partial.",
                {"event": "other", "interface": None, "master": "MLAG 35", "state": None},
            ),
        ),
    ),
    Wording(
        "protocol_",
        rf"Line\x20protocol\x20on\x20Interface\x20{IF}(?:\x20\((?P<description>.*)\))?,\x20changed\x20state\x20to\x20(?P<went>up|down)",
        samples=(
            Sample(
                "%LINEPROTO-5-UPDOWN: Line protocol on Interface Port-Channel35 (Server35), changed state to down",
                {
                    "event": "protocol_down",
                    "interface": "Port-Channel35",
                    "description": "Server35",
                    "state": "down",
                    "level": 5,
                },
            ),
            Sample(
                "523: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet22 (cn.e3/1 (b), x), changed state to up",
                {"event": "protocol_up", "interface": "Ethernet22", "description": "cn.e3/1 (b), x", "state": "up"},
            ),
            Sample(
                "%LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet28, changed state to down",
                {"event": "protocol_down", "interface": "Ethernet28", "description": None},
            ),
        ),
    ),
    Wording(
        "stp_added",
        rf"Interface\x20{IF}\x20has\x20been\x20added\x20to\x20instance\x20(?P<vlan>\S+)",
        samples=(
            Sample(
                "549: %SPANTREE-6-INTERFACE_ADD: Interface PeerEthernet17 has been added to instance Vl3908",
                {"event": "stp_added", "interface": "PeerEthernet17", "vlan": "Vl3908", "state": None},
            ),
        ),
    ),
    Wording(
        "stp_removed",
        rf"Interface\x20{IF}\x20has\x20been\x20removed\x20from\x20instance\x20(?P<vlan>\S+)",
        samples=(
            Sample(
                "%SPANTREE-6-INTERFACE_DEL: Interface Port-Channel35 has been removed from instance MST0",
                {"event": "stp_removed", "interface": "Port-Channel35", "vlan": "MST0", "level": 6},
            ),
        ),
    ),
    Wording(
        "entered",
        rf"Interface\x20{IF}\x20instance\x20(?P<vlan>\S+)\x20moving\x20from\x20\w+\x20to\x20"
        r"(?P<entered>discarding|blocking|listening|learning|forwarding|disabled)",
        samples=(
            Sample(
                "478: %SPANTREE-6-INTERFACE_STATE: Interface Et18 instance Vl3908 moving from learning to discarding",
                {"event": "blocking", "interface": "Et18", "vlan": "Vl3908"},
            ),
            Sample(
                "%SPANTREE-6-INTERFACE_STATE: Interface Ethernet18 instance MST0 moving from learning to forwarding",
                {"event": "forwarding", "vlan": "MST0"},
            ),
        ),
    ),
    Wording(
        "stp_change",
        rf"""Stp\x20state\x20is\x20now\x20(?:not\x20)?stable
        |Root\x20changed\x20for\x20instance\x20(?P<vlan>\S+):\x20new\x20root\x20interface\x20is\x20(?:\(none\)|{IF}),.*""",
        samples=(
            Sample(
                "%SPANTREE-6-STABLE_CHANGE: Stp state is now not stable",
                {"event": "stp_change", "interface": None, "mnemonic": "STABLE_CHANGE"},
            ),
            Sample(
                "475: %SPANTREE-6-ROOTCHANGE: Root changed for instance Vl3908: new root interface is PeerEthernet18, "
                "new root bridge mac address is 00:1c:73:03:13:40",
                {"event": "stp_change", "interface": "PeerEthernet18", "vlan": "Vl3908", "mac": None},
            ),
            Sample(
                "%SPANTREE-6-ROOTCHANGE: Root changed for instance MST0: new root interface is (none), new root bridge "
                "mac address is 02:1c:73:00:13:19 (this switch)",
                {"event": "stp_change", "interface": None},
            ),
        ),
    ),
    Wording(
        "blocking",
        rf"(?P<cause>Root\x20guard|Loop\x20guard)\x20blocking\x20port\x20{IF}(?:\x20(?:on|in)\x20(?:instance\x20)?(?P<vlan>\S+))?\.?",
        samples=(
            Sample(
                "%SPANTREE-4-ROOTGUARD_BLOCK: Root guard blocking port Ethernet22 on instance MST0.",
                {"event": "blocking", "interface": "Ethernet22", "cause": "Root guard"},
            ),
        ),
    ),
    Wording(
        "flapping",
        rf"""Host\x20{MAC}\x20in\x20VLAN\x20(?P<vlan>\d+)\x20is\x20flapping\x20between\x20interface\x20{IF}\x20
        and\x20interface\x20\S+(?:\x20\(message\x20repeated.*\))?""",
        samples=(
            Sample(
                "514: %ETH-4-HOST_FLAPPING: Host 00:1c:73:0c:55:d9 in VLAN 3908 is flapping between interface "
                "Port-Channel1 and interface Ethernet18 (message repeated 34 times in 21603.9 secs)",
                {"event": "flapping", "mac": "00:1c:73:0c:55:d9", "vlan": "3908", "interface": "Port-Channel1"},
            ),
        ),
    ),
    Wording(
        "other",
        rf"(?P<cause>LACP\x20(?:Actor|Partner)\x20Churn)\x20Detected\x20on\x20{IF}",
        samples=(
            Sample(
                "%LACP-4-PARTNER_CHURN: LACP Partner Churn Detected on Ethernet35",
                {"event": "other", "interface": "Ethernet35", "cause": "LACP Partner Churn"},
            ),
        ),
    ),
)

FORMAT = port_format(
    "arista-ports",
    "arista",
    WORDINGS,
    reference="Arista EOS system message guide, 4.8 to 4.32; line protocol has the description from 4.19.6M",
    # An agent is named in capitals and small letters: Stp, Ebra, Mlag, Lag+LacpAgent, ProcMgr-worker.
    program=r"^[A-Z][A-Za-z0-9+-]*[a-z][A-Za-z0-9+-]*$",
    said_by="Ebra",
    front=rf"(?:\d+:\x20)?{TAG}",
)
