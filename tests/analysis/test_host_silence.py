"""Hosts that fell silent: from their own rhythm and from what others went on to say; never from a quiet log."""

import random
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from forensics.analysis import _silence
from forensics.analysis._silence import signs
from forensics.analysis.host_silence import collector, findings
from forensics.records import Clock, Finding, LogRecord, Notification, ServiceState
from forensics.records.finding import iso
from tests._base_cloud import at, table

Row = dict[str, Any]


def line(host: str, hour: float, message: str = "Free ram (MB): 82312", source: str | None = None) -> Row:
    return {
        "ts": at(hour), "host": host, "source": source or f"rsyslog/{host}/nova.log", "position": 1 + int(hour * 3600),
        "message": message, "framing": "oslo-essex", "n_lines": 1, "year_basis": "stated", "zone_basis": "stated",
    }  # fmt: skip


def steady(
    host: str, start: float = 0, stop: float = 8, *gaps: tuple[float, float], source: str | None = None
) -> list[Row]:
    """A line a minute, but for some stretches."""
    hours = [start + minute / 60 for minute in range(int((stop - start) * 60))]
    return [line(host, hour, source=source) for hour in hours if not any(a < hour < b for a, b in gaps)]


def said(rows: Iterable[Row], services: Sequence[Row] = (), heard: Sequence[Row] = ()) -> list[Finding]:
    frames = [table(record, list(told)).lazy() for record, told in
              ((LogRecord, rows), (Notification, heard), (ServiceState, services))]  # fmt: skip
    return findings(*frames)


def ns(hours: float) -> int:
    return int(at(hours).timestamp()) * 10**9


def test_a_gap_in_a_steady_log_while_others_go_on_is_a_silence() -> None:
    (finding,) = said([*steady("c1", 0, 8, (3, 4.5)), *steady("c2"), *steady("c3")])
    facts = finding.facts
    assert (facts["host"], facts["from"], facts["to"]) == ("c1", iso(ns(3)), iso(ns(4.5)))
    assert (finding.severity, finding.confidence) == ("info", "likely")
    assert "2 other hosts went on" in finding.title
    assert all(step.evidence for step in finding.story)
    assert finding.remedy
    assert finding.next_evidence


def test_a_start_after_it_proves_it_and_a_stop_before_it_is_said() -> None:
    rows = [*steady("c1", 0, 8, (3, 4.5)), *steady("c2"), *steady("c3")]
    boot = line("c1", 4.5, "Starting compute node (version 2012.2)")
    (finding,) = said([*rows, boot])
    assert (finding.confidence, finding.facts["planned"]) == ("proven", False)
    stop = line("c1", 3, "rsyslogd: [origin software] exiting on signal 15.")
    (finding,) = said([*rows, boot, stop])
    assert finding.facts["planned"] is True
    assert any("on purpose" in other.hypothesis for other in finding.alternatives)


def test_a_service_that_others_saw_down_proves_it() -> None:
    down = {"ts": at(3.2), "host": "controller", "service_host": "c1.example.org", "service": "nova-compute",
            "state": "down", "told_by": "listing", "ts_basis": "command"}  # fmt: skip
    (finding,) = said([*steady("c1", 0, 8, (3, 4.5)), *steady("c2"), *steady("c3")], [down])
    assert finding.confidence == "proven"
    assert any("nova-compute" in step.text for step in finding.story)


def test_several_silences_of_one_host_are_several_findings() -> None:
    found = said([*steady("c1", 0, 12, (3, 4.5), (6, 7)), *steady("c2", 0, 12)])
    assert [finding.facts["from"] for finding in found] == [iso(ns(3)), iso(ns(6))]
    assert len({finding.id for finding in found}) == 2


def test_the_end_of_a_log_is_a_silence_only_at_a_log_server_that_goes_on() -> None:
    (finding,) = said([*steady("c1", 0, 3), *steady("c2")])
    assert (finding.facts["to"], finding.end) == (None, None)
    assert "has not come back" in finding.title
    local = [*steady("c1", 0, 3, source="c1/var/log/syslog"), *steady("c2", source="c2/var/log/syslog")]
    assert said(local) == []


