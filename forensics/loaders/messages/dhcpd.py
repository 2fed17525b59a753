"""DHCP messages as the ISC server logs them."""

import polars as pl

from forensics.loaders._message_format import IP, MAC, MessageFormat, Sample
from forensics.records import DhcpMessage


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """The address means something else in each message type; what follows the colon is why there is no answer."""
    said = pl.col("message_type")
    offered = said.is_in(["OFFER", "ACK"])
    held = said.is_in(["RELEASE", "INFORM"])
    relayed = pl.col("via").str.contains(rf"^{IP}$")
    # "(not found)" after a RELEASE says that the lease was not known; "(found)" says nothing.
    refusal = pl.coalesce(pl.col("refusal"), pl.when(pl.col("found") == "not found").then(pl.lit("unknown lease")))
    return rows.with_columns(
        chaddr=pl.col("chaddr").str.to_lowercase(),
        xid=pl.col("xid").str.to_integer(base=16, dtype=pl.UInt32, strict=False),
        yiaddr=pl.when(offered).then("ip"),
        ciaddr=pl.when(held).then("ip"),
        requested_ip=pl.when((offered | held).not_()).then("ip"),
        giaddr=pl.when(relayed).then("via"),
        interface=pl.when(relayed.not_()).then("via"),
        refusal=refusal.str.strip_chars_end("."),
    )


FORMAT = MessageFormat(
    name="dhcpd",
    record=DhcpMessage,
    program=r"^dhcpd[34]?$",
    said_by="dhcpd",
    alone=("DHCP",),
    reference="ISC DHCP server/dhcp.c, 3.0 to 4.4.3",
    constants={"seen_by": "server"},
    # `via` names the interface, or the relay where there is one. Some builds add the transaction id.
    pattern=rf"""
        ^DHCP(?:
            (?P<message_type>DISCOVER)\x20from\x20(?P<chaddr>{MAC})
          | (?P<message_type__2>REQUEST)\x20for\x20(?P<ip>{IP})(?:\x20\((?P<server_id>{IP})\))?\x20from
            \x20(?P<chaddr__2>{MAC})
          | (?P<message_type__3>OFFER|ACK|NAK)\x20on\x20(?P<ip__2>{IP})\x20to\x20(?P<chaddr__3>{MAC})
          | (?P<message_type__4>ACK)\x20to\x20(?P<ip__3>{IP})(?:\x20\((?P<chaddr__4>{MAC})\))?
          | (?P<message_type__5>RELEASE|DECLINE)\x20of\x20(?P<ip__4>{IP})\x20from\x20(?P<chaddr__5>{MAC})
          | (?P<message_type__6>INFORM)\x20from\x20(?P<ip__5>{IP})
        )
        (?:\x20\((?P<hostname>[^)]*)\))?
        \x20via\x20(?P<via>[^\s:]+(?::[^\s:]+)*)
        (?:\x20\((?P<found>found|not\x20found)\))?
        (?:\x20(?:TransID\x20|\(xid=0x)(?P<xid>[0-9a-f]{{1,8}})\)?)?
        (?::\x20(?P<refusal>.+))?$
    """,
    shape=_shape,
    samples=(
        Sample(
            "DHCPDISCOVER from fa:16:3e:24:e7:22 via eth0",
            {"message_type": "DISCOVER", "chaddr": "fa:16:3e:24:e7:22", "interface": "eth0", "giaddr": None},
        ),
        Sample(
            "DHCPDISCOVER from fa:16:3e:24:e7:22 (web1) via 10.0.1.1: network 10.0.1/24: no free leases",
            {
                "hostname": "web1",
                "giaddr": "10.0.1.1",
                "interface": None,
                "refusal": "network 10.0.1/24: no free leases",
            },
        ),
        Sample(
            "DHCPOFFER on 10.0.0.5 to fa:16:3e:24:e7:22 (web1) via eth0",
            {"message_type": "OFFER", "yiaddr": "10.0.0.5", "hostname": "web1"},
        ),
        Sample(
            "DHCPREQUEST for 10.0.0.5 (10.0.0.1) from fa:16:3e:24:e7:22 (web1) via eth0",
            {"message_type": "REQUEST", "requested_ip": "10.0.0.5", "server_id": "10.0.0.1", "hostname": "web1"},
        ),
        Sample(
            "DHCPREQUEST for 10.0.0.5 from fa:16:3e:24:e7:22 via eth0: wrong network.",
            {"requested_ip": "10.0.0.5", "server_id": None, "refusal": "wrong network"},
        ),
        Sample(
            "DHCPREQUEST for 10.0.0.5 from fa:16:3e:24:e7:22 via eth0: unknown lease 10.0.0.5.",
            {"refusal": "unknown lease 10.0.0.5"},
        ),
        Sample(
            "DHCPREQUEST for 10.0.0.5 from fa:16:3e:24:e7:22 via br-ex.100 TransID 5cd43b3a",
            {"interface": "br-ex.100", "xid": 0x5CD43B3A},
        ),
        Sample("DHCPACK on 10.0.0.5 to fa:16:3e:24:e7:22 via eth0", {"message_type": "ACK", "yiaddr": "10.0.0.5"}),
        Sample(
            "DHCPACK to 10.0.0.5 (fa:16:3e:24:e7:22) via eth0", {"yiaddr": "10.0.0.5", "chaddr": "fa:16:3e:24:e7:22"}
        ),
        Sample(
            "DHCPNAK on 10.0.0.5 to fa:16:3e:24:e7:22 via eth0", {"message_type": "NAK", "requested_ip": "10.0.0.5"}
        ),
        Sample(
            "DHCPRELEASE of 10.0.0.5 from fa:16:3e:24:e7:22 (web1) via eth0 (found)",
            {"message_type": "RELEASE", "ciaddr": "10.0.0.5", "refusal": None},
        ),
        Sample("DHCPRELEASE of 10.0.0.5 from fa:16:3e:24:e7:22 via eth0 (not found)", {"refusal": "unknown lease"}),
        Sample(
            "DHCPDECLINE of 10.0.0.5 from fa:16:3e:24:e7:22 via eth0: abandoned",
            {"message_type": "DECLINE", "requested_ip": "10.0.0.5", "refusal": "abandoned"},
        ),
        Sample("DHCPINFORM from 10.0.0.5 via eth0", {"message_type": "INFORM", "ciaddr": "10.0.0.5", "chaddr": None}),
    ),
)
