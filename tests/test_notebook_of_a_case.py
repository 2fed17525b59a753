"""The post-mortem of a case: complete, the same each time, run where evil modules lie, and text is only ever text."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import nbformat
import polars as pl
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbconvert.filters.markdown import markdown2html

import forensics as fx
from forensics import report
from forensics.case import Case, open_case
from forensics.case._findings import as_file
from forensics.case._rows import Rows
from forensics.cli import _lab
from forensics.records import Alternative, Clock, Finding, Problem, Reference, Source, Step
from forensics.report import _notebook
from forensics.report._notebook import text
from tests._evidence import REPOSITORY
from tests._small_evidence import log, small_evidence
from tests.test_cli import hostile_folder
from tests.test_report import AT, Skeleton, payloads, without_code

CONSOLE_SCRIPT = Path(sys.executable).with_name("forensics")


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("post-mortem")
    return open_case(REPOSITORY / "data" / "lost_lease" / "guilty", out=folder / "web-3.case")


def made(case: Case, where: str = "web-3.case") -> nbformat.NotebookNode:
    return nbformat.reads(report.notebook(case.content, case.rows, where).decode(), as_version=4)


def run(notebook: nbformat.NotebookNode, folder: Path, **environment: str) -> list[str]:
    """Run it in a folder as `forensics lab` would; the plain text of every output."""
    safe = {"PYTHONSAFEPATH": "1", "PLOTLY_RENDERER": "json", "PYTHONDONTWRITEBYTECODE": "1"}
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}})
    client.execute(env={**os.environ, **safe, **environment})
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    return [out.get("text") or out.get("data", {}).get("text/plain", "") for out in outputs]


def test_it_has_every_part_and_no_outputs(lost: Case) -> None:
    data = report.notebook(lost.content, lost.rows, "web-3.case")
    assert data == report.notebook(open_case(lost.path).content, open_case(lost.path).rows, "web-3.case")
    notebook = made(lost)
    words = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    parts = ["# An instance disappears", "## Summary", "## Impact", "## Timeline", "## Cause", "## What was ruled out"]
    parts += ["## Remedies", "## Clocks", "## Evidence", "## What was not looked for", "## The original lines"]
    places = [words.index(part) for part in parts]
    assert places == sorted(places)
    finding = lost.findings[0]
    for told in (finding.title, finding.story[3].text, finding.alternatives[0].because):
        assert text(told) in words
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0].metadata.tags == ["parameters"]
    assert code[0].source.startswith('case_path = "web-3.case"\nevidence = None')
    assert not [cell for cell in code if cell.outputs or cell.execution_count]
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.AsyncFunctionDef)
    assert not [node for cell in code for node in ast.walk(ast.parse(cell.source)) if isinstance(node, kinds)]
    assert all(f'finding.chart("{name}")' in [cell.source for cell in code] for name in finding.charts)


def test_it_runs_in_a_folder_of_evil_modules_and_says_the_same_elsewhere(lost: Case, tmp_path: Path) -> None:
    evil, plain = hostile_folder(lost.path.parent / "evil"), lost.path.parent / "plain"
    plain.mkdir()
    before = sorted(path.name for path in evil.rglob("*"))
    canary = tmp_path / "canary"
    first = run(made(lost, "../web-3.case"), evil, CANARY=str(canary), PYTHONHASHSEED="1")
    assert not canary.exists(), canary.read_text()
    assert sorted(path.name for path in evil.rglob("*")) == before
    assert first == run(made(lost, "../web-3.case"), plain, PYTHONHASHSEED="2")
    everything = "\n".join(first)
    assert "controller/br100.pcap.gz" in everything
    assert "dhclient" in everything
    assert lost.sources["sha256"].drop_nulls()[0] in fx.table(lost.sources)._repr_html_()


def told(words: str) -> tuple[dict[str, object], Rows]:
    """A case in which every text that can come from evidence is the one given."""
    refs = (Reference(words, f"line:{words}", AT, words), Reference(words, "frame:7", AT, None))
    finding = Finding(
        kind="host-silent",
        title=words,
        severity="high",
        confidence="likely",
        start=AT,
        end=None,
        entities={"hosts": (words,), "macs": (words, words)},
        facts={"cause": words, "list": [words], "rows": [{words: words}]},
        story=(Step(AT, words, refs), Step(None, words)),
        evidence=refs,
        alternatives=(Alternative(words, "open", words, refs),),
        remedy=(words,),
        next_evidence=(words,),
    )
    content = {**as_file([finding], [{"kind": words, "missing": [words]}]), "about": {"tool": words, "title": words}}
    return content, Rows(lambda record: {}, Source.empty(), Clock.empty(), Problem.empty(), {})


def test_hostile_text_in_every_field_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_notebook, "charts_of", lambda finding, rows: iter(()))
    maths = ["$x$", "\\(x\\)", "$$\\href{javascript:alert(1)}{x}$$", "\\begin{x}y\\end{x}", "a`$`b``\\`$"]
    links = [
        "[x](javascript:alert(1))",
        "![x](http://evil.example)",
        "# x",
        "---",
        "| a | b |",
        "* x",
        "1. x",
        "&lt;b>",
    ]

    def cells(words: str) -> tuple[str, list[str]]:
        content, rows = told(words)
        notebook = nbformat.from_dict(json.loads(report.notebook(content, rows, "x.case")))
        for cell in notebook.cells:
            cell.source = "".join(cell.source)
        page = "".join(markdown2html(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
        name = content["findings"][0]["id"]
        code = [cell.source.replace(name, "ID") for cell in notebook.cells if cell.cell_type == "code"]
        return page, code

    page, code = cells("harmless")
    harmless = without_code(Skeleton(page).tags)
    for payload in payloads() + maths + links:
        page, own = cells(payload)
        shown = Skeleton(page)
        assert without_code(shown.tags) == harmless, payload
        assert own == code, payload  # no evidence in what is run
        bare = "".join(Skeleton(_without_elements(page, "code")).text)
        assert not any(start in bare for start in ("$", "\\(", "\\[", "\\begin")), payload


def _without_elements(page: str, tag: str) -> str:
    return re.sub(rf"<{tag}>.*?</{tag}>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("name", ['a"b.case', "\u202egpj.case", "it's \\ one.case", "\udcff.case", "\U0001f600.case"])
def test_whatever_the_case_is_called_it_is_the_one_that_is_opened(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_notebook, "charts_of", lambda finding, rows: iter(()))
    content, rows = told("x")
    notebook = nbformat.reads(report.notebook(content, rows, name).decode(), as_version=4)
    assert ast.literal_eval(ast.parse(notebook.cells[1].source).body[0].value) == name


def test_the_export_of_a_hostile_case_shows_its_text(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    evidence = small_evidence(tmp_path / "evidence")
    (evidence / "case.toml").write_text(f'title = "{evil}"\n')
    (evidence / f"{evil}.log").write_bytes(log().replace(b"forwarding state", evil.encode() + b" $x$ [a](http://b)"))
    case = open_case(evidence, out=tmp_path / "x.case")
    notebook = made(case, "x.case")
    notebook.cells.append(nbformat.v4.new_code_cell("fx.table(case.timeline(), most=40)", id="more"))
    run(notebook, tmp_path)
    page = Skeleton(HTMLExporter().from_notebook_node(notebook)[0])
    assert not [tag for tag in page.tags if "onerror" in tag]
    assert "".join(page.text).count(evil) >= 4
    assert ("src", "x") not in page.values
    assert "javascript:" not in "".join(value for _, value in page.values)


def test_a_table_masks_escapes_and_counts() -> None:
    rows = pl.DataFrame(
        {
            "at": [datetime(2013, 2, 15, 1, 40, 18, 250_000, tzinfo=UTC)] * 3,
            "text": ["<b>", "X-Auth-Token: s3cret", "\x1b[2J\u202e"],
            "n": [1234567, None, 1],
            "list": [["a", "<i>"], [], None],
        }
    )
    table = fx.table(rows.lazy(), most=3)
    shown = table._repr_html_()
    for part in ("2013-02-15 01:40:18.250", "&lt;b&gt;", "1,234,567", "a, &lt;i&gt;", "•••", "\\x1b[2J\\u202e"):
        assert part in shown
    assert "s3cret" not in shown + repr(table)
    assert "\x1b" not in repr(table)
    assert "… and 2 more rows" in fx.table(rows, most=1)._repr_html_()
    assert "(no rows)" in fx.table(rows.clear())._repr_html_()
    assert table.rows.equals(rows)


def test_report_writes_it_and_never_over_one_that_was_edited(lost: Case, run, tmp_path: Path) -> None:
    case = tmp_path / "web-3.case"
    shutil.copytree(lost.path, case)
    assert run("report", case, "--notebook")[0] == 0
    written = tmp_path / "web-3.ipynb"
    before = written.read_bytes()
    assert b'case_path = \\"web-3.case\\"' in before
    assert run("report", case, "--notebook")[0] == 0
    written.write_bytes(before.replace(b"## Summary", b"## What I know"))
    code, _, err = run("report", case, "--notebook")
    assert (code, b"## What I know" in written.read_bytes()) == (2, True)
    assert "Hint: it may have been edited" in err
    (tmp_path / "sub").mkdir()
    assert run("report", case, "--notebook", "--out", tmp_path / "sub" / "x.ipynb")[0] == 0
    assert b"../web-3.case" in (tmp_path / "sub" / "x.ipynb").read_bytes()
    for wrong in (tmp_path / "no" / "x.ipynb", tmp_path / "x.html", case / "x.ipynb"):
        assert run("report", case, "--notebook", "--out", wrong)[0] == 2
    assert run("report", case, "--notebook", "--pdf")[0] == 2


def test_lab_keeps_what_is_there_and_starts_jupyter_in_an_empty_folder(
    lost: Case, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(_lab, "_served", lambda words, empty: seen.append((words, list(empty.iterdir()))) or 0)
    target = tmp_path / "x.ipynb"
    assert run("lab", lost.path, "--out", target, "--no-browser")[0] == 0
    target.write_text("mine")
    assert run("lab", lost.path, "--out", target)[0] == 0
    assert target.read_text() == "mine"
    (words, there), (with_browser, _) = seen
    assert there == []
    assert words[:4] == [sys.executable, "-P", "-m", "jupyterlab"]
    assert {f"--ServerApp.root_dir={tmp_path}", "--LabApp.default_url=/lab/tree/x.ipynb"} <= set(words)
    assert "--ServerApp.ip=127.0.0.1" in words
    assert not [word for word in words if "token" in word.lower() or "password" in word.lower()]
    assert set(words) - set(with_browser) == {"--no-browser"}
    monkeypatch.setattr(_lab, "find_spec", lambda name: None)
    code, _, err = run("lab", lost.path, "--out", target)
    assert code == 2
    assert "JupyterLab is not installed" in err
    assert "cloud-forensics[notebook]" in err


def test_without_nbformat_there_is_a_hint(lost: Case, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nbformat", None)
    code, _, err = run("report", lost.path, "--notebook", "--out", tmp_path / "x.ipynb")
    assert code == 2
    assert "cloud-forensics[notebook]" in err
    assert not (tmp_path / "x.ipynb").exists()


def refusal(url: str) -> int:
    """How a server that is just starting answers, once it does."""
    for _ in range(600):
        try:
            with urlopen(url, timeout=60) as answer:
                return answer.status
        except HTTPError as error:
            return error.code
        except URLError:
            time.sleep(0.1)
    raise AssertionError("it never answered")


def test_lab_serves_this_computer_alone_and_asks_for_a_token(lost: Case, tmp_path: Path) -> None:
    evil = hostile_folder(tmp_path / "evil")
    config = "import os\nopen(os.environ['CANARY'], 'a').write('config')\n"
    for name in ("jupyter_server_config", "jupyter_lab_config", "jupyter_config", "ipython_config"):
        (evil / f"{name}.py").write_text(config)
    environment = {**os.environ, "CANARY": str(tmp_path / "canary"), "JUPYTER_CONFIG_DIR": str(tmp_path / "own")}
    environment |= {"JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"), "JUPYTER_ALLOW_INSECURE_WRITES": "1"}
    command = [CONSOLE_SCRIPT, "lab", lost.path, "--no-browser", "--out", tmp_path / "x.ipynb"]
    with subprocess.Popen(
        command, cwd=evil, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stderr is not None
            url = next(line.split()[-1] for line in server.stderr if "?token=" in line)
            parts = urlsplit(url)
            assert parts.hostname in ("127.0.0.1", "localhost")
            assert parts.path.endswith("/x.ipynb")
            base = f"http://127.0.0.1:{parts.port}/api/contents"
            assert refusal(base) == 403
            with urlopen(f"{base}/x.ipynb?{parts.query}", timeout=60) as answer:
                assert b"post-mortem-001" in answer.read()
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=120)
    assert not (tmp_path / "canary").exists(), (tmp_path / "canary").read_text()
