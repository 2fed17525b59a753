"""The report: complete, offline, and evidence in it is text whatever it looks like (R19, R20)."""

import base64
import hashlib
import os
import random
import re
import shutil
import subprocess
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from forensics import report
from forensics.case import open_case
from forensics.case._findings import as_file
from forensics.case._rows import Rows
from forensics.errors import CaseError
from forensics.records import Alternative, Clock, Finding, Problem, Reference, Source, Step
from forensics.report import _chart
from tests._bundled import Bundled
from tests._small_evidence import log, small_evidence
from tests._system import program

AT = "2026-11-22T14:05:19.505121958Z"


class Skeleton(HTMLParser):
    """Tags and names of attributes, in order, and the text between."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, ...]] = []
        self.values: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))
        self.values += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(("/" + tag,))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment",))

    def handle_decl(self, decl: str) -> None:
        self.tags.append(("decl",))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def page(text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A report in which every text that can come from evidence is the one given."""
    refs = (Reference(text, f"line:{text}", AT, text), Reference(text, "frame:7", AT, None))
    told = {
        "title": text,
        "severity": "high",
        "confidence": "likely",
        "start": AT,
        "end": None,
        "entities": {"hosts": (text,), "macs": (text, text), "ips": (text,)},
        "facts": {"cause": text, "list": [text], "map": [{text: text}], "gave_up_at": AT, "lease_s": 120.0, "ok": True},
        "story": (Step(AT, text, refs), Step(None, text)),
        "evidence": refs,
        "alternatives": (Alternative(text, "open", text, refs),),
        "remedy": (text,),
        "next_evidence": (text,),
    }
    findings = [Finding(kind=kind, **told) for kind in ("dhcp-renewal-failure", "host-silent")]
    missing = [{"kind": text, "missing": [text, text]}]
    content = {**as_file(findings, missing), "about": {"tool": text, "title": text}}
    source = {"source": text, "format": text, "status": "damaged", "host": text, "compression": text, "size_bytes": 9}
    source |= {"rows": 1, "rejects": 1, "gaps": 1, "zone": text, "zone_basis": text, "note": text, "sha256": text}
    clock = {"source": text, "reference": text, "offset_s": 1.0, "bound_s": 0.1, "exchanges": 1, "basis": text}
    problem = {"source": text, "type": text, "count": 3, "example": text, "offset_bytes": 1}
    rows = Rows(
        lambda record: {},
        pl.DataFrame([source], schema=Source.polars_schema()),
        pl.DataFrame([clock], schema=Clock.polars_schema()),
        pl.DataFrame([problem], schema=Problem.polars_schema()),
        {},
    )
    seen = {"at": datetime(2026, 11, 22, 14, 5, 19, tzinfo=UTC), "message_type": text, "by_client": True, "message": 1}
    seen |= {"point": text, "seen_by": text, "source": text, "locator": text}
    conversation = pl.DataFrame([seen | {"place": 0}, seen | {"place": 1}]).cast({"at": pl.Datetime("ns", "UTC")})
    monkeypatch.setattr(
        _chart,
        "lanes_of",
        lambda told, *_: {one.id: {"conversation": conversation} for one in told if one.kind.startswith("dhcp")},
    )
    return report.render(content, rows).decode()


