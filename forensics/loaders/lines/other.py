"""Access logs, and whatever else begins with a stamp that can be read."""

from forensics.loaders._line_format import CAPITALS, DIGITS, LineFormat, Sample

_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME = r"(?P<time>\d\d:\d\d:\d\d)"
_ANY = (
    rf"(?P<date>\d{{4}}-\d\d-\d\d)[T\x20]{_TIME}(?:[.,](?P<fraction>\d{{1,9}}))?"
    r"(?:\x20?(?P<zone>Z|UTC|[+-]\d\d:?\d\d)\b)?"
)

FORMATS = (
    LineFormat(
        name="access-log",
        inside=False,
        reference="httpd mod_log_config, common and combined; eventlet.wsgi of 2012 without a zone",
        pattern=rf"^(?P<message>[^\x20\[]+(?:\x20[^\x20\[]+){{0,3}}\x20\[(?P<day>\d\d)/{_MONTH}/(?P<year>\d{{4}})[:\x20]{_TIME}"
        r"(?:\x20(?P<zone>[+-]\d{4}))?\]\x20(?s:.*))$",
        samples=(
            Sample(
                '192.0.2.254 - - [20/Jul/2009:22:59:26 +0200] "GET /vmw/cgi/tramp HTTP/1.0" 200 134 "-" "gPXE/0.9.7"',
                {
                    "ts": "2009-07-20 20:59:26+00:00",
                    "message": "192.0.2.254 - - [20/Jul/2009:22:59:26 +0200] "
                    '"GET /vmw/cgi/tramp HTTP/1.0" 200 134 "-" "gPXE/0.9.7"',
                },
            ),
        ),
    ),
    LineFormat(
        name="uwsgi",
        leads="[",
        inside=False,
        reference="unbit/uwsgi core/logging.c, default request log",
        pattern=rf"^(?P<message>\[pid:\x20(?P<pid>\d+)\|app:\x20[^\]]*\]\x20(?s:.*?)\x20\[[A-Z][a-z]{{2}}\x20{_MONTH}\x20"
        rf"(?P<day>[\x20\d]\d)\x20{_TIME}\x20(?P<year>\d{{4}})\]\x20(?s:.*))$",
        samples=(
            Sample(
                "[pid: 24|app: 0|req: 1/1] 192.0.2.1 () {62 vars in 1283 bytes} [Tue May 16 00:00:00 2017] GET /v3 => "
                "generated 7 bytes in 2 msecs (HTTP/1.1 200)",
                {"pid": 24, "ts": "2017-05-16 00:00:00+00:00"},
            ),
        ),
    ),
    LineFormat(
        name="program-level",
        leads=DIGITS,
        inside=False,
        reference="a stamp, a program's name, a level word",
        rank=4,
        pattern=rf"^{_ANY}\x20(?P<program>[A-Za-z][\w.\-]*)\x20(?P<severity>TRACE|DEBUG|INFO|AUDIT|WARNING|WARN|ERROR|CRITICAL)"
        r"\x20(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "2015-10-29 10:52:20.953 pinger DEBUG 64 bytes from 192.0.2.100: icmp_seq=1",
                {"program": "pinger", "severity": "DEBUG", "message": "64 bytes from 192.0.2.100: icmp_seq=1"},
            ),
        ),
    ),
    LineFormat(
        name="generic",
        leads="[(" + DIGITS,
        inside=False,
        reference="ISO 8601 and its relatives at the start of a line",
        rank=9,
        pattern=rf"^(?:\[|\()?{_ANY}(?:\]|\))?(?:$|[\x20\t:,;|\-]+(?P<message>(?s:.*))$)",
        samples=(
            Sample("2013-09-27 18:22:35.392 testing 123", {"message": "testing 123"}),
            Sample("2012-07-02 10:22:40,672:DEBUG:foo bar baz", {"message": "DEBUG:foo bar baz"}),
        ),
    ),
    LineFormat(
        name="generic-ctime",
        leads="[(" + CAPITALS,
        inside=False,
        reference="asctime(3) at the start of a line",
        rank=9,
        pattern=rf"^(?:\[|\()?(?:[A-Z][a-z]{{2}},?\x20)?{_MONTH}\x20(?P<day>[\x20\d]\d)\x20{_TIME}"
        r"(?:\.(?P<fraction>\d{1,9}))?\x20(?:[A-Z]{3,4}\x20)?(?P<year>\d{4})(?:\]|\))?(?:$|[\x20\t:,;|\-]+(?P<message>(?s:.*))$)",
        samples=(
            Sample(
                "Tue May 16 00:00:00 2017 - *** Starting uWSGI 2.0 ***",
                {"ts": "2017-05-16 00:00:00+00:00", "message": "*** Starting uWSGI 2.0 ***"},
            ),
        ),
    ),
)
