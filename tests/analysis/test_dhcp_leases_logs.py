"""What logs add to captures of a lost lease: lines they lack, rotation, servers that end, clocks that drift."""

import polars as pl
import pytest

from forensics.analysis.dhcp_leases import findings
from forensics.records import Clock, DhcpClientEvent, DhcpMessage, LogRecord, Packet
from tests._leases_model import SERVER_IP, History, Plan
from tests._leases_small import ALL, IP, MAC, Talk

VAIN = ((150, SERVER_IP), (160, SERVER_IP), (175, SERVER_IP), (206, ALL), (213, ALL))


def twice(talk: Talk, at_s: float, to: str) -> None:
    """A request that passes two captures, none of them at the server."""
    for point in ("vm", "tap"):
        talk.point = point
        talk.ask(at_s + 0.0002 * (point == "tap"), "REQUEST", to=to, ciaddr=IP)
        talk.xid -= 1
    talk.xid += 1


def unlogged(stop: str = "", again: str = "", *, others: bool = False) -> Talk:
    """Good renewals that the server logs, then requests of which its log has none."""
    talk = Talk(point="vm")
    talk.boot(0)
    talk.log(0, "REQUEST")
    talk.log(0, "ACK")
    for at_s in (50, 100):
        twice(talk, at_s, SERVER_IP)
        talk.point = "vm"
        talk.answer(at_s + 0.001, ciaddr=IP)
        talk.log(at_s, "REQUEST")
        talk.log(at_s, "ACK")
    for at_s, to in VAIN:
        twice(talk, at_s, to)
    for point in ("vm", "tap"):
        talk.point = point
        talk.ping(5, 0.001, 1)
        talk.ping(230, 0.001, 2)
    for at_s in (20, 160, 220) if others else ():
        row = {"seen_by": "server", "message_type": "ACK", "chaddr": "fa:16:3e:00:00:99", "yiaddr": "10.0.0.9"}
        talk.add(DhcpMessage, at_s, "srv/syslog", "srv", row)
    for at_s, said in ((140, stop), (145, again)):
        if said:
            talk.add(LogRecord, at_s, "srv/syslog", "srv", {"program": "dnsmasq", "message": said})
    talk.goes_on(240, "srv/syslog")
    return talk


def test_what_a_server_that_serves_others_has_no_line_of_never_reached_it() -> None:
    (found,) = unlogged(others=True).findings()
    assert (found.facts["cause"], found.confidence) == ("request-not-delivered", "likely")
    assert (found.facts["unicast_attempts"], found.facts["broadcast_attempts"]) == (3, 2)


@pytest.mark.parametrize(
    ("again", "cause"), [("", "server-silent"), ("started, version 2.80", "request-not-delivered")]
)
def test_a_server_that_ended_answers_nobody(again: str, cause: str) -> None:
    (found,) = unlogged("exiting on receipt of SIGTERM", again).findings()
    assert found.facts["cause"] == cause
    assert found.confidence == ("likely" if cause == "server-silent" else "possible")
    assert any("it does not start again" in step.text for step in found.story) == (cause == "server-silent")


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_log_goes_on_in_the_file_that_rotation_began(goes_on: bool) -> None:
    talk = Talk()
    for at_s in (0, 50, 100):
        for kind, named in (("REQUEST", {"requested_ip": IP}), ("ACK", {"yiaddr": IP, "lease_s": 120.0})):
            row = {"seen_by": "client", "message_type": kind, "chaddr": MAC, "dst": SERVER_IP, **named}
            talk.add(DhcpMessage, at_s + (kind == "ACK") / 1000, "web-3/syslog.1", "web-3", row)
    if goes_on:
        talk.goes_on(400)
    found = talk.findings()
    assert [one.facts["cause"] for one in found] == ["client-gone"] * goes_on


def test_retries_that_two_clocks_show_seconds_apart_count_once() -> None:
    """The server's clock loses 40 ppm: 1.7 s in twelve hours, more than half of the time between two retries."""
    talk = Talk(86400)
    talk.boot(0)
    at = [43200.0, 59400.0, 67500.0, 71550.0, 73575.0]
    for step in (1012.0, 506.0, 253.0, 127.0, 63.0, 32.0, 16.0, 8.0, 4.0, 3.0, 3.0):
        at.append(at[-1] + step)
    for at_s in at:
        talk.renew(at_s, answered=False)
    for at_s in (86401.0, 86404.0):
        talk.ask(at_s, "DISCOVER")
    for at_s in (0.01, *at):
        for kind, late in (("REQUEST", 0.0), ("ACK", 0.0004)):
            named = {"requested_ip": IP} if kind == "REQUEST" else {"yiaddr": IP}
            row = {"seen_by": "server", "message_type": kind, "chaddr": MAC, **named}
            talk.add(DhcpMessage, (at_s + late) * (1 - 40e-6), "srv/syslog", "srv", row)
    rows = History(Plan(seed=0), rows=talk.rows)
    ties = [
        {"source": "cap.pcap", "reference": "cap.pcap", "offset_s": 0.0, "bound_s": 0.0},
        {"source": "srv/syslog", "reference": "cap.pcap", "offset_s": 0.0, "bound_s": 4.0},
    ]
    clocks = pl.concat([Clock.empty(), pl.DataFrame(ties)], how="diagonal_relaxed")
    (found,) = findings(
        *(rows.frame(one).lazy() for one in (DhcpMessage, DhcpClientEvent, Packet, LogRecord)), clocks=clocks.lazy()
    )
    assert found.facts["unicast_attempts"] + found.facts["broadcast_attempts"] == len(at)
    assert found.facts["server_replies"] == len(at)
