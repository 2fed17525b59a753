"""A console log that went through the broker whole is told; caps, alarms, large files and large lists alone are not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from forensics.analysis.console_floods import explained, findings
from forensics.records import (
    ApiRequest,
    BrokerEvent,
    BrokerTransfer,
    Clock,
    ConsoleRequest,
    FileSize,
    Finding,
    Instance,
    Record,
    Source,
)

LOUD, QUIET = "7c2f9d4e-6b1a-4c58-9e0f-3d2a1b5c8f70", "a05f6e2b-7d19-4c83-9f60-2b3c4d5e6f82"
START = datetime(2013, 3, 2, 10, 15, tzinfo=UTC)
MB = 10**6
ORDER = (ConsoleRequest, ApiRequest, BrokerTransfer, BrokerEvent, FileSize, Instance, Clock, Source)


def rows(record: type[Record], *told: dict[str, Any]) -> pl.DataFrame:
    """Rows of a record with what is told, and what every row must have."""
    schema = record.polars_schema()
    common: dict[str, Any] = {"source": "nova.log", "offset_bytes": 0, "length_bytes": 80}
    fixed = {"malformed": False, "kind": "file", "is_archived": False}
    made = [
        {key: value for key, value in (common | fixed | {"position": n} | one).items() if key in schema}
        for n, one in enumerate(told, 1)
    ]
    return pl.DataFrame(made, schema=schema, strict=False) if made else record.empty()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def asked(n: int, size: int, instance: str = LOUD, status: int = 200, *, ids: bool = True) -> list[dict[str, Any]]:
    """A line of nova-compute and one of nova-api for each of so many requests."""
    told: list[dict[str, Any]] = []
    for k in range(n):
        request = f"req-{instance[:4]}-{k}" if ids else None
        one = {"ts": at(20 * k), "request_id": request, "user_id": "u1", "instance": instance}
        told.append(one | {"stage": "compute", "compute_host": "cc12", "source": "cc12/nova.log", "position": k + 1})
        path = "POST /v2/{project_id}/servers/{server_id}/action"
        answer = {"ts": at(20 * k + 3), "started_at": at(20 * k - 1), "duration_s": 4.0, "operation": path}
        answer |= {"response_bytes": size, "status": status, "service": "nova-osapi_compute", "written_by": "eventlet"}
        told.append(one | answer | {"source": "api/nova.log", "position": 1000 + k, "stamped": "end"})
    return told


def told(lines: list[dict[str, Any]] | None = None, **more: pl.DataFrame) -> list[Finding]:
    """What is concluded from lines and other records."""
    lines = lines or []
    given: dict[str, pl.DataFrame] = {
        "ConsoleRequest": rows(ConsoleRequest, *(one for one in lines if "stage" in one)),
        "ApiRequest": rows(ApiRequest, *(one for one in lines if "operation" in one)),
    } | more
    return findings(*(given.get(record.__name__, record.empty()).lazy() for record in ORDER))


def alarm(seconds: float, state: str = "set", **more: Any) -> dict[str, Any]:
    one = {"ts": at(seconds), "kind": "memory_mark", "state": state, "node": "rabbit@mq1", "source": "mq1/rabbit.log"}
    return one | {"position": int(seconds) + 1, "message": "vm_memory_high_watermark"} | more


def test_every_fact_is_counted_once() -> None:
    events = rows(BrokerEvent, alarm(30), alarm(30, kind="alarm", resource="memory"), alarm(60, "clear"))
    listed = {"ts": at(500), "path": f"/var/lib/nova/instances/{LOUD}/console.log", "instance": LOUD, "tool": "wc"}
    sizes = rows(FileSize, listed | {"lines": 464_452}, listed | {"size_bytes": 30 * MB, "low_bytes": 30 * MB,
                                                                  "high_bytes": 30 * MB})  # fmt: skip
    (finding,) = told(asked(5, 31 * MB), BrokerEvent=events, FileSize=sizes)
    assert finding.facts == {
        "instance": LOUD, "console_bytes": 30 * MB, "console_lines": 464_452, "requests": 5,
        "carried_bytes": 155 * MB, "requested_by": ["u1"],
        "broker_alarms": [{"at": "2013-03-02T10:15:30Z", "node": "rabbit@mq1", "kind": "memory"}],
    }  # fmt: skip
    assert (finding.severity, finding.confidence) == ("critical", "proven")
    assert {str(ref) for ref in finding.evidence} >= {"cc12/nova.log:1", "api/nova.log:1000", "mq1/rabbit.log:31"}


def test_lines_of_the_ec2_filter_and_of_debug_count_no_request_twice() -> None:
    lines = asked(4, 40 * MB)
    lines += [
        one | {"written_by": "ec2-filter", "position": 5000 + n} for n, one in enumerate(lines) if "operation" in one
    ]
    lines += [one | {"stage": "api", "position": 7000 + n} for n, one in enumerate(lines) if "stage" in one]
    (finding,) = told(lines)
    assert (finding.facts["requests"], finding.facts["carried_bytes"]) == (4, 160 * MB)


def test_without_request_ids_an_action_belongs_to_what_was_read_meanwhile() -> None:
    lines = asked(4, 40 * MB, ids=False)
    reboot = dict(lines[1]) | {"ts": at(300), "started_at": at(299), "response_bytes": 185, "position": 9000}
    (finding,) = told([*lines, reboot])
    assert (finding.facts["requests"], finding.facts["carried_bytes"]) == (4, 160 * MB)


def test_alarms_of_another_day_do_not_belong_to_it() -> None:
    (finding,) = told(asked(5, 31 * MB), BrokerEvent=rows(BrokerEvent, alarm(-90_000), alarm(90_000)))
    assert finding.facts["broker_alarms"] == []
    assert finding.severity == "medium"


@pytest.mark.parametrize(
    ("lines", "more"),
    [
        (asked(90, 60_000), {}),
        (asked(40, 104_066), {}),
        ([one for one in asked(40, 40 * MB) if "operation" in one], {}),  # actions: nothing says console
        (asked(2, 2 * MB), {}),
        ([], {"FileSize": rows(FileSize, {"ts": at(0), "path": "/i/console.log", "size_bytes": 6 * 10**9, "tool": "ls",
                                          "instance": LOUD})}),
        ([], {"BrokerEvent": rows(BrokerEvent, alarm(10), alarm(90, "clear"))}),
    ],
    ids=["many small", "capped", "other actions", "a few of 2 MB", "never asked", "alarms alone"],
)  # fmt: skip
def test_what_only_looks_like_it(lines: list[dict[str, Any]], more: dict[str, pl.DataFrame]) -> None:
    assert told(lines, **more) == []


def test_a_listing_alone_is_no_proof_and_says_what_would_be() -> None:
    lines = [one for one in asked(6, 0) if "stage" in one]
    sizes = rows(
        FileSize, {"ts": at(0), "path": "/i/console.log", "size_bytes": 6 * 10**9, "tool": "ls", "instance": LOUD}
    )
    (finding,) = told(lines, FileSize=sizes)
    assert (finding.confidence, finding.facts["carried_bytes"], finding.severity) == ("possible", None, "low")
    assert any("access lines" in text for text in finding.next_evidence)
    cut = {"ts": at(1), "stage": "truncated", "instance": LOUD, "ignored_bytes": 5 * 10**9, "source": "cc12/nova.log"}
    assert told([*lines, cut | {"position": 99}], FileSize=sizes) == []


def published(k: int, size: int, **more: Any) -> dict[str, Any]:
    one = {"ts": at(10 * k + 1), "method": "publish", "src": "10.0.0.12", "dst": "10.0.0.3", "body_bytes": size}
    return (
        one | {"source": "mq1/eth0.pcap", "position": 100 + k, "connection": "a-b", "ended_at": at(10 * k + 4)} | more
    )


def test_a_capture_alone_shows_it_by_the_ids_of_the_calls() -> None:
    def call(k: int) -> dict[str, Any]:
        own = {"rpc_method": "get_console_output", "msg_id": f"{k:032x}", "instance": LOUD, "src": "10.0.0.2"}
        return published(k, 900, **own) | {"ts": at(10 * k), "position": 50 + k}

    calls = [call(k) for k in range(3)]
    answers = [published(k, 30 * MB, routing_key=f"{k:032x}") for k in range(3)]
    (finding,) = told(BrokerTransfer=rows(BrokerTransfer, *calls, *answers))
    assert (finding.confidence, finding.facts["carried_bytes"], finding.facts["requests"]) == ("proven", 90 * MB, 3)
    assert finding.facts["instance"] == LOUD
    assert all(ref.locator.startswith("frame:") for ref in finding.evidence)
    assert told(BrokerTransfer=rows(BrokerTransfer, *answers)) == []  # large, and nobody asked for a console


def test_alarms_of_its_nodes_hang_under_it() -> None:
    (finding,) = told(asked(5, 31 * MB), BrokerEvent=rows(BrokerEvent, alarm(30)))
    alarmed = Finding("broker-alarm", "t", "info", "proven", None, None, {"hosts": ("mq1",)}, {"node": "rabbit@mq1"})
    other = Finding("broker-alarm", "t", "info", "proven", None, None, {"hosts": ("mq2",)}, {"node": "rabbit@mq2"})
    assert explained(finding, [finding, alarmed, other]) == [alarmed.id]


def test_a_release_that_cuts_its_answers_carries_no_large_file() -> None:
    lines = [one for one in asked(6, 0) if "stage" in one]
    one = {"ts": at(0), "path": "/i/console.log", "size_bytes": 6 * 10**9, "tool": "ls", "instance": LOUD}
    sizes, raised = rows(FileSize, one), rows(BrokerEvent, alarm(10))

    def of(*releases: str) -> list[Finding]:
        sources = [{"source": f"{n}.log", "release": name, "status": "read"} for n, name in enumerate(releases)]
        frame = pl.DataFrame(sources, schema={name: Source.polars_schema()[name] for name in sources[0]})
        return told(lines, FileSize=sizes, BrokerEvent=raised, Source=frame)

    assert of("Kilo to Xena", "Grizzly") == []
    assert len(of("Essex to Folsom 2012.2")) == len(of("Grizzly", "Folsom")) == 1


def test_the_one_console_that_a_host_was_asked_for_is_possibly_its_one_huge_log() -> None:
    lines = [one for one in asked(6, 0) if "stage" in one]
    one = {"ts": at(0), "path": "/i/console.log", "size_bytes": 3 * 10**9, "tool": "ls", "host": "cc12.example.org"}
    huge = one | {"instance_name": "instance-00000e05"}
    raised = rows(BrokerEvent, alarm(10))
    (finding,) = told(lines, FileSize=rows(FileSize, huge), BrokerEvent=raised)
    assert (finding.facts["instance"], finding.facts["requests"]) == (LOUD, 6)
    assert (finding.facts["console_bytes"], finding.confidence) == (3 * 10**9, "possible")
    assert any("domuuid" in text for text in finding.next_evidence)
    second = huge | {"instance_name": "instance-00000e06"}
    other = [row for row in asked(2, 0, QUIET) if "stage" in row]
    for files, asked_for, alarms in (
        ([huge], lines, None),
        ([huge, second], lines, raised),
        ([huge], [*lines, *other], raised),
        ([huge | {"host": "cc13"}], lines, raised),
        ([huge | {"size_bytes": 20 * MB}], lines, raised),
    ):
        more = {} if alarms is None else {"BrokerEvent": alarms}
        assert told(asked_for, FileSize=rows(FileSize, *files), **more) == []
