"""The pages under docs/ stay true: their commands and examples run as written, what is generated is up to date."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from glob import glob
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
TUTORIALS = ("post_mortem", "captures", "chart")


def blocks(page: str, kind: str) -> list[str]:
    """The blocks of code of one kind on a page."""
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL)


def output(command: list[str], folder: Path, package: Path) -> str:
    """Standard output of a command that must succeed, with another copy of the package."""
    environment = {**os.environ, "PYTHONPATH": str(package)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("docs")
    (place / "data").symlink_to(ROOT / "data")
    return place


@pytest.mark.parametrize("page", TUTORIALS)
def test_a_tutorial_does_what_it_says(page: str, folder: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    lines = [line[2:] for block in blocks(page, "console") for line in block.splitlines() if line[:2] == "$ "]
    assert lines
    for line in lines:
        program, *words = (found for word in shlex.split(line) for found in (sorted(glob(word)) or [word]))
        assert program == "forensics"
        code, shown, said = run(*words)
        assert (code, said) == (0, ""), line
        assert shown.strip(), line
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), {})


def test_every_use_has_a_tutorial_and_every_page_is_listed() -> None:
    listed = set(re.findall(r"\]\(([\w.]+)\)", (DOCS / "README.md").read_text()))
    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} <= listed


def test_the_validation_report_names_only_tests_that_exist() -> None:
    text = (DOCS / "validation.md").read_text()
    named = set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", text))
    assert len(named) > 80
    for file, name in named:
        assert f"\ndef {name}(" in (ROOT / "tests" / file).read_text(), f"{file}::{name}"
    assert [row for row in range(1, 51) if f"\n| R{row:02d} | " not in text] == []


def generated() -> str:
    """What docs/make.py writes."""
    spec = importlib.util.spec_from_file_location("docs_make", DOCS / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text: str = module.page()
    return text


def test_the_columns_are_those_of_the_schemas() -> None:
    assert (DOCS / "records.md").read_text() == generated(), "run `make docs`"


def test_the_picture_shows_every_bundled_incident() -> None:
    text = (DOCS / "images" / "demo.svg").read_text()
    for case in (ROOT / "data").glob("*/guilty/case.toml"):
        assert f"{case.parents[1].name},&#160;guilty" in text, "run `make docs`"
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with the examples of house.md in it, as somebody would add them."""
    place = tmp_path_factory.mktemp("house")
    shutil.copytree(ROOT / "forensics", place / "forensics", ignore=shutil.ignore_patterns("__pycache__"))
    for block in blocks("house", "python"):
        name = block.partition("\n")[0].removeprefix("# ")
        (place / name).write_text(block.partition("\n")[2])
    kinds = place / "forensics" / "records" / "finding.py"
    kinds.write_text(
        kinds.read_text().replace('    "evidence-damaged",\n', '    "evidence-damaged",\n    "service-flaps",\n', 1)
    )
    return place


def test_a_format_and_an_analysis_are_added_as_written(extended: Path, tmp_path: Path) -> None:
    states = ("FAULT", "MASTER", "FAULT", "MASTER", "FAULT", "BACKUP")
    lines = [
        f"2013-02-15T01:4{n}:18.5+00:00 ctl1 Keepalived_vrrp[412]: VRRP_Instance(VI_1) Entering {state} STATE\n"
        for n, state in enumerate(states)
    ]
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "syslog").write_text("".join(lines))
    command = [sys.executable, "-P", "-m", "forensics", "triage", "evidence", "--out", "x.case", "--json"]
    told = output(command, tmp_path, extended)
    (finding,) = (one for one in json.loads(told)["findings"] if one["kind"] == "service-flaps")
    assert finding["title"] == "VI_1 on ctl1 went down 3 times"
    assert [one["locator"] for one in finding["evidence"]] == ["line:1", "line:3", "line:5"]


def test_the_examples_prove_themselves(extended: Path) -> None:
    for name in (
        "__init__.py",
        "loaders/__init__.py",
        "loaders/messages/__init__.py",
        "loaders/messages/test_samples.py",
    ):
        target = extended / "tests" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests" / name, target)
    samples, module = "tests/loaders/messages/test_samples.py", "forensics/analysis/service_flaps.py"
    command = [
        sys.executable,
        "-P",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "keepalived or service_flaps",
    ]
    told = output([*command, "--doctest-modules", samples, module], extended, extended)
    passed = re.search(r"(\d+) passed", told)
    assert passed is not None
    assert int(passed[1]) >= 4
