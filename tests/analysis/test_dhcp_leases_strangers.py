"""Clients, servers and captures that do things their own way: what is no fault, and what still is one."""

import pytest

from forensics.records import DhcpMessage
from tests._leases_small import ALL, IP, MAC, Talk


def deaf(talk: Talk, turn_s: float = 0.001) -> None:
    """Two good renewals, then every answer in vain until the lease has run out."""
    talk.boot(0, turn_s)
    for n in (1, 2):
        talk.renew(n * 50, turn_s=turn_s)
    for at_s in (150, 155, 163, 178):
        talk.renew(at_s, turn_s=turn_s)
    for at_s in (206, 211):
        talk.renew(at_s, to=ALL, turn_s=turn_s)
    for at_s in (221, 226):
        talk.ask(at_s, "DISCOVER")


def test_who_renews_much_earlier_than_told_has_lost_nothing() -> None:
    talk = Talk()
    talk.options = {"renewal_s": 60.0, "rebinding_s": 105.0}
    talk.boot(0)
    for n in range(1, 40):
        talk.renew(12 * n + n % 3)
    assert not talk.findings()


@pytest.mark.parametrize(("lease_s", "t1"), [(0.0, 0.0), (3.0, 1.0), (0xFFFFFFFE, 0xFFFFFFFF), (0xFFFFFFFF, 3.0)])
def test_times_that_make_no_sense_are_no_fault(lease_s: float, t1: float) -> None:
    talk = Talk(lease_s)
    talk.options = {"renewal_s": float(t1), "rebinding_s": 1.0}
    talk.boot(0)
    for n, wait in enumerate((31, 58, 44, 52, 33, 47)):
        talk.renew(50 * (n + 1) + wait / 4)
    talk.ping(325, 0.001, 1)
    assert not talk.findings()


def test_an_address_given_anew_after_a_refused_boot() -> None:
    talk = Talk()
    talk.boot(0)
    talk.renew(50)
    talk.ask(400, "REQUEST", requested_ip=IP)
    talk.answer(400.001, "NAK", to=ALL)
    talk.boot(403)
    talk.ping(430, 0.001, 1)
    assert not talk.findings()


def test_a_client_that_asks_everybody_from_t1_on() -> None:
    talk = Talk(60)
    talk.boot(0)
    for n in range(1, 5):
        talk.renew(30 * n, to=ALL)
    for at_s in (150, 165, 172.5, 176.25):
        talk.renew(at_s, to=ALL, answered=False)
    talk.ask(180.5, "DISCOVER")
    talk.ask(190, "DISCOVER")
    talk.ping(200, 0.001, 1)
    (found,) = talk.findings()
    assert (found.facts["unicast_attempts"], found.facts["broadcast_attempts"]) == (0, 4)
    assert found.facts["lease_s"] == 60


def test_the_span_is_from_the_first_vain_renewal_to_the_last_message() -> None:
    talk = Talk()
    deaf(talk)
    (found,) = talk.findings()
    assert (found.start, found.end) == (found.facts["first_unanswered_at"], found.facts["gave_up_at"])


def test_the_side_of_a_lone_capture_is_told_by_who_answers_fast() -> None:
    sides = {}
    for name, client_s, server_s in (("server", 0.0009, 0.0004), ("open", 0.0004, 0.0009)):
        talk = Talk()
        for n in range(20):
            talk.ping(5 + 7 * n, client_s, n)
        deaf(talk, server_s)
        for n in range(20, 28):
            talk.ping(151.5 + 7 * n - 140, client_s, n)
        (sides[name],) = talk.findings()
    assert sides["server"].facts["cause"] == "reply-not-delivered"
    assert sides["server"].confidence == "likely"
    said = {other.hypothesis.partition(":")[0]: other.verdict for other in sides["server"].alternatives}
    assert said["client-deaf"] == "open"
    assert sides["open"].facts["cause"] == "client-deaf"


def test_lines_that_syslog_wrote_into_three_files_count_once() -> None:
    talk = Talk()
    files = ("srv/syslog", "srv/messages", "srv/daemon.log")
    for at_s in (0, 50, 100, 150, 155, 163, 178, 190, 206, 211):
        for source in files:
            talk.log(at_s, "REQUEST", source)
            talk.log(at_s, "ACK", source)
    for at_s in (221, 226):
        for source in files:
            talk.log(at_s, "DISCOVER", source)
    (found,) = talk.findings()
    assert found.facts["server_replies"] == 7
    assert found.facts["unicast_attempts"] + found.facts["broadcast_attempts"] == 7


def test_messages_that_two_ports_of_a_bridge_show_count_once() -> None:
    talk, single = Talk(), Talk()
    deaf(single)
    deaf(talk)
    rows = talk.rows[DhcpMessage]
    talk.rows[DhcpMessage] = [
        {**row, "position": 2 * row["position"] + copy, "ts": row["ts"] + 4000 * copy, "interface": f"port{copy}"}
        for row in rows
        for copy in (0, 1)
    ]
    (found,), (once,) = talk.findings(), single.findings()
    names = ("unicast_attempts", "broadcast_attempts", "server_replies", "lease_s")
    assert [found.facts[name] for name in names] == [once.facts[name] for name in names]
    assert found.facts["server_replies"] == 6


