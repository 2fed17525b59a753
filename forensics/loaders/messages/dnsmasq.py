"""DHCP messages as dnsmasq logs them, the server of nova-network, neutron and libvirt."""

import polars as pl

from forensics.loaders._message_format import IP, MAC, MessageFormat, Sample
from forensics.records import DhcpMessage


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """The address and the tail mean something else in each message type."""
    said, tail = pl.col("message_type"), pl.col("tail")
    offered = said.is_in(["OFFER", "ACK"])
    held = said.is_in(["RELEASE", "INFORM"])
    names_host = (said == "ACK") | ((said == "INFORM") & (tail != "ignored"))
    return rows.with_columns(
        chaddr=pl.col("chaddr").str.to_lowercase(),
        xid=pl.col("xid").cast(pl.UInt32, strict=False),
        yiaddr=pl.when(offered).then("ip"),
        ciaddr=pl.when(held).then("ip"),
        requested_ip=pl.when((offered | held).not_()).then("ip"),
        hostname=pl.when(names_host).then(tail),
        refusal=pl.when(names_host.not_()).then(tail),
    )


FORMAT = MessageFormat(
    name="dnsmasq",
    record=DhcpMessage,
    program=r"^dnsmasq(?:-dhcp)?$",
    said_by="dnsmasq-dhcp",
    alone=("DHCP",),
    reference="dnsmasq src/rfc2131.c, log_packet(), 2.45 to 2.90",
    constants={"seen_by": "server"},
    # The xid, in decimal, is there with log-dhcp; another hardware than Ethernet has its number before the address.
    pattern=rf"""
        ^(?:(?P<xid>\d+)\x20)?
        DHCP(?P<message_type>DISCOVER|OFFER|REQUEST|DECLINE|ACK|NAK|RELEASE|INFORM)\((?P<interface>[^)]*)\)
        (?:\x20(?P<ip>{IP}))?
        (?:\x20(?:[0-9a-f]{{2}}-)?(?P<chaddr>{MAC}))?
        (?:\x20(?P<tail>\S.*))?$
    """,
    shape=_shape,
    samples=(
        Sample(
            "DHCPDISCOVER(br100) fa:16:3e:56:0b:6f",
            {"message_type": "DISCOVER", "interface": "br100", "chaddr": "fa:16:3e:56:0b:6f", "requested_ip": None},
        ),
        Sample("DHCPDISCOVER(br100) 10.0.0.7 fa:16:3e:56:0b:6f ", {"requested_ip": "10.0.0.7", "refusal": None}),
        Sample(
            "DHCPDISCOVER(br100) fa:16:3e:78:44:84 no address available",
            {"chaddr": "fa:16:3e:78:44:84", "refusal": "no address available", "hostname": None},
        ),
        Sample(
            "DHCPOFFER(br100) 192.168.100.3 fa:16:3e:56:0b:6f", {"message_type": "OFFER", "yiaddr": "192.168.100.3"}
        ),
        Sample(
            "3744951815 DHCPOFFER(vmbr0) 10.236.12.180 36:b8:a4:ad:46:05",
            {"xid": 3744951815, "yiaddr": "10.236.12.180", "interface": "vmbr0"},
        ),
        Sample(
            "DHCPREQUEST(br100) 192.168.100.3 fa:16:3e:56:0b:6f ",
            {"message_type": "REQUEST", "requested_ip": "192.168.100.3", "yiaddr": None},
        ),
        Sample(
            "DHCPACK(br100) 192.168.100.3 fa:16:3e:56:0b:6f test",
            {"message_type": "ACK", "yiaddr": "192.168.100.3", "hostname": "test", "refusal": None},
        ),
        Sample(
            "DHCPACK(ns-1a2b3c4d-5e) 10.0.0.5 fa:16:3e:24:e7:22 ", {"interface": "ns-1a2b3c4d-5e", "hostname": None}
        ),
        Sample(
            "DHCPNAK(br100) 10.0.0.9 fa:16:3e:24:e7:22 wrong network",
            {"message_type": "NAK", "requested_ip": "10.0.0.9", "refusal": "wrong network"},
        ),
        Sample("DHCPNAK(br100) 10.0.0.9 fa:16:3e:24:e7:22 lease not found", {"refusal": "lease not found"}),
        Sample("DHCPRELEASE(br100) 10.0.0.5 fa:16:3e:24:e7:22", {"message_type": "RELEASE", "ciaddr": "10.0.0.5"}),
        Sample("DHCPRELEASE(br100) 10.0.0.5 fa:16:3e:24:e7:22 unknown lease", {"refusal": "unknown lease"}),
        Sample(
            "DHCPDECLINE(br100) 10.0.0.5 fa:16:3e:24:e7:22", {"message_type": "DECLINE", "requested_ip": "10.0.0.5"}
        ),
        Sample("DHCPINFORM(br100) 10.0.0.5 fa:16:3e:24:e7:22 pc5", {"ciaddr": "10.0.0.5", "hostname": "pc5"}),
        Sample("DHCPINFORM(br100) 10.0.0.5 fa:16:3e:24:e7:22 ignored", {"refusal": "ignored", "hostname": None}),
        Sample("DHCPREQUEST(tr0) 10.0.0.5 06-00:60:B0:11:22:33 ", {"chaddr": "00:60:b0:11:22:33"}),
    ),
)
