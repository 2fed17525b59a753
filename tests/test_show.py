"""Tables for a notebook: they sort and search, say how much is left out, and obey nothing that stands in them."""

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import forensics as fx

EVIL = "</td><script>alert(1)</script><img src=x onerror='x'>"
ROWS = pl.DataFrame(
    {
        "ts": pl.Series([1_360_900_000_000_000_002, None, 1_360_900_000_000_000_001]).cast(pl.Datetime("ns", "UTC")),
        "n": [10, 9, None],
        "host": ["b", EVIL, "a"],
        "ids": [[2], None, [1, 3]],
        "raw": [b"\x02", b"\x01", b"\x03"],
        "up": [True, None, False],
    }
)


def ranks(page: str, column: int) -> list[str]:
    rows = re.findall(r"<tr data-n='\d+'>(.*?)</tr>", page, re.DOTALL)
    return [re.findall(r"data-r='(\d*)'", row)[column] for row in rows]


def test_rows_sort_by_what_they_hold_to_the_nanosecond_and_nothing_has_no_rank() -> None:
    page = fx.show(ROWS)._repr_html_()
    assert [ranks(page, n) for n in range(6)] == [
        ["2", "", "1"],
        ["2", "1", ""],
        ["3", "1", "2"],
        ["2", "", "1"],
        ["2", "1", "3"],
        ["2", "", "1"],
    ]


def test_what_stands_in_a_row_is_text_and_secrets_are_left_out() -> None:
    page = fx.show(ROWS.with_columns(pl.lit("X-Auth-Token: abc123").alias("<b>said")))._repr_html_()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "<b>said" not in page
    assert "abc123" not in page
    assert page.count("<script>") == 1
    assert "http" not in page.partition("<script>")[2]
    assert "abc123" not in repr(fx.show(ROWS.with_columns(said=pl.lit("X-Auth-Token: abc123"))))


def test_a_long_table_says_what_is_left_out() -> None:
    many = pl.LazyFrame({"n": range(2500)})
    page = fx.show(many)._repr_html_()
    assert page.count("<tr data-n=") == 1000
    assert "and 1,500 more rows" in page
    assert "and 2,400 more rows" in repr(fx.show(many))
    assert "(no rows)" in fx.show(many.head(0))._repr_html_()
    assert fx.show(many, most=3)._repr_html_().count("<tr data-n=") == 3
    assert fx.show(many).rows.height == 2500


def test_columns_of_any_kind_are_shown() -> None:
    odd = pl.DataFrame(
        {
            "null": [None, None],
            "kind": pl.Series(["x", "y"], dtype=pl.Categorical),
            "where": [{"a": 1}, {"a": 2}],
            "day": [datetime(2013, 2, 15, tzinfo=UTC)] * 2,
            "share": [float("nan"), 0.5],
        }
    )
    assert fx.show(odd)._repr_html_().count("<tr data-n=") == 2


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is missing: install the Debian package chromium")
def test_a_browser_sorts_and_searches(tmp_path: Path) -> None:
    said = "document.title = [...document.querySelectorAll('tbody tr')].filter(r => r.style.display !== 'none')"
    driver = (
        "<script>const head = document.querySelectorAll('th'), box = document.querySelector('input[type=search]');"
        "head[0].click(); head[0].click();" + said + ".map(r => r.cells[2].textContent[0]).join('');"
        "box.value = 'A 1'; box.dispatchEvent(new Event('input'));"
        "document.title += ' ' + document.querySelector('[role=status]').textContent"
        " + ' ' + head[0].getAttribute('aria-sort');</script>"
    )
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset='utf-8'><body>{fx.show(ROWS)._repr_html_()}{driver}")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    done = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120)
    assert "<title>ba&lt; 2 of 3 rows descending</title>" in done.stdout
