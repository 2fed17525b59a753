"""Every framing proves itself: its samples are read as promised, by one framing a record, and lose no line."""

import polars as pl
import pytest

from forensics.loaders._line_format import GROUPS, LineFormat, Sample
from forensics.loaders.lines._fields import CHAIN
from forensics.loaders.lines._reader import grammar
from tests.loaders.lines._reading import read

FORMATS = grammar().formats
SAMPLES = [
    pytest.param(form, sample, id=f"{form.name}-{i}") for form in FORMATS for i, sample in enumerate(form.samples)
]


def _shown(frame: pl.DataFrame, column: str) -> object:
    value = frame[column][0]
    if frame.schema[column] == pl.Datetime("ns", "UTC") and value is not None:
        nanoseconds = frame[column].dt.epoch("ns")[0] % 10**9
        fraction = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
        whole = frame[column].dt.strftime("%Y-%m-%d %H:%M:%S")[0]
        while fraction and len(fraction) not in (4, 7, 10):
            fraction += "0"
        return f"{whole}{fraction}+00:00"
    return value


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "patterns"])
@pytest.mark.parametrize(("form", "sample"), SAMPLES)
def test_a_sample_is_read_as_promised(form: LineFormat, sample: Sample, fast: bool) -> None:
    frame = read(sample.text + "\n", fast=fast, year=sample.year)
    assert frame.height == 1, frame["message"].to_list()
    assert form.name in frame["framing"][0].split("+")
    assert {name: _shown(frame, name) for name in sample.expected} == dict(sample.expected)
    assert frame["n_lines"][0] == sample.text.count("\n") + 1
    assert frame["length_bytes"][0] == len(sample.text.encode()) + 1


@pytest.mark.parametrize(("form", "sample"), SAMPLES)
def test_one_framing_claims_a_sample(form: LineFormat, sample: Sample) -> None:
    line = pl.Series([sample.text.split("\n")[0]])
    claims = [other for other in FORMATS if not other.inner_only and line.str.contains(other.regex)[0]]
    lowest = [other.name for other in claims if other.rank == min(claim.rank for claim in claims)]
    assert len(lowest) == 1, lowest
    assert form.inner_only or form.context == "bare" or lowest == [form.name]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_framing_is_sound(form: LineFormat) -> None:
    groups = pl.Series(["x"]).str.extract_groups(form.regex).struct.fields
    assert {group for group in groups if not group.isdigit()} <= GROUPS
    assert form.samples
    assert form.reference
    assert form.pattern.startswith("^"), "an unanchored pattern would look at every place of every line"
    for sample in form.samples:
        own = not form.inner_only and pl.Series([sample.text.split("\n")[0]]).str.contains(form.regex)[0]
        assert not own or not form.leads or sample.text[0] in form.leads


def test_names_are_unique_and_fit_a_chain() -> None:
    names = [form.name for form in FORMATS]
    assert len(set(names)) == len(names) < CHAIN
