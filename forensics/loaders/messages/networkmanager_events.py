"""What NetworkManager says of its leases and of the link under them."""

from forensics.loaders._message_format import IP, MessageFormat, Sample
from forensics.loaders.messages._dhcp_clients import NETWORK_MANAGER, event_of_group
from forensics.records import DhcpClientEvent

FORMAT = MessageFormat(
    name="networkmanager-events",
    record=DhcpClientEvent,
    program=NETWORK_MANAGER,
    said_by="NetworkManager",
    reference="NetworkManager src/dhcp/nm-dhcp-client.c and src/devices/nm-device.c, 0.7 to 1.50",
    # The state after the arrow is what the client's script was called for: `renew` and `rebind` are renewals that
    # succeeded. The kernel's stamp or an epoch may stand in brackets after the level.
    pattern=rf"""
        ^(?:<[a-z]+>\x20+)?(?:\[[\d.]+\]\x20+)?(?:[\w-]+:\x20)?
        (?:dhcp4\x20\((?P<interface>[^)\s]+)\):\x20+|DHCP:\x20device\x20(?P<interface__2>\S+)\x20
          |\((?P<interface__3>[^)\s]+)\):\x20(?:DHCPv4\x20)?|device\x20\((?P<interface__4>[^)\s]+)\):\x20)
        (?:
            state\x20changed\x20(?:
                (?:[\w-]+\x20->\x20)?(?P<bound>bound|renew|rebind|reboot|extended)
              | (?P<bound__2>new\x20lease)(?:,\x20address=(?P<ip>{IP}))?
              | (?:[\w-]+\x20->\x20)?(?P<expired>expire[d]?|no\x20lease)
              | (?:[\w-]+\x20->\x20)?(?P<no_offers>timeout|fail)
              | (?:[\w-]+\x20->\x20)?(?P<refused>nak)
              | (?:[\w-]+\x20->\x20)?(?P<exited>done|stop|terminated|abend|end)
            )(?:,\x20address=(?P<ip__2>{IP}))?
          | (?P<bound__3>address)\x20(?P<ip__3>{IP})
          | (?P<started>activation:\x20beginning\x20transaction.*|dhclient\x20started\x20with\x20pid\x20\d+)
          | (?P<no_offers__2>request\x20timed\x20out)
          | (?P<exited__2>canceled\x20DHCP\x20transaction.*|client\x20pid\x20\d+\x20exited.*)
          | (?:carrier:\x20)?link\x20(?:(?P<carrier_gained>connected)|(?P<carrier_lost>disconnected))\b.*
          | carrier\x20now\x20(?:(?P<carrier_gained__2>ON)|(?P<carrier_lost__2>OFF))\b.*
        )$
    """,
    shape=event_of_group,
    samples=(
        Sample(
            "<info>  [1518339109.2203] dhcp4 (eth0):   address 10.0.2.15",
            {"event": "bound", "interface": "eth0", "ip": "10.0.2.15"},
        ),
        Sample("dhcp4 (eth0): state changed bound -> expire", {"event": "expired", "interface": "eth0"}),
        Sample("<info>  [1524258821.0448] dhcp4 (enp30s0): state changed bound -> bound", {"event": "bound"}),
        Sample("<info>  [1700000000.0000] dhcp4 (eth0): state changed bound -> renew", {"event": "bound"}),
        Sample("dhcp4 (eth0): state changed unknown -> timeout", {"event": "no_offers"}),
        Sample("dhcp4 (eth0): state changed bound -> done", {"event": "exited"}),
        Sample(
            "<info>  [1726996350.0114] dhcp4 (eth0): state changed new lease, address=10.250.206.186",
            {"event": "bound", "ip": "10.250.206.186"},
        ),
        Sample("dhcp4 (eth0): state changed no lease", {"event": "expired"}),
        Sample("<info> DHCP: device eth1 state changed bound -> expire", {"event": "expired", "interface": "eth1"}),
        Sample("<info> (eth0): DHCPv4 state changed preinit -> bound", {"event": "bound", "interface": "eth0"}),
        Sample("dhcp4 (eth0): activation: beginning transaction (timeout in 45 seconds)", {"event": "started"}),
        Sample("dhcp4 (eth0): request timed out", {"event": "no_offers"}),
        Sample("dhcp4 (enp30s0): canceled DHCP transaction, DHCP client pid 1155", {"event": "exited"}),
        Sample("<info>  [1524262422.1] device (eth0): carrier: link connected", {"event": "carrier_gained"}),
        Sample("<info>  [1524262422.1] device (eth0): link disconnected (deferring action)", {"event": "carrier_lost"}),
        Sample("<info> (eth0): carrier now OFF (device state 100)", {"event": "carrier_lost", "interface": "eth0"}),
    ),
)
