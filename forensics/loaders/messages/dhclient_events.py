"""What the ISC client says of itself: bound, without offers, unable to send, gone."""

import polars as pl

from forensics.loaders._message_format import IP, MAC, MessageFormat, Sample
from forensics.loaders.messages._dhcp_clients import DHCLIENT, event_of_group
from forensics.records import DhcpClientEvent


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    immediately = pl.when(pl.col("at_once").is_not_null()).then(pl.lit("0"))
    rows = rows.with_columns(renewal_s=pl.coalesce("renewal_s", immediately), mac=pl.col("mac").str.to_lowercase())
    return event_of_group(rows)


FORMAT = MessageFormat(
    name="dhclient-events",
    record=DhcpClientEvent,
    program=DHCLIENT,
    said_by="dhclient",
    alone=("-- renewal in ", "No DHCPOFFERS received", "Unable to obtain a lease", "LPF/"),
    reference="ISC DHCP client/dhclient.c, common/{lpf,socket,dispatch,discover}.c, 3.0 to 4.4.3",
    # `Exiting` on the first try is what `dhclient -1` (ifupdown) says also years later, when a renewal finds nobody.
    pattern=rf"""
        ^(?:
            (?P<bound>bound)\x20to\x20(?P<ip>{IP})\x20--\x20renewal\x20in\x20(?P<renewal_s>-?\d+)\x20seconds\.
          | (?P<bound__2>bound):\x20(?:renewal\x20in\x20(?P<renewal_s__2>\d+)\x20seconds|(?P<at_once>immediate
            \x20renewal))\.
          | (?P<no_offers>No\x20DHCPOFFERS\x20received\.
            |No\x20working\x20leases\x20in\x20persistent\x20database(?:\x20-\x20sleeping)?\.)
          | (?P<exited>Unable\x20to\x20obtain\x20a\x20lease\x20on\x20first\x20try\.\x20+Exiting\.
            |Received\x20signal\x20\d+,\x20initiating\x20shutdown\.?
            |Killed\x20old\x20client\x20process
            |exiting\.)
          | (?P<send_failed>send_packet6?:\x20.+
            |receive_packet\x20failed\x20on\x20(?P<interface>\S+):\x20.+
            |Failed\x20to\x20send\x20\d+\x20byte\x20long\x20packet\x20over\x20(?P<interface__2>\S+)\x20interface\.)
          | (?P<started>Internet\x20Systems\x20Consortium\x20DHCP\x20Client\b.*
            |Listening\x20on\x20+(?:LPF|BPF|Socket)/(?P<interface__3>[^\s/]+)(?:/(?P<mac>{MAC}).*)?)
        )$
    """,
    shape=_shape,
    samples=(
        Sample(
            "bound to 10.0.0.5 -- renewal in 50 seconds.",
            {"event": "bound", "ip": "10.0.0.5", "renewal_s": 50.0, "pid": 7},
        ),
        Sample("bound: renewal in 1209 seconds.", {"event": "bound", "renewal_s": 1209.0, "ip": None}),
        Sample("bound: immediate renewal.", {"event": "bound", "renewal_s": 0.0}),
        Sample("No DHCPOFFERS received.", {"event": "no_offers"}),
        Sample("No working leases in persistent database - sleeping.", {"event": "no_offers"}),
        Sample("Unable to obtain a lease on first try.  Exiting.", {"event": "exited"}),
        Sample("Received signal 15, initiating shutdown.", {"event": "exited"}),
        Sample("Killed old client process", {"event": "exited"}),
        Sample("send_packet: Network is unreachable", {"event": "send_failed", "interface": None}),
        Sample("receive_packet failed on eth0: Network is down", {"event": "send_failed", "interface": "eth0"}),
        Sample("Failed to send 300 byte long packet over fallback interface.", {"event": "send_failed"}),
        Sample("Internet Systems Consortium DHCP Client 4.2.4", {"event": "started"}),
        Sample(
            "Listening on LPF/eth0/FA:16:3e:24:e7:22",
            {"event": "started", "interface": "eth0", "mac": "fa:16:3e:24:e7:22"},
        ),
    ),
)