def payloads() -> list[str]:
    bare = [
        "<script>alert(1)</script>",
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '"><svg onload=alert(1)>',
        "' autofocus onfocus=alert(1) x='",
        "</title><script>alert(1)</script>",
        "</style><script>alert(1)</script>",
        "<style>@import 'http://evil.example/x.css';</style>",
        "<!-- ",
        "--><script>alert(1)</script>",
        "]]><x>",
        "<![CDATA[<script>]]>",
        "<a href=javascript:alert(1)>x</a>",
        "<iframe src=http://evil.example>",
        "<meta http-equiv=refresh content='0;url=http://evil.example'>",
        "<base href=http://evil.example/>",
        "<form action=http://evil.example><input type=submit>",
        "<object data=x><embed src=x>",
        "<math><mi xlink:href='data:x,<script>'>",
        "<template><script>alert(1)</script></template>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<textarea></textarea><xmp></xmp><plaintext>",
        "{{ 7*7 }}{% raw %}{{ config }}",
        "{% include 'report.css' %}",
        "${alert(1)}`${1}`",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "&#60;script&#62;",
        "&amp;&quot;&apos;&NotAnEntity;",
        "\x00<\x00script>",
        "<scr\x00ipt>",
        "\u202e<script>\u2066",
        "\ufeff<script>",
        "+ADw-script+AD4-",
        "\x1b]8;;http://evil.example\x1b\\x",
        "<details open ontoggle=alert(1)>",
        "<svg><animate onbegin=alert(1) attributeName=x>",
        "<p style=background:url(http://evil.example)>",
        "=cmd|' /C calc'!A0",
        "http://evil.example/?q=<b>",
        "<b\u00ad>\U000e0041",
    ]
    rng = random.Random(19)
    pieces = [
        "<",
        ">",
        '"',
        "'",
        "&",
        "/",
        "!",
        "-",
        "=",
        "script",
        "style",
        "svg",
        "title",
        "x",
        " ",
        "\n",
        "\t",
        "\\",
        "`",
    ]
    pieces += ["on", "error", "alert(1)", "&lt;", "&#x3c;", "]]", "{{", "}}", "\u202e", "\x00", "\x0c", "\u2028"]
    return bare + ["".join(rng.choices(pieces, k=rng.randrange(3, 24))) for _ in range(300 - len(bare))]


