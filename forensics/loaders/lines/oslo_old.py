"""Formats of OpenStack's early years beside nova's own: ``log_format`` defaults, logging.conf, Diablo's tracebacks."""

from forensics.loaders._line_format import DIGITS, LineFormat, Sample

_STAMP = r"(?P<date>\d{4}-\d\d-\d\d)\x20(?P<time>\d\d:\d\d:\d\d)(?:,(?P<fraction>\d{3}))?"

FORMATS = (
    LineFormat(
        name="openstack-log-format",
        leads=DIGITS,
        reference="keystone, glance, quantum 2012.1 to 2013.1: log_format default, level right-aligned to eight",
        pattern=rf"^{_STAMP}(?:\x20(?P<pid>\d{{1,10}}))?\x20+(?P<severity>[A-Z]+)\x20\[(?P<logger>[^\]]+)\]\x20"
        r"(?P<message>(?s:.*))$",
        samples=(
            Sample(
                '2012-12-19 12:10:59     INFO [eventlet.wsgi.server] 10.0.0.1 - - [19/Dec/2012 12:10:59] "GET /v2.0"',
                {
                    "severity": "INFO",
                    "logger": "eventlet.wsgi.server",
                    "message": '10.0.0.1 - - [19/Dec/2012 12:10:59] "GET /v2.0"',
                },
            ),
        ),
    ),
    LineFormat(
        name="openstack-named",
        leads="(",
        reference="keystone, nova etc/logging.conf 2012.1, 2012.2: (name): asctime level …",
        pattern=rf"^\((?P<logger>[^)]+)\):\x20{_STAMP}\x20(?P<severity>[A-Z]+)\x20(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "(keystone.common.wsgi): 2012-12-19 12:10:59,123 WARNING wsgi __call__ Authorization failed",
                {
                    "ts": "2012-12-19 12:10:59.123+00:00",
                    "logger": "keystone.common.wsgi",
                    "severity": "WARNING",
                    "message": "wsgi __call__ Authorization failed",
                },
            ),
        ),
    ),
    LineFormat(
        name="openstack-diablo-trace",
        leads="(",
        reference="openstack/nova nova/log.py @ 2011.2, 2011.3: logging_exception_prefix",
        context="bare",
        pattern=r"^\((?P<logger>[\w.\-]+)\):\x20(?P<severity>TRACE):\x20(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "(nova.compute): TRACE: Traceback (most recent call last):",
                {"logger": "nova.compute", "severity": "TRACE", "ts": None, "year_basis": "none"},
            ),
        ),
    ),
)
