"""What Cisco IOS, IOS XE and IOS XR say of their ports, and NX-OS in the same words."""

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._ports import IF, MAC, TAG, Wording, port_format
from forensics.loaders.messages._ports_nxos import NXOS

_PORT = r"(?P<interface>[A-Za-z]\S*(?:\x20[\d/.]+)?)"

WORDINGS = (
    Wording(
        "bpdu_received",
        rf"""(?i:Received\x20BPDU(?:\x20packet)?\x20on\x20(?:port\x20|interface\x20)?{_PORT}\x20with\x20BPDU\x20Guard\x20enabled
        \.?\x20Disabling\x20(?:port|interface)\.?)""",
        cause="bpduguard",
        samples=(
            Sample(
                "%SPANTREE-2-BLOCK_BPDUGUARD: Received BPDU on port Et0/2 with BPDU Guard enabled. Disabling port.",
                {
                    "event": "bpdu_received",
                    "interface": "Et0/2",
                    "state": "errdisabled",
                    "cause": "bpduguard",
                    "facility": "SPANTREE",
                    "level": 2,
                    "mnemonic": "BLOCK_BPDUGUARD",
                    "vendor": "cisco",
                },
            ),
            Sample(
                "%SPANTREE-SP-2-BLOCK_BPDUGUARD: Received BPDU on port GigabitEthernet2/1 with BPDU Guard enabled. "
                "Disabling port.",
                {"interface": "GigabitEthernet2/1", "facility": "SPANTREE-SP", "level": 2},
            ),
            Sample(
                "%STP-2-BLOCK_BPDUGUARD: Received BPDU on port Ethernet1/43 with BPDU Guard enabled. Disabling port.",
                {"event": "bpdu_received", "interface": "Ethernet1/43", "facility": "STP"},
            ),
        ),
    ),
    Wording(
        "error_disabled",
        rf"""(?P<cause>\S+)\x20error\x20detected\x20on\x20{_PORT}(?:,\x20vlan\x20(?P<vlan>\d+))?
        [.,]\x20?[Pp]utting\x20(?:\S+\x20)?in\x20err-disable\x20state\.?""",
        samples=(
            Sample(
                "%PM-4-ERR_DISABLE: bpduguard error detected on Gi0/3, putting Gi0/3 in err-disable state",
                {"event": "error_disabled", "interface": "Gi0/3", "cause": "bpduguard", "state": "errdisabled"},
            ),
            Sample(
                "%PM-4-ERR_DISABLE_VP: bpduguard error detected on Gi0/3, vlan 5. Putting in err-disable state.",
                {"interface": "Gi0/3", "vlan": "5"},
            ),
        ),
    ),
    Wording(
        "recovering",
        rf"Attempting\x20to\x20recover\x20from\x20(?P<cause>\S+)\x20err-disable\x20state\x20on\x20{IF}(?:,\x20vlan\x20(?P<vlan>\d+))?\.?",
        samples=(
            Sample(
                "%PM-4-ERR_RECOVER: Attempting to recover from bpduguard err-disable state on Gi1/0/10",
                {"event": "recovering", "interface": "Gi1/0/10", "cause": "bpduguard", "state": None},
            ),
        ),
    ),
    Wording(
        "protocol_",
        rf"Line\x20protocol\x20on\x20Interface\x20{_PORT},\x20changed\x20state\x20to\x20(?:(?P<administrative>Admin\x20))?(?P<went>(?i:up|down))",
        samples=(
            Sample(
                "%LINEPROTO-5-UPDOWN: Line protocol on Interface FastEthernet0/2, changed state to down",
                {"event": "protocol_down", "interface": "FastEthernet0/2", "state": "down"},
            ),
            Sample(
                "%PKT_INFRA-LINEPROTO-5-UPDOWN : Line protocol on Interface Bundle-Ether1, changed state to Up",
                {"event": "protocol_up", "interface": "Bundle-Ether1", "facility": "PKT_INFRA-LINEPROTO"},
            ),
        ),
    ),
    Wording(
        "link_",
        rf"""Interface\x20{_PORT}(?:\x20\((?P<description>[^)]*)\))?,\x20changed\x20state\x20to\x20
        (?:(?P<administrative>administratively\x20|Admin\x20))?(?P<went>(?i:up|down))(?:\x20from\x20\S+)?""",
        samples=(
            Sample(
                "%LINK-3-UPDOWN: Interface GigabitEthernet1/3, changed state to down",
                {"event": "link_down", "interface": "GigabitEthernet1/3", "state": "down", "cause": None, "level": 3},
            ),
            Sample(
                "%LINK-5-CHANGED: Interface GigabitEthernet2, changed state to administratively down from 10.83.75.201",
                {"event": "link_down", "interface": "GigabitEthernet2", "cause": "administratively down"},
            ),
            Sample(
                "%PKT_INFRA-LINK-3-UPDOWN : Interface TenGigE0/2/0/4, changed state to Down",
                {"event": "link_down", "interface": "TenGigE0/2/0/4", "level": 3},
            ),
        ),
    ),
    Wording(
        "active",
        rf"""Interface\x20{IF}\x20joined\x20port-channel\x20(?P<master>\S+)
        |{IF}\x20is\x20Active\x20as\x20part\x20of\x20(?P<master>\S+)""",
        samples=(
            Sample(
                "%EC-5-BUNDLE: Interface Gi0/1 joined port-channel Po1",
                {"event": "active", "interface": "Gi0/1", "master": "Po1", "state": "up"},
            ),
            Sample(
                "%L2-BM-6-ACTIVE : GigabitEthernet0/0/0/0 is Active as part of Bundle-Ether1",
                {"event": "active", "interface": "GigabitEthernet0/0/0/0", "master": "Bundle-Ether1"},
            ),
        ),
    ),
    Wording(
        "inactive",
        rf"""Interface\x20{IF}\x20left\x20the\x20port-channel\x20(?P<master>\S+)
        |{IF}\x20is\x20no\x20longer\x20Active\x20as\x20part\x20of\x20(?P<master>\S+)(?:\x20\((?P<cause>.*)\))?
        |{IF}\x20is\x20not\x20compatible\x20with\x20(?P<master>\S+)\x20and\x20will\x20be\x20suspended(?:\x20\((?P<cause>.*)\))?
        |{IF}\x20suspended:\x20(?P<cause>.*)""",
        samples=(
            Sample(
                "%EC-5-UNBUNDLE: Interface Gi0/1 left the port-channel Po1",
                {"event": "inactive", "interface": "Gi0/1", "master": "Po1", "state": "inactive"},
            ),
            Sample(
                "%L2-BM-6-ACTIVE : GigabitEthernet0/0/0/0 is no longer Active as part of Bundle-Ether1 (Link is down)",
                {"event": "inactive", "interface": "GigabitEthernet0/0/0/0", "cause": "Link is down"},
            ),
            Sample(
                "%EC-SP-5-CANNOT_BUNDLE2: Gi1/1 is not compatible with Po1 and will be suspended (speed of Gi1/1 is "
                "1000M, Po1 is 100M)",
                {"event": "inactive", "interface": "Gi1/1", "master": "Po1", "facility": "EC-SP"},
            ),
            Sample(
                "%EC-5-L3DONTBNDL2: Gi1/0/1 suspended: LACP currently not enabled on the remote port.",
                {"interface": "Gi1/0/1", "cause": "LACP currently not enabled on the remote port"},
            ),
        ),
    ),
    Wording(
        "flapping",
        rf"""Host\x20{MAC}\x20in\x20(?i:vlan)\x20(?P<vlan>\d+)\x20is\x20flapping\x20between\x20port\x20{IF}\x20and\x20port\x20.*
        |Mac\x20{MAC}\x20in\x20vlan\x20(?P<vlan>\d+)\x20has\x20moved\x20from\x20{IF}\x20to\x20.*""",
        samples=(
            Sample(
                "%SW_MATM-4-MACFLAP_NOTIF: Host fa16.3e24.e722 in vlan 10 is flapping between port Gi1/0/3 and port "
                "Gi1/0/7",
                {"event": "flapping", "mac": "fa:16:3e:24:e7:22", "vlan": "10", "interface": "Gi1/0/3", "level": 4},
            ),
            Sample(
                "%L2FM-4-L2FM_MAC_MOVE: Mac fa16.3e24.e722 in vlan 10 has moved from Eth1/1 to Eth1/2",
                {"event": "flapping", "interface": "Eth1/1"},
            ),
        ),
    ),
    Wording(
        "error_disabled",
        rf"A\x20packet\x20storm\x20was\x20detected\x20on\x20{IF}\.\x20The\x20interface\x20has\x20been\x20disabled\.?",
        cause="storm-control",
        samples=(
            Sample(
                "%STORM_CONTROL-3-SHUTDOWN: A packet storm was detected on Gi0/1. The interface has been disabled.",
                {"event": "error_disabled", "interface": "Gi0/1", "cause": "storm-control"},
            ),
        ),
    ),
    Wording(
        "other",
        rf"A\x20\w+\x20storm\x20detected\x20on\x20{IF}\.\x20A\x20packet\x20filter\x20action\x20has\x20been\x20applied.*",
        cause="storm-control",
        samples=(
            Sample(
                "%STORM_CONTROL-3-FILTERED: A Broadcast storm detected on Gi0/1. A packet filter action has been applie"
                "d on the interface.",
                {"event": "other", "interface": "Gi0/1", "cause": "storm-control", "state": None},
            ),
        ),
    ),
    Wording(
        "other",
        rf"Security\x20violation\x20occurred,?\x20caused\x20by\x20MAC\x20address\x20{MAC}\x20on\x20port\x20{_PORT}\.?",
        cause="psecure-violation",
        samples=(
            Sample(
                "%PORT_SECURITY-2-PSECURE_VIOLATION: Security violation occurred, caused by MAC address fa16.3e24.e722 "
                "on port FastEthernet0/1.",
                {"event": "other", "interface": "FastEthernet0/1", "mac": "fa:16:3e:24:e7:22"},
            ),
        ),
    ),
    Wording(
        "blocking",
        rf"""(?P<cause>Root\x20guard|Loop\x20guard|Bridge\x20Assurance)\x20blocking\x20port\x20{IF}(?:,?\x20(?:on\x20)?(?P<vlan>VLAN\d+))?\.?
        |Blocking\x20{IF}\x20on\x20(?P<vlan>\S+?)\.\x20(?P<cause>Inconsistent.*)""",
        samples=(
            Sample(
                "%SPANTREE-2-ROOTGUARD_BLOCK: Root guard blocking port GigabitEthernet0/1 on VLAN0010.",
                {"event": "blocking", "interface": "GigabitEthernet0/1", "vlan": "VLAN0010", "cause": "Root guard"},
            ),
            Sample(
                "%STP-2-BRIDGE_ASSURANCE_BLOCK: Bridge Assurance blocking port Ethernet1/1 VLAN0001.",
                {"event": "blocking", "interface": "Ethernet1/1", "cause": "Bridge Assurance"},
            ),
            Sample(
                "%SPANTREE-2-BLOCK_PVID_LOCAL: Blocking GigabitEthernet0/1 on VLAN0010. Inconsistent local vlan.",
                {"event": "blocking", "vlan": "VLAN0010", "cause": "Inconsistent local vlan"},
            ),
        ),
    ),
    Wording(
        "stp_change",
        rf"""(?P<cause>Root\x20guard|Loop\x20guard|Bridge\x20Assurance)\x20unblocking\x20port\x20{IF}(?:,?\x20(?:on\x20)?(?P<vlan>VLAN\d+))?\.?
        |Topology\x20Change\x20Trap\x20for\x20(?:vlan\x20(?P<vlan>\d+)|instance\x20(?P<vlan>\d+))""",
        samples=(
            Sample(
                "%SPANTREE-2-ROOTGUARD_UNBLOCK: Root guard unblocking port GigabitEthernet0/1 on VLAN0010.",
                {"event": "stp_change", "interface": "GigabitEthernet0/1"},
            ),
            Sample("%SPANTREE-5-TOPOTRAP: Topology Change Trap for vlan 10", {"event": "stp_change", "vlan": "10"}),
        ),
    ),
    Wording(
        "entered",
        rf"Port\x20{IF}\x20instance\x20(?P<vlan>\S+)\x20moving\x20from\x20\w+\x20to\x20"
        r"(?P<entered>blocking|listening|learning|forwarding|disabled)",
        samples=(
            Sample(
                "%SPANTREE-6-PORT_STATE: Port Gi0/1 instance 10 moving from blocking to forwarding",
                {"event": "forwarding", "interface": "Gi0/1", "vlan": "10"},
            ),
        ),
    ),
    Wording(
        "stp_added",
        rf"{IF}\x20added\x20to\x20all\x20Vlans",
        samples=(
            Sample(
                "%SPANTREE-6-PORTADD_ALL_VLANS: Port-channel5 added to all Vlans",
                {"event": "stp_added", "interface": "Port-channel5"},
            ),
        ),
    ),
    Wording(
        "stp_removed",
        rf"{IF}\x20deleted\x20from\x20all\x20Vlans",
        samples=(
            Sample(
                "%SPANTREE-6-PORTDEL_ALL_VLANS: Port-channel5 deleted from all Vlans",
                {"event": "stp_removed", "interface": "Port-channel5"},
            ),
        ),
    ),
    *NXOS,
)

FORMAT = port_format(
    "cisco-ports",
    "cisco",
    WORDINGS,
    reference="Cisco IOS 12.2 to 15.9, IOS XE 3 to 17, IOS XR 4 to 7, NX-OS 4 to 10: system message guides",
    # IOS and NX-OS name no program, or a sequence number stands where it would; IOS XR names its process.
    program=r"^(?:\d{1,10}|ifmgr|bundlemgr_\w+|mstp|l2vpn_mgr|l2fib\w*|pfi_ifh_server|ether\w*|plim_\w+|vic[\w]*|lacp\w*)$",
    said_by="ifmgr",
    alone=(
        *("BPDU Guard", "BPDU guard", "err-disable state", ", changed state to ", "MACFLAP", "STORM_CONTROL-"),
        *(
            "%SPANTREE-",
            "%STP-",
            "%EC-",
            "%L2FM-",
            "PSECURE_VIOLATION",
            "ETHPORT-",
            "ETH_PORT_CHANNEL-",
            "%PORT-",
            "%L2-BM-",
        ),
    ),
    front=rf"{TAG}(?:%\$[^%]*%\$\x20)?",
)
