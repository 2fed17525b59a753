"""What switches of Huawei and H3C say of their ports."""

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._ports import IF, MAC, Wording, port_format

_KEYED = r"(?P<interface>[^\s,)]+)"

WORDINGS = (
    Wording(
        "link_",
        rf"""Interface\x20{IF}\x20has\x20turned\x20into\x20(?P<went>UP|DOWN)\x20state\.?
        |Physical\x20state\x20on\x20the\x20interface\x20{IF}\x20changed\x20to\x20(?P<went>up|down)\.?
        |{IF}\x20link\x20status\x20is\x20(?P<went>UP|DOWN)\.?
        |The\x20interface\x20status\x20changes\.\x20\(ifName={_KEYED},.*OperStatus=(?P<went>UP|DOWN)(?:,\x20Reason=(?P<cause>[^,)]*))?.*""",
        samples=(
            Sample(
                "%%01IFNET/4/IF_STATE(l)[4997]:Interface Ethernet0/0/8 has turned into DOWN state.",
                {
                    "event": "link_down",
                    "interface": "Ethernet0/0/8",
                    "state": "down",
                    "facility": "IFNET",
                    "level": 4,
                    "mnemonic": "IF_STATE",
                    "vendor": "huawei",
                },
            ),
            Sample(
                "%%10IFNET/3/PHY_UPDOWN: Physical state on the interface GigabitEthernet1/0/1 changed to up.",
                {"event": "link_up", "interface": "GigabitEthernet1/0/1", "level": 3},
            ),
            Sample(
                "%%10IFNET/3/LINK_UPDOWN(l): GigabitEthernet1/0/1 link status is DOWN.",
                {"event": "link_down", "interface": "GigabitEthernet1/0/1"},
            ),
            Sample(
                "%%01IFNET/2/linkdown_active(l):CID=0x807a0405;The interface status changes. (ifName=10GE1/0/17, "
                "AdminStatus=UP, OperStatus=DOWN, Reason=Interface physical link is down, mainIfname=10GE1/0/17)",
                {"event": "link_down", "interface": "10GE1/0/17", "cause": "Interface physical link is down"},
            ),
        ),
    ),
    Wording(
        "protocol_",
        rf"""The\x20line\x20protocol\x20(?:\S+\x20)?on\x20the\x20interface\x20{IF}\x20has\x20entered\x20the\x20(?P<went>UP|DOWN)
        \x20state\.?
        |Line\x20protocol\x20(?:state\x20)?on\x20the\x20interface\x20{IF}\x20changed\x20to\x20(?P<went>up|down)\.?""",
        samples=(
            Sample(
                "%%01IFNET/4/LINK_STATE(l)[1]:The line protocol IP on the interface Vlanif1 has entered the DOWN state",
                {"event": "protocol_down", "interface": "Vlanif1", "state": "down"},
            ),
            Sample(
                "%%10IFNET/5/LINK_UPDOWN: Line protocol state on the interface Vlan-interface1 changed to up.",
                {"event": "protocol_up", "interface": "Vlan-interface1"},
            ),
        ),
    ),
    Wording(
        "bpdu_received",
        rf"""[^()]*\bedge\x20port\x20with\x20BPDU\x20protection\x20enabled\x20will\x20be\x20shut\x20down,.*PortName={_KEYED}
        (?:,\x20SrcMac={MAC})?.*
        |This\x20edged-port\x20{IF}\x20that\x20enabled\x20BPDU-Protection\x20will\x20be\x20shutdown.*
        |BPDU-Protection\x20port\x20{IF}\x20received\x20BPDUs\.?.*""",
        cause="bpdu-protection",
        samples=(
            Sample(
                "%%01MSTP/4/MSTPLOG_PROPORT_BPDU_GUARDED(l)[9]:The MSTP process's edge port with BPDU protection "
                "enabled will be shut down, because it received a BPDU packet. (ProcessID=0, PortID=17, IfIndex=22, "
                "PortName=10GE1/0/17, SrcMac=fa16-3e24-e722, TAG=1)",
                {
                    "event": "bpdu_received",
                    "interface": "10GE1/0/17",
                    "mac": "fa:16:3e:24:e7:22",
                    "cause": "bpdu-protection",
                    "state": "errdisabled",
                },
            ),
            Sample(
                "%%01MSTP/4/BPDU_PROTECTION(l)[0]:This edged-port GigabitEthernet0/0/1 that enabled BPDU-Protection "
                "will be shutdown, because it received BPDU packet!",
                {"event": "bpdu_received", "interface": "GigabitEthernet0/0/1"},
            ),
            Sample(
                "%%10STP/4/STP_BPDU_PROTECTION: BPDU-Protection port GigabitEthernet1/0/4 received BPDUs.",
                {"event": "bpdu_received", "interface": "GigabitEthernet1/0/4"},
            ),
        ),
    ),
    Wording(
        "error_disabled",
        rf"Notify\x20interface\x20to\x20change\x20status\x20to\x20error-down\.\x20\(InterfaceName={_KEYED},\x20Cause=(?P<cause>[^)]*)\)",
        samples=(
            Sample(
                "%%01ERRDOWN/4/ERRDOWN_DOWNNOTIFY(l)[7]:Notify interface to change status to error-down. "
                "(InterfaceName=GigabitEthernet0/0/1, Cause=bpdu-protection)",
                {"event": "error_disabled", "interface": "GigabitEthernet0/0/1", "cause": "bpdu-protection"},
            ),
        ),
    ),
    Wording(
        "recovering",
        rf"Notify\x20interface\x20to\x20recover\x20state\x20from\x20error-down\.\x20\(InterfaceName={_KEYED}.*\)",
        samples=(
            Sample(
                "%%01ERRDOWN/4/ERRDOWN_DOWNRECOVER(l)[8]:Notify interface to recover state from error-down. "
                "(InterfaceName=GigabitEthernet0/0/1)",
                {"event": "recovering", "interface": "GigabitEthernet0/0/1", "state": None},
            ),
        ),
    ),
    Wording(
        "inactive",
        rf"""The\x20member\x20of\x20the\x20LACP\x20mode\x20Eth-Trunk\x20interface\x20went\x20down.*\(TrunkName=(?P<master>[^\s,)]+),
        \x20PortName={_KEYED},\x20Reason=(?P<cause>[^,)]*).*""",
        samples=(
            Sample(
                "%%01LACP/3/LAG_DOWN_REASON_EVENT(l)[3]:The member of the LACP mode Eth-Trunk interface went down. "
                "(TrunkName=Eth-Trunk1, PortName=10GE1/0/17, Reason=The interface went down physically)",
                {"event": "inactive", "interface": "10GE1/0/17", "master": "Eth-Trunk1"},
            ),
        ),
    ),
)

FORMAT = port_format(
    "huawei-ports",
    "huawei",
    WORDINGS,
    reference="Huawei VRP 5 and 8 log reference; H3C Comware 5 and 7 in the same form",
    program=r"^%%\d\d",  # what a relay may take for a tag
    said_by="%%01IFNET",
    alone=("%%01", "%%10"),
    whole=True,  # a mnemonic behind a slash looks like a tag
    front=r"%%\d\d(?P<facility>[A-Z0-9_-]+)/(?P<level>[0-7])/(?P<mnemonic>\w+)(?:\(\w+\))?(?:\[\d+\])?:\s?(?:CID=\w+;)?",
)
