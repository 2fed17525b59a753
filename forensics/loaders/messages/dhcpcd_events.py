"""What dhcpcd says of its leases and of the link under them."""

from forensics.loaders._message_format import IP, MessageFormat, Sample
from forensics.loaders.messages._dhcp_clients import DHCPCD, event_of_group
from forensics.records import DhcpClientEvent

FORMAT = MessageFormat(
    name="dhcpcd-events",
    record=DhcpClientEvent,
    program=DHCPCD,
    said_by="dhcpcd",
    reference="dhcpcd src/dhcp.c and src/dhcpcd.c, 4.0 to 10.1",
    # "rebinding lease of" asks again for the address of an earlier run (INIT-REBOOT): no renewal has failed there.
    pattern=rf"""
        ^(?:(?P<interface>[^\s:]+):\x20)?(?:
            (?P<bound>leased)\x20(?P<ip>{IP})\x20for\x20(?:(?P<lease_s>\d+)\x20seconds|infinity)
          | (?P<renewing>renewing|rebinding)\x20lease\x20of\x20(?P<ip__2>{IP})
          | (?P<rebinding>failed\x20to\x20renew(?:\x20DHCP)?,\x20(?:attempting\x20to\x20rebind|rebinding))
          | (?P<expired>(?:DHCP\x20)?lease\x20expired.*|failed\x20to\x20rebind.*)
          | (?P<refused>NAK:.*)
          | (?P<no_offers>timed\x20out(?:\x20contacting\x20a\x20DHCP\x20server.*)?)
          | (?P<started>soliciting\x20a\x20DHCP\x20lease.*|broadcasting\x20for\x20a\x20lease|dhcpcd-\S+
            \x20starting|version\x20\S+\x20starting)
          | (?P<send_failed>(?:send_packet|dhcp_send\w*|sendmsg|write_lease|send_message):\x20.+)
          | (?P<carrier_lost>carrier\x20lost.*)
          | (?P<carrier_gained>carrier\x20acquired)
          | (?P<exited>(?:dhcpcd\x20)?exited|received\x20(?:signal\x20)?SIG\w+,\x20.*|received\x20(?:signal
            \x20)?SIGTERM.*)
        )$
    """,
    shape=event_of_group,
    samples=(
        Sample("eth0: leased 10.0.0.5 for 120 seconds", {"event": "bound", "ip": "10.0.0.5", "lease_s": 120.0}),
        Sample("eth0: leased 10.0.0.5 for infinity", {"event": "bound", "lease_s": None}),
        Sample("eth0: renewing lease of 10.0.0.5", {"event": "renewing", "ip": "10.0.0.5", "interface": "eth0"}),
        Sample("eth0: rebinding lease of 10.0.0.5", {"event": "renewing"}),
        Sample("eth0: failed to renew DHCP, rebinding", {"event": "rebinding"}),
        Sample("eth0: failed to renew, attempting to rebind", {"event": "rebinding"}),
        Sample("eth0: DHCP lease expired", {"event": "expired"}),
        Sample("eth0: NAK: wrong network from 10.0.0.1", {"event": "refused"}),
        Sample("timed out", {"event": "no_offers", "interface": None}),
        Sample("eth0: soliciting a DHCP lease", {"event": "started"}),
        Sample("eth0: soliciting a DHCP lease (requesting 10.0.0.5)", {"event": "started"}),
        Sample("eth0: broadcasting for a lease", {"event": "started"}),
        Sample("dhcpcd-9.4.1 starting", {"event": "started"}),
        Sample("eth0: send_packet: Network is down", {"event": "send_failed"}),
        Sample("eth0: carrier lost", {"event": "carrier_lost"}),
        Sample("eth0: carrier acquired", {"event": "carrier_gained"}),
        Sample("received SIGTERM, stopping", {"event": "exited"}),
        Sample("dhcpcd exited", {"event": "exited"}),
    ),
)
