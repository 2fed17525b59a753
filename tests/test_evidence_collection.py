"""The collection of real public evidence is listed whole, and read to the last octet."""

import hashlib

from forensics.evidence import host_of, open_stream, walk
from tests._evidence import evidence_root


def test_digests_are_those_of_the_manifest():
    root = evidence_root()
    lines = (root / "MANIFEST.tsv").read_text().splitlines()
    names = lines[0].split("\t")
    expected = {row["file"]: row for row in (dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:])}
    seen = {}
    for file in walk(root):
        assert file.refusal is None, file
        with open_stream(file, digest=True) as stream:
            size, content = 0, hashlib.sha256()
            while part := stream.read(1 << 16):
                size += len(part)
                content.update(part)
            digest = stream.finish()
            assert digest.changed is None
            if stream.compression is None:
                assert (content.hexdigest(), size) == (digest.sha256, file.size_bytes), file
            assert stream.gaps == [], file
        seen[file.source] = (str(digest.size_bytes), digest.sha256)
    assert {name: (row["size"], row["sha256"]) for name, row in expected.items()}.items() <= seen.items()
    assert len(expected) > 500


def test_hosts_of_the_collection():
    root = evidence_root()
    named = {host_of(file.source) for file in walk(root / "logs")}
    assert {"hp-ms-01-c29", "hp-ms-01-c30", "juju-04f1e3-1-lxd-5", None} == named
