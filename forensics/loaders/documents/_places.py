"""What a path in a listing tells: where it lies, and whose it is."""

from __future__ import annotations

import posixpath
import re

_INSTANCE = re.compile(
    r"(?:^|/)(?:(?P<uuid>[\da-fA-F]{8}-[\da-fA-F]{4}-[\da-fA-F]{4}-[\da-fA-F]{4}-[\da-fA-F]{12})(?:_\w+)?"
    r"|(?P<name>instance-[\da-f]{8}))(?=/|\.xml$|\.log$|_disk|$)"
)
_BASE = re.compile(r"(?:^|/)_base/(?:[^/]*_)?(?P<hash>[\da-f]{40})(?:_\w+|\.\w+)*$")
_BARE_BASE = re.compile(r"^(?P<hash>[\da-f]{40})(?:_\d+)?(?:\.part|\.sha1|\.info)?$")
_GLANCE = re.compile(r"(?:^|/)glance/(?:images|image-cache|store)/")
LEFT_OUT = re.compile(r"^\s*(?:\.{3,}|…|\[\.{3}\]|\[…\]|<snip>)\s*$")
"""What stands for lines that whoever pasted an output left out."""
_LONGEST = 4096
"""No path that a kernel takes is longer (PATH_MAX)."""


def absolute(path: str, directory: str | None) -> str:
    """A path as its host knows it: joined to the folder that the command was typed in, where one is known.

    Examples:
        >>> absolute("console.log", "/var/lib/nova"), absolute("./a/../b", "/x"), absolute("b", None)
        ('/var/lib/nova/console.log', '/x/b', 'b')
    """
    if path.startswith("/") or not directory or not directory.startswith(("/", "~")) or len(path) > _LONGEST:
        return path
    if path.startswith("~"):
        return path
    joined = posixpath.normpath(posixpath.join(directory, path))
    return joined[1:] if joined.startswith("//") else joined


def owners(path: str) -> dict[str, str]:
    """Columns ``instance``, ``instance_name`` and ``image_hash`` of a path, as far as it tells them.

    Examples:
        >>> owners("/var/lib/nova/instances/instance-00000e05/console.log")
        {'instance_name': 'instance-00000e05'}
        >>> owners("/var/lib/nova/instances/_base/7b4783508212f5d242cbf9ff56fb8d33b4ce6166_10")
        {'image_hash': '7b4783508212f5d242cbf9ff56fb8d33b4ce6166'}
    """
    if len(path) > _LONGEST:
        return {}
    if found := _BASE.search(path) or _BARE_BASE.match(path):
        return {"image_hash": found["hash"]}
    if _GLANCE.search(path):
        return {}
    said: dict[str, str] = {}
    for found in _INSTANCE.finditer(path):
        if found["uuid"]:
            said["instance"] = found["uuid"].lower()
        else:
            said["instance_name"] = found["name"]
    return said


def typed(command: str | None, *names: str) -> list[str] | None:
    """Words of a command line behind one of the programs named; None where it runs none of them.

    The last program of a pipe counts only where it passes lines on as they are (``sort``, ``head``, ``tail``,
    ``grep``, ``less``, ``tee``).

    Examples:
        >>> typed("sudo ls -sh console.log", "ls"), typed("/bin/wc -l a b | sort -n", "wc"), typed("echo ls", "ls")
        (['-sh', 'console.log'], ['-l', 'a', 'b'], None)
    """
    if not command:
        return None
    for pipe in _pipes(command[:_LONGEST]):
        first, *rest = pipe
        if any(other.split()[:1] and other.split()[0] not in _PASSING for other in rest):
            continue
        words = first.split()
        while words and (posixpath.basename(words[0]) in _BEFORE or re.match(r"^(?:[A-Z_]+=\S*|-\w+|\d+)$", words[0])):
            words.pop(0)
        if words and posixpath.basename(words[0]) in names:
            return words[1:]
    return None


def _pipes(command: str) -> list[list[str]]:
    """Commands of a line, each as the programs that its pipe runs; marks inside quotes divide nothing."""
    pipes: list[list[str]] = [[""]]
    quote = ""
    for at, character in enumerate(command):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "|" and command[at - 1 : at] != "|" and command[at + 1 : at + 2] != "|":
            pipes[-1].append("")
            continue
        elif character in ";|" or (character == "&" and "&" in (command[at - 1 : at], command[at + 1 : at + 2])):
            pipes.append([""])
            continue
        pipes[-1][-1] += character
    return pipes


def flags(words: list[str] | None) -> str:
    """Letters of all short options.

    Examples:
        >>> flags(["-l", "-sh", "--si", "x"])
        'lsh'
    """
    return "".join(word[1:] for word in words or () if re.match(r"^-[A-Za-z0-9]", word))


_BEFORE = frozenset(("sudo", "time", "nice", "ionice", "watch", "env", "timeout", "command", "docker", "exec"))
_PASSING = frozenset(("sort", "head", "tail", "grep", "egrep", "less", "more", "tee", "cat", "column", "ccze"))
