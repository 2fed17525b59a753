"""What systemd-networkd says of its leases and of the link under them."""

from forensics.loaders._message_format import IP, MessageFormat, Sample
from forensics.loaders.messages._dhcp_clients import NETWORKD, event_of_group
from forensics.records import DhcpClientEvent

FORMAT = MessageFormat(
    name="systemd-networkd-events",
    record=DhcpClientEvent,
    program=NETWORKD,
    said_by="systemd-networkd",
    reference="systemd src/network/networkd-dhcp4.c and networkd-link.c, 209 to 257",
    # `via` names the gateway; only `acquired from` names the server.
    pattern=rf"""
        ^(?P<interface>[^\s:]+):\x20(?:
            (?P<bound>DHCPv4\x20address)\x20(?P<ip>{IP})/\d+
            (?:\x20via\x20{IP}|(?:,\x20gateway\x20{IP})?\x20acquired\x20from\x20(?P<server>{IP}))?
          | (?P<expired>DHCP(?:v4)?\x20lease\x20lost|DHCPv4\x20client:\x20EXPIRED)
          | (?P<no_offers>DHCPv4\x20connection\x20timed\x20out\.?)
          | (?P<carrier_lost>Lost\x20carrier)
          | (?P<carrier_gained>Gained\x20carrier)
          | (?P<started>Acquiring\x20DHCPv4\x20lease)
          | (?P<refused>DHCPv4\x20client:\x20NAK.*)
        )$
    """,
    shape=event_of_group,
    samples=(
        Sample("eth0: DHCPv4 address 10.0.0.5/24 via 10.0.0.1", {"event": "bound", "ip": "10.0.0.5", "server": None}),
        Sample(
            "ens3: DHCPv4 address 10.0.0.5/24, gateway 10.0.0.1 acquired from 10.0.0.2",
            {"event": "bound", "interface": "ens3", "ip": "10.0.0.5", "server": "10.0.0.2"},
        ),
        Sample("ens3: DHCPv4 address 10.0.0.5/24 acquired from 10.0.0.2", {"server": "10.0.0.2"}),
        Sample("eth0: DHCP lease lost", {"event": "expired", "interface": "eth0"}),
        Sample("eth0: DHCPv4 connection timed out", {"event": "no_offers"}),
        Sample("eth0: Lost carrier", {"event": "carrier_lost"}),
        Sample("eth0: Gained carrier", {"event": "carrier_gained"}),
        Sample("eth0: Acquiring DHCPv4 lease", {"event": "started"}),
        Sample("eth0: DHCPv4 client: NAK: wrong network", {"event": "refused"}),
    ),
)
