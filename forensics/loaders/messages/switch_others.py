"""What switches of Dell, Aruba, HP and Brocade say of their ports."""

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._ports import IF, TAG, Wording, port_format

# OS10 names events without a facility, FTOS (OS 9) its ports with a blank: `Te 1/41`.
_SHORT = r"(?P<interface>[A-Za-z-]+\x20?\d[\d/.:]*)"
_OS10 = (
    Wording(
        "link_",
        r"Interface\x20oper(?:ational)?\x20state\x20is\x20(?P<went>up|down)\.?\s*:\s*(?P<interface>\S+)",
        samples=(
            Sample(
                "Node.1-Unit.1:PRI [event], Dell EMC (OS10) %IFM_OSTATE_DN: Interface operational state is down "
                ":ethernet1/1/12",
                {
                    "event": "link_down",
                    "interface": "ethernet1/1/12",
                    "state": "down",
                    "mnemonic": "IFM_OSTATE_DN",
                    "vendor": "dell",
                },
            ),
            Sample(
                "%IFM_OSTATE_UP: Interface operational state is up. :port-channel10",
                {"event": "link_up", "interface": "port-channel10"},
            ),
        ),
    ),
    Wording(
        "other",
        r"Interface\x20(?P<cause>admin(?:istrative)?\x20state)\x20is\x20(?:up|down)\.?\s*:\s*(?P<interface>\S+)",
        samples=(
            Sample(
                "%IFM_ASTATE_DN: Interface admin state is down :ethernet1/1/12",
                {"event": "other", "interface": "ethernet1/1/12", "cause": "admin state"},
            ),
        ),
    ),
    Wording(
        "bpdu_received",
        rf"(?:STP:\x20)?BPDU\x20received\x20on\x20BPDU\x20guard\x20enabled\x20port\.?(?:.*?\b{_SHORT})?.*",
        cause="BPDU guard",
        samples=(
            Sample(
                "Node.1-Unit.1:PRI [event], Dell EMC (OS10) %STP_BPDU_GUARD_ERR: BPDU received on BPDU guard enabled "
                "port. Interface:ethernet1/1/17",
                {"event": "bpdu_received", "interface": "ethernet1/1/17", "cause": "BPDU guard"},
            ),
            Sample(
                "%STP_BPDU_GUARD_ERR: STP: BPDU received on BPDU guard enabled port.",
                {"event": "bpdu_received", "interface": None, "mnemonic": "STP_BPDU_GUARD_ERR"},
            ),
        ),
    ),
    Wording(
        "recovering",
        rf"(?:STP:\x20)?BPDU\x20Guard\x20violation\x20cleared\.?(?:.*?\b{_SHORT})?.*",
        samples=(
            Sample(
                "%STP_BPDU_GUARD_CLR: BPDU Guard violation cleared. Interface:ethernet1/1/17",
                {"event": "recovering", "interface": "ethernet1/1/17"},
            ),
        ),
    ),
)
_FTOS = (
    Wording(
        "link_",
        rf"Changed\x20interface\x20(?P<administrative>Admin\x20)?state\x20to\x20(?P<went>up|down):\x20{_SHORT}",
        samples=(
            Sample(
                "%IFMGR-5-OSTATE_DN: Changed interface state to down: Te 1/47",
                {"event": "link_down", "interface": "Te 1/47", "state": "down", "level": 5, "cause": None},
            ),
            Sample("%IFMGR-5-OSTATE_UP: Changed interface state to up: Po 13", {"event": "link_up"}),
            Sample(
                "%IFMGR-5-ASTATE_DN: Changed interface Admin state to down: Te 1/47",
                {"event": "link_down", "cause": "administratively down"},
            ),
        ),
    ),
    Wording(
        "active",
        rf"\S+:\x20Interface\x20{_SHORT}\x20joined\x20(?P<master>port-channel\x20\d+)\.?",
        samples=(
            Sample(
                "%LACP-5-PORT-GROUPED: PortChannel-003-Grouped: Interface Te 1/41 joined port-channel 3.",
                {"event": "active", "interface": "Te 1/41", "master": "port-channel 3", "mnemonic": "PORT-GROUPED"},
            ),
        ),
    ),
    Wording(
        "inactive",
        rf"\S+:\x20Interface\x20{_SHORT}\x20exited\x20(?P<master>port-channel\x20\d+)\.?",
        samples=(
            Sample(
                "%LACP-5-PORT-UNGROUPED: PortChannel-003-Ungrouped: Interface Te 1/41 exited port-channel 3.",
                {"event": "inactive", "interface": "Te 1/41", "master": "port-channel 3"},
            ),
        ),
    ),
    Wording(
        "bpdu_received",
        rf"Received\x20Spanning\x20Tree\x20BPDU\x20on\x20BPDU\x20guard\x20port\.\x20Disable\x20{_SHORT}\.?",
        cause="BPDU guard",
        samples=(
            Sample(
                "%SPANMGR-5-BPDU_GUARD_RX_ERROR: Received Spanning Tree BPDU on BPDU guard port. Disable "
                "GigabitEthernet 3/41.",
                {"event": "bpdu_received", "interface": "GigabitEthernet 3/41", "facility": "SPANMGR"},
            ),
        ),
    ),
    Wording(
        "recovering",
        rf"""\d+\x20seconds\x20timer\x20started\x20to\x20attempt\x20recovery\x20of\x20interface\x20{_SHORT}\x20from\x20error
        \x20disabled\x20state\x20caused\x20by\x20(?P<cause>\S+?)\.?
        |Error\x20Disable\x20Recovery\x20timer\x20expired\x20for\x20interface\x20{_SHORT}\.?""",
        samples=(
            Sample(
                "%IFMGR-5-ERR_DIS_RECOVERY_TIMER_START: 180 seconds timer started to attempt recovery of interface "
                "Gi 2/18 from error disabled state caused by bpdu-guard.",
                {"event": "recovering", "interface": "Gi 2/18", "cause": "bpdu-guard", "state": None},
            ),
            Sample(
                "%IFMGR-5-ERR_DIS_RECOVERY_COMPLETE: Error Disable Recovery timer expired for interface Gi 2/18.",
                {"event": "recovering", "interface": "Gi 2/18"},
            ),
        ),
    ),
)

