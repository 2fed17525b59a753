"""The key of a bundle: random functions and permutations that follow from 256 secret bits, and nothing else."""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from forensics.errors import CaseError

KEY_BYTES = 32
_ROUNDS = 8
_LARGEST = 1 << 30


@dataclass(frozen=True, slots=True)
class Key:
    """256 bits, and what earlier bundles replaced with them."""

    secret: bytes
    known: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Replacements by kind: original → pseudonym."""

    def octets(self, label: str, data: bytes, size: int = 32) -> bytes:
        """Octets that nobody can tell from random ones without the key (HMAC-SHA-256 in counter mode)."""
        parts = []
        for count in range(-(-size // 32)):
            head = label.encode() + b"\0" + count.to_bytes(2, "big")
            parts.append(hmac.digest(self.secret, head + data, "sha256"))
        return b"".join(parts)[:size]

    def permuted(self, label: str, value: int, bits: int) -> int:
        """The place of a number in a permutation of all numbers with an even number of bits (a Feistel network).

        References:
            M. Luby and C. Rackoff, "How to construct pseudorandom permutations", SIAM J. Comput. 17 (1988).

        Examples:
            >>> key = Key(bytes(32))
            >>> sorted(key.permuted("x", n, 4) for n in range(16)) == list(range(16))
            True
        """
        half = bits // 2
        mask = (1 << half) - 1
        left, right = value >> half, value & mask
        for count in range(_ROUNDS):
            data = count.to_bytes(1, "big") + right.to_bytes(8, "big")
            left, right = right, left ^ (int.from_bytes(self.octets(label, data, 8), "big") & mask)
        return left << half | right


def new_key() -> Key:
    """A key that nobody has."""
    return Key(secrets.token_bytes(KEY_BYTES))


def read_key(path: Path) -> Key:
    """Read a key file.

    Raises:
        CaseError: If it is none.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("too large")
        content = json.loads(path.read_bytes())
        secret = bytes.fromhex(content["key"])
        known = {str(kind): {str(k): str(v) for k, v in own.items()} for kind, own in content["mapping"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        hint = "give the NAME.bundle.key.json that an earlier `forensics bundle --pseudonymise` wrote"
        raise CaseError("no key of a bundle", where=str(path), hint=hint) from error
    if len(secret) != KEY_BYTES:
        raise CaseError("a key has 256 bits", where=str(path))
    return Key(secret, known)


def write_key(path: Path, key: Key, mapping: Mapping[str, Mapping[str, str]]) -> None:
    """Write a key file that its owner alone may read, whole or not at all."""
    plain = {kind: dict(sorted(own.items())) for kind, own in sorted(mapping.items()) if own}
    text = json.dumps({"schema": 1, "key": key.secret.hex(), "mapping": plain}, indent=1, ensure_ascii=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(part, flags, 0o600)
    with os.fdopen(handle, "wb") as file:
        os.chmod(part, stat.S_IRUSR | stat.S_IWUSR)  # noqa: PTH101 - whatever the umask says
        file.write(text.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


HEX = re.compile(r"[0-9A-Fa-f]+")
