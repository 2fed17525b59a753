"""What SONiC says of its ports: its orchestration agent, and its spanning tree."""

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._ports import IF, Wording, port_format

WORDINGS = (
    Wording(
        "protocol_",
        rf"setHostIntfsOperStatus:\x20Set\x20operation\x20status\x20(?P<went>UP|DOWN)\x20to\x20host\x20interface\x20{IF}",
        samples=(
            Sample(
                " :- setHostIntfsOperStatus: Set operation status DOWN to host interface Ethernet28",
                {
                    "event": "protocol_down",
                    "interface": "Ethernet28",
                    "state": "down",
                    "agent": "orchagent",
                    "vendor": "sonic",
                },
            ),
            Sample(
                ":- setHostIntfsOperStatus: Set operation status UP to host interface Ethernet28",
                {"event": "protocol_up", "state": "up"},
            ),
        ),
    ),
    Wording(
        "link_",
        rf"updatePortOperStatus:\x20Port\x20{IF}\x20oper\x20state\x20set\x20from\x20\w+\x20to\x20(?P<went>up|down)",
        samples=(
            Sample(
                ":- updatePortOperStatus: Port Ethernet28 oper state set from up to down",
                {"event": "link_down", "interface": "Ethernet28"},
            ),
        ),
    ),
)

_STP = (
    Wording(
        "bpdu_received",
        rf"BPDU(?:\(\d+\))?\x20received,\x20interface\x20{IF}\x20disabled\x20due\x20to\x20BPDU\x20guard\x20trigger",
        cause="BPDU guard",
        samples=(
            Sample(
                "STP: BPDU(100) received, interface Ethernet12 disabled due to BPDU guard trigger",
                {
                    "event": "bpdu_received",
                    "interface": "Ethernet12",
                    "cause": "BPDU guard",
                    "agent": "stpd",
                    "vendor": "sonic",
                },
            ),
            Sample(
                "STP: BPDU received, interface PortChannel7 disabled due to BPDU guard trigger",
                {"event": "bpdu_received", "interface": "PortChannel7"},
            ),
        ),
    ),
)

FORMATS = (
    port_format(
        "sonic-ports",
        "sonic",
        WORDINGS,
        reference="sonic-swss orchagent/portsorch.cpp, 201803 to 202411",
        program=r"^(?:[\w.-]+\#)?orchagent$",
        said_by="orchagent",
        front=r"\x20?:-\x20",
    ),
    port_format(
        "sonic-stp",
        "sonic",
        _STP,
        reference="sonic-stp stp/stp_mgr.c (stpmgr_protect_process), mstp/mstp_mgr.c, 202305 to 202411",
        program=r"^(?:[\w.-]+\#)?stpd$",
        said_by="stpd",
        alone=("disabled due to BPDU guard trigger",),
        front=r"(?:.*\x20)?STP:\x20",
    ),
)