_ARUBA = (
    Wording(
        "bpdu_received",
        rf"(?i:port)\x20{IF}\x20disabled\x20(?:for\x20\d+\x20seconds\x20)?-\x20BPDU\x20received\x20on\x20protected\x20port"
        r"(?:\x20on\x20VLAN\x20(?P<vlan>\d+))?\.?",
        cause="BPDU received on protected port",
        samples=(
            Sample(
                "Event|2007|LOG_WARN|AMM|1/1|Port 1/1/8 disabled - BPDU received on protected port",
                {
                    "event": "bpdu_received",
                    "interface": "1/1/8",
                    "state": "errdisabled",
                    "mnemonic": "2007",
                    "vendor": "aruba",
                },
            ),
            Sample(
                "Event|5004|LOG_WARN|AMM|1/1|Port 1/1/8 disabled - BPDU received on protected port on VLAN 10.",
                {"event": "bpdu_received", "vlan": "10"},
            ),
            Sample(
                "00840 stp:  port A5 disabled - BPDU received on protected port.",
                {"event": "bpdu_received", "interface": "A5", "mnemonic": "00840"},
            ),
            Sample("port 5 disabled - BPDU received on protected port.", {"interface": "5", "mnemonic": None}),
        ),
    ),
    Wording(
        "link_",
        rf"""Link\x20status\x20for\x20interface\x20{IF}\x20is\x20(?P<went>up|down)(?:\x20at\x20.*)?""",
        samples=(
            Sample(
                "Event|404|LOG_INFO|AMM|1/1|Link status for interface 1/1/8 is down",
                {"event": "link_down", "interface": "1/1/8", "state": "down"},
            ),
            Sample("Event|403|LOG_INFO|||Link status for interface 1/1/8 is up at 10 Gbps", {"event": "link_up"}),
        ),
    ),
    Wording(
        "link_up",
        rf"port\x20{IF}\x20is\x20now\x20on-line",
        samples=(Sample("00076 ports:  port A5 is now on-line", {"event": "link_up", "interface": "A5"}),),
    ),
    Wording(
        "link_down",
        rf"port\x20{IF}\x20is\x20now\x20off-line",
        samples=(Sample("00077 ports:  port A5 is now off-line", {"event": "link_down", "interface": "A5"}),),
    ),
    Wording(
        "active",
        r"trunk\x20(?P<master>\S+)\x20is\x20now\x20active",
        samples=(Sample("00079 ports:  trunk Trk1 is now active", {"event": "active", "master": "Trk1"}),),
    ),
    Wording(
        "inactive",
        r"trunk\x20(?P<master>\S+)\x20is\x20now\x20inactive",
        samples=(Sample("00078 ports:  trunk Trk1 is now inactive", {"event": "inactive", "master": "Trk1"}),),
    ),
    Wording(
        "inactive",
        rf"port\x20{IF}\x20is\x20(?P<cause>Blocked\x20by\x20(?:LACP|STP|AAA))",
        samples=(Sample("00435 ports:  port A5 is Blocked by LACP", {"event": "inactive", "interface": "A5"}),),
    ),
)

