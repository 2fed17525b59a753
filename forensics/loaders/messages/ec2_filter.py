"""What nova's EC2 request filter says of each request that passes it, also those of the metadata service."""

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.loaders.messages._ec2_filter import FILTERED, LOGGER
from forensics.loaders.messages._requests import requests
from forensics.records import ApiRequest


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    """Seconds and microseconds stand side by side, neither padded: 0.94826s is 0.094826 s.

    In 2011.1, who was not let in has ``X.Xs``.
    """
    whole, micro = (pl.col(name).cast(pl.Int64, strict=False) for name in ("whole", "micro"))
    action = pl.col("action").replace("None", None)
    known = action.is_not_null() | pl.col("path").str.contains(r"^/+services/")
    rows = rows.with_columns(
        duration_ns=whole * 1_000_000_000 + micro * 1_000,
        user_agent=pl.col("user_agent").replace("None", None),
        malformed=pl.lit(False),
        written_by=pl.lit("ec2-filter"),
    )
    return requests(rows, "nova").with_columns(
        service=pl.when(known).then(pl.lit("nova-ec2-filter")).otherwise(pl.lit("nova-metadata-filter")),
        operation=pl.coalesce(action, "operation"),
    )


FORMAT = MessageFormat(
    name="ec2-filter",
    record=ApiRequest,
    logger=LOGGER,
    said_by="nova.api.ec2",
    reference="openstack/nova nova/api/ec2/__init__.py, RequestLogging.log_request_completion, 2011.1 to 12.0.0",
    pattern=FILTERED,
    shape=_shape,
    samples=(
        Sample(
            "0.94826s 10.0.0.9 GET /services/Cloud/ CloudController:DescribeInstances 200 [Boto/2.2.2 (linux2)] "
            "application/x-www-form-urlencoded text/xml",
            {
                "service": "nova-ec2-filter",
                "operation": "DescribeInstances",
                "duration_s": 0.094826,
                "client": "10.0.0.9",
                "user_agent": "Boto/2.2.2 (linux2)",
                "http_version": None,
                "written_by": "ec2-filter",
            },
        ),
        Sample("1.5s 10.0.0.9 POST /services/Cloud CloudController:RunInstances 200 [None] None None",
               {"duration_s": 1.000005, "user_agent": None, "operation": "RunInstances"}),
        Sample("0.5s 10.0.0.9 POST /services/Cloud CloudController:DescribeTags 200 [x] text/xml; charset=UTF-8 x",
               {"duration_s": 0.000005}),
        Sample("X.Xs 10.0.0.9 GET / None:None 403 [None] None text/html", {"duration_s": None, "status": 403}),
        Sample(
            "0.732s 127.0.0.1 GET /2009-04-04/meta-data/<html>/openssh-key None:None 404 [Python-httplib2/0.7.2 "
            "(gzip)] text/plain text/plain",
            {
                "service": "nova-metadata-filter",
                "operation": "GET /{version}/meta-data/{id}/openssh-key",
                "duration_s": 0.000732,
            },
        ),
    ),
)  # fmt: skip
