"""JSON and XML of evidence as plain values, with the lines where each begins and ends; nothing in it is obeyed."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any
from xml.parsers import expat

from forensics.loaders.documents._document import Document

DEEPEST = 100
"""No listing nests its elements deeper."""
_MOST_FAILURES = 16
_BETWEEN = re.compile(r"[\s,\[\]]*")
_BEGINNING = re.compile(r"^[\[{]", re.MULTILINE)
_LONGEST_TEXT = 1 << 20
_DECODER = json.JSONDecoder()


class Lines:
    """The lines of a document as one text."""

    def __init__(self, document: Document) -> None:
        self.text = "\n".join(document.lines)
        self._ends = list(accumulate(len(line) + 1 for line in document.lines))

    def at(self, place: int) -> int:
        """Index of the line that a place in the text lies in."""
        return bisect_right(self._ends, place)


def objects(document: Document) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Every JSON object of a document that is in no other, also of arrays, with its first line and number of lines.

    Objects in front of damage are kept, and so are those of a further text behind it. Lines that hold brackets
    and nothing else are said to be understood.
    """
    lines = Lines(document)
    text, at, failures = lines.text, 0, 0
    while failures < _MOST_FAILURES:
        found = _BETWEEN.match(text, at)
        at = found.end() if found else at
        if at >= len(text):
            break
        try:
            if text[at] != "{":
                raise ValueError("no object")
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            failures += text[at] == "{"
            after = _BEGINNING.search(text, at + 1)
            if after is None:
                break
            at = after.start()
            continue
        first = lines.at(at)
        yield value, first, lines.at(end - 1) - first + 1
        at = end
    for index, line in enumerate(document.lines):
        if len(line) < 100 and line.strip() and not line.strip(" \t[],"):
            document.skip(index)


@dataclass(slots=True)
class Element:
    """An element of XML, names without prefix."""

    name: str
    attributes: dict[str, str]
    line: int
    last_line: int = 0
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, *path: str) -> list[Element]:
        """Elements below, by the names on the way to them."""
        found = [self]
        for name in path:
            found = [child for one in found for child in one.children if child.name == name]
        return found

    def first(self, *path: str) -> Element | None:
        """The first of `all`."""
        return next(iter(self.all(*path)), None)

    def said(self, *path: str) -> str | None:
        """Text of the first of `all`; None where there is none."""
        found = self.first(*path)
        return (found.text.strip() or None) if found else None

    def attribute(self, name: str, *path: str) -> str | None:
        """An attribute of the first of `all` that has it."""
        return next((one.attributes[name] for one in self.all(*path) if one.attributes.get(name)), None)


def elements(document: Document, *names: str) -> Iterator[Element]:
    """Every element of one of these names that is in no other such, wherever it begins.

    A document with a type declaration or an entity is refused as a whole, for either can make its reader
    fetch or multiply things.
    """
    lines = Lines(document)
    if "<!DOCTYPE" in lines.text or "<!ENTITY" in lines.text:
        return
    opening = re.compile(rf"<({'|'.join(names)})(?=[\s>])")
    at = 0
    while (found := opening.search(lines.text, at)) is not None:
        closing = f"</{found[1]}>"
        end = lines.text.find(closing, found.end())
        if end < 0:
            return
        at = end + len(closing)
        element = _parsed(lines.text[found.start() : at], lines.at(found.start()))
        if element is not None:
            yield element


def _parsed(text: str, first_line: int) -> Element | None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    root = Element("", {}, first_line)
    open_ = [root]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_) > DEEPEST:
            raise ValueError("too deep")
        found = Element(
            name.rpartition(":")[2],
            {key.rpartition(":")[2]: value for key, value in attributes.items()},
            first_line + parser.CurrentLineNumber - 1,
        )
        open_[-1].children.append(found)
        open_.append(found)

    def end(_: str) -> None:
        open_.pop().last_line = first_line + parser.CurrentLineNumber - 1

    def said(octets: str) -> None:
        if len(open_[-1].text) < _LONGEST_TEXT:
            open_[-1].text += octets

    def refuse(*_: object) -> None:
        raise ValueError("declares a type or an entity")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = said
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError):
        return None
    return root.children[0]
