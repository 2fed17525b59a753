"""Text with its addresses, ids and names replaced, and its secrets masked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence

from forensics import escape
from forensics.bundle._pseudonyms import Pseudonyms

_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_ESCAPED = r"(?<=\\[nrtbf0])|(?<=\\u[0-9A-Fa-f]{4})|(?<=\#01[125])"  # rsyslog writes a line end as #012
_START = rf"(?:(?<![0-9A-Za-z])|{_ESCAPED})"
_TOKEN = re.compile(
    rf"""
      (?P<escape>\\+(?:u[0-9A-Fa-f]{{4}}|[nrtbf0])?|\#01[125])
    | (?P<uuid>(?:(?<![0-9A-Fa-f])|{_ESCAPED}){_UUID}(?![0-9A-Fa-f]))
    | (?P<octets>{_START}[0-9A-Fa-f]{{1,2}}(?::[0-9A-Fa-f]{{1,2}}){{5,}}(?![0-9A-Fa-f]|:[0-9A-Fa-f]))
    | (?P<dashed>{_START}[0-9A-Fa-f]{{2}}(?:-[0-9A-Fa-f]{{2}}){{5,6}}(?![0-9A-Za-z]|-[0-9A-Fa-f]))
    | (?P<dotted>{_START}[0-9A-Fa-f]{{4}}\.[0-9A-Fa-f]{{4}}\.[0-9A-Fa-f]{{4}}(?![0-9A-Fa-f.]))
    | (?P<bridge>{_START}[0-9A-Fa-f]{{4}}\.[0-9A-Fa-f]{{12}}(?![0-9A-Fa-f]))
    | (?P<arpa>{_START}\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?=\.in-addr\.arpa))
    | (?P<ipv6>{_START}(?:(?:[0-9A-Fa-f]{{1,4}}:){{7}}[0-9A-Fa-f]{{1,4}}
          |(?:[0-9A-Fa-f]{{1,4}}(?::[0-9A-Fa-f]{{1,4}}){{0,6}})?::(?:[0-9A-Fa-f]{{1,4}}(?::[0-9A-Fa-f]{{1,4}}){{0,6}})?)
          (?:(?<=:)\d{{1,3}}(?:\.\d{{1,3}}){{3}})?(?![0-9A-Fa-f:]))
    | (?P<ipv4>(?:(?<![0-9.])|{_ESCAPED})\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?![0-9]))
    | (?P<word>[^\W_]\w*(?:-\w+)*|_+\w+(?:-\w+)*)
    """,
    re.VERBOSE,
)
_INNER = re.compile(
    rf"""
      (?P<uuid>(?<![0-9A-Fa-f]){_UUID}(?![0-9A-Fa-f]))
    | (?P<dashed>(?<![0-9A-Za-z])[0-9A-Fa-f]{{2}}(?:-[0-9A-Fa-f]{{2}}){{5}}(?![0-9A-Za-z]))
    | (?P<device>(?:(?<![0-9A-Za-z])|(?<=tap)|(?<=qbr)|(?<=qvb)|(?<=qvo)|(?<=brq))
          [0-9a-f]{{8}}-[0-9a-f]{{2}}(?![0-9A-Za-z]))
    | (?P<number>(?<![A-Za-z])(?:instance|ami|i|vol|snap|aki|ari|r)-[0-9a-f]{{8}}(?![0-9A-Za-z]))
    | (?P<address>(?<![A-Za-z])ip-\d{{1,3}}(?:-\d{{1,3}}){{3}}(?![0-9A-Za-z]))
    """,
    re.VERBOSE,
)
_HEX_SIZES = frozenset((32, 40, 56, 64, 96, 128))
_RUN = re.compile(r"[0-9A-Fa-f]{12,128}")
_STRETCH = re.compile(r"[\w.:\\#-]+")
"""What tokens consist of: many a stretch occurs again and again."""
_MOST_SEEN = 1 << 18
_PARTS = re.compile(r"([-_]+)")


class Text:
    """Replaces and masks in text.

    Args:
        pseudonyms: What to replace by; None to replace nothing.
        mask: Whether to mask secrets.
        literal: Names that are no words, such as those with blanks in them.
    """

    def __init__(self, pseudonyms: Pseudonyms | None, *, mask: bool = True, literal: Sequence[str] = ()) -> None:
        self._own = pseudonyms
        self._mask = mask
        told = sorted(set(literal), key=lambda name: (-len(name), name))
        self._literal = (
            re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in told), re.IGNORECASE) if told else None
        )
        self._seen: dict[str, str] = {}
        self.words: dict[str, str] = {}
        """Further words, such as the ids of findings."""

    def __call__(self, text: str) -> str:
        """The text as it may be shared."""
        if self._mask:
            text = escape.masked_command(text) if " -" in text else escape.masked(text)
        if self._own is None:
            return text
        if self._literal is not None:
            own = self._own
            text = self._literal.sub(lambda found: own.name(found[0]) or found[0], text)
        return _STRETCH.sub(self._stretch, text)

    def octets(self, data: bytes) -> bytes:
        """The same for a file: octets that are no UTF-8 stay as they are."""
        parts = data.decode("utf-8", "surrogateescape").split("\n")
        return "\n".join(map(self, parts)).encode("utf-8", "surrogateescape")

    def fixed(self, data: bytes) -> bytes:
        """The same for a field of fixed size in a packet."""
        made = self(data.decode("latin-1")).encode("latin-1", "replace")
        return made if len(made) == len(data) else (made + b"x" * len(data))[: len(data)]

    def label(self, source: str) -> str:
        """A path inside the evidence."""
        return source if self._own is None else "/".join(map(self, source.split("/")))

    def _stretch(self, found: re.Match[str]) -> str:
        text = found[0]
        if text.isdecimal():
            return text
        made = self._seen.get(text)
        if made is None:
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            made = self._seen[text] = _TOKEN.sub(self._token, text)
        return made

    def _token(self, found: re.Match[str]) -> str:
        text, own = found[0], self._own
        assert own is not None
        match found.lastgroup:
            case "word":
                return self._word(text)
            case "escape":
                return text
            case "uuid":
                return _uuid(own, text)
            case "ipv4":
                return _ipv4(own, text)
            case "arpa":
                return ".".join(reversed(_ipv4(own, ".".join(reversed(text.split(".")))).split(".")))
            case "octets":
                return self._run(text)
            case "dashed":
                return self._run(text.replace("-", ":")).replace(":", "-")
            case "dotted":
                made = _cased_mac(own, text.replace(".", ""))
                return f"{made[:4]}.{made[4:8]}.{made[8:]}"
            case "bridge":
                return text[:5] + _cased_mac(own, text[5:])
            case _:
                return _ipv6(own, text)

    def _run(self, text: str) -> str:
        """Six octets with colons between, or a client id that has six such octets in it."""
        own, parts = self._own, text.split(":")
        assert own is not None
        octets = bytes(int(part, 16) for part in parts)
        if len(octets) == 6:
            made = own.mac(octets)
        elif len(octets) == 7:
            made = octets[:1] + own.mac(octets[1:])
        else:
            made = client_id(own, octets)
        return ":".join(
            _like(f"{octet:02x}" if len(part) == 2 else f"{octet:x}", part)
            for octet, part in zip(made, parts, strict=True)
        )

    def _word(self, word: str) -> str:
        own = self._own
        assert own is not None
        if (made := self.words.get(word) or own.name(word)) is not None:
            return made
        if len(word) >= 12 and (digits := _RUN.fullmatch(word)):
            return self._digits(digits[0])
        if "-" not in word and "_" not in word:
            return word
        made_parts, done = [], 0
        for found in _INNER.finditer(word):
            made_parts += [self._split(word[done : found.start()]), self._inner(found)]
            done = found.end()
        return "".join((*made_parts, self._split(word[done:])))

    def _digits(self, digits: str) -> str:
        own = self._own
        assert own is not None
        if len(digits) == 12:
            return _cased_mac(own, digits) if own.is_mac(bytes.fromhex(digits)) else digits
        if len(digits) not in _HEX_SIZES or digits.isdecimal():
            return digits
        return own.uuid(digits) if len(digits) == 32 else own.digest(digits)

    def _inner(self, found: re.Match[str]) -> str:
        own, text = self._own, found[0]
        assert own is not None
        match found.lastgroup:
            case "uuid":
                return _uuid(own, text)
            case "dashed":
                return self._run(text.replace("-", ":")).replace(":", "-")
            case "device":
                made = own.prefix40(text.replace("-", ""))
                return f"{made[:8]}-{made[8:]}"
            case "number":
                head, _, digits = text.rpartition("-")
                return f"{head}-{own.number(int(digits, 16)):08x}"
            case _:
                return "ip-" + _ipv4(own, text[3:].replace("-", ".")).replace(".", "-")

    def _split(self, text: str) -> str:
        """Names between the hyphens and underscores of a longer word, the longest first."""
        own = self._own
        assert own is not None
        if not text:
            return text
        parts = _PARTS.split(text)
        made, at = [], 0
        while at < len(parts):
            for end in range(min(len(parts), at + 13), at, -1):
                word = "".join(parts[at:end])
                if not word or at % 2 or not end % 2:
                    continue
                if (name := self.words.get(word) or own.name(word)) is not None:
                    made.append(name)
                    at = end
                    break
            else:
                part = parts[at]
                made.append(self._digits(part) if _RUN.fullmatch(part) else part)
                at += 1
        return "".join(made)


def client_id(own: Pseudonyms, octets: bytes) -> bytes:
    """A DHCP client id: its addresses replaced, and what else is in it too (RFC 2132 section 9.14, RFC 4361)."""
    if len(octets) == 7 and octets[0] == 1:
        return octets[:1] + own.mac(octets[1:])
    if len(octets) < 8:
        return octets[:1] + own.key.octets("client-id", octets, max(0, len(octets) - 1))
    if octets[0] != 0xFF:
        return octets[:1] + own.key.octets("client-id", octets, len(octets) - 1)
    kind = int.from_bytes(octets[5:7], "big")
    iaid = octets[1:2] + own.low24(int.from_bytes(octets[2:5], "big")).to_bytes(3, "big")
    head = {1: 13, 3: 9}.get(kind)  # link-layer address plus time, link-layer address
    if head is not None and len(octets) == head + 6:
        return octets[:1] + iaid + octets[5:head] + own.mac(octets[head:])
    return octets[:1] + iaid + octets[5:7] + own.key.octets("duid", octets[7:], len(octets) - 7)


def _uuid(own: Pseudonyms, text: str) -> str:
    made = own.uuid(text.replace("-", ""))
    return f"{made[:8]}-{made[8:12]}-{made[12:16]}-{made[16:20]}-{made[20:]}"


def _ipv4(own: Pseudonyms, text: str) -> str:
    parts = text.split(".")
    if any(int(part) > 255 for part in parts):
        return text
    value = int.from_bytes(bytes(map(int, parts)), "big")
    return ".".join(map(str, own.ipv4(value).to_bytes(4, "big")))


def _ipv6(own: Pseudonyms, text: str) -> str:
    try:
        value = int(ipaddress.IPv6Address(text))
    except ValueError:
        return text
    made = own.ipv6(value)
    if made == value:
        return text
    shown = ipaddress.IPv6Address(made)
    return _like(shown.exploded if "::" not in text and len(text) == 39 else str(shown), text)


def _cased_mac(own: Pseudonyms, digits: str) -> str:
    return _like(own.mac(bytes.fromhex(digits)).hex(), digits)


def _like(made: str, text: str) -> str:
    return made.upper() if any(c.isupper() for c in text) and not any(c.islower() for c in text) else made


def chunks(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Octets cut at line ends, so that no token is torn; a line is as long as it is."""
    rest = b""
    for part in parts:
        head, end, tail = part.rpartition(b"\n")
        if end:
            yield rest + head + end
            rest = tail
        else:
            rest += tail
    if rest:
        yield rest
