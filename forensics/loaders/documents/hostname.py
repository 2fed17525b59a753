"""Documents that tell the name of the machine they come from: `/etc/hostname`, `hostname`, `uname`, `hostnamectl`."""

from __future__ import annotations

import re

_LONGEST_BYTES = 4096
_NAME = r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}))*)"
_BARE = re.compile(rf"^\s*{_NAME}\s*$")
_UNAME = re.compile(rf"^Linux {_NAME} \d\S* #?\S")
_STATIC = re.compile(rf"^\s*(?:Static hostname|Hostname): {_NAME}\s*$", re.MULTILINE)
# Path inside the folder of one machine, and the form of what the file says.
_PLACES = (
    (re.compile(r"(?:^|/)etc/hostname$"), _BARE),
    (re.compile(r"(?:^|/)proc/sys/kernel/hostname$"), _BARE),
    (re.compile(r"(?:^|/)sos_commands/(?:general|host)/hostname(?:_-f)?$"), _BARE),
    (re.compile(r"(?:^|/)sos_commands/(?:general|host)/hostnamectl(?:_status)?$"), _STATIC),
    (re.compile(r"(?:^|/)sos_commands/(?:kernel|general|host)/uname_-a$"), _UNAME),
    (re.compile(r"(?:^|/)hostnamectl(?:[-_]status)?(?:\.txt)?$"), _STATIC),
    (re.compile(r"(?:^|/)hostname(?:[-_]f)?(?:\.txt|\.out)?$"), _BARE),
    (re.compile(r"(?:^|/)uname(?:[-_]+a)?(?:\.txt|\.out)?$"), _UNAME),
)
_NOBODY = frozenset(("localhost", "localhost.localdomain", "none", "unknown", "ubuntu", "debian"))


def host_of_document(head: bytes, name: str) -> tuple[str, str] | None:
    r"""The machine that a document names, and the folder of the evidence that it speaks for.

    Args:
        head: The first bytes of the file.
        name: Path of the file inside the evidence; what lies in the folder above it is that machine's.

    Returns:
        Folder (empty for all of the evidence) and name; None where the document names no machine.

    Examples:
        >>> host_of_document(b"cc12.example.org\n", "case7/a/etc/hostname")
        ('case7/a', 'cc12.example.org')
        >>> host_of_document(b"Linux cc12 3.2.0-35-generic #55-Ubuntu SMP\n", "uname_-a") is None
        False
    """
    for place, form in _PLACES:
        found = place.search(name)
        if found is None:
            continue
        text = head[:_LONGEST_BYTES].decode("utf-8", "replace").replace("\r", "").rstrip("\n")
        told = form.search(text) if form is _STATIC else form.match(text.partition("\n")[0] if form is _UNAME else text)
        if told is None or told["host"].lower() in _NOBODY:
            return None
        return name[: found.start()], told["host"]
    return None
