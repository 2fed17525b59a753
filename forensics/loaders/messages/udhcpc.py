"""DHCP messages as busybox's udhcpc logs them, the client of CirrOS."""

import polars as pl

from forensics.loaders._message_format import IP, MessageFormat, Sample
from forensics.loaders.messages._dhcp_clients import UDHCPC
from forensics.records import DhcpMessage


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    words = {
        "discover": "DISCOVER", "select": "REQUEST", "renew": "REQUEST", "release": "RELEASE", "decline": "DECLINE",
        "offer": "OFFER", "lease": "ACK", "nak": "NAK",
    }  # fmt: skip
    word = pl.col("word").str.to_lowercase()
    return rows.with_columns(message_type=word.replace_strict(words, default=None, return_dtype=pl.String))


FORMAT = MessageFormat(
    name="udhcpc",
    record=DhcpMessage,
    program=UDHCPC,
    said_by="udhcpc",
    reference="busybox networking/udhcp/dhcpc.c, 1.10 to 1.37",
    constants={"seen_by": "client"},
    # Wordings were lower-cased in 1.26 and name the server from then on. A lease obtained is an ACK received.
    pattern=rf"""
        ^(?:udhcpc:\x20)?(?:
            (?:[Ss]ending|broadcasting)\x20(?P<word>discover)(?:\.\.\.)?
          | (?:[Ss]ending|broadcasting)\x20(?P<word__2>select)\x20for\x20(?P<requested_ip>{IP})(?:,\x20server
            \x20(?P<server_id>{IP})|\.\.\.)?
          | (?:[Ss]ending|broadcasting)\x20(?P<word__3>renew)(?:\x20to\x20(?:server
            \x20)?(?P<server_id__2>{IP}))?(?:\.\.\.)?
          | (?:[Ss]ending|unicasting\x20a)\x20(?P<word__4>release|decline)(?:\x20of\x20(?P<ciaddr>{IP})(?:\x20to
            \x20(?P<server_id__3>{IP}))?)?(?:\.\.\.)?
          | [Rr]eceived\x20(?P<word__5>offer)\x20of\x20(?P<yiaddr>{IP})
          | (?P<word__6>[Ll]ease)\x20of\x20(?P<yiaddr__2>{IP})\x20obtained(?:\x20from\x20(?P<server_id__4>{IP}))?,
            \x20lease\x20time\x20(?P<lease_s>\d+).*
          | [Rr]eceived\x20DHCP\x20(?P<word__7>NAK)
        )$
    """,
    shape=_shape,
    samples=(
        Sample("Sending discover...", {"message_type": "DISCOVER"}),
        Sample("broadcasting discover", {"message_type": "DISCOVER"}),
        Sample("Sending select for 10.0.0.5...", {"message_type": "REQUEST", "requested_ip": "10.0.0.5"}),
        Sample(
            "broadcasting select for 10.0.0.5, server 10.0.0.1",
            {"message_type": "REQUEST", "requested_ip": "10.0.0.5", "server_id": "10.0.0.1"},
        ),
        Sample("Sending renew...", {"message_type": "REQUEST", "requested_ip": None}),
        Sample("sending renew to server 10.0.0.1", {"message_type": "REQUEST", "server_id": "10.0.0.1"}),
        Sample("broadcasting renew", {"message_type": "REQUEST", "server_id": None}),
        Sample("Sending release...", {"message_type": "RELEASE"}),
        Sample(
            "Lease of 10.0.0.5 obtained, lease time 120",
            {"message_type": "ACK", "yiaddr": "10.0.0.5", "lease_s": 120.0},
        ),
        Sample(
            "lease of 10.0.0.5 obtained from 10.0.0.1, lease time 120 (default)",
            {"message_type": "ACK", "server_id": "10.0.0.1"},
        ),
        Sample("Received DHCP NAK", {"message_type": "NAK"}),
        Sample("udhcpc: received DHCP NAK", {"message_type": "NAK"}),
    ),
)
