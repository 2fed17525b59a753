"""Alarms of the broker, and nodes that it lost."""

from forensics.analysis.broker_alarms import findings
from forensics.records import BrokerEvent, Clock, Finding
from tests.analysis.test_console_floods import alarm, at, rows


def told(*events: dict[str, object]) -> list[Finding]:
    return findings(rows(BrokerEvent, *events).lazy(), Clock.empty().lazy())


def test_an_alarm_that_two_nodes_and_two_lines_tell_of_is_one() -> None:
    events = [alarm(30), alarm(30, kind="alarm", resource="memory"), alarm(31, kind="alarm", resource="memory",
              source="mq2/rabbit.log"), alarm(90, "clear"), alarm(91, "clear", source="mq2/rabbit.log")]  # fmt: skip
    (finding,) = told(*events)
    assert (finding.facts["node"], finding.facts["alarms"], finding.severity) == ("rabbit@mq1", 1, "info")
    assert finding.facts["lasted_s"] == 60.0


def test_an_alarm_that_does_not_end_while_the_log_goes_on_is_an_outage() -> None:
    later = alarm(4000, kind="conn_open", state=None)
    (finding,) = told(alarm(30), later)
    assert (finding.severity, finding.end) == ("medium", None)
    (brief,) = told(alarm(30), alarm(40, kind="conn_open", state=None))
    assert brief.severity == "info"


def node(seconds: float, kind: str, name: str = "rabbit@mq2", **more: object) -> dict[str, object]:
    return alarm(seconds, kind=kind, state=None, node=name) | more


def test_a_node_that_was_lost_and_came_back() -> None:
    (finding,) = told(node(10, "node_down"), node(12, "node_down", source="mq3/rabbit.log"), node(300, "node_up"))
    assert (finding.facts["kind"], finding.facts["alarms"], finding.severity) == ("node_down", 1, "info")
    assert finding.end == f"{at(300):%Y-%m-%dT%H:%M:%SZ}"


def test_a_node_that_was_stopped_by_its_own_word_is_not_lost() -> None:
    assert told(node(8, "shutdown", source="mq2/rabbit.log"), node(10, "node_down"), node(300, "node_up")) == []


def test_no_rows_no_findings() -> None:
    assert told() == []
