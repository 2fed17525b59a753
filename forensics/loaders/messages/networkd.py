"""DHCP messages as systemd-networkd logs them when it logs at debug level."""

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.loaders.messages._dhcp_clients import NETWORKD
from forensics.records import DhcpMessage


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(xid=pl.col("xid").str.to_integer(base=16, dtype=pl.UInt32, strict=False))


FORMAT = MessageFormat(
    name="systemd-networkd",
    record=DhcpMessage,
    program=NETWORKD,
    said_by="systemd-networkd",
    reference="systemd src/libsystemd-network/sd-dhcp-client.c, 209 to 257",
    constants={"seen_by": "client"},
    pattern=r"""
        ^(?:DHCP\x20CLIENT\x20\(0x(?P<xid>[0-9a-f]{1,8})\)|(?P<interface>[^\s:]+):\x20DHCPv4\x20client):\x20
        (?:Sen(?:t|ding)\x20)?(?P<message_type>DISCOVER|OFFER|REQUEST|DECLINE|ACK|NAK|RELEASE)
        (?:\x20\([a-z -]+\))?(?::\x20(?P<refusal>.+))?$
    """,
    shape=_shape,
    samples=(
        Sample("DHCP CLIENT (0xd25e35e9): DISCOVER", {"message_type": "DISCOVER", "xid": 0xD25E35E9}),
        Sample("DHCP CLIENT (0xd25e35e9): REQUEST (renewing)", {"message_type": "REQUEST", "refusal": None}),
        Sample("DHCP CLIENT (0xd25e35e9): NAK: address in use", {"message_type": "NAK", "refusal": "address in use"}),
        Sample("ens3: DHCPv4 client: ACK", {"message_type": "ACK", "interface": "ens3", "xid": None}),
    ),
)
