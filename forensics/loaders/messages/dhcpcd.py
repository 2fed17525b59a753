"""DHCP messages as dhcpcd logs them."""

import polars as pl

from forensics.loaders._message_format import IP, MessageFormat, Sample
from forensics.loaders.messages._dhcp_clients import DHCPCD
from forensics.records import DhcpMessage


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    words = {"offered": "OFFER", "acknowledged": "ACK", "sending": None, "NAK": "NAK"}
    told = pl.col("word").replace_strict(words, default=None, return_dtype=pl.String)
    return rows.with_columns(
        message_type=pl.coalesce("message_type", told),
        xid=pl.col("xid").str.to_integer(base=16, dtype=pl.UInt32, strict=False),
        refusal=pl.when(pl.col("refusal") != "").then("refusal"),
    )


FORMAT = MessageFormat(
    name="dhcpcd",
    record=DhcpMessage,
    program=DHCPCD,
    said_by="dhcpcd",
    reference="dhcpcd src/dhcp.c, 4.0 to 10.1",
    constants={"seen_by": "client"},
    pattern=rf"""
        ^(?:(?P<interface>[^\s:]+):\x20)?(?:
            (?P<word>offered|acknowledged)\x20(?P<yiaddr>{IP})\x20from\x20(?P<server_id>{IP})(?:\x20.*)?
          | (?P<word__2>sending)\x20(?P<message_type>DISCOVER|REQUEST|DECLINE|RELEASE|INFORM)\x20\(xid
            \x200x(?P<xid>[0-9a-f]{{1,8}})\).*
          | (?P<word__3>NAK):\x20?(?:\(deferred\)\x20?)?(?P<refusal>.*?)
            (?:\x20?(?:from|via)\x20(?P<server_id__2>{IP}))?
        )$
    """,
    shape=_shape,
    samples=(
        Sample(
            "eth0: offered 10.0.0.5 from 10.0.0.1",
            {"message_type": "OFFER", "interface": "eth0", "yiaddr": "10.0.0.5", "server_id": "10.0.0.1"},
        ),
        Sample("eth0: offered 192.168.65.4 from 192.168.65.1 `vpnkit'", {"server_id": "192.168.65.1"}),
        Sample("eth0: acknowledged 10.0.0.5 from 10.0.0.1", {"message_type": "ACK", "yiaddr": "10.0.0.5"}),
        Sample(
            "eth0: sending DISCOVER (xid 0xcc7c977b), next in 3.6 seconds",
            {"message_type": "DISCOVER", "xid": 0xCC7C977B},
        ),
        Sample("eth0: sending REQUEST (xid 0x5caab8d3), next in 4.6 seconds", {"message_type": "REQUEST"}),
        Sample("eth0: NAK: wrong network from 10.0.0.1", {"message_type": "NAK", "refusal": "wrong network"}),
        Sample("eth0: NAK: from 10.0.0.1", {"server_id": "10.0.0.1", "refusal": None}),
    ),
)
