"""DHCP messages as Kea logs them."""

import polars as pl

from forensics.loaders._message_format import IP, MAC, MessageFormat, Sample
from forensics.records import DhcpMessage


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """Where the packet itself is logged, the line about its lease would count the message twice."""
    told = pl.col("lease_line").replace_strict({"OFFER": "OFFER", "ALLOC": "ACK"}, default=None, return_dtype=pl.String)
    rows = rows.with_columns(message_type=pl.coalesce("message_type", told))
    sent = pl.col("direction") == "SEND"
    twin = sent.any().over("chaddr", "xid", "message_type") & pl.col("lease_line").is_not_null()
    by_server = pl.col("message_type").is_in(["OFFER", "ACK", "NAK"])
    # To port 68 it goes to the client itself, at its new address; to port 67 it goes to a relay.
    direct = (pl.col("dst_port") == "68") & (pl.col("dst") != "255.255.255.255")
    answered = sent & pl.col("message_type").is_in(["OFFER", "ACK"]) & direct
    return rows.filter(twin.fill_null(False).not_()).with_columns(
        chaddr=pl.col("chaddr").str.to_lowercase(),
        xid=pl.col("xid").str.to_integer(base=16, dtype=pl.UInt32, strict=False),
        client_id=pl.col("client_id").str.replace_all(":", ""),
        yiaddr=pl.coalesce("yiaddr", pl.when(answered).then("dst")),
        server_id=pl.when(by_server).then("src"),
    )


FORMAT = MessageFormat(
    name="kea-dhcp4",
    record=DhcpMessage,
    program=r"^kea-dhcp4(?:-server)?$",
    said_by="kea-dhcp4",
    alone=("DHCP4_",),
    reference="Kea src/bin/dhcp4/dhcp4_messages.mes, 1.6 to 3.0",
    constants={"seen_by": "server"},
    # Kea writes a stamp, a level and a logger of its own before the message id, also into syslog.
    pattern=rf"""
        ^(?:[^\n]*\]\x20)?DHCP4_(?:PACKET_(?P<direction>RECEIVED|SEND)|LEASE_(?P<lease_line>OFFER|ALLOC))\x20
        \[hwtype=\d+\x20(?P<chaddr>{MAC})\],\x20cid=\[(?:no\x20info|(?P<client_id>[0-9a-f:]+))\],
            \x20tid=0x(?P<xid>[0-9a-f]+):\x20
        (?:
            (?:trying\x20to\x20send\x20packet
                \x20)?DHCP(?P<message_type>DISCOVER|OFFER|REQUEST|DECLINE|ACK|NAK|RELEASE|INFORM)
            \x20\(type\x20\d\)\x20(?:received\x20)?from\x20(?P<src>{IP})(?::\d+)?\x20to
                \x20(?P<dst>{IP})(?::(?P<dst_port>\d+))?
            \x20on\x20interface\x20(?P<interface>\S+)
          | lease\x20(?P<yiaddr>{IP})\x20(?:will\x20be\x20offered|has\x20been\x20allocated(?:\x20for
            \x20(?P<lease_s>\d+)\x20seconds)?)
        )$
    """,
    shape=_shape,
    samples=(
        Sample(
            "DHCP4_PACKET_RECEIVED [hwtype=1 02:11:22:33:44:55], cid=[no info], tid=0x517eb529: "
            "DHCPDISCOVER (type 1) received from 0.0.0.0 to 255.255.255.255 on interface eth1",
            {"message_type": "DISCOVER", "xid": 0x517EB529, "chaddr": "02:11:22:33:44:55", "interface": "eth1"},
        ),
        Sample(
            "2026-08-02 09:53:52.326 INFO  [kea-dhcp4.packets/17.140] DHCP4_PACKET_SEND [hwtype=1 02:11:22:33:44:55], "
            "cid=[01:02:11:22:33:44:55], tid=0x517eb529: trying to send packet DHCPOFFER (type 2) "
            "from 192.168.101.1:67 to 192.168.101.10:68 on interface eth1",
            {"message_type": "OFFER", "yiaddr": "192.168.101.10", "server_id": "192.168.101.1"},
        ),
        Sample(
            "INFO  [kea-dhcp4.leases] DHCP4_LEASE_OFFER [hwtype=1 02:11:22:33:44:55], cid=[no info], tid=0xc288f9: "
            "lease 10.0.0.5 will be offered",
            {"message_type": "OFFER", "yiaddr": "10.0.0.5", "xid": 0xC288F9},
        ),
        Sample(
            "DHCP4_LEASE_ALLOC [hwtype=1 02:11:22:33:44:55], cid=[01:02:11:22:33:44:55], tid=0xa9f404c6: "
            "lease 10.0.0.5 has been allocated for 3600 seconds",
            {"message_type": "ACK", "yiaddr": "10.0.0.5", "lease_s": 3600.0, "client_id": "01021122334455"},
        ),
    ),
)
