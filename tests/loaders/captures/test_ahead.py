"""Work done ahead: in order, no further than asked for, and over when it is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from forensics.loaders.captures import _ahead
from forensics.loaders.captures._ahead import ahead


@pytest.fixture(params=[1, 2, 4])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(_ahead, "cores", lambda: request.param)
    return int(request.param)


def test_results_come_in_the_order_of_the_events(cores: int) -> None:
    def slow_at_first(number: int) -> int:
        time.sleep(0.01 if number % 5 == 0 else 0)
        return number

    assert list(ahead(iter(range(60)), slow_at_first)) == list(range(60))
    assert list(ahead(iter(()), slow_at_first)) == []


def test_no_more_is_read_than_a_few_events(cores: int) -> None:
    read: list[int] = []

    def events() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    found = ahead(events(), lambda number: number)
    assert next(found) == 0
    time.sleep(0.05)
    assert len(read) <= 3
    assert [next(found) for _ in range(20)] == list(range(1, 21))
    time.sleep(0.05)
    assert len(read) <= 21 + 1 + cores
    found.close()
    count = len(read)
    time.sleep(0.05)
    assert len(read) == count


@pytest.mark.parametrize("where", ["reading", "work"])
def test_an_error_arrives_after_what_came_before_it(cores: int, where: str) -> None:
    def events() -> Iterator[int]:
        for number in range(10):
            if number == 7 and where == "reading":
                raise OSError("gone")
            yield number

    def work(number: int) -> int:
        if number == 7:
            raise OSError("gone")
        return number

    found, seen = ahead(events(), work), []
    with pytest.raises(OSError, match="gone"):
        seen.extend(number for number in iter(lambda: next(found), None))
    assert seen == list(range(7))
    assert next(found, None) is None


def test_leaving_waits_for_the_read_under_way(cores: int) -> None:
    begun, ended = threading.Event(), threading.Event()

    def events() -> Iterator[int]:
        yield 0
        begun.set()
        time.sleep(0.1)
        ended.set()
        yield 1

    found = ahead(events(), lambda number: number)
    assert next(found) == 0
    if cores > 1:
        begun.wait(5)
    found.close()
    assert begun.is_set() == ended.is_set()
