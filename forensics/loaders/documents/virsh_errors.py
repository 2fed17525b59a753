"""What virsh answers when a domain does not start, as somebody pasted it."""

import re
from dataclasses import replace

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.records import InstanceEvent

_FAILED = re.compile(r"^error: Failed to (?:start|restore|resume) domain '?(?P<name>[^'\s]+)'?")
_BACKING = re.compile(r"Cannot access backing file '(?P<base>[^']+)' of storage file '(?P<path>[^']+)'")
_BACKING_OF_QEMU = re.compile(r"Could not open backing file: Could not open '(?P<base>[^']+)'")
_DISK = re.compile(
    r"(?:Cannot access storage file|cannot open file) '(?P<path>[^']+)'|could not open disk image (?P<image>[^:\s]+): "
)
_IN_PATH = re.compile(
    r"/instances/(?:(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})|(?P<name>instance-[0-9a-f]{8}))/"
)
_HASH = re.compile(r"(?:^|/)([0-9a-f]{40})(?:_\d+|_sm)?$")
_LONGEST = 4096


def _recognise(head: Head) -> float:
    first = head.first[:_LONGEST]
    if head.command is not None and not re.search(r"\bvirsh\b", head.command):
        return 0.0
    if not (_FAILED.match(first) or (first.startswith("error: ") and (_BACKING.search(first) or _DISK.search(first)))):
        return 0.0
    return 1.0 if head.command or head.share(re.compile("^error: ")) == 1 else 0.9


def _read(document: Document) -> None:
    """One row for each failure: the line that names the domain, with the reason below it."""
    # a file's own time says nothing of when a domain failed to start
    document.origin = replace(document.origin, modified_ns=None, rotated_on=None)
    lines = document.lines
    at = 0
    while at < len(lines):
        end = at + 1
        if not lines[at].startswith("error: "):
            at = end
            continue
        failed = _FAILED.match(lines[at][:_LONGEST])
        # a reason may go on for lines: what qemu printed
        while failed and end < len(lines) and lines[end].strip() and not _FAILED.match(lines[end][:_LONGEST]):
            end += 1
        said = "\n".join(line[:_LONGEST] for line in lines[at:end])
        backing = _BACKING.search(said) or _BACKING_OF_QEMU.search(said)
        disk = _DISK.search(said)
        if failed or backing or disk:
            told = backing.groupdict() if backing else {}
            path = told.get("path") or (disk and (disk["path"] or disk["image"]))
            base = told.get("base")
            place = _IN_PATH.search(path or "")
            reason = re.search(r"(?:^|\n)error: (?!Failed to (?:start|restore|resume) domain)([^\n]*)", said)
            image_hash = _HASH.search(base or "")
            document.add(
                InstanceEvent,
                at,
                end - at,
                event="start_failed" if failed else "missing_file",
                instance=place and place["uuid"],
                instance_name=failed["name"] if failed else place and place["name"],
                path=path,
                base_file=base,
                image_hash=image_hash and image_hash[1],
                error=reason and reason[1],
                severity="ERROR",
                message=said,
            )
        at = end


READERS = (
    DocumentFormat(
        name="virsh-errors",
        records=(InstanceEvent,),
        reference="libvirt tools/virsh-domain.c, cmdStart(), tools/vsh.c, vshReportError(); quotes since 7.0",
        recognise=_recognise,
        read=_read,
    ),
)
