"""Access lines of Apache in the layouts that OpenStack's installers give it; nginx writes two of them."""

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.loaders.messages._requests import ALONE, parsed, requests
from forensics.records import ApiRequest


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """Apache's stamp is when the request was received; nginx's, and that of a transport, when it was answered."""
    rows = parsed(rows).with_columns(
        duration_ns=pl.col("micros").str.strip_suffix("(us)").cast(pl.Int64, strict=False) * 1_000,
        response_bytes=pl.col("response_bytes").replace("-", "0"),
        user_agent=pl.col("user_agent").replace("-", None),
        written_by=pl.lit("apache"),
    )
    nginx = pl.concat_str("source", pl.col("program").fill_null("")).str.contains("nginx", literal=True)
    return requests(rows, "apache", pl.col("framing").str.ends_with("access-log") & nginx.not_())


_QUOTED = r'(?:[^"\\]|\\.)*'
_MICROS = r"\d{1,15}(?:\(us\))?"
_MORE = rf'(?:\x20"{_QUOTED}")?(?:\x20(?:\d+(?:\.\d+)?|-))*'
"""Fields that a site adds: X-Forwarded-For, octets in and out. Storage servers of swift have others: not theirs."""

FORMAT = MessageFormat(
    name="apache-access",
    record=ApiRequest,
    logger=r"^access$|^keystone\.contrib\.access",
    said_by="access",
    alone=ALONE,
    reference="httpd modules/loggers/mod_log_config.c: common, combined, vhost_combined; openstack/devstack "
    "files/apache-keystone.template, %D(us) last; openstack/kolla-ansible roles/keystone, %D before the referer; "
    "openstack/keystone keystone/contrib/access/core.py",
    pattern=rf"""
        ^(?:[^\x20:]+:\d+\x20)?  # the virtual host
        (?P<clients>[^\x20,]+(?:,\x20?[^\x20,]+)*)\x20\S+\x20\S+\x20
        \[\d\d/[A-Z][a-z]{{2}}/\d{{4}}:\d\d:\d\d:\d\d\x20[+-]\d{{4}}\]\x20
        "(?P<request>{_QUOTED})"\x20(?P<status>\d{{3}}|-)\x20(?P<response_bytes>\d+|-)
        (?: (?:\x20(?P<micros>{_MICROS}))?\x20"{_QUOTED}"\x20"(?P<user_agent>{_QUOTED})"
            (?:\x20(?P<micros__2>{_MICROS})|{_MORE})
          | \x20(?P<micros__3>{_MICROS})
          | {_MORE}
        )$
    """,
    shape=_shape,
    samples=(
        Sample(
            '192.0.2.254 - - [20/Jul/2009:22:59:26 +0200] "GET /vmw/cgi/tramp HTTP/1.0" 200 134 "-" "gPXE/0.9.7"',
            {
                "client": "192.0.2.254",
                "service": "apache",
                "operation": "GET /vmw/cgi/tramp",
                "user_agent": "gPXE/0.9.7",
                "response_bytes": 134,
                "duration_s": None,
                "written_by": "apache",
            },
        ),
        Sample(
            '10.0.0.1 - - [16/May/2017:00:00:04 +0000] "GET /v3 HTTP/1.1" 204 -',
            {"response_bytes": 0, "operation": "GET /v3"},
        ),
        Sample(
            '10.0.0.1 - - [16/May/2017:00:00:04 +0000] "GET /identity/v3 HTTP/1.1" 200 9 "-" "py \\"x\\"" 1250(us)',
            {"duration_s": 0.00125, "service": "keystone", "user_agent": 'py \\"x\\"'},
        ),
        Sample(
            '192.0.2.7, 192.0.2.8, 10.0.0.1 - - [16/May/2017:00:00:04 +0000] "POST /v3/auth/tokens HTTP/1.1" 201 6 '
            '138597015 "-" "keystoneauth1/2.4"',
            {
                "client": "10.0.0.1",
                "forwarded_for": ["192.0.2.7", "192.0.2.8"],
                "duration_s": 138.597015,
                "user_agent": "keystoneauth1/2.4",
            },
        ),
        Sample(
            '- - - [16/May/2017:00:00:04 +0000] "GET / HTTP/1.0" 300 12 740 "-" "-"',
            {"client": None, "duration_s": 0.00074, "user_agent": None, "operation": "GET /"},
        ),
        Sample(
            'cloud1:5000 ::1 - admin [16/May/2017:00:00:04 +0000] "GET /v3 HTTP/1.1" 200 12 "-" "curl"',
            {"client": "::1", "status": 200},
        ),
        Sample(
            r'10.0.0.1 - - [16/May/2017:00:00:04 +0000] "\x16\x03\x01" 400 226 "-" "-"',
            {"malformed": True, "operation": None, "status": 400},
        ),
        Sample('10.0.0.1 - - [16/May/2017:00:00:04 +0000] "-" 408 - "-" "-"', {"malformed": True, "method": None}),
        Sample('10.0.0.1 - - [16/May/2017:00:00:04 +0000] "GET /v3 HTTP/1.1" 200 9 1250', {"duration_s": 0.00125}),
        Sample(
            '10.0.0.1 - - [16/May/2017:00:00:04 +0000] "GET /v3 HTTP/1.1" 200 9 "-" "curl" 512 9000',
            {"duration_s": None, "user_agent": "curl"},
        ),
        Sample('10.0.0.1 - - [16/May/2017:00:00:04 +0000] "GET /v3 HTTP/1.1" 200 9 512 9000', {"duration_s": None}),
        Sample(
            '10.0.0.1 - - [16/May/2017:00:00:04 +0000] "GET /v3 HTTP/1.1" 200 9 "-" "curl" "192.0.2.7"',
            {"client": "10.0.0.1", "user_agent": "curl"},
        ),
    ),
)
