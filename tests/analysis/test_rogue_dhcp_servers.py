"""A DHCP server that is not the cloud's is told; second agents and tenants' own servers are not accused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from forensics.analysis import rogue_dhcp_servers
from forensics.analysis.rogue_dhcp_servers import findings
from forensics.records import Clock, DhcpMessage, Edge, Finding, InstancePort

START = datetime(2014, 5, 6, 7, 8, 9, tzinfo=UTC)
CLOUD, ROGUE, CLIENT = "fa:16:3e:00:00:01", "fa:16:3e:aa:bb:cc", "fa:16:3e:11:22:{:02x}"
GUEST = "9d3c1f0e-2a44-4c0b-8d53-6f4a0e1b2c3d"


def answer(n: int, mac: str, server: str, address: str, kind: str = "OFFER", mask: bytes | None = b"\xff\xff\xff\x00",
           **more: Any) -> dict[str, Any]:  # fmt: skip
    row = {
        "ts": START + timedelta(seconds=n), "host": "net1/br100", "source": "net1/br100.pcap", "position": n + 1,
        "offset_bytes": 100 * n, "length_bytes": 342, "seen_by": "capture", "message_type": kind, "xid": 70 + n,
        "chaddr": CLIENT.format(n % 200), "yiaddr": address, "giaddr": "0.0.0.0", "server_id": server, "eth_src": mac,
        "options": [{"code": 1, "data": mask}] if mask else None,
    }  # fmt: skip
    return row | more


def told(*rows: dict[str, Any], ports: pl.DataFrame | None = None, edges: pl.DataFrame | None = None) -> list[Finding]:
    messages = pl.DataFrame(list(rows), schema=DhcpMessage.polars_schema(), strict=False)
    given = (ports if ports is not None else InstancePort.empty(), edges if edges is not None else Edge.empty())
    return findings(messages.lazy(), *(one.lazy() for one in given), Clock.empty().lazy())


def guest(mac: str) -> pl.DataFrame:
    row = {"subject_kind": "instance", "subject": GUEST, "object_kind": "mac", "object": mac, "rows": 1}
    row |= {"told_by": "InstancePort", "source": "nova.sql", "position": 12}
    return pl.DataFrame([row], schema=Edge.polars_schema())


def rivals(n: int) -> list[dict[str, Any]]:
    """So many requests that both answer, and three that the cloud's server answers alone."""
    ours = [answer(k, CLOUD, "10.0.0.1", f"10.0.0.{k + 5}") for k in range(n + 3)]
    return [*ours, *(answer(k, ROGUE, "192.168.122.1", f"192.168.122.{k + 9}", position=500 + k) for k in range(n))]


def test_a_guest_that_offers_another_network_is_proven() -> None:
    (finding,) = told(*rivals(4), edges=guest(ROGUE))
    assert (finding.severity, finding.confidence) == ("high", "proven")
    assert finding.facts == {
        "server": "192.168.122.1", "mac": ROGUE, "offers": 4, "clients": 4,
        "offered": [f"192.168.122.{n}" for n in (10, 11, 12, 9)], "rivals": ["10.0.0.1"],
    }  # fmt: skip
    assert finding.entities["instances"] == (GUEST,)
    assert {str(ref) for ref in finding.evidence} >= {"net1/br100.pcap:500", "net1/br100.pcap:1", "nova.sql:12"}


def test_every_answer_is_told_once() -> None:
    granted = [
        answer(
            k, ROGUE, "192.168.122.1", f"192.168.122.{k + 9}", "ACK", position=600 + k, ts=START + timedelta(seconds=k)
        )
        for k in range(4)
    ]
    (finding,) = told(*rivals(4), *granted)
    steps = [(step.at, step.text, step.evidence) for step in finding.story]
    assert len(set(steps)) == len(steps)


def test_clients_compared_one_by_one_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [one | {"source": "net2/br100.pcap"} for one in rivals(6)]  # what two captures saw is one answer
    whole = told(*rivals(6), *twice, edges=guest(ROGUE))
    monkeypatch.setattr(rogue_dhcp_servers, "MOST_ROWS", 1)
    assert told(*rivals(6), *twice, edges=guest(ROGUE)) == whole
    assert whole[0].facts["offers"] == 6


def test_without_a_list_of_ports_it_is_likely_and_says_what_would_settle_it() -> None:
    (finding,) = told(*rivals(4))
    assert (finding.facts["mac"], finding.confidence) == (ROGUE, "likely")
    assert "ports" in finding.next_evidence[0]
    assert finding.alternatives[0].verdict == "open"


def test_a_tenant_that_serves_a_network_alone_is_not_accused() -> None:
    (finding,) = told(answer(1, ROGUE, "10.9.0.1", "10.9.0.7"), edges=guest(ROGUE))
    assert finding.severity == "info"


@pytest.mark.parametrize(
    "rows",
    [
        [answer(k, mac, server, f"10.0.0.{k + 5}") for k in range(4) for mac, server in
         ((CLOUD, "10.0.0.2"), (ROGUE, "10.0.0.3"))],  # two agents, one lease
        [answer(k, mac, server, f"10.0.{k % 4}.{k + 5}", mask=b"\xff\xff\xfc\x00") for k in range(6)
         for mac, server in ((CLOUD, "10.0.0.2"), (ROGUE, "10.0.0.3"))],
        [answer(k, (CLOUD, ROGUE)[k % 2], ("10.0.0.1", "10.7.0.1")[k % 2], f"10.{k % 2 * 7}.0.9") for k in range(8)],
        [*rivals(4)[:7], *(one | {"giaddr": "10.0.0.254"} for one in rivals(4)[7:])],  # through a relay
    ],
    ids=["two agents", "one large network", "two networks, no request in common", "relayed"],
)  # fmt: skip
def test_several_servers_are_no_fault(rows: list[dict[str, Any]]) -> None:
    assert told(*rows) == []


def test_ports_of_the_network_service_are_the_clouds_whatever_they_offer() -> None:
    port = {"mac": ROGUE, "device_owner": "network:dhcp", "source": "neutron.sql", "position": 3, "offset_bytes": 0,
            "length_bytes": 9, "ts_basis": "none"}  # fmt: skip
    ports = pl.DataFrame([port], schema=InstancePort.polars_schema())
    assert told(*rivals(4), ports=ports) == []
