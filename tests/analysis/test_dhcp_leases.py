"""Lost leases over generated histories: the cause, the figures and the confidence, from every subset of sources."""

import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

import polars as pl
import pytest

from forensics.analysis.clock_alignment import clocks
from forensics.analysis.dhcp_leases import findings
from forensics.records import DhcpClientEvent, DhcpMessage, Finding, LogRecord, Packet
from tests._leases import CAUSES, HEALTHY, LOGS, POINTS, History, Plan, history
from tests._slow import SLOW

GUEST, TAP, SERVER = POINTS
SERVER_LOG, CLIENT_LOG = LOGS
EVERYTHING = (*POINTS, *LOGS)

DECIDABLE: dict[str, tuple[tuple[str, ...], ...]] = {
    "link-dead-before-dhcp": (EVERYTHING, (GUEST,), (GUEST, SERVER_LOG), (GUEST, SERVER), (SERVER, *LOGS)),
    "reply-not-delivered": (EVERYTHING, (GUEST, SERVER_LOG), (GUEST, SERVER), (GUEST, SERVER, SERVER_LOG)),
    "client-deaf": (EVERYTHING, (GUEST, CLIENT_LOG), (GUEST, SERVER), (GUEST,)),
    "server-silent": (EVERYTHING, (SERVER, SERVER_LOG), (GUEST, SERVER_LOG), LOGS, (SERVER_LOG,)),
    "request-not-delivered": (EVERYTHING, (GUEST, SERVER), (GUEST, SERVER_LOG), LOGS),
    "refused": (EVERYTHING, (GUEST,), (SERVER,), (SERVER_LOG,), (CLIENT_LOG,), LOGS),
    "client-gone": (EVERYTHING, (GUEST,), (SERVER,), (TAP, SERVER_LOG)),
}
"""What can be decided, and from what: the rest stays open, and must say so."""
OPEN: tuple[tuple[str, ...], ...] = ((SERVER_LOG,), (CLIENT_LOG,), LOGS, (SERVER,), (TAP,), (GUEST,), (TAP, SERVER))

TURNS = 20 if SLOW else 10


@dataclass(frozen=True)
class Outcome:
    plan: Plan
    played: History
    findings: tuple[Finding, ...]


def triage(plan: Plan) -> Outcome:
    played = history(plan)
    messages, events, packets, logs = (
        played.frame(record) for record in (DhcpMessage, DhcpClientEvent, Packet, LogRecord)
    )
    ties = clocks(messages, packets, played.sources())
    found = findings(messages.lazy(), events.lazy(), packets.lazy(), logs.lazy(), ties.lazy())
    return Outcome(plan, played, tuple(found))


def guilty(number: int, cause: str, sources: tuple[str, ...]) -> Plan:
    dice = random.Random(number)
    own_log = CLIENT_LOG in sources and sources != EVERYTHING
    return Plan(
        seed=number,
        cause=cause,
        sources=sources,
        lease_s=dice.choice([30, 60, 120, 120, 600, 3600, 86400]),
        client="dhclient" if own_log else dice.choice(["dhclient", "dhclient", "networkd", "udhcpc"]),
        rate=dice.choice([0.5, 2.0, 4.0]),
        client_xid=dice.random() < 0.5,
        segment=dice.choice([0, 1]) if cause != "request-not-delivered" else 1,
        exits=dice.random() < 0.8,
    )


@cache
def decided() -> tuple[Outcome, ...]:
    plans = [
        guilty(3000 + 40 * place + turn, cause, subsets[turn % len(subsets)])
        for place, (cause, subsets) in enumerate(DECIDABLE.items())
        for turn in range(TURNS)
    ]
    return tuple(triage(plan) for plan in plans)