@pytest.mark.parametrize("seed", range(6))
def test_healthy_irregular_logs_are_no_silences(seed: int) -> None:
    dice = random.Random(seed)
    rows = []
    for host in ("c1", "c2", "c3"):
        hour = 0.0
        while hour < 48:
            hour += dice.expovariate(1 / 0.2)
            rows.append(line(host, hour))
    assert said(rows) == []


def test_quiet_nights_are_no_silences() -> None:
    nightly = [line("web", 24 * day + hour / 6) for day in range(6) for hour in range(60)]
    assert said([*nightly, *steady("c2", 0, 144), *steady("c3", 0, 144)]) == []


def test_a_collector_that_was_down_itself_is_no_silence_of_its_hosts() -> None:
    assert said([row for host in ("c1", "c2", "c3") for row in steady(host, 0, 8, (3, 4.5))]) == []


def test_a_rotated_file_that_is_missing_is_no_silence() -> None:
    before = steady("c1", 0, 3, source="rsyslog/c1/nova.log.3.gz")
    after = steady("c1", 4.5, 8, source="rsyslog/c1/nova.log.1")
    assert said([*before, *after, *steady("c2"), *steady("c3")]) == []
    kept = steady("c1", 4.5, 8, source="rsyslog/c1/nova.log.2.gz")
    assert said([*before, *kept, *steady("c2"), *steady("c3")])


def test_a_file_in_which_only_others_speak_is_not_missing() -> None:
    before, after = (steady("c1", start, stop, source=f"rsyslog/nova.log{end}")
                     for start, stop, end in ((0, 3, ".2.gz"), (4.5, 8, "")))  # fmt: skip
    others = [line(host, n / 60, source=f"rsyslog/nova.log{'.2.gz' if n < 180 else '.1' if n < 270 else ''}")
              for host in ("c2", "c3") for n in range(480)]  # fmt: skip
    (finding,) = said([*before, *after, *others])
    assert finding.facts["host"] == "c1"
    assert said([*before, *after, *(row for row in others if not row["source"].endswith(".1"))]) == []


def test_a_host_that_says_little_is_not_judged() -> None:
    few = [line("c1", hour) for hour in (0, 0.1, 5, 5.1, 7)]
    assert said([*few, *steady("c2"), *steady("c3")]) == []


def test_a_host_that_still_sends_notifications_is_not_silent() -> None:
    heard = [{"ts": at(3 + n / 12), "host": "c1", "publisher_id": "compute.c1"} for n in range(19)]
    rows = [*steady("c1", 0, 8, (3, 4.5)), *steady("c2"), *steady("c3")]
    assert said(rows, heard=heard) == []


def test_where_a_log_server_keeps_its_hosts() -> None:
    assert collector("x/rsyslog/c1.example.org/nova.log", "c1") == "x/rsyslog"
    assert collector("c1/syslog", "c1") == ""
    assert collector("rsyslog/all.log", "c1") == "rsyslog/all.log"


def test_the_first_and_last_line_of_a_minute_stand_where_it_says() -> None:
    rows = [line("c1", 1, source=source) | {"position": n} for source, n in (("b", 1), ("b", 2), ("a", 9), ("a", 7))]
    told = signs(table(LogRecord, [*rows, line("C1.example.org", 1.01, source="c")]).lazy(), Clock.empty().lazy())
    first, last = (told.select(f"{end}_at", f"{end}_source", f"{end}_position").row(0) for end in ("first", "last"))
    assert (first, last) == ((ns(1), "a", 7), (ns(1) + 36 * 10**9, "c", 3637))
    assert told.select("machine", "host", "n").rows() == [("c1", "C1.example.org", 5)]


def test_hosts_counted_one_after_the_other_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [*steady("c1", 0, 8, (3, 4.5)), *steady("C1.example.org", 5, 6), *steady("c2"), *steady("c3", 0, 8, (6, 7))]
    whole, table_of_all = said(rows), signs(table(LogRecord, rows).lazy(), Clock.empty().lazy())
    assert len(whole) == 2
    monkeypatch.setattr(_silence, "MOST_MINUTES", 1)
    assert said(rows) == whole
    assert_frame_equal(signs(table(LogRecord, rows).lazy(), Clock.empty().lazy()), table_of_all)


def test_no_rows_say_nothing() -> None:
    assert findings(pl.LazyFrame(schema=LogRecord.polars_schema())) == []
