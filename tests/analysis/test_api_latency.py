"""Latency: what grows with rows, what changed at a moment, what differs between deployments, and what only looks so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from scipy.stats import spearmanr, theilslopes

from forensics.analysis import _latency_requests
from forensics.analysis._latency_growth import arrivals, coming
from forensics.analysis._latency_requests import homes
from forensics.analysis._latency_statistics import change, independent, line, partial
from forensics.analysis.api_latency import CHARTS, findings, quantile_frames, rows_frames
from forensics.records import ApiRequest, Finding
from forensics.records.finding import iso
from tests._latencies import DAY_S, asked, counted, frames, instant, moments, said

DAYS = 30
COUNTED = np.arange(-1, DAYS + 1) * DAY_S
N = 200
Values = npt.NDArray[np.float64]


def noise(count: int = N, spread: float = 0.2, seed: int = 1) -> Values:
    return np.random.default_rng(seed).lognormal(0, spread, count)


def rows(at: Sequence[float] | Values) -> Values:
    """A table that grows by ten thousand rows a day."""
    return 100_000 + 10_000 * np.floor(np.asarray(at) / DAY_S)


def flavors(at: Values, factor: Values | float = 1.0, **rest: Any) -> list[dict[str, Any]]:
    """An operation that never looks at instances."""
    lasted = 0.03 * noise(len(at), seed=2) * factor
    return asked(at + 60, lasted, "GET /v2/{project_id}/flavors", first=5000, **rest)


AT = moments(DAYS, N)
COUNTS = counted(COUNTED, rows(COUNTED))
GROWS = rows(AT) / 20_000 * noise()
STEP = np.where(AT > 14 * DAY_S, 4.0, 1.0) * noise()


def kinds(told: Sequence[Finding]) -> list[str]:
    return [finding.kind for finding in told if finding.severity != "info"]


def verdicts(finding: Finding) -> dict[str, str]:
    return {other.hypothesis.split(" (")[0]: other.verdict for other in finding.alternatives}


def test_no_requests_no_findings() -> None:
    assert findings(ApiRequest.empty().lazy()) == []


def test_growth_is_told_with_the_figures_of_its_catalogue() -> None:
    (one,) = findings(*frames(asked(AT, GROWS) + flavors(AT), COUNTS))
    known = rows(AT)
    slope, _, low, high = theilslopes(GROWS, known)
    assert one.kind == "latency-grows-with-rows"
    assert (one.facts["operation"], one.facts["table"], one.facts["requests"]) == ("RunInstances", "instances", N)
    assert (one.facts["rows_min"], one.facts["rows_max"]) == (known.min(), known.max())
    for fact, value in (("seconds_per_100k_rows", slope), ("ci_low", low), ("ci_high", high)):
        assert one.facts[fact] == pytest.approx(100_000 * value)
    assert one.facts["rank_correlation"] == pytest.approx(spearmanr(known, GROWS).statistic)
    assert (one.severity, one.confidence) == ("medium", "likely")
    assert (one.facts["purgeable_rows"], one.facts["predicted_s_after_purge"]) == (None, None)
    assert verdicts(one)["the whole host or service became slower"] == "ruled out"
    assert [v for k, v in verdicts(one).items() if k.startswith("something else")] == ["open"]
    assert any("deleted != 0" in step and "deleted = 1" in step for step in one.remedy)
    assert all(step.evidence for step in one.story)


def test_without_another_operation_to_compare_it_is_possible_only() -> None:
    (one,) = findings(*frames(asked(AT, GROWS), COUNTS))
    assert one.confidence == "possible"
    assert verdicts(one)["the whole host or service became slower"] == "open"


def test_a_purge_that_the_latency_follows_proves_it() -> None:
    kept = np.where(AT > 20 * DAY_S, 0.4, 1.0)
    counts = counted(COUNTED, rows(COUNTED) * np.where(COUNTED >= 20 * DAY_S, 0.4, 1.0))
    (one,) = findings(*frames(asked(AT, GROWS * kept) + flavors(AT), counts))
    assert one.confidence == "proven"
    assert any("the latency followed" in step.text for step in one.story)
    assert [v for k, v in verdicts(one).items() if k.startswith("something else")] == ["ruled out"]


def test_a_purge_that_changes_nothing_proves_nothing() -> None:
    counts = counted(COUNTED, rows(COUNTED) * np.where(COUNTED >= 27 * DAY_S, 0.7, 1.0))
    for one in findings(*frames(asked(AT, GROWS) + flavors(AT), counts)):
        assert one.confidence != "proven"
        assert not any("the latency followed" in step.text for step in one.story)


def test_of_tables_that_grow_together_the_parent_is_named_and_the_others_told() -> None:
    child = counted(COUNTED, 15 * rows(COUNTED), "instance_system_metadata")
    idle = counted(COUNTED, 500 + 20 * noise(len(COUNTED)), "fixed_ips")
    (one,) = findings(*frames(asked(AT, GROWS), child + COUNTS + idle))
    assert one.facts["table"] == "instances"
    assert any("instance_system_metadata" in other.because for other in one.alternatives)


def test_a_database_of_its_own_serves_all_hosts_without_counts() -> None:
    parts = [asked(AT[n::3], GROWS[n::3], source=f"ctl{n}/nova-api.log") for n in range(3)]
    counts = counted(COUNTED, rows(COUNTED), source="db1/row-counts.csv")
    (one,) = findings(*frames([row for part in parts for row in part], counts))
    assert one.entities["hosts"] == ("ctl0", "ctl1", "ctl2")
    assert one.facts["requests"] == N


def test_live_and_deleted_rows_are_added_and_cut_counts_left_out() -> None:
    both = counted(COUNTED, 0.1 * rows(COUNTED), state="live") + counted(COUNTED, 0.9 * rows(COUNTED), state="deleted")
    cut = counted(COUNTED + 3600, np.ones(len(COUNTED)), is_complete=False)
    (one,) = findings(*frames(asked(AT, GROWS), both + cut))
    assert one.facts["rows_max"] == pytest.approx(rows(AT).max(), abs=2)


def dump(count: int = 600, days: float = 500.0) -> list[dict[str, Any]]:
    """Rows of `instances`, deleted a day after they were made, taken down on the last day."""
    born = np.linspace(-days, DAYS - 1, count) * DAY_S
    return [
        {
            "ts": instant(DAYS * DAY_S), "ts_basis": "stated", "source": "api01/nova.sql", "position": n + 1,
            "offset_bytes": 0, "length_bytes": 1, "instance_id": n, "database": "nova", "is_deleted": True,
            "created_at": instant(at), "terminated_at": instant(at + DAY_S), "is_archived": False,
        }
        for n, at in enumerate(born)
    ]  # fmt: skip


def test_rows_are_rebuilt_from_a_dump_and_the_purge_is_foretold() -> None:
    at = moments(DAYS, N)
    stock = dump(days=60.0)
    old = [dict(row, created_at=instant(-500 * DAY_S), terminated_at=instant(-400 * DAY_S)) for row in stock[:150]]
    stock = old + stock[150:]
    born = np.sort([row["created_at"].timestamp() for row in stock]) - instant(0).timestamp()
    seconds = np.searchsorted(born, at, side="right") / 10 * noise(spread=0.05)
    archived = [dict(row, instance_id=9000 + n, is_archived=True) for n, row in enumerate(stock[:50])]
    (one,) = findings(*frames(asked(at, seconds) + flavors(at), (), stock + archived))
    assert one.facts["purgeable_rows"] == 150
    assert one.facts["predicted_s_after_purge"] == pytest.approx(45, rel=0.1)
    assert any("dump" in step.text for step in one.story)


def test_deleted_equals_one_is_explained_where_somebody_typed_it() -> None:
    typed = {
        "ts": instant(29 * DAY_S), "ts_basis": "command", "source": "api01/purge.txt", "position": 3, "offset_bytes": 0,
        "length_bytes": 1, "shell": "mysql", "command": "delete from nova.instances where deleted=1", "affected": 0,
        "n_lines": 1,
    }  # fmt: skip
    (one,) = findings(*frames(asked(AT, GROWS), COUNTS, (), [typed]))
    assert any("holds the row's own id" in step.text for step in one.story)


def test_failures_and_copies_and_second_layers_do_not_enter_the_fit() -> None:
    requests = asked(AT, GROWS)
    failed = asked(AT + 5, np.full(N, 300.0), status=504, first=20_000)
    filtered = asked(AT, GROWS, service="nova-ec2-filter", written_by="ec2-filter", first=30_000)
    copies = [dict(row, source="api01/copy/nova-api.log.1") for row in requests]
    marked = [
        said(0, "x", source="api01/copy2/nova-api.log", position=row["position"], duplicate_of="x:1")
        for row in requests
    ]
    again = [dict(row, source="api01/copy2/nova-api.log", request_id="req-other") for row in requests]
    whole = findings(*frames(requests + failed + filtered + copies + again, COUNTS, (), (), marked))
    (one,) = [finding for finding in whole if finding.kind == "latency-grows-with-rows"]
    assert one.facts["requests"] == N


def test_of_very_many_requests_a_part_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    at = moments(DAYS, 4 * N)
    lasted = rows(at) / 20_000 * noise(4 * N)
    requests = asked(at, lasted, first=10_000)
    copies = [dict(row, source="api01/copy/nova-api.log.1") for row in requests]
    given = frames(requests + copies + flavors(AT), COUNTS)
    (whole,) = findings(*given)
    monkeypatch.setattr(_latency_requests, "MOST_REQUESTS", 3 * N)
    (part,) = findings(*given)
    assert (whole.id, whole.confidence, whole.severity) == (part.id, part.confidence, part.severity)
    assert whole.facts["requests"] == 4 * N
    assert part.facts["requests"] == pytest.approx(N, rel=0.25)
    assert part.facts["seconds_per_100k_rows"] == pytest.approx(whole.facts["seconds_per_100k_rows"], rel=0.3)
    assert f"Over {part.facts['requests']} requests (one in 4 of all) the slope" in part.story[-1].text
    (still,) = (told for told in part.alternatives if told.hypothesis == "the whole host or service became slower")
    assert int(still.because.partition("(")[2].split()[0]) > 0.9 * N, "a rare operation is whole"


def with_queue(rate: Any, hours: range) -> tuple[Values, Values]:
    """One server and its queue: arrivals by a rate, waiting and service."""
    random, came, lasted = np.random.default_rng(5), [], []
    for hour in hours:
        at = np.sort(random.uniform(0, 300, random.poisson(rate(hour) * 300))) + hour * 3600
        free = 0.0
        for one, work in zip(at, random.exponential(0.5, len(at)), strict=True):
            free = max(one, free) + work
            came.append(one)
            lasted.append(free - one)
    return np.array(came), np.array(lasted)


def healthy() -> dict[str, tuple[Any, Any]]:
    """What only looks like growth, or like a regression: requests and counts."""
    random = np.random.default_rng(3)
    day = np.sort(random.uniform(0, DAYS * DAY_S, 2000))
    day = day[random.random(2000) < 0.1 + 0.9 * np.maximum(0, np.sin(2 * np.pi * day / DAY_S))]
    peak = 1 + 4 * np.maximum(0, np.sin(2 * np.pi * day / DAY_S))
    lengths = rows(AT) / 100 * noise(spread=0.1)
    drift = 1 + 3 * AT / AT.max()
    few = moments(DAYS, 5)
    hours = range(0, 480, 8)
    queue = counted(np.array(hours) * 3600.0, 100_000 + 1000 * np.array(hours))
    load_at, load_s = with_queue(lambda hour: 0.6 + 1.3 * hour / 480, hours)
    jump_at, jump_s = with_queue(lambda hour: 0.6 if hour < 240 else 1.8, hours)
    wander = np.exp(np.cumsum(random.normal(0, 0.05, N)))
    return {
        "rows in vain": (asked(AT, noise()), COUNTS),
        "heavy tails": (asked(AT, random.pareto(1.2, N) + 0.2), COUNTS),
        "a daily peak": (asked(day, peak * noise(len(day))), COUNTS),
        "answers that grow": (asked(AT, lengths / 1000 * noise(seed=9), "GET /s/detail", length=lengths), COUNTS),
        "a warm-up": (asked(AT, np.where(np.arange(N) < 20, 10, 1) * noise()), COUNTS),
        "pauses": (asked(AT, np.where(random.random(N) < 0.05, 20, 1) * noise()), COUNTS),
        "a slow day": (asked(AT, np.where((AT > 20 * DAY_S) & (AT < 21.5 * DAY_S), 8, 1) * noise()), COUNTS),
        "few requests": (asked(few, rows(few) / 20_000), COUNTS),
        "a host that slows down": (asked(AT, drift * noise()) + flavors(AT, drift), COUNTS),
        "more and more load": (asked(load_at, load_s), queue),
        "a new client": (asked(jump_at, jump_s), queue),
        "a wandering latency": (asked(AT, wander), COUNTS),
        "a slope without counts": (asked(AT, drift * noise()), []),
    }  # fmt: skip


@pytest.mark.parametrize("name", healthy())
def test_what_only_looks_ill_is_no_finding(name: str) -> None:
    requests, counts = healthy()[name]
    assert kinds(findings(*frames(requests, counts))) == []


def test_a_step_is_a_regression_even_where_rows_rise_meanwhile() -> None:
    begun = [said(13.9 * DAY_S, "(71) wsgi starting up on http://0.0.0.0:8773/")]
    place = int(np.argmax(AT > 14 * DAY_S))
    begun[0]["ts"] = instant(AT[place] - 30)
    for counts in ([], COUNTS, counted(COUNTED, 100_000 + np.arange(len(COUNTED)))):
        (one,) = findings(*frames(asked(AT, STEP) + flavors(AT), counts, (), (), begun))
        assert (one.kind, one.confidence) == ("latency-regression", "likely")
        first = instant(AT[place] + STEP[place]).timestamp()
        assert one.facts["changed_at"][:19] == (iso(int(first * 1e9)) or "")[:19]
        assert one.facts["before_median_s"] == pytest.approx(np.median(STEP[:place]))
        assert one.facts["after_median_s"] == pytest.approx(np.median(STEP[place:]))
        assert one.facts["ratio"] == pytest.approx(one.facts["after_median_s"] / one.facts["before_median_s"])
        assert any("is started" in step.text for step in one.story)


OTHER = {"source": "grizzly/nova-api.log"}


def test_one_operation_that_is_slower_in_one_deployment() -> None:
    havana = asked(AT, 20 * noise()) + flavors(AT)
    grizzly = asked(AT, noise(seed=7), length=931, **OTHER) + flavors(AT, **OTHER)
    (one,) = findings(*frames(havana + grizzly))
    assert one.facts["deployments"] == ["grizzly", "api01"]
    assert one.facts["ratio"] == pytest.approx(20, rel=0.1)
    assert verdicts(one)["weaker hardware, or a busier host"] == "ruled out"


@pytest.mark.parametrize("case", ["hardware", "larger answers", "few"])
def test_deployments_may_differ(case: str) -> None:
    if case == "hardware":
        here, there = (
            asked(AT, 2.5 * noise()) + flavors(AT, 2.5),
            asked(AT, noise(seed=7), **OTHER) + flavors(AT, **OTHER),
        )
    elif case == "larger answers":
        here = asked(AT, 5 * noise(), "GET /s/detail", length=5000)
        there = asked(AT, noise(seed=7), "GET /s/detail", **OTHER)
    else:
        here, there = asked(AT[:4], 5 * noise(4)), asked(AT, noise(), **OTHER)
    assert kinds(findings(*frames(here + there))) == []


def test_growth_in_one_deployment_is_told_beside_the_difference() -> None:
    told = findings(*frames(asked(AT, GROWS) + asked(AT, noise(seed=7), **OTHER), COUNTS))
    assert sorted(kinds(told)) == ["latency-grows-with-rows", "latency-regression"]
    assert len({finding.id for finding in told}) == 2


@pytest.mark.parametrize(
    ("places", "wanted"),
    [
        ([("a/nova-api.log", None), ("a/x.csv", None)], ["a", "a"]),
        ([("nova-api.log", None), ("logs/x.csv", None)], ["", ""]),
        ([("e/havana/c1/api.log", "c1"), ("e/grizzly/c1/api.log", "c1")], ["grizzly", "havana"]),
        ([("rsyslog/b/nova.log", "b"), ("b/rows.csv", None)], ["b", "b"]),
        ([("rsyslog/nova.log", "b"), ("rsyslog/nova.log", "c")], ["b", "c"]),
        ([("2014-01-01/c1/api.log", None), ("2014-01-02/c1/api.log", None)], ["c1", "c1"]),
        ([("API01.cloud/api.log", None), ("x/api.log", "api01")], ["API01.cloud", "x"]),
    ],
)
def test_whose_a_file_is(places: list[tuple[str, str | None]], wanted: list[str]) -> None:
    assert homes(places)["deployment"].to_list() == wanted


def test_slopes_of_many_points_come_from_an_even_choice_and_say_so() -> None:
    x = np.linspace(0, 1, 10_000)
    fit = line(x, 3 * x + 1)
    assert (fit.points, round(fit.slope, 9), round(fit.at(2), 9)) == (3000, 3.0, 7.0)


def test_what_others_explain_is_not_left() -> None:
    random = np.random.default_rng(0)
    load = random.random(500)
    assert abs(partial(load + 0.1 * random.random(500), load + 0.1 * random.random(500), [load])) < 0.2


def test_a_change_is_found_at_its_place_and_none_in_noise() -> None:
    random = np.random.default_rng(0)
    found = change(np.concatenate([random.normal(0, 1, 40), random.normal(5, 1, 30)]))
    assert found is not None
    assert (found.place, found.p_value) == (40, 0.001)
    quiet = change(random.normal(0, 1, 70))
    assert quiet is not None
    assert quiet.p_value > 0.01


@pytest.mark.parametrize("count", [390, 410, 1730, 9000])
def test_how_sure_a_change_is_does_not_depend_on_how_many_values_stand_for_all(count: int) -> None:
    random = np.random.default_rng(1)
    place = count * 4 // 7
    found = change(np.concatenate([random.normal(0, 1, place), random.normal(6, 1, count - place)]), 5)
    assert found is not None
    assert (found.place, found.p_value) == (place, 0.001)
    quiet = change(random.normal(0, 1, count), 5)
    assert quiet is not None
    assert quiet.p_value > 0.01


def test_a_request_that_stands_for_several_is_as_much_load() -> None:
    starts = coming(pl.DataFrame({"start": [9 * 10**9, 10**9, 2 * 10**9], "stands_for": [1, 4, 2]}))
    assert arrivals(starts, np.array([0, 10**9, 2 * 10**9, 10**10]), np.array([1.0])).tolist() == [4, 6, 6, 1]


def test_a_walk_says_little_new() -> None:
    random = np.random.default_rng(0)
    assert independent(np.cumsum(random.normal(0, 1, 500))) < 20
    assert independent(random.normal(0, 1, 500)) > 400


def test_the_answer_does_not_depend_on_the_order_of_rows() -> None:
    requests = asked(AT, GROWS) + flavors(AT)
    first = [finding.as_dict() for finding in findings(*frames(requests, COUNTS))]
    assert first == [finding.as_dict() for finding in findings(*frames(requests[::-1], COUNTS[::-1]))]


def test_each_kind_has_its_chart_frames() -> None:
    assert list(CHARTS) == ["latency_rows", "latency_quantiles"]
    given = frames(asked(AT, GROWS) + asked(AT, noise(seed=7), **OTHER), COUNTS)
    for finding in findings(*given):
        slope, sides = rows_frames(finding, *given), quantile_frames(finding, *given)
        if finding.kind == "latency-grows-with-rows":
            assert sides is None
            assert slope is not None
            assert slope["points"].height == N
        else:
            assert slope is None
            assert sides is not None
            assert sides["requests"]["side"].unique(maintain_order=True).to_list() == finding.facts["deployments"]


def test_answers_that_grew_by_as_much_at_the_same_moment_make_no_regression() -> None:
    random, at = np.random.default_rng(4), moments(10, 800)
    late = np.arange(800) >= 450
    seconds = np.where(late, 0.8, 0.2) * np.exp(random.normal(0, 0.2, 800))
    grown = np.where(late, 14_000, 3_000) + random.integers(0, 500, 800)
    more = np.where(late, 3_400, 3_000) + random.integers(0, 300, 800)
    assert findings(*frames(asked(at, seconds, length=grown.tolist()))) == []
    (one,) = findings(*frames(asked(at, seconds, length=more.tolist())))
    assert one.kind == "latency-regression"
