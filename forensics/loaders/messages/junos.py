"""What Junos says of its ports."""

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._ports import Wording, port_format

_PORT = r"(?P<interface>[a-z]{2,5}-\d+/\d+/\d+(?::\d+)?(?:\.\d+)?|(?:ae|reth)\d+(?:\.\d+)?)"
# With structured-data the parameters stand behind the tag, with explicit-priority facility and level before it.
_SD = r"(?:\x20\[junos@2636\.[^\]]*\])?:?\x20?"
_FRONT = r"(?:%(?P<facility>[A-Z0-9]+)-(?P<level>[0-7])-)?"


def _mnemonic(pattern: str) -> str:
    return rf"(?P<mnemonic>{pattern}){_SD}"


WORDINGS = (
    Wording(
        "link_",
        rf"""(?:{_mnemonic("SNMP_TRAP_LINK_(?:UP|DOWN)")})?ifIndex\x20\d+,\x20ifAdminStatus\x20(?:(?P<administrative>down)|\w+)
        (?:\(\d\))?,\x20ifOperStatus\x20(?:(?P<went>up|down)|\w+)(?:\(\d\))?,\x20ifName\x20(?P<interface>\S+)""",
        samples=(
            Sample(
                "SNMP_TRAP_LINK_DOWN: ifIndex 501, ifAdminStatus up(1), ifOperStatus down(2), ifName ge-0/0/17",
                {
                    "event": "link_down",
                    "interface": "ge-0/0/17",
                    "state": "down",
                    "cause": None,
                    "mnemonic": "SNMP_TRAP_LINK_DOWN",
                    "vendor": "juniper",
                },
            ),
            Sample(
                "SNMP_TRAP_LINK_UP: ifIndex 502, ifAdminStatus up(1), ifOperStatus up(1), ifName xe-0/0/0",
                {"event": "link_up", "interface": "xe-0/0/0", "state": "up"},
            ),
            Sample(
                "%DAEMON-4-SNMP_TRAP_LINK_DOWN: ifIndex 527, ifAdminStatus down(2), ifOperStatus down(2), ifName ae0",
                {"event": "link_down", "cause": "administratively down", "level": 4, "facility": "DAEMON"},
            ),
            Sample(
                'SNMP_TRAP_LINK_DOWN [junos@2636.1.1.1.2.18 snmp-interface-index="501" interface-name="ge-0/0/17"] '
                "ifIndex 501, ifAdminStatus up(1), ifOperStatus down(2), ifName ge-0/0/17",
                {"event": "link_down", "interface": "ge-0/0/17"},
            ),
            Sample(
                "ifIndex 501, ifAdminStatus up(1), ifOperStatus down(2), ifName ae1",
                {"event": "link_down", "interface": "ae1", "mnemonic": None},
            ),
        ),
    ),
    Wording(
        "link_",
        r"""(?P<mnemonic>SNMP_TRAP_LINK_(?:UP|DOWN))\x20\[junos@[^\]]*operational-status="(?P<went>up|down)
        [^\]]*interface-name="(?P<interface>[^"\]]+)"[^\]]*\]""",
        samples=(
            Sample(
                'SNMP_TRAP_LINK_UP [junos@2636.1.1.1.2.18 snmp-interface-index="501" admin-status="up(1)" '
                'operational-status="up(1)" interface-name="ge-0/0/17"]',
                {"event": "link_up", "interface": "ge-0/0/17", "state": "up"},
            ),
        ),
    ),
    Wording(
        "error_disabled",
        rf"""{_mnemonic("(?:ESWD|L2CPD|RPD|RSTP|XSTP)_BPDU_BLOCK_(?:ERROR|PORT)_DISABLED")}(?:Interface\x20)?{_PORT}:?\x20
        (?:(?i:(?P<cause>bpdu[\x20-]block):?)\x20(?i:disabled\x20port|port\x20disabled)).*""",
        samples=(
            Sample(
                "ESWD_BPDU_BLOCK_ERROR_DISABLED:ge-0/0/17.0: bpdu-block disabled port",
                {
                    "event": "error_disabled",
                    "interface": "ge-0/0/17.0",
                    "cause": "bpdu-block",
                    "state": "errdisabled",
                    "mnemonic": "ESWD_BPDU_BLOCK_ERROR_DISABLED",
                },
            ),
            Sample(
                "ESWD_BPDU_BLOCK_PORT_DISABLED: ge-0/0/14: BPDU Block: Port disabled",
                {"event": "error_disabled", "interface": "ge-0/0/14", "cause": "BPDU Block"},
            ),
        ),
    ),
    # the enhanced layer 2 software says it without a tag
    Wording(
        "bpdu_received",
        rf"(?:(?P<mnemonic>(?:L2CPD|RPD|XSTP)_[A-Z_]*BPDU[A-Z_]*):\x20)?(?i:(?:interface\x20)?{_PORT}:?\x20.*\bBPDU\b"
        r".*\b(?:block(?:ed|ing)?|shut(?:ting)?\x20?down|disabl(?:ed|ing))\b.*)",
        cause="bpdu-block",
        samples=(
            Sample(
                "L2CPD_BPDU_BLOCK_ERROR: interface ge-0/0/3.0: BPDU received on a protected port, port disabled",
                {"event": "bpdu_received", "interface": "ge-0/0/3.0", "cause": "bpdu-block"},
            ),
        ),
    ),
    Wording(
        "recovering",
        rf"""{_mnemonic("(?:ESWD|L2CPD|RPD|RSTP|XSTP)_BPDU_BLOCK_(?:ERROR|PORT)_ENABLED")}(?:Interface\x20)?{_PORT}:?\x20
        (?:(?i:(?P<cause>bpdu[\x20-]block):?)\x20(?i:enabled\x20port|port\x20enabled)).*""",
        samples=(
            Sample(
                "ESWD_BPDU_BLOCK_ERROR_ENABLED: ge-0/0/17.0: bpdu-block enabled port",
                {"event": "recovering", "interface": "ge-0/0/17.0", "cause": "bpdu-block"},
            ),
        ),
    ),
    Wording(
        "member_up",
        rf"ae_linkstate_ifd_change:\x20MUP\x20received\x20for\x20interface\x20{_PORT},\x20member\x20of\x20(?P<master>\S+)",
        samples=(
            Sample(
                "ae_linkstate_ifd_change: MUP received for interface xe-0/0/1, member of ae3",
                {"event": "member_up", "interface": "xe-0/0/1", "master": "ae3", "state": "up"},
            ),
        ),
    ),
    Wording(
        "member_down",
        rf"ae_linkstate_ifd_change:\x20MDOWN\x20received\x20for\x20interface\x20{_PORT},\x20member\x20of\x20(?P<master>\S+)",
        samples=(
            Sample(
                "ae_linkstate_ifd_change: MDOWN received for interface xe-0/0/1, member of ae3",
                {"event": "member_down", "interface": "xe-0/0/1", "master": "ae3", "state": "down"},
            ),
        ),
    ),
    Wording(
        "no_active_member",
        r"ae_bundlestate_ifd_change:\x20bundle\x20(?P<master>\S+):\x20bundle\x20IFD\x20minimum\x20(?P<cause>.*?not\x20met),.*",
        samples=(
            Sample(
                "ae_bundlestate_ifd_change: bundle ae3: bundle IFD minimum bandwidth or minimum links not met, "
                "Bandwidth (Current : Required) 0 : 1 Number of links (Current : Required) 0 : 1",
                {"event": "no_active_member", "interface": None, "master": "ae3"},
            ),
        ),
    ),
    Wording(
        "inactive",
        rf"""{_mnemonic("LACPD_TIMEOUT")}{_PORT}:\x20(?P<cause>lacp\x20current\x20while\x20timer\x20expired).*
        |{_mnemonic("LACP_INTF_DOWN")}(?P<master>ae\d+):\x20Interface\x20marked\x20down\x20due\x20to\x20(?P<cause>lacp\x20timeout)
        \x20on\x20member\x20{_PORT}""",
        samples=(
            Sample(
                "LACPD_TIMEOUT: xe-0/0/1: lacp current while timer expired current Receive State: CURRENT",
                {"event": "inactive", "interface": "xe-0/0/1", "state": "inactive"},
            ),
            Sample(
                "LACP_INTF_DOWN: ae1: Interface marked down due to lacp timeout on member xe-0/0/1",
                {"event": "inactive", "interface": "xe-0/0/1", "master": "ae1", "cause": "lacp timeout"},
            ),
        ),
    ),
)

FORMAT = port_format(
    "junos-ports",
    "juniper",
    WORDINGS,
    reference="Junos system log messages reference, 9.4 to 23; EX and QFX switches, explicit-priority, structured-data",
    program=r"^(?:mib2d|eswd|l2cpd|rpd|dcd|lacpd|l2ald|kernel|fpc\d+)$",
    said_by="mib2d",
    front=_FRONT,
)
