"""What busybox's udhcpc says of its leases."""

from forensics.loaders._message_format import IP, MessageFormat, Sample
from forensics.loaders.messages._dhcp_clients import UDHCPC, event_of_group
from forensics.records import DhcpClientEvent

FORMAT = MessageFormat(
    name="udhcpc-events",
    record=DhcpClientEvent,
    program=UDHCPC,
    said_by="udhcpc",
    reference="busybox networking/udhcp/dhcpc.c, 1.10 to 1.37",
    pattern=rf"""
        ^(?:udhcpc:?\x20)?(?:
            (?P<started>(?:\(v\S+\)\x20started|started,\x20v\S+))
          | (?P<bound>[Ll]ease)\x20of\x20(?P<ip>{IP})\x20obtained(?:\x20from\x20(?P<server>{IP}))?,\x20lease\x20time
            \x20(?P<lease_s>\d+).*
          | (?P<renewing>[Ee]ntering\x20renew\x20state)
          | (?P<rebinding>[Ee]ntering\x20rebinding\x20state)
          | (?P<expired>[Ll]ease\x20lost,\x20entering\x20init\x20state)
          | (?P<refused>[Rr]eceived\x20DHCP\x20NAK)
          | (?P<no_offers>[Nn]o\x20lease,\x20(?:forking\x20to\x20background|failing)\.?)
          | (?P<exited>[Rr]eceived\x20SIGTERM)
        )$
    """,
    shape=event_of_group,
    samples=(
        Sample("udhcpc (v1.17.2) started", {"event": "started"}),
        Sample("started, v1.36.1", {"event": "started"}),
        Sample("Lease of 10.0.0.5 obtained, lease time 120", {"event": "bound", "ip": "10.0.0.5", "lease_s": 120.0}),
        Sample("lease of 10.0.0.5 obtained from 10.0.0.1, lease time 120", {"event": "bound", "server": "10.0.0.1"}),
        Sample("entering renew state", {"event": "renewing"}),
        Sample("Entering rebinding state", {"event": "rebinding"}),
        Sample("Lease lost, entering init state", {"event": "expired"}),
        Sample("received DHCP NAK", {"event": "refused"}),
        Sample("No lease, forking to background", {"event": "no_offers"}),
        Sample("no lease, failing", {"event": "no_offers"}),
        Sample("Received SIGTERM", {"event": "exited"}),
    ),
)