@cache
def undecided() -> tuple[Outcome, ...]:
    plans = [guilty(7000 + n, CAUSES[n % 5], OPEN[(n // 5) % len(OPEN)]) for n in range(7 * TURNS // 2)]
    return tuple(triage(plan) for plan in plans)


def nanoseconds(text: str) -> int:
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole + "+00:00").timestamp())
    return seconds * 10**9 + int(fraction.ljust(9, "0") or 0)


def test_the_cause_is_found_where_the_evidence_decides_it() -> None:
    wrong = [
        (outcome.plan.seed, outcome.plan.cause, outcome.plan.sources, [f.facts["cause"] for f in outcome.findings])
        for outcome in decided()
        if [finding.facts["cause"] for finding in outcome.findings] != [outcome.plan.cause]
    ]
    assert len(decided()) >= 7 * TURNS
    assert len(wrong) <= 0.02 * len(decided()), wrong


def test_the_figures_are_those_of_the_history() -> None:
    wrong: list[tuple[int, str, object, object]] = []
    n = 0
    for outcome in decided():
        plan, truth = outcome.plan, outcome.played.truth
        for finding in outcome.findings[:1]:
            facts = finding.facts
            checks = {"mac": truth["mac"], "ip": truth["ip"]}
            told_apart = plan.sources != (SERVER_LOG,)
            if told_apart:
                checks |= {name: truth[name] for name in ("unicast_attempts", "broadcast_attempts")}
            if SERVER_LOG in plan.sources or SERVER in plan.sources:
                checks["server_replies"] = truth["server_replies"]
            if any(source in POINTS for source in plan.sources):
                checks["lease_s"] = truth["lease_s"]
            n += len(checks)
            wrong += [(plan.seed, name, facts[name], value) for name, value in checks.items() if facts[name] != value]
            if truth["first"] and any(source in POINTS for source in plan.sources):
                n += 1
                lease_ns = nanoseconds(facts["gave_up_at"]) - nanoseconds(facts["first_unanswered_at"])
                span = truth["gave_up"] - truth["first"]
                if abs(lease_ns - span) > 1.2e9 + 1e-3 * span:
                    wrong.append((plan.seed, "span", lease_ns / 1e9, span / 1e9))
    assert n > 35 * TURNS
    assert len(wrong) <= 0.05 * n, wrong


def test_the_silence_is_when_the_link_died() -> None:
    dead = [o for o in decided() if o.plan.cause == "link-dead-before-dhcp" and GUEST in o.plan.sources]
    off = []
    for outcome in dead:
        facts, truth = outcome.findings[0].facts, outcome.played.truth
        lead = (truth["first"] - outcome.played.truth["strike"]) / 1e9
        assert facts["lead_s"] >= 0
        off.append(facts["lead_s"] - lead)
    # The last frame came before the link died: never less lead than that, and at most one frame's interval more.
    assert min(off) > -0.01
    assert sorted(off)[len(off) // 2] < max(2.0, 0.01 * 86400)


def test_what_cannot_be_decided_is_left_open() -> None:
    bad = []
    silent = 0
    for outcome in undecided():
        silent += not outcome.findings
        for finding in outcome.findings:
            stated = finding.facts["cause"]
            others = {a.hypothesis.partition(":")[0] for a in finding.alternatives if a.verdict == "open"}
            if stated != outcome.plan.cause and (finding.confidence == "proven" or outcome.plan.cause not in others):
                bad.append((outcome.plan.seed, outcome.plan.cause, outcome.plan.sources, stated, finding.confidence))
            if finding.confidence != "proven" and others:
                assert finding.next_evidence
    assert not bad
    assert silent <= 0.25 * len(undecided())


def test_one_failure_is_one_finding() -> None:
    assert max(len(outcome.findings) for outcome in (*decided(), *undecided())) == 1


@pytest.mark.parametrize("kind", HEALTHY)
def test_healthy_clients_yield_nothing(kind: str) -> None:
    subsets = (
        EVERYTHING,
        (GUEST,),
        (TAP,),
        (SERVER,),
        (SERVER_LOG,),
        (CLIENT_LOG,),
        LOGS,
        (GUEST, SERVER),
        (SERVER, *LOGS),
    )
    told = Counter()
    for n in range(11):
        dice = random.Random(9000 + 100 * HEALTHY.index(kind) + n)
        plan = Plan(
            seed=dice.randrange(10**6),
            healthy=kind,
            sources=subsets[n % len(subsets)],
            lease_s=10 if kind == "short-lease" else dice.choice([30, 60, 120, 600, 3600]),
            client=dice.choice(["dhclient", "dhclient", "networkd", "udhcpc"]),
            rate=0.0 if kind == "idle" else 1.0,
            pings=kind != "idle",
            client_xid=dice.random() < 0.5,
        )
        told[kind] += len(triage(plan).findings)
    assert not told[kind]


def test_every_step_and_conclusion_cites_its_evidence() -> None:
    for outcome in (*decided(), *undecided()):
        for finding in outcome.findings:
            assert finding.evidence
            assert finding.remedy
            assert all(step.evidence for step in finding.story)
            times = [nanoseconds(step.at) for step in finding.story]
            assert times == sorted(times)
            assert len(finding.alternatives) >= 3
            places = {(row["source"], row["position"]) for rows in outcome.played.rows.values() for row in rows}
            for ref in finding.references():
                assert (ref.source, int(ref.locator.partition(":")[2])) in places


def test_load_is_told_and_never_called_a_cause() -> None:
    finding = triage(guilty(3000, "link-dead-before-dhcp", EVERYTHING)).findings[0]
    told = [step.text for step in finding.story if "In the minute before" in step.text]
    assert len(told) == 1
    assert "no proof" in told[0]


def test_order_of_rows_changes_nothing() -> None:
    played = history(guilty(3000, "link-dead-before-dhcp", EVERYTHING))
    frames = [played.frame(record) for record in (DhcpMessage, DhcpClientEvent, Packet, LogRecord)]
    ties = clocks(frames[0], frames[2], played.sources()).lazy()
    straight = findings(*(frame.lazy() for frame in frames), ties)
    shuffled = findings(*(frame.sample(fraction=1, shuffle=True, seed=4).lazy() for frame in frames), ties)
    assert [f.as_dict() for f in straight] == [f.as_dict() for f in shuffled]


def test_the_same_capture_given_twice_counts_once() -> None:
    plan = guilty(3000, "link-dead-before-dhcp", EVERYTHING)
    played = history(plan)
    frames = [played.frame(record) for record in (DhcpMessage, DhcpClientEvent, Packet, LogRecord)]
    ties = clocks(frames[0], frames[2], played.sources()).lazy()
    once = findings(*(frame.lazy() for frame in frames), ties)[0].facts

    def doubled(frame: pl.DataFrame) -> pl.DataFrame:
        copy = frame.filter(pl.col("source") == f"{SERVER}.pcap")
        return pl.concat([frame, copy.with_columns(source=pl.lit("copy/br100.pcap"), host=pl.lit("copy/br100"))])

    twice = [doubled(frames[0]), frames[1], doubled(frames[2]), frames[3]]
    ties = clocks(twice[0], twice[2]).lazy()
    facts = findings(*(frame.lazy() for frame in twice), ties)[0].facts
    names = ("cause", "unicast_attempts", "broadcast_attempts", "server_replies", "lease_s")
    assert {name: facts[name] for name in names} == {name: once[name] for name in names}


def test_a_log_alone_learns_the_lease_from_its_server() -> None:
    plan = guilty(3080, "server-silent", (SERVER_LOG,))
    played = history(replace(plan, lease_s=120))
    logs = played.frame(LogRecord)
    line = logs.head(1).with_columns(
        message=pl.lit("DHCP, static leases only on 10.0.0.2, lease time 2m"), position=pl.lit(10**6, dtype=pl.Int64)
    )
    found = findings(played.frame(DhcpMessage).lazy(), None, None, pl.concat([logs, line]).lazy())
    assert found[0].facts["lease_s"] == 120
    assert found[0].facts["unicast_attempts"] == played.truth["unicast_attempts"]


def test_nothing_in_nothing_out() -> None:
    assert findings(DhcpMessage.empty().lazy()) == []