def test_what_a_short_snapshot_length_leaves_is_enough_for_a_likely_answer() -> None:
    talk = Talk(None)
    talk.boot(0)
    for n in range(1, 5):
        talk.renew(50 * n)
    for at_s in (250, 256, 268):
        talk.renew(at_s, answered=False)
    for at_s in (305, 310):
        talk.ask(at_s, "REQUEST", ciaddr=IP)
        talk.xid -= 1
    for at_s in (321, 330):
        talk.ask(at_s, "DISCOVER")
    talk.ping(340, 0.001, 1)
    for row in talk.rows[DhcpMessage]:
        row.update(message_type=None, options=None, server_id=None, requested_ip=None)
        row["xid"] = 99 if row["ts"] >= talk.rows[DhcpMessage][12]["ts"] and row["ciaddr"] == IP else row["xid"]
    (found,) = talk.findings()
    assert found.facts["mac"] == MAC
    assert (found.facts["unicast_attempts"], found.facts["broadcast_attempts"]) == (3, 2)
    assert found.confidence != "proven"
    assert any("-s 0" in text for text in found.next_evidence)


def test_bootp_without_types_is_left_alone() -> None:
    talk = Talk(None)
    for n in range(8):
        talk.ask(90 * n, "DISCOVER")
        talk.answer(90 * n + 0.001)
    for row in talk.rows[DhcpMessage]:
        row["message_type"] = None
    assert not talk.findings()


def test_a_loss_that_only_the_client_tells_of() -> None:
    talk = Talk()
    talk.event(0, "bound", ip=IP, lease_s=120.0)
    talk.event(105, "rebinding")
    talk.event(120, "expired")
    talk.goes_on(400)
    (found,) = talk.findings()
    assert found.confidence == "possible"
    assert found.next_evidence
    assert found.evidence
    assert found.facts["ip"] == IP
    assert found.facts["broadcast_attempts"] == 1
    assert found.end == found.facts["gave_up_at"] is not None
    assert {other.verdict for other in found.alternatives} >= {"open"}
    assert all(other.evidence or other.verdict == "open" for other in found.alternatives)


def test_a_refusal_that_only_the_client_tells_of() -> None:
    talk = Talk()
    talk.event(0, "bound", ip=IP)
    talk.event(60, "refused")
    talk.event(61, "expired")
    talk.goes_on(400)
    (found,) = talk.findings()
    assert (found.facts["cause"], found.confidence) == ("refused", "likely")


@pytest.mark.parametrize(
    "said",
    [
        [(0, "no_offers")],  # it never had one
        [(0, "bound"), (50, "expired"), (52, "bound")],  # another address
        [(0, "bound"), (50, "carrier_lost"), (51, "expired")],  # the cable was pulled
        [(0, "bound"), (50, "expired"), (90, "carrier_gained"), (92, "bound")],  # the host was started again
        [(0, "bound"), (395, "expired")],  # the host was shut down
        [(0, "bound"), (50, "exited"), (51, "expired")],  # somebody stopped the client
    ],
)
def test_words_of_a_client_that_are_no_failure(said: list[tuple[float, str]]) -> None:
    talk = Talk()
    for at_s, event in said:
        talk.event(at_s, event)
    talk.goes_on(400)
    assert not talk.findings()


def test_a_lease_taken_off_before_its_time_is_no_lapse() -> None:
    talk = Talk()
    talk.event(0, "bound", lease_s=3600.0)
    talk.event(50, "expired")
    talk.goes_on(400)
    assert not talk.findings()


def test_two_failures_of_one_client_are_two_findings() -> None:
    talk = Talk()
    deaf(talk)
    talk.boot(400)
    talk.renew(450)
    for at_s in (500, 505, 520):
        talk.renew(at_s, answered=False)
    talk.renew(556, to=ALL, answered=False)
    talk.ask(571, "DISCOVER")
    talk.ask(580, "DISCOVER")
    talk.ping(600, 0.001, 1)
    first, second = sorted(talk.findings(), key=lambda found: found.start or "")
    assert first.id != second.id
    assert (first.facts["server_replies"], second.facts["server_replies"]) == (6, 0)
    assert any("address again" in step.text for step in first.story)


def test_many_retries_in_one_transaction_do_not_pass_for_its_usual_pace() -> None:
    talk = Talk(None)
    talk.boot(0)
    for n in range(1, 6):
        talk.renew(1800 * n)
    talk.xid += 1
    for n in range(22):
        talk.xid -= 1
        talk.renew(10800 + 64 * n, answered=True)
    for n in range(3):
        talk.xid -= 1
        talk.renew(12150 + 60 * n, to=ALL)
    for at_s in (12602, 12640):
        talk.ask(at_s, "DISCOVER")
    talk.ping(12700, 0.001, 1)
    for row in talk.rows[DhcpMessage]:  # the lease time is cut off
        row.update(message_type=None, options=None, server_id=None, requested_ip=None)
    (found,) = talk.findings()
    assert (found.facts["unicast_attempts"], found.facts["broadcast_attempts"]) == (22, 3)
