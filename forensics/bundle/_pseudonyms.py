"""One original, one pseudonym: addresses, ids and names replaced consistently under a key."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping

from forensics.bundle._key import Key

_SPECIAL_V4 = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    )
)  # fmt: skip
"""IANA special-purpose addresses: what lies in one stays in it, and nothing comes in (RFC 6890)."""
_SAME_V4 = tuple(ipaddress.ip_network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3"))
_METADATA = int(ipaddress.ip_address("169.254.169.254"))
_SPECIAL_V6 = tuple(
    ipaddress.ip_network(text) for text in ("::/8", "2001:db8::/32", "fc00::/8", "fd00::/8", "fe80::/10", "ff00::/8")
)
_MIDDLE = frozenset((0x163E, 0x5400))
"""Second and third octet of what OpenStack (fa:16:3e, fe:16:3e) and libvirt (52:54:00, fe:54:00) give out."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _paths(networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> frozenset[tuple[int, int]]:
    """Prefixes (length, bits) at which a turned bit would lead out of a special network, or into one."""
    found = set()
    for network in networks:
        value, width = int(network.network_address), network.max_prefixlen
        found |= {(length, value >> (width - length)) for length in range(network.prefixlen)}
    return frozenset(found)


_PATHS_V4, _PATHS_V6 = _paths(_SPECIAL_V4), _paths(_SPECIAL_V6)


