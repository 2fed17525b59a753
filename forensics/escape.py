"""Evidence text made safe for HTML, terminal and CSV; all output passes here.

What evidence says is data, whatever it looks like. Here, and nowhere else, it
becomes something that a browser, a terminal or a spreadsheet will interpret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl
    from markupsafe import Markup

_UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f\x80-\x9f"  # C0 but TAB and LF, DEL, C1
    "\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"  # format characters (category Cf) of Unicode 15
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters without a shape
    "\ud800-\udfff"  # halves of pairs, as Python reads octets that are no UTF-8
)
_TO_ESCAPE = re.compile(f"[\\\\{_UNSEEN}]")

# blanks that end no line: a class with line ends would look at each of them again from every line
_BLANKS = r"[ \x0b\x0c\x1c-\x1f\x85\xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff]*"
_FORMULA_START = re.compile(rf"(?:^|(?<=[\r\n]))(?={_BLANKS}[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")

_SECRET = re.compile(
    r"(?i)(AWSSecretKey|AWSAccessKeyId|Signature|X-(?:Auth|Subject|Service)-Token|auth_token|admin_token|password|passwd|"
    r"secret_key|secret_access_key|(?:OS|SERVICE)_TOKEN|MYSQL_PWD|PGPASSWORD|Authorization)(['\"]?\s*[=:]\s*(?:Basic\s+|Bearer\s+)?['\"]?)([^\s'\"&,;}\]]+)"
)
_NAMED = r"[\w.-]*(?:pass|password|passwd|passphrase|secret|auth_token|admin_token|access_token|private_key|user_data)"
_SECRET_IN_JSON = re.compile(rf'(?i)("{_NAMED}"\s{{0,8}}:\s{{0,8}}")((?:[^"\\]|\\.)*)')
_SECRET_IN_JSON_IN_JSON = re.compile(
    rf'(?i)(\\{{1,7}}"{_NAMED}\\{{1,7}}"\s{{0,8}}:\s{{0,8}}\\{{1,7}}")((?:(?!\\{{1,7}}").){{0,65536}})'
)
_CREDENTIALS_IN_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,31}://[^\s:/@]{1,256}):([^\s/@]{1,256})@")
_VALUE = r"('[^']*'|\"[^\"]*\"|[^\s'\"-][^\s'\"]*)"
_SECRET_OPTION = re.compile(rf"(?i)(\s--?[\w-]{{0,40}}(?:password|passwd|token|secret)[ \t]+){_VALUE}")
_SECRET_ARGUMENTS = (
    (re.compile(r"\b(?:mysql|mariadb)"), re.compile(rf"(\s-p){_VALUE}")),
    (re.compile(r"\bsshpass\b"), re.compile(rf"(\bsshpass[ \t]+-p[ \t]*){_VALUE}")),
    (re.compile(r"\bipmitool\b"), re.compile(rf"(\s-P[ \t]*){_VALUE}")),
    (
        re.compile(r"\brabbitmqctl\b"),
        re.compile(r"(\b(?:add_user|change_password|authenticate_user)[ \t]+\S+[ \t]+)(\S+)"),
    ),
    (re.compile(r"\b(?:curl|wget)\b"), re.compile(r"(\s(?:-u|--user)[ \t=]*['\"]?[^\s:'\"]{1,128}:)([^\s'\"]+)")),
)
"""Programs whose option for a password does not bear that name."""


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code == 0x5C:
        return "\\\\"
    if 0xDC80 <= code <= 0xDCFF:  # PEP 383: one octet that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def terminal(text: str) -> str:
    r"""Text that a terminal shows and never obeys.

    Control characters but LF and TAB, marks that turn the writing direction,
    characters without width or shape, line and paragraph separators and
    octets that are no UTF-8 become escapes; so does the backslash, which makes
    this reversible: two texts that differ never look alike.

    Examples:
        >>> print(terminal("\x1b[2Jgone\u202e C:\\dir"))
        \x1b[2Jgone\u202e C:\\dir
    """
    return _TO_ESCAPE.sub(_escaped, text)


def line(text: str) -> str:
    r"""Like `terminal`, on one line: LF and TAB become escapes too.

    Examples:
        >>> print(line("one\ntwo\tthree"))
        one\ntwo\tthree
    """
    return terminal(text).replace("\n", "\\n").replace("\t", "\\t")


def label(name: bytes) -> str:
    r"""A file name or another short octet string as one line of plain text, reversibly.

    Examples:
        >>> print(label(b"a\xffb\n.log"), label("tür".encode()))
        a\xffb\n.log tür
    """
    return line(name.decode("utf-8", "surrogateescape"))


def own(markup: str) -> Markup:
    """Markup that this package itself brings, such as its style sheet; never text from evidence."""
    from markupsafe import Markup

    return Markup(markup)  # noqa: S704 - the one place where text becomes markup unseen


def html(text: str) -> Markup:
    r"""Text for an HTML page, in content or in a quoted attribute.

    Examples:
        >>> str(html("<b onclick='x'>\x1b"))
        '&lt;b onclick=&#39;x&#39;&gt;\\x1b'
    """
    from markupsafe import escape

    return escape(terminal(text))


_MARKDOWN = re.compile(r"[\\`*_\[\]<>&|~@#!^$]|(?<=:)/(?=/)|(?<=www)\.|^\s*[-+=:]|^\s*\d+[.)]", re.IGNORECASE)


def markdown(text: str) -> str:
    r"""Text for a Markdown page (CommonMark and GitHub's), on one line: no markup, link, mention, formula or HTML.

    Examples:
        >>> print(markdown("[x](http://e.com) <b> @all #1 www.a.b"))
        \[x\](http:\//e.com) \<b\> \@all \#1 www\.a.b
        >>> print(markdown("- 3 of 4"), markdown("1. first"))
        \- 3 of 4 1\. first
    """

    def shown(match: re.Match[str]) -> str:
        return f"{match.group()[:-1]}\\{match.group()[-1]}"

    return _MARKDOWN.sub(shown, line(text))


def csv(text: str) -> str:
    """A cell that no spreadsheet takes for a formula.

    An apostrophe goes before each start of a line that a spreadsheet would
    compute (after blanks, too): ``= + - @`` TAB CR LF and their full-width twins.

    References:
        OWASP, CSV Injection.

    Examples:
        >>> csv("=1+1"), csv("  @SUM(A1)"), csv("a-b")
        ("'=1+1", "'  @SUM(A1)", 'a-b')
    """
    return _FORMULA_START.sub("'", text)


def csv_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """Every text column as cells that no spreadsheet computes; lists and octets become text first.

    Args:
        frame: Any columns.

    Returns:
        The same rows; numbers, flags and instants as they are.
    """
    import polars as pl

    def shown(value: object) -> str | None:
        if value is None:
            return None
        if isinstance(value, bytes):
            return value.hex()
        return csv(" ".join(map(str, value)) if isinstance(value, list) else str(value))

    return frame.with_columns(
        pl.Series(name, [shown(value) for value in frame[name].to_list()], pl.String)
        for name, kind in frame.schema.items()
        if kind.is_nested() or kind in (pl.String, pl.Binary)
    )


def masked(text: str) -> str:
    r"""Text without the values of passwords, tokens and keys.

    Examples:
        >>> masked("GET /?AWSSecretKey=abc&x=1 X-Auth-Token: 1234 mysql://nova:s3cret@db/nova")
        'GET /?AWSSecretKey=•••&x=1 X-Auth-Token: ••• mysql://nova:•••@db/nova'
        >>> masked('{"adminPass": "a b\\"c", "_context_auth_token": "d", "client_token": "e"}')
        '{"adminPass": "•••", "_context_auth_token": "•••", "client_token": "e"}'
    """
    if '"' in text:
        text = _SECRET_IN_JSON_IN_JSON.sub(r"\1•••", _SECRET_IN_JSON.sub(r"\1•••", text))
    return _CREDENTIALS_IN_URL.sub(r"\1:•••@", _SECRET.sub(r"\1\2•••", text))


def masked_command(text: str) -> str:
    r"""A command as it was typed, without the passwords and tokens in its options and variables.

    Examples:
        >>> masked_command("mysql -u nova -ps3cret nova -e 'select 1'")
        "mysql -u nova -p••• nova -e 'select 1'"
        >>> masked_command("nova --os-password s3cret list")
        'nova --os-password ••• list'
        >>> masked_command("export OS_PASSWORD=s3cret")
        'export OS_PASSWORD=•••'
    """
    text = _SECRET_OPTION.sub(r"\1•••", masked(text))
    for program, argument in _SECRET_ARGUMENTS:
        if program.search(text):
            text = argument.sub(r"\1•••", text)
    return text
