"""What a case and its findings look like in a terminal and in a notebook, and that stored findings come back whole."""

from dataclasses import replace
from pathlib import Path

from forensics.case import open_case
from forensics.case._findings import as_file, from_file, html, plain
from forensics.records import Alternative, Finding, Reference, Step
from tests._small_evidence import small_evidence


def test_a_stored_finding_keeps_its_own_id(tmp_path: Path) -> None:
    first = Finding("host-silent", "It fell silent", "low", "likely", None, None, {"hosts": ("a",)}, {})
    second = replace(first, title="It fell silent again", id=f"{first.id}-2")
    assert from_file(as_file([first, second], [])) == [first, second]
    assert [one.id for one in from_file(as_file([first, second], []))] == [first.id, f"{first.id}-2"]


def test_representations_tell_the_facts_and_obey_nothing(tmp_path: Path) -> None:
    small = open_case(small_evidence(tmp_path / "evidence"), out=tmp_path / "small.case")
    assert repr(small).startswith("<Case small.case: 5 sources, 62 rows, ")
    assert "A small incident" in small._repr_html_()
    evil = "<b onclick='x'>\x1b[2J`"
    ref = Reference(evil, "line:7")
    steps = tuple(Step("2013-02-15T01:40:18.250000000Z", evil, (ref,)) for _ in range(3))
    told = {"start": "2013-02-15T01:40:18Z", "end": None, "entities": {"hosts": (evil,)}, "facts": {"x": evil}}
    other = (Alternative(evil, "ruled out", evil), Alternative(evil, "open", evil))
    finding = Finding(
        "host-silent",
        evil,
        "high",
        "likely",
        **told,
        story=steps,
        alternatives=other,
        remedy=(evil,),
        next_evidence=(evil,),
    )
    text, page = "\n".join(plain(finding)), html(finding)
    assert "\x1b" not in text + page
    assert "<b onclick" not in page
    assert "&lt;b onclick=&#39;x&#39;&gt;" in page
    for shown in (text, page):
        assert "the end of the evidence" in shown
        assert "(3 times, until 01:40:18.250)" in shown
        assert "still open" in shown
        assert "to do" in shown
