"""Section 6 of the reference: DHCP as servers and clients log it, and the files that they keep."""

import pytest

from forensics.records import DhcpClientEvent, DhcpMessage, InstancePort, LogRecord
from tests.formats._met import Line, meet, parameters

Y = {"year": 2013}
MAC = "fa:16:3e:56:0b:6f"


def served(section: str, text: str, **want: object) -> Line:
    """What dnsmasq says on mynode."""
    head = "Feb 27 22:01:36 mynode dnsmasq-dhcp[2438]: "
    ours = {"seen_by": "server", "host": "mynode", "ts": "2013-02-27 22:01:36"}
    return Line(section, head + text, DhcpMessage, ours | want if want else [], "x.log", Y)


def asked(section: str, text: str, **want: object) -> Line:
    """What dhclient says on vm5 of a message."""
    head = "Feb 27 22:01:36 vm5 dhclient[899]: "
    return Line(section, head + text, DhcpMessage, {"seen_by": "client", "host": "vm5"} | want, "x.log", Y)


def became(text: str, event: str, program: str = "dhclient[899]", section: str = "6.2", **want: object) -> Line:
    """What a client says of itself on vm5."""
    head = f"Feb 27 22:01:36 vm5 {program}: "
    return Line(section, head + text, DhcpClientEvent, {"event": event, "host": "vm5"} | want, "x.log", Y)


def no_message(text: str, program: str = "dnsmasq-dhcp[2438]", section: str = "6.1") -> Line:
    """A line that is kept, and is no DHCP message."""
    head = f"Feb 27 22:01:36 mynode {program}: "
    return Line(section, head + text, LogRecord, {"message": text, "program": program.split("[")[0]}, "x.log", Y)


