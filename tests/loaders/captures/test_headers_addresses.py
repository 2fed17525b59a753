"""Addresses: the text of every one of them, however many there are and however they hash."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import numpy as np
import pytest

from forensics.loaders.captures._addresses import AddressBook, ipv6_text


def distinct(n: int) -> np.ndarray:
    """Random words, dense ones, and ones that differ in their upper bits only."""
    rng = np.random.default_rng(n)
    return np.concatenate(
        [rng.integers(0, 2**32, n, dtype=np.uint64), np.arange(n, dtype=np.uint64), np.arange(n, dtype=np.uint64) << 16]
    )


@pytest.mark.parametrize("n", [1, 300, 20_000])
def test_every_address_has_its_text_after_any_number_of_others(n: int) -> None:
    book = AddressBook()
    words = distinct(n)
    high = np.where(np.arange(len(words)) % 3 == 0, 0, words[::-1] << np.uint64(31) | np.uint64(0x20010DB8 << 32))
    for part in np.array_split(np.arange(len(words)), 5):
        four, hardware, six = (
            book.ipv4(words[part] & 0xFFFFFFFF),
            book.mac(words[part]),
            book.ipv6(high[part], words[part]),
        )
        repeated = book.ipv4(words[part] & 0xFFFFFFFF)
        assert np.array_equal(four, repeated)
        for row, four_text, mac_text, six_text in zip(
            part, book.column(four, "a"), book.column(hardware, "b"), book.column(six, "c"), strict=True
        ):
            word = int(words[row])
            assert four_text == str(IPv4Address(word & 0xFFFFFFFF))
            assert mac_text == word.to_bytes(8, "big")[2:].hex(":")
            assert six_text == str(IPv6Address(int(high[row]) << 64 | word))


def test_code_zero_is_null_and_the_broadcast_address_is_none() -> None:
    book = AddressBook()
    codes = book.mac(np.array([2**48 - 1, 0], np.uint64))
    codes[1] = 0
    assert book.column(codes, "eth_dst").to_list() == ["ff:ff:ff:ff:ff:ff", None]
    ones = np.array([2**64 - 1], np.uint64)
    assert book.column(book.ipv6(ones, ones), "src").item() == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"


def test_a_kind_never_gets_the_text_of_another() -> None:
    book = AddressBook()
    word = np.array([0x0A000001], np.uint64)
    codes = [book.ipv4(word), book.mac(word), book.ipv6(np.zeros(1, np.uint64), word)]
    assert [book.column(code, "x").item() for code in codes] == ["10.0.0.1", "00:00:0a:00:00:01", "::a00:1"]


@pytest.mark.parametrize(
    ("packed", "text"),
    [  # RFC 5952 sections 4 and 5
        ("20010db8000000000000000000020001", "2001:db8::2:1"),
        ("20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"),
        ("20010000000000010000000000000001", "2001:0:0:1::1"),
        ("20010db8000000000001000000000001", "2001:db8::1:0:0:1"),
        ("00000000000000000000ffffc0000201", "::ffff:192.0.2.1"),
        ("000000000000000000000000c0000201", "::c000:201"),
        ("00000000000000000000000000000000", "::"),
        ("fe800000000000000000000000000000", "fe80::"),
    ],
)
def test_text_of_ipv6(packed: str, text: str) -> None:
    assert ipv6_text(bytes.fromhex(packed)) == text
