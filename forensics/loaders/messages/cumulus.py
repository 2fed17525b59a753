"""What the spanning-tree daemon of Cumulus Linux, and of other Linux bridges, says of their ports."""

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._ports import Wording, port_format

_WHERE = r"(?P<master>[^\s:]+):(?P<interface>[^\s:]+)(?::(?P<vlan>\d+))?"

WORDINGS = (
    Wording(
        "bpdu_received",
        rf"{_WHERE}\x20(?i:Recvd\x20BPDU\x20on\x20BPDU\x20Guard\x20Port)(?:\x20-\x20Port\x20Down)?",
        cause="BPDU Guard",
        samples=(
            Sample(
                "error, MSTP_IN_rx_bpdu: bridge:bond0 Recvd BPDU on BPDU Guard Port - Port Down",
                {
                    "event": "bpdu_received",
                    "interface": "bond0",
                    "master": "bridge",
                    "state": "errdisabled",
                    "cause": "BPDU Guard",
                    "agent": "mstpd",
                    "vendor": "cumulus",
                },
            ),
        ),
    ),
    Wording(
        "entered",
        rf"{_WHERE}\x20entering\x20(?P<entered>disabled|blocking|discarding|listening|learning|forwarding)\x20state(?:\x20?\(.*\))?",
        samples=(
            Sample(
                "MSTP_OUT_set_state: bridge:swp1:0 entering forwarding state(Designated)",
                {"event": "forwarding", "interface": "swp1", "master": "bridge", "vlan": "0"},
            ),
            Sample("info, MSTP_OUT_set_state: br0:swp2:0 entering discarding state", {"event": "blocking"}),
        ),
    ),
)

FORMAT = port_format(
    "mstpd-ports",
    "cumulus",
    WORDINGS,
    reference="mstpd mstp.c, MSTP_IN_rx_bpdu and MSTP_OUT_set_state; Cumulus Linux 2.5 to 5",
    program=r"^mstpd$",
    said_by="mstpd",
    front=r"(?:[a-z]+,\x20)?(?:(?P<mnemonic>MSTP_\w+):\x20)?",
)
