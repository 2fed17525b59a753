"""What Linux says of its network cards: drivers, the network stack, and ifplugd."""

from forensics.loaders._message_format import Sample
from forensics.loaders.messages._ports import KERNEL, Wording, port_format

# `ixgbe 0000:04:00.0: eth2: `, `mlx5_core 0000:5e:00.0 eth2: `, `igb 0000:01:00.0 eno1: igb: eno1 `, `bnx2: eth0 `
_NAME = r"[A-Za-z][\w.@-]{0,23}"
_PLACE = r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]|[0-9a-f]{4,}\.\w+"
_NUMBERED = r"[A-Za-z][\w.@-]{0,20}\d[\w.@-]{0,10}"  # a name without a place needs a number: `ata1: SATA link down`
_CARD = (
    rf"(?:[a-z][\w-]*\x20(?:{_PLACE}):?\x20(?P<interface>{_NAME})|(?:[a-z][\w-]*:\x20)?(?P<interface>{_NUMBERED}))"
    rf":?\x20(?:\w+:\x20(?:{_NAME}\x20)?)?"
)
_KIND = r"(?:NIC\x20)?(?:(?:Remote\x20)?(?:Copper|SerDes|Fib(?:re|er))\x20)?"

WORDINGS = (
    Wording(
        "link_",
        rf"""{_CARD}{_KIND}[Ll]ink\x20(?:is\x20)?(?P<went>(?i:up|down))(?:[\x20,.:(!\t-].*)?
        |\[\w+:\d+\((?P<interface>{_NAME})\)\]\x20?Link\x20is\x20(?P<went>up|down).*""",
        samples=(
            Sample(
                "ixgbe 0000:04:00.0: eth2: NIC Link is Down",
                {"event": "link_down", "interface": "eth2", "state": "down", "agent": "kernel", "vendor": "linux"},
            ),
            Sample(
                "[12345.678901] ixgbe 0000:04:00.0 eth2: NIC Link is Up 10 Gbps, Flow Control: RX/TX",
                {"event": "link_up", "interface": "eth2", "state": "up"},
            ),
            Sample("ixgbe: eth2 NIC Link is Down", {"event": "link_down", "interface": "eth2"}),
            Sample("bnx2x 0000:01:00.0: eth2: NIC Link is Down", {"event": "link_down", "interface": "eth2"}),
            Sample("bnx2x: eth2 NIC Link is Up, 10000 Mbps full duplex, Flow control: none", {"interface": "eth2"}),
            Sample("bnx2: eth0: NIC Copper Link is Up, 1000 Mbps full duplex", {"interface": "eth0"}),
            Sample("e1000e: eth0 NIC Link is Up 1000 Mbps Full Duplex, Flow Control: None", {"interface": "eth0"}),
            Sample(
                "igb 0000:01:00.0 eno1: igb: eno1 NIC Link is Up 1000 Mbps Full Duplex, Flow Control: RX",
                {"event": "link_up", "interface": "eno1"},
            ),
            Sample("igb: eth0 NIC Link is Down", {"interface": "eth0"}),
            Sample("i40e 0000:02:00.0 ens1f0: NIC Link is Up, 10 Gbps Full Duplex", {"interface": "ens1f0"}),
            Sample("mlx4_en: eth2: Link Down", {"event": "link_down", "interface": "eth2"}),
            Sample("mlx5_core 0000:5e:00.0 ens1f0np0: Link up", {"event": "link_up", "interface": "ens1f0np0"}),
            Sample("tg3 0000:03:00.0: eth0: Link is up at 1000 Mbps, full duplex", {"interface": "eth0"}),
            Sample("tg3: eth0: Link is down.", {"event": "link_down", "interface": "eth0"}),
            Sample("eth0: Link is Up - 1Gbps/Full - flow control rx/tx", {"event": "link_up", "interface": "eth0"}),
            Sample("r8169 0000:02:00.0: eth0: link down", {"event": "link_down", "interface": "eth0"}),
            Sample("e100: eth0: e100_watchdog: link up, 100Mbps, full-duplex", {"interface": "eth0"}),
            Sample("mlxsw_spectrum 0000:03:00.0 swp1: link down", {"interface": "swp1"}),
            Sample("macb f0028000.ethernet eth0: link up (1000/Full)", {"interface": "eth0"}),
            Sample("[qede_link_update:2104(ens3f0)]Link is down", {"event": "link_down", "interface": "ens3f0"}),
        ),
    ),
    Wording(
        "link_up",
        rf"(?:IPv6:\x20)?ADDRCONF\(NETDEV_\w+\):\x20(?P<interface>{_NAME}):\x20link\x20becomes\x20ready",
        samples=(
            Sample(
                "IPv6: ADDRCONF(NETDEV_CHANGE): eth2: link becomes ready", {"event": "link_up", "interface": "eth2"}
            ),
        ),
    ),
    # set up without a carrier: it did not go down
    Wording(
        "other",
        rf"(?:IPv6:\x20)?ADDRCONF\(NETDEV_UP\):\x20(?P<interface>{_NAME}):\x20(?P<cause>link\x20is\x20not\x20ready)",
        state="down",
        samples=(
            Sample(
                "ADDRCONF(NETDEV_UP): eth2: link is not ready", {"event": "other", "interface": "eth2", "state": "down"}
            ),
        ),
    ),
    Wording(
        "other",
        rf"NETDEV\x20WATCHDOG:\x20(?P<interface>{_NAME})\x20\([\w.-]*\):\x20(?P<cause>transmit\x20.*timed\x20out).*",
        samples=(
            Sample(
                "NETDEV WATCHDOG: eth2 (ixgbe): transmit queue 3 timed out",
                {"event": "other", "interface": "eth2", "cause": "transmit queue 3 timed out"},
            ),
        ),
    ),
)

_IFPLUGD = (
    Wording(
        "link_down",
        r"Link\x20beat\x20lost",
        samples=(Sample("Link beat lost.", {"event": "link_down", "state": "down"}),),
    ),
    Wording(
        "link_up",
        r"Link\x20beat\x20detected",
        samples=(Sample("Link beat detected.", {"event": "link_up", "agent": "ifplugd(eth0)"}),),
    ),
)

FORMATS = (
    port_format(
        "link",
        "linux",
        WORDINGS,
        reference="Linux drivers/net/ethernet, drivers/net/phy/phy.c, net/ipv6/addrconf.c, net/sched/sch_generic.c",
        program=r"^kernel$",
        said_by="kernel",
        alone=(
            *(f"{link} {went}" for link in ("ink", "ink is") for went in ("up", "down", "Up", "Down", "UP", "DOWN")),
            *("ADDRCONF(NETDEV_", "NETDEV WATCHDOG: "),
        ),
        whole=True,
        front=KERNEL,
    ),
    port_format(
        "ifplugd",
        "linux",
        _IFPLUGD,
        reference="ifplugd src/ifplugd.c, 0.28; busybox networking/ifplugd.c",
        program=r"^ifplugd\([\w.@-]+\)$",
        said_by="ifplugd(eth0)",
        back=r"\.?\s*$",
        front="",
    ),
)
