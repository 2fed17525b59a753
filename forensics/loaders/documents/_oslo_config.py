"""Files of options as oslo.config reads them: sections, continuation lines, references; and older flag files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SECTION = re.compile(r"^\[(?P<section>[^\[\]=]{1,200})\]\s*(?:[#;].*)?$")
OPTION = re.compile(r"^(?P<key>[A-Za-z_][\w.+-]{0,199}(?:\[\w*\])?|[\w./:*-]{1,120})\s*(?P<by>[=:])\s*(?P<value>.*)$")
COMMENTED = re.compile(r"^[#;][ \t]?(?P<key>[a-z_][a-z0-9_.-]{0,120})\s?=(?!=)\s?(?P<value>.*)$")
FLAG = re.compile(r"^--(?P<key>[A-Za-z][\w-]{1,120})(?:[=](?P<value>.*))?$")
_NO = re.compile(r"^no_?(?!tif|tify|de|vnc|va|op|ne$|rmal)(?P<key>[a-z].+)$")
_REFERENCE = re.compile(
    r"\\\$|\$\$|\$(?:\{(?P<braced>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)?)\}|(?P<bare>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?))"
)
_DEEPEST = 8
_LONGEST = 4096
_HIDDEN = "•••"
_SECRET = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pass|secret|secret_key|access_key|private_key|encryption_key|store_key|fixed_key|api_?key"
    r"|auth_key|hmac_keys?|community|token)$|(?:password|passwd|secret|credential)"
    r"|^(?:key|admin_token|rabbit_pass|hash_key|public_cert_key)$"
)
_NO_SECRET = re.compile(
    r"_(?:uuid|file|path|dir|length|rounds|days|hours|regex\w*|description|algorithm|ident|provider|driver|count|policy"
    r"|expir\w*|required|change|attempts|samples|interval|timeout|hashing|type|class|enabled?|size|only)$"
    r"|^(?:inject|allow|enable|use|max|min|change)_|^token_"
)
_PLAIN = frozenset(("", "none", "<none>", "true", "false", "''", '""'))
_USER = re.compile(
    r"(?:(?<=//)|(?<=,))(?P<user>[^:@,/\s]{0,256}):[^@\s]{0,1024}(?:@(?:[^@,/?\s]{0,256}|[^@:/?\s]{0,256})(?=@))*@"
)


@dataclass(slots=True)
class Option:
    """One option, where it stands and what it says."""

    line: int
    count: int
    section: str
    key: str
    """As oslo.config knows it: with ``_`` for ``-``."""
    value: str | None
    commented: bool = False


def options(lines: Sequence[str], section: str = "DEFAULT", *, bare: bool = False) -> tuple[list[Option], list[int]]:
    """Options of a file in their order, and the lines that are understood and hold none.

    Args:
        lines: Lines of the file.
        section: Section that the first ones are in.
        bare: Whether a name alone is an option, as in files of MySQL.
    """
    found: list[Option] = []
    idle: list[int] = []
    open_option: Option | None = None
    for at, line in enumerate(lines):
        text = line.strip()
        if not text:
            open_option = None
        elif line[0] in " \t" and open_option is not None and text[0] not in "#;":
            open_option.value = f"{open_option.value or ''}\n{text}"
            open_option.count = at - open_option.line + 1
        elif text[0] in "#;":
            said = COMMENTED.match(text)
            if said and not _prose(said["value"]):
                found.append(Option(at, 1, section, _named(said["key"]), said["value"].strip(), True))
            else:
                idle.append(at)
        elif text[0] == "[":
            if heading := SECTION.match(text):
                section, open_option = heading["section"].strip(), None
                idle.append(at)
        elif flagged := FLAG.match(text):
            open_option = _flag(at, flagged["key"], flagged["value"])
            found.append(open_option)
        elif text.startswith(("!include", "//")):
            idle.append(at)
        elif said := OPTION.match(text):
            open_option = Option(at, 1, section, _named(said["key"]), _unquoted(said["value"].strip()))
            found.append(open_option)
        elif bare and re.fullmatch(r"[a-z][\w-]{2,60}", text):
            found.append(Option(at, 1, section, _named(text), None))
    return found, idle


def _prose(value: str) -> bool:
    """Whether what stands behind the sign is a sentence: samples of defaults hold one value."""
    return len(value.split()) > 6 and not re.search(r"[,%(:{\[/]", value)


def _flag(at: int, key: str, value: str | None) -> Option:
    name = _named(key)
    if value is None:
        negated = _NO.match(name)
        return Option(at, 1, "DEFAULT", negated["key"] if negated else name, "False" if negated else "True")
    return Option(at, 1, "DEFAULT", name, _unquoted(value.strip()))


def _named(key: str) -> str:
    return key.replace("-", "_")


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


class References:
    """Values with what they refer to filled in.

    A name is looked for in the section that refers to it, then in DEFAULT, as oslo.config does; the last of several
    counts; a default that a comment shows counts where nothing sets the option.
    """

    def __init__(self, found: Sequence[Option]) -> None:
        self._set: dict[tuple[str, str], str] = {}
        for commented in (True, False):
            for option in found:
                if option.commented == commented and option.value is not None:
                    self._set[option.section.lower(), option.key] = option.value

    def effective(self, option: Option) -> str | None:
        """The value in effect; None where it refers to nothing, or to nothing that is known here."""
        if option.commented or option.value is None or "$" not in option.value:
            return None
        filled = self._filled(option.value, option.section.lower(), _DEEPEST)
        return None if filled == option.value else filled

    def _filled(self, value: str, section: str, depth: int) -> str:
        if "$" not in value or depth == 0:
            return value

        def one(found: re.Match[str]) -> str:
            name = found["braced"] or found["bare"]
            if name is None:
                return "$"
            for group, key in self._places(name, section):
                if (group, key) in self._set:
                    return self._filled(self._set[group, key], group, depth - 1) + self._rest(name, key)
            return found[0]

        filled = _REFERENCE.sub(one, value[:_LONGEST])
        return filled[:_LONGEST]

    @staticmethod
    def _places(name: str, section: str) -> list[tuple[str, str]]:
        group, dot, key = name.replace("-", "_").partition(".")
        places = [(section, group), ("default", group)]
        return [(group.lower(), key), *places] if dot else places

    @staticmethod
    def _rest(name: str, key: str) -> str:
        """What stands behind a dot that was no group's: ``$my_ip.example.org``."""
        head, dot, tail = name.partition(".")
        return dot + tail if dot and head.replace("-", "_") == key else ""


def masked(key: str, value: str | None) -> str | None:
    """A value without its secrets.

    Examples:
        >>> masked("connection", "mysql://nova:pa@ss@db/nova?charset=utf8"), masked("rabbit_password", "guest")
        ('mysql://nova:•••@db/nova?charset=utf8', '•••')
        >>> masked("transport_url", "rabbit://a:b@r1:5672,c:d@r2:5672//"), masked("rbd_secret_uuid", "457e")
        ('rabbit://a:•••@r1:5672,c:•••@r2:5672//', '457e')
    """
    if value is None:
        return None
    name = key.rpartition(".")[2].lower()
    if _SECRET.search(name) and not _NO_SECRET.search(name):
        plain = value.lower() in _PLAIN or re.fullmatch(r"\$\{?[\w.]+\}?", value)
        return value if plain else _HIDDEN
    return _USER.sub(rf"\g<user>:{_HIDDEN}@", value) if "@" in value and "//" in value else value