class Pseudonyms:
    """Replacements under one key, kept by kind so that they can be written down.

    Args:
        key: The key; what it has replaced before is replaced alike.
        keep: Words that stay when they are part of a name, such as ``compute``.
    """

    def __init__(self, key: Key, keep: frozenset[str] = frozenset()) -> None:
        self.key = key
        self.keep = keep
        self.mapping: dict[str, dict[str, str]] = {kind: dict(own) for kind, own in key.known.items()}
        self._v4: dict[int, int] = {}
        self._v6: dict[int, int] = {}
        self._macs: dict[bytes, bytes] = {}
        self._low: dict[int, int] = {}
        self._taken = set(self.mapping.get("name", {}).values())
        self._digests: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}

    def note(self, kind: str, original: str, pseudonym: str) -> str:
        """Write a replacement down."""
        if original != pseudonym:
            self.mapping.setdefault(kind, {})[original] = pseudonym
        return pseudonym

    def ipv4(self, value: int) -> int:
        """Two addresses that share a prefix still do; private, public and special ones stay what they are.

        In the last two octets 0, 1, 254 and 255 stay: networks, usual gateways and broadcasts.

        References:
            J. Xu et al., "Prefix-preserving IP address anonymization", ICNP 2002 (Crypto-PAn).
        """
        if value not in self._v4:
            self._v4[value] = self._ipv4(value)
            text = str(ipaddress.IPv4Address(value))
            self.note("ipv4", text, str(ipaddress.IPv4Address(self._v4[value])))
        return self._v4[value]

    def _ipv4(self, value: int) -> int:
        address = ipaddress.IPv4Address(value)
        if value == _METADATA or any(address in network for network in _SAME_V4):
            return value
        turned = 0
        for length in range(32):
            prefix = value >> (32 - length)
            if length >= 16:  # the way to 0 and 255 of an octet is not turned
                bits = length % 8
                part = prefix & ((1 << bits) - 1)
                if part in (0, (1 << bits) - 1):
                    continue
            if (length, prefix) not in _PATHS_V4:
                data = length.to_bytes(1, "big") + prefix.to_bytes(4, "big")
                turned |= (self.key.octets("ipv4", data, 1)[0] & 1) << (31 - length)
        return value ^ turned

    def ipv6(self, value: int) -> int:
        """The same for IPv6; what was made of a MAC follows the MAC (RFC 4291, appendix A)."""
        if value not in self._v6:
            self._v6[value] = self._ipv6(value)
            text = str(ipaddress.IPv6Address(value))
            self.note("ipv6", text, str(ipaddress.IPv6Address(self._v6[value])))
        return self._v6[value]

    def _ipv6(self, value: int) -> int:
        high, low = value >> 64, value & (2**64 - 1)
        if value >> 32 == 0xFFFF:  # IPv4-mapped
            return value & ~(2**32 - 1) | self.ipv4(value & (2**32 - 1))
        if value >> 24 == 0xFF02 << 88 | 0x1FF:  # ff02::1:ffXX:XXXX, the low bits of an address
            return value & ~(2**24 - 1) | self.low24(value & (2**24 - 1))
        if value < 2**16 or value >> 120 == 0xFF:
            return value
        turned = 0
        for length in range(64):
            prefix = value >> (128 - length)
            if (length, prefix) not in _PATHS_V6:
                data = length.to_bytes(1, "big") + prefix.to_bytes(8, "big")
                turned |= (self.key.octets("ipv6", data, 1)[0] & 1) << (63 - length)
        if high >> 54 == 0xFE80 >> 6:
            turned = 0  # link-local: there is one such network
        return (high ^ turned) << 64 | self._interface(low)

    def _interface(self, low: int) -> int:
        octets = low.to_bytes(8, "big")
        if octets[3:5] == b"\xff\xfe":
            mac = self.mac(bytes((octets[0] ^ 2,)) + octets[1:3] + octets[5:])
            return int.from_bytes(bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:], "big")
        if low < 2**16:  # ::1, ::53: given by hand
            return low
        return self.key.permuted("interface", low >> 24, 40) << 24 | self.low24(low & (2**24 - 1))

    def low24(self, value: int) -> int:
        """The last three octets of a MAC, wherever they occur."""
        if value not in self._low:
            self._low[value] = self.key.permuted("mac", value, 24)
        return self._low[value]

    def mac(self, octets: bytes) -> bytes:
        """A MAC of six octets; groups stay, and so does the first octet: ``fe:…`` is the tap of ``fa:…``."""
        if octets in self._macs:
            return self._macs[octets]
        if octets[:3] == b"\x33\x33\xff":
            mapped = octets[:3] + self.low24(int.from_bytes(octets[3:], "big")).to_bytes(3, "big")
        elif octets[0] & 1 or octets == bytes(6) or octets[:5] in (b"\0\0\x5e\0\x01", b"\0\0\x5e\0\x02"):
            mapped = octets
        else:
            middle = given = int.from_bytes(octets[1:3], "big")
            while given not in _MIDDLE:
                middle = self.key.permuted("oui", middle, 16)
                if middle not in _MIDDLE:
                    break
            low = self.low24(int.from_bytes(octets[3:], "big"))
            mapped = octets[:1] + middle.to_bytes(2, "big") + low.to_bytes(3, "big")
        self._macs[octets] = mapped
        self.note("mac", octets.hex(":"), mapped.hex(":"))
        return mapped

    def is_mac(self, octets: bytes) -> bool:
        """Whether these six octets are an address that was met."""
        return octets in self._macs

    def prefix40(self, digits: str) -> str:
        """The first ten digits of a uuid: names of taps and bridges are made of them."""
        if digits not in self._prefixes:
            self._prefixes[digits] = f"{self.key.permuted('uuid', int(digits, 16), 40):010x}"
        return self._prefixes[digits]

    def uuid(self, digits: str) -> str:
        """Thirty-two hexadecimal digits, with the version and the variant of a uuid left alone."""
        low = digits.lower()
        if not low.strip("0"):
            return digits
        if (told := self.mapping.setdefault("id", {}).get(low)) is not None:
            return told.upper() if digits.isupper() else told
        rest = self.key.octets("uuid-rest", low.encode(), 11).hex()
        made = self.prefix40(low[:10]) + rest
        made = made[:12] + low[12] + made[13:16] + low[16] + made[17:32]
        self.note("id", low, made)
        return made.upper() if digits.isupper() else made

    def learn(self, identity: str, pseudonym: str) -> None:
        """Take in an image whose base file bears the SHA-1 of its id (nova/virt/imagecache)."""
        old, new = (hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() for text in (identity, pseudonym))
        self._digests[old] = new

    def digest(self, digits: str) -> str:
        """Forty hexadecimal digits or more: the SHA-1 of an id follows the id."""
        low = digits.lower()
        made = self._digests.get(low) or self.key.octets("digest", low.encode(), len(low)).hex()[: len(low)]
        self.note("digest", low, made)
        return made.upper() if digits.isupper() else made

    def number(self, value: int) -> int:
        """A row number that names are made of: ``instance-0000002a``, ``i-0000002a``, ``ami-00000007``."""
        bits = 20 if value < 1 << 20 else 30
        if not 0 < value < 1 << 30:
            return value
        made = self.key.permuted("number", value, bits)
        while made == 0 or (bits == 30 and made < 1 << 20):
            made = self.key.permuted("number", made, bits)
        self.note("number", str(value), str(made))
        return made

    def add_names(self, names: Iterable[str]) -> None:
        """Take in names, in an order that does not matter."""
        own = self.mapping.setdefault("name", {})
        wanted = {name.lower() for name in names}
        for name in sorted(wanted - own.keys()):
            if self._shaped(name, 0) == name == self._shaped(name, 1):
                continue  # nothing in it but words that stay
            tried = (self._shaped(name, count) for count in range(5000))
            made = next(
                (shaped for shaped in tried if shaped not in wanted and shaped not in self._taken),
                f"{name[:1]}{self.key.octets('name', name.encode('utf-8', 'surrogateescape')).hex()[:12]}",
            )
            self._taken.add(made)
            own[name] = made

    def _shaped(self, name: str, count: int) -> str:
        """Letters for letters and digits for digits; the words that stay, stay."""
        stream = self.key.octets("name", count.to_bytes(2, "big") + name.encode("utf-8", "surrogateescape"), len(name))
        made, start = [], 0
        while start < len(name):
            end = start
            while end < len(name) and name[end].isalpha() == name[start].isalpha():
                end += 1
            part = name[start:end]
            if part in self.keep:
                made.append(part)
            else:
                made += [_like(part[n], stream[start + n]) for n in range(len(part))]
            start = end
        return "".join(made)

    def name(self, word: str) -> str | None:
        """What a name became; None for a word that is no name."""
        found = self.names.get(word.lower())
        return None if found is None else _cased(found, word)

    @property
    def names(self) -> Mapping[str, str]:
        """Names in small letters, and what they became."""
        return self.mapping.get("name", {})


def _like(character: str, octet: int) -> str:
    if character.isdigit():
        return str(octet % 10)
    return _LETTERS[octet % 26] if character.isalpha() else character


def _cased(made: str, like: str) -> str:
    if like.islower() or len(made) != len(like):
        return made
    return "".join(m.upper() if character.isupper() else m for m, character in zip(made, like, strict=True))
