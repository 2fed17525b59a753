"""The compiled kernel reads what the reference engine reads: every column, stretch, loss and fact."""

import io
import random
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.gen_logs import write
from forensics.evidence import stream_of
from forensics.loaders._reader import Batch, Origin
from forensics.loaders.lines import _kernel
from forensics.loaders.lines._reader import batches, grammar
from forensics.records import LogRecord
from tests._evidence import evidence_root
from tests.fuzz.log_lines import seeds
from tests.loaders.lines._reading import NOON

pytestmark = pytest.mark.skipif(_kernel.kernel() is None, reason="there is no compiled kernel")


def told(data: bytes, chunk_bytes: int) -> list[Batch]:
    """What the reader says of a log."""
    return list(batches(stream_of(io.BytesIO(data), "x"), Origin("a/x.log", modified_ns=NOON), chunk_bytes=chunk_bytes))


def alike(data: bytes, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int = 1 << 23) -> int:
    """How many rows both engines find, having found the same."""
    compiled = told(data, chunk_bytes)
    with monkeypatch.context() as patch:
        patch.setattr(_kernel, "kernel", lambda: None)
        reference = told(data, chunk_bytes)
    assert len(compiled) == len(reference)
    for mine, theirs in zip(compiled, reference, strict=True):
        for name in LogRecord.polars_schema():
            assert mine.rows[LogRecord][name].equals(theirs.rows[LogRecord][name], null_equal=True), name
        assert (mine.stretches, mine.losses, mine.facts) == (theirs.stretches, theirs.losses, theirs.facts)
    return sum(batch.rows[LogRecord].height for batch in compiled)


@pytest.mark.parametrize("chunk_bytes", [1 << 23, 4096])
def test_samples_and_awkward_lines(monkeypatch: pytest.MonkeyPatch, chunk_bytes: int) -> None:
    assert alike(b"\n".join(seeds()) + b"\n", monkeypatch, chunk_bytes) > 100


def test_generated_logs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path, 1, hosts=2)
    for path in sorted(tmp_path.glob("*/*")):
        assert alike(path.read_bytes(), monkeypatch, 1 << 17) > 10


def test_logs_of_the_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = sorted(path for path in (evidence_root() / "logs").rglob("*") if path.is_file())
    for path in paths[::15]:
        alike(path.read_bytes()[: 1 << 17], monkeypatch)


def test_a_message_about_a_loss_is_found_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"Feb  5 01:40:{n % 60:02d} c1 prog[{n}]: nothing to say" for n in range(3000)]
    said = ("imuxsock lost 7 messages from pid 3 due to rate-limiting", "last message repeated 4 times")
    for place, text in zip((0, 1717, 2999), (said[0], said[1], said[0]), strict=True):
        lines[place] = f"Feb  5 01:40:00 c1 {text}" if "repeated" in text else f"Feb  5 01:40:00 c1 rsyslogd: {text}"
    data = "\n".join(lines).encode()
    assert alike(data, monkeypatch) == 3000
    (batch,) = told(data, 1 << 23)
    assert [loss[1] for loss in batch.losses] == [1, 3000]
    assert batch.rows[LogRecord].filter(pl.col("repeats") == 4)["position"].to_list() == [1718]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 31, 34, 35, 66, 67, 300, 5000])
def test_octets_of_remarks_are_found_wherever_they_stand(size: int) -> None:
    """Wide steps and what is left over find what a pattern finds, near misses among it."""
    words = ("los", "dro", "imi", "ppr", "ppe", "iss", "sca", "oo ", "usp", "rru", "rfl", "ueu", "epe")
    text = "".join(random.Random(size).choices("losdrimpecau f\nLOS\u00fc", k=size)).encode()[:size]
    wanted = [at for at in range(size) if text[at : at + 3].decode("latin-1") in words]
    assert size < 300 or wanted
    library = _kernel.kernel()
    assert library is not None
    assert _kernel.remarks(library, np.frombuffer(text, np.uint8)).tolist() == wanted


def test_dates_that_change_from_line_to_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel remembers the last date of each kind of stamp; no impossible one may pass for it."""
    rng, lines = random.Random(3), []
    dates = (
        "0000-00-00",
        "2012-02-29",
        "2013-02-29",
        "2012-02-30",
        "2012-13-01",
        "1899-12-31",
        "2262-01-01",
        "2000-01-00",
    )
    for _ in range(400):
        clock = f"{rng.randrange(25):02d}:59:{rng.randrange(58, 62)}"
        outer = f"{rng.choice(['Feb 29', 'Feb 30', 'Jan  0', 'Jan  1', 'Dec 31'])} {clock} c1 "
        lines.append(outer * rng.randrange(2) + f"{rng.choice(dates)} {clock} INFO a.b [-] x")
    assert alike("\n".join(lines).encode(), monkeypatch) == 400


@pytest.mark.parametrize("step", [1, 5])
def test_years_are_found_run_by_run(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """The same years as for each line alone: turns of the year, and second clocks about a week away."""
    rng, lines = random.Random(step), []
    for day in range(0, 800, step):
        for _ in range(3):
            ahead = rng.choice([0, 0, 0, 6, 7, 8, -7])
            at, inner = (pl.Series([day + 15_300, day + 15_300 + ahead]).cast(pl.Date)).to_list()
            outer = f"{at:%b} {at.day:2d} {rng.randrange(24):02d}:00:00"
            lines.append(f"{outer} c1 {inner} 1{rng.randrange(10)}:30:00 INFO a.b [-] x")
    data = "\n".join(lines).encode()
    together = pl.concat([batch.rows[LogRecord] for batch in told(data, 1 << 23)])
    monkeypatch.setattr("forensics.loaders.lines._times._BOUNDED", ("neighbour", "declared", "none", "modified"))
    alone = pl.concat([batch.rows[LogRecord] for batch in told(data, 5000)])
    assert together.drop("position").equals(alone.drop("position"))


def test_every_framing_needs_six_digits_or_a_mark() -> None:
    """What lets the reader leave out the patterns for lines without (`log_possible` in ``log_lines.c``)."""
    from re import _constants as code
    from re import _parser as parser

    def digits(parsed: object) -> int:
        count = 0
        for what, given in parsed:  # type: ignore[attr-defined]
            if what is code.LITERAL:
                count += 6 if chr(given) in "%<" else chr(given).isdigit()
            elif what is code.IN:
                count += all(
                    (kind is code.CATEGORY and value is code.CATEGORY_DIGIT)
                    or (kind is code.LITERAL and chr(value).isdigit())
                    or (kind is code.RANGE and chr(value[0]).isdigit() and chr(value[1]).isdigit())
                    for kind, value in given
                )
            elif what in (code.MAX_REPEAT, code.MIN_REPEAT):
                count += given[0] * digits(given[2])
            elif what is code.SUBPATTERN:
                count += digits(given[3])
            elif what is code.BRANCH:
                count += min(digits(one) for one in given[1])
        return count

    for form in grammar().stamped:
        if not (form.leads and set(form.leads) <= set("{(")):
            pattern = re.sub(r"\\u\{\w+\}", "x", form.pattern).replace("(?s:", "(?:")
            assert digits(parser.parse(pattern, re.VERBOSE)) >= 6, form.name
