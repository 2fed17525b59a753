"""DHCP messages as the ISC client logs them."""

from typing import ClassVar

import polars as pl

from forensics.loaders._message_format import IP, MAC, Memory, MessageFormat, Sample, remembered
from forensics.loaders.messages._dhcp_clients import DHCLIENT
from forensics.records import DhcpMessage

_PLACE = rf"^(?:Listening|Sending)\x20on\s+(?:LPF|BPF|Socket)/(?P<named>[^\s/]+)/(?P<mac>{MAC})"
_NO_PROCESS = -1
_ON = r"^DHCP[A-Z]+\x20.*?\bon\x20(?P<on>\S+)\x20to\x20"


class Addresses(Memory):
    """Hardware addresses: dhclient names them once, when it starts, and its messages never do.

    A message's ``chaddr`` is that of the last ``Listening on LPF/<interface>/<address>``
    (or ``Sending on``) above it in the same source, of the same host and
    interface. Answers name no interface: theirs is the one that the same process
    named last, unless that process has named several; then ``chaddr`` stays null.
    The process id alone would not do, because dhclient changes it when it goes into the background.
    """

    _STATE: ClassVar = {"host": pl.String, "pid": pl.Int64, "on": pl.String, "mac": pl.String, "several": pl.Boolean}

    def __init__(self) -> None:
        self._state = pl.DataFrame(schema=self._STATE)
        self._seen = pl.DataFrame(schema={"position": pl.Int64, "chaddr": pl.String})

    def observe(self, candidates: pl.DataFrame) -> None:
        """Take in a further chunk of dhclient's lines."""
        place = pl.col("said").str.extract_groups(_PLACE).struct
        lines = candidates.select(
            "position",
            "host",
            "pid",
            on=pl.coalesce(place.field("named"), pl.col("said").str.extract_groups(_ON).struct.field("on")),
            mac=place.field("mac").str.to_lowercase(),
            several=pl.lit(False),
        )
        known = self._state.with_columns(position=pl.lit(None, dtype=pl.Int64)).select(lines.columns)
        told = pl.concat([known, lines])
        last = pl.col("on").forward_fill().over("host", "pid")
        other = (pl.col("on") != last.shift().over("host", "pid")).fill_null(False) | pl.col("several")
        told = told.with_columns(
            several=other.cast(pl.UInt8).cum_max().over("host", "pid").cast(pl.Boolean),
            through=pl.when(pl.col("on").is_null()).then(last).otherwise("on"),
            named=pl.col("on").is_not_null(),
        )
        usable = pl.col("named") | pl.col("several").not_()
        address = pl.col("mac").forward_fill().over("host", "through")
        told = told.with_columns(chaddr=pl.when(usable & pl.col("through").is_not_null()).then(address))
        self._seen = told.filter(pl.col("position").is_not_null()).select("position", "chaddr")
        latest = told.with_columns(on="through", mac=pl.when(pl.col("through").is_not_null()).then(address))
        processes = latest.group_by("host", "pid", maintain_order=True).last().filter(pl.col("pid") != _NO_PROCESS)
        unnamed = latest.filter(pl.col("pid").is_null()).group_by("host", "pid", maintain_order=True).last()
        places = latest.filter(pl.col("mac").is_not_null()).group_by("host", "on", maintain_order=True).last()
        kept = pl.concat([
            pl.concat([processes, unnamed]).with_columns(mac=pl.lit(None, dtype=pl.String)).select(*self._STATE),
            places.with_columns(pid=pl.lit(_NO_PROCESS, dtype=pl.Int64), several=pl.lit(False)).select(*self._STATE),
        ])  # fmt: skip
        self._state = remembered(kept)

    def fill(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give the rows of the chunk that was observed last their ``chaddr``."""
        return rows.join(self._seen, on="position", how="left", maintain_order="left")


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """An address is requested, offered or held, by message type."""
    said = pl.col("message_type")
    offered = said.is_in(["OFFER", "ACK"]) | said.is_null()
    held = said == "RELEASE"
    return rows.with_columns(
        xid=pl.col("xid").str.to_integer(base=16, dtype=pl.UInt32, strict=False),
        yiaddr=pl.when(offered).then("ip"),
        ciaddr=pl.when(held).then("ip"),
        requested_ip=pl.when((offered | held).not_()).then("ip"),
    )


FORMAT = MessageFormat(
    name="dhclient",
    record=DhcpMessage,
    program=DHCLIENT,
    said_by="dhclient",
    alone=("DHCP", "BOOTREPLY"),
    reference="ISC DHCP client/dhclient.c, 3.0 to 4.4.3, and the patches of Debian, Ubuntu and Red Hat",
    constants={"seen_by": "client"},
    # `of` is Debian's, `for` is upstream since 4.4.0; the xid is a patch. It is printed unpadded, in one session
    # now in the order of the wire and now in that of the machine: it stands here as printed, and whoever compares
    # it has to try both. A server that answers is named by its identifier, not by the packet's source.
    pattern=rf"""
        ^(?:
            DHCP(?P<message_type>DISCOVER|REQUEST|DECLINE|RELEASE)(?:\x20(?:of|for)\x20(?P<ip>{IP}))?
            \x20on\x20(?P<interface>\S+)\x20to\x20(?P<dst>{IP})\x20port\x20\d+(?:\x20interval\x20\d+)?
          | (?:DHCP(?P<message_type__2>OFFER|ACK|NAK)|BOOTREPLY)(?:\x20of\x20(?P<ip__2>{IP}))?
            \x20from\x20(?P<server_id>{IP})
        )
        (?:\x20\(xid=0x(?P<xid>[0-9a-f]{{1,8}})\))?$
    """,
    shape=_shape,
    remembers=Addresses,
    samples=(
        Sample(
            "DHCPDISCOVER on eth0 to 255.255.255.255 port 67 interval 3",
            {"message_type": "DISCOVER", "interface": "eth0", "dst": "255.255.255.255", "xid": None},
        ),
        Sample("DHCPDISCOVER on eth0 to 255.255.255.255 port 67 interval 8 (xid=0xa66b782e)", {"xid": 0xA66B782E}),
        Sample("DHCPREQUEST on eth0 to 255.255.255.255 port 67", {"message_type": "REQUEST", "requested_ip": None}),
        Sample("DHCPREQUEST on eth0 to 10.0.2.2 port 67 (xid=0x5ae19b1a)", {"dst": "10.0.2.2", "xid": 0x5AE19B1A}),
        Sample(
            "DHCPREQUEST of 10.0.0.5 on eth0 to 10.0.0.1 port 67 (xid=0x6ad2d7)",
            {"requested_ip": "10.0.0.5", "dst": "10.0.0.1", "xid": 0x6AD2D7},
        ),
        Sample(
            "DHCPREQUEST for 10.0.0.5 on ens3 to 10.0.0.1 port 67", {"requested_ip": "10.0.0.5", "interface": "ens3"}
        ),
        Sample("DHCPOFFER from 10.0.0.1", {"message_type": "OFFER", "server_id": "10.0.0.1", "yiaddr": None}),
        Sample("DHCPOFFER of 10.0.0.5 from 10.0.0.1", {"yiaddr": "10.0.0.5", "server_id": "10.0.0.1"}),
        Sample("DHCPACK from 10.0.0.1 (xid=0xbf4c49c)", {"message_type": "ACK", "xid": 0xBF4C49C}),
        Sample("DHCPACK of 10.0.0.5 from 10.0.0.1 (xid=0x2e786ba6)", {"yiaddr": "10.0.0.5", "xid": 0x2E786BA6}),
        Sample("BOOTREPLY from 10.0.0.1", {"message_type": None, "server_id": "10.0.0.1", "seen_by": "client"}),
        Sample("DHCPNAK from 10.0.0.1 (xid=0x1)", {"message_type": "NAK", "server_id": "10.0.0.1", "xid": 1}),
        Sample("DHCPRELEASE on eth0 to 10.0.0.1 port 67", {"message_type": "RELEASE", "dst": "10.0.0.1"}),
        Sample("DHCPRELEASE of 10.0.0.5 on eth0 to 10.0.0.1 port 67 (xid=0x3f)", {"ciaddr": "10.0.0.5"}),
        Sample("DHCPDECLINE of 10.0.0.5 on eth0 to 255.255.255.255 port 67", {"message_type": "DECLINE"}),
    ),
)