LINES = [
    # 6.1 DNSMASQ: each type, with what its address and its tail mean
    *(served("6.1", f"DHCPDISCOVER(br100) {MAC} {why}", message_type="DISCOVER", refusal=why, requested_ip=None,
        chaddr=MAC)
      for why in ("no address available", "ignored", "no leases left", "no address configured", "address in use",
                  "no unique-id", "wrong network", "disabled")),
    served("6.1", f"DHCPDISCOVER(br100) 10.0.0.7 {MAC} ", requested_ip="10.0.0.7", refusal=None),
    served("6.1", f"DHCPOFFER(br100) 10.0.0.7 {MAC}", message_type="OFFER", yiaddr="10.0.0.7", requested_ip=None),
    served("6.1", f"DHCPREQUEST(br100) 10.0.0.7 {MAC} ", message_type="REQUEST", requested_ip="10.0.0.7", yiaddr=None),
    served("6.1", f"DHCPACK(br100) 10.0.0.7 {MAC}  ", message_type="ACK", yiaddr="10.0.0.7", hostname=None),
    *(served("6.1", f"DHCPNAK(br100) 10.0.0.7 {MAC} {why}", message_type="NAK", refusal=why, hostname=None)
      for why in ("wrong network", "wrong address", "lease not found", "address in use", "static lease available",
                  "address reserved", "wrong server-ID", "no leases left", "no unique-id", "address not available")),
    served("6.1", f"DHCPRELEASE(br100) 10.0.0.7 {MAC} unknown lease", ciaddr="10.0.0.7", refusal="unknown lease"),
    served("6.1", f"DHCPDECLINE(br100) 10.0.0.7 {MAC} ", message_type="DECLINE", requested_ip="10.0.0.7"),
    served("6.1", f"DHCPINFORM(br100) 10.0.0.7 {MAC} ignored", ciaddr="10.0.0.7", refusal="ignored", hostname=None),
    served("6.1", f"DHCPINFORM(br100) 10.0.0.7 {MAC} pc5", ciaddr="10.0.0.7", hostname="pc5"),
    served("6.1", "DHCPREQUEST(tr0) 10.0.0.5 06-00:60:b0:11:22:33 ", chaddr="00:60:b0:11:22:33"),
    Line("6.1", f"Feb 27 22:01:36 dnsmasq-dhcp[2438]: DHCPOFFER(br100) 10.0.0.7 {MAC}", DhcpMessage,
         {"host": None, "yiaddr": "10.0.0.7", "message_type": "OFFER"}, "x.log", Y),
    # the six example lines
    served("6.1", f"DHCPDISCOVER(br100) {MAC}", message_type="DISCOVER", interface="br100", chaddr=MAC, refusal=None),
    served("6.1", f"DHCPOFFER(br100) 192.168.100.3 {MAC}", message_type="OFFER", yiaddr="192.168.100.3"),
    served("6.1", f"DHCPREQUEST(br100) 192.168.100.3 {MAC}", message_type="REQUEST", requested_ip="192.168.100.3"),
    served("6.1", f"DHCPACK(br100) 192.168.100.3 {MAC} test", message_type="ACK", yiaddr="192.168.100.3",
           hostname="test"),
    Line("6.1", "Feb 27 22:01:36 mynode dnsmasq-dhcp[25435]: DHCPDISCOVER(br100) fa:16:3e:78:44:84 no address "
        "available",
         DhcpMessage, {"chaddr": "fa:16:3e:78:44:84", "refusal": "no address available"}, "x.log", Y),
    Line("6.1", "Nov  7 21:40:18 pve1 dnsmasq-dhcp[8620]: 3744951815 DHCPOFFER(vmbr0) 10.236.12.180 36:b8:a4:ad:46:05",
         DhcpMessage, {"xid": 3744951815, "interface": "vmbr0", "yiaddr": "10.236.12.180"}, "x.log", Y),
    # DNSMASQ_OPT and other lines: kept as records of the log
    no_message("3744951815 requested options: 1:netmask, 28:broadcast, 2:time-offset, 3:router,"),
    no_message("3744951815 tags: known, br100"),
    no_message("3744951815 client provides name: vm5"),
    *(no_message(text) for text in (
        "no address range available for DHCP request via br100",
        "not using configured address 10.0.0.5 because it is leased to fa:16:3e:00:00:01",
        "abandoning lease to fa:16:3e:00:00:01 of 10.0.0.5", "read /var/lib/nova/networks/nova-br100.conf",
        "DHCP, IP range 10.0.0.2 -- 10.0.0.254, lease time 2m", "sockets bound exclusively to interface br100",
        "failed to write /var/lib/misc/dnsmasq.leases", "DHCP packet received on eth0 which has no address")),
    *(served("6.1", text) for text in ("RTR-ADVERT(br100) fd00::", "3744951815 tags: known, br100",
                                       "DHCP, IP range 10.0.0.2 -- 10.0.0.254, lease time 2m")),
    # LEASE, and files of hosts; more in tests/loaders/documents/test_lease_files.py
    Line("6.1", f"1355944259 {MAC} 10.0.0.5 vm5 01:{MAC}\n0 06-{MAC} 10.0.0.6 * *\n", InstancePort,
         [{"mac": MAC, "ip": "10.0.0.5", "state": "leased"}, {"mac": MAC, "ip": "10.0.0.6"}], "dnsmasq.leases"),
    Line("6.1", f"{MAC},vm5.novalocal,10.0.0.5,net:NW-12\n", InstancePort,
         {"mac": MAC, "ip": "10.0.0.5", "bridge": "br100"}, "networks/nova-br100.conf"),
    # nova-dhcpbridge, nova-network
    *(Line("6.1", f"2013-02-25 20:26:33 7 {text}", LogRecord, {"logger": logger}) for logger, text in (
        ("nova.dhcpbridge", f"DEBUG nova.dhcpbridge [-] Called 'old' for mac '{MAC}' with ip '10.0.0.5'"),
        ("nova.network.manager", "DEBUG nova.network.manager [-] Leased IP |10.0.0.5|"),
        ("nova.network.manager", "WARNING nova.network.manager [-] IP 10.0.0.5 released that was not leased"))),
    # 6.2 DHCLIENT: upstream, Debian, 4.4, with and without xid
    asked("6.2", "DHCPDISCOVER on eth0 to 255.255.255.255 port 67 interval 3", message_type="DISCOVER",
        interface="eth0",
          dst="255.255.255.255", xid=None),
    asked("6.2", "DHCPDISCOVER on eth0 to 255.255.255.255 port 67 interval 3 (xid=0x6ad2d7)", xid=0x6AD2D7),
    asked("6.2", "DHCPREQUEST on eth0 to 255.255.255.255 port 67", message_type="REQUEST", requested_ip=None),
    *(asked("6.2", f"DHCPREQUEST {word} 10.0.0.5 on eth0 to 10.0.0.1 port 67", message_type="REQUEST", dst="10.0.0.1",
            requested_ip="10.0.0.5") for word in ("of", "for")),
    asked("6.2", "DHCPRELEASE on eth0 to 10.0.0.1 port 67", message_type="RELEASE", dst="10.0.0.1", ciaddr=None),
    asked("6.2", "DHCPRELEASE of 10.0.0.5 on eth0 to 10.0.0.1 port 67", message_type="RELEASE", ciaddr="10.0.0.5"),
    asked("6.2", "DHCPDECLINE of 10.0.0.5 on eth0 to 255.255.255.255 port 67", message_type="DECLINE"),
    # DHCLIENT_RX
    asked("6.2", "DHCPOFFER from 10.0.0.1", message_type="OFFER", server_id="10.0.0.1", yiaddr=None),
    asked("6.2", "DHCPACK from 10.0.0.1", message_type="ACK", server_id="10.0.0.1", yiaddr=None),
    asked("6.2", "DHCPOFFER of 10.0.0.5 from 10.0.0.1", message_type="OFFER", yiaddr="10.0.0.5"),
    asked("6.2", "DHCPACK of 10.0.0.5 from 10.0.0.1 (xid=0x6ad2d7)", message_type="ACK", yiaddr="10.0.0.5",
        xid=0x6AD2D7),
    asked("6.2", "DHCPNAK from 10.0.0.1", message_type="NAK", server_id="10.0.0.1"),
    Line("6.2", "Feb 27 22:01:36 vm5 dhclient: BOOTREPLY from 10.0.0.1", DhcpMessage, {"message_type": None,
         "server_id": "10.0.0.1", "seen_by": "client"}, "x.log", Y),
    # DHCLIENT_BOUND, and what the client says of itself
    became("bound to 10.0.0.5 -- renewal in 50 seconds.", "bound", ip="10.0.0.5", renewal_s=50.0, pid=899),
    became("bound: renewal in 7 seconds.", "bound", renewal_s=7.0, ip=None),
    became("bound: immediate renewal.", "bound", renewal_s=0.0),
    became("No DHCPOFFERS received.", "no_offers"),
    became("No working leases in persistent database - sleeping.", "no_offers"),
    became("Unable to obtain a lease on first try.  Exiting.", "exited"),
    became("send_packet: Network is unreachable", "send_failed"),
    became("receive_packet failed on eth0: Network is down", "send_failed", interface="eth0"),
    became("Failed to send 300 byte long packet over fallback interface.", "send_failed"),
    became("Received signal 15, initiating shutdown.", "exited"),
    became("Killed old client process", "exited"),
    became("Internet Systems Consortium DHCP Client 4.2.4", "started"),
    became(f"Listening on LPF/eth0/{MAC}", "started", interface="eth0", mac=MAC),
    *(no_message(text, "dhclient[899]", "6.2") for text in (
        "Trying recorded lease 10.0.0.5", "5 bad udp checksums in 5 packets", f"Sending on   LPF/eth0/{MAC}")),
    Line("6.2", 'lease {\n  interface "eth0";\n  fixed-address 10.0.0.5;\n  option dhcp-lease-time 120;\n  option '
        'dhcp-server-'
         "identifier 10.0.0.1;\n  renew 3 2012/08/29 05:12:33;\n  rebind 3 2012/08/29 05:13:18;\n  expire 3 2012/08/29 "
         "05:13:33;\n}\n", DhcpClientEvent, {"event": "bound", "ip": "10.0.0.5", "server": "10.0.0.1", "lease_s": 120.0,
         "renewal_s": 60.0, "interface": "eth0", "ts": "2012-08-29 05:11:33"}, "dhclient.leases", {"zone": "-07:00"}),
    # 6.3 other clients
    became("eth0: DHCPv4 address 10.0.0.5/24 via 10.0.0.1", "bound", "systemd-networkd[9]", "6.3", ip="10.0.0.5",
           interface="eth0", server=None),
    became("eth0: DHCPv4 address 10.0.0.5/24, gateway 10.0.0.254 acquired from 10.0.0.1", "bound",
        "systemd-networkd[9]",
           "6.3", ip="10.0.0.5", server="10.0.0.1"),
    became("eth0: DHCP lease lost", "expired", "systemd-networkd[9]", "6.3", interface="eth0"),
    became("eth0: Lost carrier", "carrier_lost", "systemd-networkd[9]", "6.3", interface="eth0"),
    became("eth0: Gained carrier", "carrier_gained", "systemd-networkd[9]", "6.3", interface="eth0"),
    became("eth0: DHCPv4 connection timed out", "no_offers", "systemd-networkd[9]", "6.3", interface="eth0"),
    became("<info>  [1518339109.2203] dhcp4 (eth0):   address 10.0.2.15", "bound", "NetworkManager[9]", "6.3",
           ip="10.0.2.15", interface="eth0"),
    became("<info>  [1518339109.2203] dhcp4 (eth0): state changed bound -> expire", "expired", "NetworkManager[9]",
           "6.3", interface="eth0"),
    became("<info>  [1518339109.2203] dhcp4 (eth0): activation: beginning transaction (timeout in 45 seconds)",
           "started", "NetworkManager[9]", "6.3", interface="eth0"),
    became("eth0: soliciting a DHCP lease", "started", "dhcpcd[9]", "6.3", interface="eth0"),
    became("eth0: leased 10.0.0.5 for 120 seconds", "bound", "dhcpcd[9]", "6.3", ip="10.0.0.5", lease_s=120.0),
    became("eth0: renewing lease of 10.0.0.5", "renewing", "dhcpcd[9]", "6.3", ip="10.0.0.5"),
    became("eth0: failed to renew DHCP, rebinding", "rebinding", "dhcpcd[9]", "6.3"),
    became("eth0: DHCP lease expired", "expired", "dhcpcd[9]", "6.3"),
    became("eth0: NAK: wrong network from 10.0.0.1", "refused", "dhcpcd[9]", "6.3"),
    became("udhcpc (v1.17.2) started", "started", "udhcpc[9]", "6.3"),
    became("No lease, forking to background", "no_offers", "udhcpc[9]", "6.3"),
    became("Lease of 10.0.0.5 obtained, lease time 120", "bound", "udhcpc[9]", "6.3", ip="10.0.0.5", lease_s=120.0),
    *(Line("6.3", f"Feb 27 22:01:36 vm5 udhcpc[9]: {text}", DhcpMessage, {"message_type": kind}, "x.log", Y)
      for text, kind in (("Sending discover...", "DISCOVER"), ("Sending select for 10.0.0.5...", "REQUEST"))),
    Line("6.3", "2013-02-27 22:01:36,123 - util.py[WARNING]: failed", LogRecord,
         {"ts": "2013-02-27 22:01:36.123", "severity": "WARNING", "message": "failed"}),
    # 6.6 pitfalls: the order of octets is as printed, the pair of C11 is joined by the analysis
    *(asked("6.6", f"{text} (xid=0x{xid:x})", xid=xid) for text, xid in (
        ("DHCPDISCOVER on eth0 to 255.255.255.255 port 67 interval 7", 0xA66B782E),
        ("DHCPREQUEST on eth0 to 255.255.255.255 port 67", 0x2E786BA6),
        ("DHCPOFFER from 10.0.0.1", 0x9CC4F40B), ("DHCPACK from 10.0.0.1", 0xBF4C49C))),
    Line("6.6", "Feb 27 22:01:36 vm5 dhclient: DHCPREQUEST on eth0 to 255.255.255.255 port 67\n"
         "Feb 27 22:01:36 vm5 dhclient: DHCPOFFER from 10.0.0.1\n", DhcpMessage,
         [{"message_type": "REQUEST"}, {"message_type": "OFFER"}], "x.log", Y),
]  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_6(line: Line) -> None:
    meet(line)


# 6.4: tests/analysis/test_dhcp_leases.py; the whole conversation of a renewal that fails:
# tests/loaders/messages/test_dhcp_logs.py::test_a_renewal_that_nobody_answers