def without_code(tags: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """All that backticks in advice can become is ``<code>`` without attributes."""
    return [tag for tag in tags if tag not in (("code",), ("/code",))]


def test_hostile_text_in_every_field_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = Skeleton(page("harmless", monkeypatch))
    assert len(harmless.tags) > 200
    assert "svg" in {tag for tag, *_ in harmless.tags}
    many = payloads()
    assert len(many) >= 300
    for payload in many:
        shown = Skeleton(page(payload, monkeypatch))
        assert without_code(shown.tags) == without_code(harmless.tags), payload
        assert "`" in payload or shown.tags == harmless.tags, payload
        assert len(shown.values) == len(harmless.values)


def test_shown_text_is_the_escaped_text(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Skeleton(page("a\x1b[2J<b>\u202ec", monkeypatch)).text
    assert "a\\x1b[2J<b>\\u202ec" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", "".join(text))


def test_strict_policy_and_nothing_that_it_forbids(bundled: Bundled) -> None:
    case = open_case(bundled("lost_lease"))
    data = (case.path / "report.html").read_bytes()
    text = data.decode()
    shown = Skeleton(text)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy[1].replace("&#39;", "'").split("; "))
    style = text.split("<style>")[1].split("</style>")[0]
    told = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'sha256-{told}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    names = {name for name, _ in shown.values}
    assert "style" not in names
    assert not [name for name in names if name.startswith("on")]
    targets = [
        value for name, value in shown.values if name in ("href", "src", "action", "data", "xlink:href", "srcset")
    ]
    assert all(target.startswith("#") for target in targets)
    assert {tag for tag, *_ in shown.tags} & {
        "script",
        "iframe",
        "object",
        "embed",
        "img",
        "link",
        "base",
        "form",
    } == set()
    assert "url(" not in style
    assert "@import" not in style
    assert len(data) < 500_000
    assert data == report.render(case.content, case.rows)


def test_says_everything_that_the_case_knows(bundled: Bundled) -> None:
    case = open_case(bundled("lost_lease"))
    text = "".join(Skeleton((case.path / "report.html").read_text()).text)
    finding = case.findings[0]
    assert "`" not in text
    told = [
        case.title,
        finding.title,
        *(one.replace("`", "") for one in finding.remedy),
        *(step.text for step in finding.story),
    ]
    told += [other.because for other in finding.alternatives]
    told += [f"{ref.source}:{ref.locator.partition(':')[2]}" for ref in finding.references()]
    told += [ref.excerpt for ref in finding.references()]
    told += case.sources["source"].to_list()
    told += case.clocks["basis"].to_list()
    told += case.not_checked["kind"].to_list()
    for one in told:
        assert one in text, one


def test_advice_shows_commands_as_code_and_figures_with_units(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = page("run `ip link <b>`, or `what", monkeypatch)
    assert "<li>run <code>ip link &lt;b&gt;</code>, or `what</li>" in shown
    assert "<th>lease</th><td>120 s</td>" in shown
    assert "<th>gave up</th><td>2026-11-22 14:05:19.505 UTC</td>" in shown


def test_steps_that_say_the_same_are_one_with_all_its_evidence() -> None:
    ref = [Reference("node/syslog", f"line:{n}", AT, f"line {n}") for n in range(1, 4)]
    story = tuple(Step(AT.replace("19.5", f"2{n}.5"), "It asks again.", (one,)) for n, one in enumerate(ref))
    finding = Finding("host-silent", "A title", "low", "likely", AT, AT, {}, {}, story, tuple(ref))
    empty = Rows(lambda record: {}, Source.empty(), Clock.empty(), Problem.empty(), {})
    content: dict[str, Any] = {**as_file([finding], []), "about": {"tool": "x", "title": None}}
    text = report.render(content, empty).decode()
    assert text.count("It asks again.") == 1
    assert "3 times, until <time>14:05:22.505</time>" in text
    assert all(f"line {n}" in text for n in range(1, 4))


def test_the_chart_names_its_lanes_shades_the_silence_and_marks_the_end_of_the_lease(bundled: Bundled) -> None:
    case = open_case(bundled("lost_lease"))
    (drawn,) = _chart.charts([case.findings[0].finding], case.rows)
    assert drawn is not None
    assert [(lane.name, lane.note) for lane in drawn.lanes] == [
        ("DHCP server 10.0.0.1", "log of controller"),
        ("controller/br100", "capture"),
        ("web-3/eth0", "capture"),
        ("client 10.0.0.5", "log of web-3"),
    ]
    assert drawn.shade is not None
    assert drawn.shade.text == "nothing reaches the client"
    assert any(edge.text.startswith("lease ends 14:06:42") for edge in drawn.instants)
    assert {key.kind for key in drawn.keys} == {"client", "server", "lost", "shade", "ribbon"}
    assert max(key.x + 12 + 6.1 * len(key.text) for key in drawn.keys) < _chart.WIDTH
    lost = [mark for lane in drawn.lanes for mark in lane.marks if mark.lost]
    assert len(lost) >= case.findings[0].facts["server_replies"]
    rows: dict[int, list[tuple[float, float]]] = {}
    for edge in drawn.instants:
        size = 6.9 * len(edge.text)
        left, right = (edge.x, edge.x + size) if edge.anchor == "start" else (edge.x - size, edge.x)
        assert all(right < a or b < left for a, b in rows.setdefault(edge.row, []))
        rows[edge.row].append((left, right))


def test_ten_thousand_events_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    ref = [Reference("node/var/log/nova/nova-compute.log", f"line:{n}", AT, "x" * 400) for n in range(10_000)]
    story = tuple(Step(AT, f"event {n} of {'w' * 80}", (one,)) for n, one in enumerate(ref))
    finding = Finding("host-silent", "A title", "low", "likely", AT, AT, {}, {}, story, tuple(ref))
    empty = Rows(lambda record: {}, Source.empty(), Clock.empty(), Problem.empty(), {})
    content: dict[str, Any] = {**as_file([finding], []), "about": {"tool": "x", "title": None}}
    page = report.render(content, empty)
    assert len(page) <= 5_000_000
    assert page.count(b"event 9999 ") == 1
    assert page.count(b"xxx\xe2\x80\xa6</pre>") >= 10_000


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (Debian package: chromium)")
def test_a_browser_finds_nothing_to_complain_about(tmp_path: Path, bundled: Bundled) -> None:
    evidence = small_evidence(tmp_path / "evidence")
    nasty = '"><img src=x onerror=alert(1)><script>alert(1)<'
    (evidence / f"{nasty}.log").write_bytes(log(9).replace(b"node1", b"<svg/onload=alert(1)>"))
    (evidence / "case.toml").write_text(f"title = '''{nasty}</title><style>*{{color:red}}</style>'''\n")
    os.utime(evidence / "case.toml", (1, 1))
    cases = [open_case(evidence, out=tmp_path / "hostile.case", finish=report.pages)]
    cases.append(open_case(bundled("lost_lease")))

    def complaints(path: Path) -> list[str]:
        command = [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--dump-dom",
        ]
        command += ["--disable-background-networking", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}"]
        done = subprocess.run([*command, f"file://{path}"], capture_output=True, text=True, timeout=120, check=True)
        assert "<h1" in done.stdout
        return [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    for case in cases:
        assert complaints(case.path / "report.html") == []
    page = (cases[0].path / "report.html").read_text()
    bad = '<p style="color:red" onclick="x()">x</p><img src="http://127.0.0.1:9/x.png"><script>alert(1)</script></body>'
    (tmp_path / "bad.html").write_text(page.replace("</body>", bad))
    assert len(complaints(tmp_path / "bad.html")) >= 3  # so silence means something


def caused() -> dict[str, Any]:
    """The content of a case with a cause, what follows from it, and a figure that is a list."""
    ref = (Reference("a.log", "line:1", AT, "it broke"),)
    symptom = Finding("link-down", "bond0 of cc35 was down", "info", "proven", AT, None, {"hosts": ("cc35",)}, {},
                      (Step(AT, "bond0 went down", ref),), ref)  # fmt: skip
    cuts = [{"switch": f"SW-{n}", "cut_at": AT, "restored_at": None} for n in (1, 2)]
    cause = Finding("bpdu-guard-cutoff", "A guest cut off cc35", "critical", "proven", AT, None, {"hosts": ("cc35",)},
                    {"cuts": cuts, "source_user": None}, (Step(AT, "<b>it</b> broke @all", ref),), ref,
                    remedy=("run `ip link`",), explains=(symptom.id,))  # fmt: skip
    return {**as_file([cause, symptom], []), "about": {"tool": "t", "title": None, "database": None}}


def no_rows() -> Rows:
    return Rows(lambda _: {}, Source.empty(), Clock.empty(), Problem.empty(), {})


def test_contents_lead_to_causes_and_symptoms_stand_behind_them() -> None:
    shown = report.render(caused(), no_rows()).decode()
    assert shown.index('href="#finding-1"') < shown.index('id="finding-1"') < shown.index('id="symptoms"')
    assert shown.index('id="symptoms"') < shown.index('id="finding-2"')
    assert '<a href="#finding-2">link-down</a>: bond0 of cc35 was down' in shown
    assert 'Follows from <a href="#finding-1">A guest cut off cc35</a>' in shown
    assert shown.count("<td>SW-") == 2
    targets = set(re.findall(r'href="#([^"]+)"', shown))
    assert targets <= set(re.findall(r'id="([^"]+)"', shown))


def test_the_markdown_twin_says_the_same_and_obeys_nothing() -> None:
    text = report.markdown(caused(), no_rows()).decode()
    assert text.startswith("# A guest cut off cc35\n")
    assert "\\<b\\>it\\</b\\> broke \\@all \\[a.log:1\\]" in text
    assert "1. run `ip link`" in text
    assert "| SW-1 | 2026-11-22 14:05:19.505 UTC | none |" in text
    assert "- `link-down`: bond0 of cc35 was down" in text
    assert text.count("## ") == 2


def test_a_printed_report_is_a_pdf_that_holds_the_findings(tmp_path: Path) -> None:
    program("chromium")
    made = report.pdf(report.render(caused(), no_rows()), tmp_path / "report.pdf")
    assert made.read_bytes().startswith(b"%PDF-")
    assert made.stat().st_size > 5_000


def test_without_a_browser_there_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CaseError, match="no browser") as raised:
        report.pdf(b"", tmp_path / "report.pdf")
    assert "Chromium" in str(raised.value)
