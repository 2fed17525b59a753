"""Files of leases and of hosts: dnsmasq's, and dhclient's (formats.md 6.1, 6.2)."""

from datetime import UTC, datetime

import pytest

from forensics.records import DhcpClientEvent, InstancePort
from tests.loaders.documents._accounts import read
from tests.loaders.documents._picked import done, picked, rejects, rows

MAC, PORT = "fa:16:3e:24:e7:22", "cf0a1b2c-3d00-4000-8000-000000000001"
NET = "0673dd71-34c5-4fbb-86c4-40623fbe45b4"
LEASES = f"""1355944259 {MAC} 10.0.0.5 host-10-0-0-5 01:{MAC}
0 06-00:60:b0:11:22:33 10.0.0.6 * *
duid 00:01:00:01:18:6b:2a:5c:fa:16:3e:24:e7:22
1355944259 270789666 2001:db8::5 host-5 00:01:00:01
"""
BLOCK = """lease {
  interface "eth0";
  fixed-address 10.0.0.5;
  option subnet-mask 255.255.255.0;
  option dhcp-lease-time 120;
  option dhcp-server-identifier 10.0.0.1;
  renew 3 2012/08/29 05:12:33;
  rebind 3 2012/08/29 05:13:18;
  expire 3 2012/08/29 05:13:33;
}
"""


def test_leases_of_dnsmasq() -> None:  # formats.md 6.1, LEASE
    assert picked(LEASES, "cc12/var/lib/misc/dnsmasq.leases") == "dnsmasq-leases"
    assert rows(LEASES, InstancePort) == [
        {"mac": MAC, "ip": "10.0.0.5", "state": "leased"},
        {"mac": "00:60:b0:11:22:33", "ip": "10.0.0.6", "state": "leased"},
        {"ip": "2001:db8::5", "state": "leased"},
    ]
    assert rejects(LEASES) == []
    assert rejects(LEASES + "torn 10.0.0.7\n") == [5]


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        (f"{MAC},vm5.novalocal,10.0.0.5", "nova-br100.conf", {"bridge": "br100"}),
        (f"{MAC},vm5.novalocal,10.0.0.5,net:NW-12", "var/lib/nova/networks/nova-br100.conf", {"bridge": "br100"}),
        (f"{MAC},host-10-0-0-5.openstacklocal,10.0.0.5", f"neutron/dhcp/{NET}/host", {"network": NET}),
        (f"{MAC},host-10-0-0-5.openstacklocal,10.0.0.5,set:{PORT}", f"dhcp/{NET}/host", {"network": NET, "port": PORT}),
    ],
)
def test_hosts_given_to_dnsmasq(text: str, name: str, told: dict[str, str]) -> None:  # formats.md 6.1
    assert picked(text + "\n", name) == "dnsmasq-hosts"
    assert rows(text + "\n", InstancePort, name) == [{"mac": MAC, "ip": "10.0.0.5", "state": "reserved"} | told]


def test_an_address_of_ipv6_has_brackets() -> None:
    assert rows(f"{MAC},host-x.openstacklocal,[2001:db8::5],set:{PORT}\n", InstancePort)[0]["ip"] == "2001:db8::5"


def test_leases_of_dhclient() -> None:  # formats.md 6.2 and 0.3: in UTC, the last block of an address holds
    text = 'default-duid "x";\n' + BLOCK + BLOCK.replace("05:1", "05:2")
    assert picked(text, "vm5/var/lib/dhcp/dhclient.eth0.leases") == "dhclient-leases"
    frame = done(text).of(DhcpClientEvent)
    assert frame["ts"].to_list() == [datetime(2012, 8, 29, 5, m, 33, tzinfo=UTC) for m in (11, 21)]
    assert frame.select("event", "interface", "ip", "server", "lease_s", "renewal_s").unique().rows() == [
        ("bound", "eth0", "10.0.0.5", "10.0.0.1", 120.0, 60.0)
    ]
    assert frame["position"].to_list() == [2, 12]
    assert rejects(text) == []


def test_times_since_1970_and_leases_without_end() -> None:
    text = BLOCK.replace("3 2012/08/29 05:13:33;", "epoch 1346217213; # Wed Aug 29 05:13:33 2012")
    assert done(text).of(DhcpClientEvent)["ts"][0] == datetime(2012, 8, 29, 5, 11, 33, tzinfo=UTC)
    never = BLOCK.replace("3 2012/08/29 05:13:33", "never").replace("3 2012/08/29 05:12:33", "2 2012/13/40 05:12:33")
    assert done(never).of(DhcpClientEvent).select("ip", "renewal_s").rows() == [("10.0.0.5", None)]


def test_a_block_that_does_not_close_is_a_reject() -> None:
    assert rejects(BLOCK + BLOCK[:60]) == [11]


@pytest.mark.parametrize(
    "text",
    [
        "lease 10.0.0.5 {\n  starts 3 2012/08/29 05:12:33;\n}\n",  # dhcpd's
        f"{MAC},some,words\n",
        f"1355944259 {MAC} is a mac\n",
        "lease {\n}\n",
        "1355944259 " * 6000,
        "fa:16:3e:24:e7:22," * 3000,
    ],
)
def test_false_friends(text: str) -> None:
    assert picked(text) not in ("dnsmasq-leases", "dnsmasq-hosts", "dhclient-leases")


def test_any_reader_accounts_for_any_text() -> None:
    from forensics.loaders._registry import readers

    mine = [one for one in readers() if one.name in ("dnsmasq-leases", "dnsmasq-hosts", "dhclient-leases")]
    assert len(mine) == 3
    for reader in mine:
        read(reader, (LEASES + BLOCK + "x\n}\n").encode())