_BROCADE = (
    Wording(
        "link_",
        r"Interface\x20(?P<interface>[\w-]+\x20[\d/]+),\x20state\x20(?P<went>up|down)(?:\x20-\x20(?P<cause>.*\S))?",
        samples=(
            Sample(
                "Interface ethernet 3/8, state down - remote fault ",
                {
                    "event": "link_down",
                    "interface": "ethernet 3/8",
                    "cause": "remote fault",
                    "state": "down",
                    "vendor": "other",
                },
            ),
            Sample("Interface ethernet 1/1/18, state up", {"event": "link_up", "interface": "ethernet 1/1/18"}),
        ),
    ),
    Wording(
        "bpdu_received",
        r"(?i:BPDU-guard)\x20(?:interface|port)\x20(?P<interface>(?:[\w-]+\x20)?[\d/]+)\x20detected:?.*\berr-disabled?\b.*",
        cause="BPDU-guard",
        samples=(
            Sample(
                "BPDU-guard interface ethernet 2/1/1 detected: (Received BPDU), putting into err-disable state",
                {"event": "bpdu_received", "interface": "ethernet 2/1/1", "cause": "BPDU-guard"},
            ),
        ),
    ),
    Wording(
        "recovering",
        r"Interface\x20(?P<interface>[\w-]+\x20[\d/]+),\x20err-disable\x20recovery\x20timeout",
        samples=(
            Sample(
                "Interface ethernet 2/1/1, err-disable recovery timeout",
                {"event": "recovering", "interface": "ethernet 2/1/1"},
            ),
        ),
    ),
)

FORMATS = (
    port_format(
        "dell-os10-ports",
        "dell",
        _OS10,
        reference="Dell SmartFabric OS10 user guide, system log message reference, 10.4 to 10.5",
        program=r"^dn_\w+$",
        said_by="dn_alm",
        alone=("%IFM_", "%STP_BPDU_GUARD"),
        front=r"(?:.*\x20)?%(?P<mnemonic>(?:IFM|STP)_[A-Z_]+):\x20",
    ),
    port_format(
        "dell-ftos-ports",
        "dell",
        _FTOS,
        reference="Dell Networking OS (FTOS) 8 and 9 configuration guides",
        program=r"^(?:STKUNIT|RPM|IFM|VLT)\w*-[A-Z]:\w+$",
        said_by="STKUNIT1-M:CP",
        alone=("%IFMGR-5-", "%LACP-5-PORT-", "%SPANMGR-5-BPDU"),
        front=TAG,
    ),
    port_format(
        "aruba-ports",
        "aruba",
        _ARUBA,
        reference="ArubaOS-CX event log message reference 10.x; HP ProCurve event log message reference 2013",
        program=r"^(?:hpe-\w+|intfd|lacpd|stp|ports)$",
        said_by="hpe-mstpd",
        alone=("BPDU received on protected port", " ports: ", "Event|"),
        front=r"(?:(?P<mnemonic>\d{5})\x20[\w-]+:\s+)?(?:Event\|(?P<mnemonic__9>\d+)\|(?:[^|]*\|){3})?",
    ),
    port_format(
        "brocade-ports",
        "other",
        _BROCADE,
        reference="Brocade NetIron 5 and 6, FastIron 7 and 8: syslog messages",
        program=r"^(?:System|STP|ERR_DISABLE)$",
        said_by="System",
        front="",
    ),
)
