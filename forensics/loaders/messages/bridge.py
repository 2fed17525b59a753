"""What Linux says of the ports of its bridges."""

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._ports import IF, KERNEL, MAC, Wording, port_format

_PORT = r"(?P<master>[^\s:]+):\x20port\x20\d+\x20?\((?P<interface>[^\s)]+)\)"

WORDINGS = (
    Wording(
        "entered",
        rf"{_PORT}\x20enter(?:ed|ing)\x20(?P<entered>disabled|blocking|listening|learning|forwarding)\x20state",
        samples=(
            Sample(
                "[12345.678901] br100: port 2(vnet0) entered disabled state",
                {
                    "event": "disabled",
                    "interface": "vnet0",
                    "master": "br100",
                    "state": None,
                    "agent": "kernel",
                    "vendor": "linux",
                },
            ),
            Sample(
                "br100: port 2(vnet0) entering forwarding state",
                {"event": "forwarding", "interface": "vnet0", "master": "br100"},
            ),
            Sample("brq1a2b3c4d-5e: port 1(tap0) entered blocking state", {"event": "blocking"}),
            Sample("br0: port 1(eth0) entering learning state", {"event": "learning"}),
            Sample("br0: port 1(bond0.100) entering listening state", {"event": "listening", "interface": "bond0.100"}),
        ),
    ),
    Wording(
        "bpdu_received",
        r"(?P<master>[^\s:]+):\x20BPDU\x20received\x20on\x20blocked\x20port\x20\d+\x20?\((?P<interface>[^\s)]+)\)",
        cause="BPDU guard",
        samples=(
            Sample(
                "br0: BPDU received on blocked port 3(vnet7)",
                {"event": "bpdu_received", "interface": "vnet7", "master": "br0", "cause": "BPDU guard"},
            ),
        ),
    ),
    Wording(
        "stp_change",
        rf"""{_PORT}\x20received\x20tcn\x20bpdu|{_PORT}\x20neighbor\x20\S+\x20lost
        |(?P<master>[^\s:]+):\x20topology\x20change\x20detected,\x20(?:propagating|sending\x20tcn\x20bpdu)
        |(?P<master>[^\s:]+):\x20neighbor\x20\S+\x20lost\x20on\x20port\x20\d+\((?P<interface>[^\s)]+)\)""",
        samples=(
            Sample(
                "br0: port 1(eth0) received tcn bpdu",
                {"event": "stp_change", "interface": "eth0", "master": "br0"},
            ),
            Sample("br0: topology change detected, propagating", {"event": "stp_change", "interface": None}),
            Sample("br0: port 1(eth0) neighbor 8000.00:1b:21:3a:4c:5d lost", {"event": "stp_change"}),
        ),
    ),
    Wording(
        "promiscuous",
        rf"device\x20{IF}\x20entered\x20promiscuous\x20mode|(?:[\w-]+\x20[\da-f:.]+\x20)?(?P<interface>[^\s:]+):\x20entered\x20promiscuous\x20mode",
        samples=(
            Sample(
                "[12345.678901] device vnet0 entered promiscuous mode", {"event": "promiscuous", "interface": "vnet0"}
            ),
            Sample("vnet0: entered promiscuous mode", {"event": "promiscuous", "interface": "vnet0"}),
            Sample("ixgbe 0000:04:00.0 eth2: entered promiscuous mode", {"event": "promiscuous", "interface": "eth2"}),
        ),
    ),
    Wording(
        "other",
        rf"device\x20{IF}\x20left\x20promiscuous\x20mode|(?:[\w-]+\x20[\da-f:.]+\x20)?(?P<interface>[^\s:]+):\x20left\x20promiscuous\x20mode",
        samples=(
            Sample("device vnet0 left promiscuous mode", {"event": "other", "interface": "vnet0", "state": None}),
            Sample("vnet0: left promiscuous mode", {"event": "other", "interface": "vnet0"}),
        ),
    ),
    Wording(
        "own_address",
        rf"""(?P<master>[^\s:]+):\x20received\x20packet\x20(?:on\x20{IF}\x20)?with\x20\x20?own\x20address\x20as\x20source\x20address
        (?:\x20\(addr:\x20?{MAC}(?:,\x20vlan:\x20?(?P<vlan>\d+))?\))?""",
        samples=(
            Sample(
                "br100: received packet on bond0.100 with own address as source address",
                {"event": "own_address", "interface": "bond0.100", "master": "br100", "mac": None},
            ),
            Sample(
                "br100: received packet on eth0 with own address as source address (addr:00:1b:21:3a:4c:5d, vlan:0)",
                {"event": "own_address", "mac": "00:1b:21:3a:4c:5d", "vlan": "0"},
            ),
            Sample("eth0: received packet with  own address as source address", {"interface": None, "master": "eth0"}),
        ),
    ),
)

FORMAT = port_format(
    "bridge",
    "linux",
    WORDINGS,
    reference="Linux net/bridge/br_stp.c, br_stp_bpdu.c, br_fdb.c and net/core/dev.c, 2.6.18 to 6.12",
    program=r"^kernel$",
    said_by="kernel",
    alone=(
        *(") entered ", ") entering ", " promiscuous mode", "own address as source", "BPDU received on blocked"),
        *(" tcn bpdu", "topology change detected", " neighbor 8000."),
    ),
    whole=True,
    front=KERNEL,
)
