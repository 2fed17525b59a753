"""ApiRequest: one finished request to an API service of the cloud."""

from __future__ import annotations

from forensics.records._record import Observed, address, choice, flag, instant, many, number, seconds, size, text


class ApiRequest(Observed):
    """One request that a service has answered, as its own access line tells. ``ts`` is the line's stamp.

    A request leaves a line in each layer that it passes (``written_by``): count the lines of one layer only. What
    nova's EC2 filter says stands under services of its own (``nova-ec2-filter``, ``nova-metadata-filter``), so that
    nobody counts those requests twice; the access line has the filter's action as its ``operation``, also for a POST.
    """

    service = text("service and API that answered: nova-osapi_compute, nova-ec2, nova-metadata, glance, neutron, …")
    client = text("TCP peer, or the client that the service logs; null where the line has none", nullable=True)
    method = text("HTTP method; null for a request that could not be parsed", nullable=True)
    path = text("target as the line has it, with its query; keys, signatures and tokens masked", nullable=True)
    operation = text(
        "EC2 action (RunInstances), or method and route with ids folded (GET /v2/{project_id}/servers/detail); "
        "null for a request that could not be parsed",
        nullable=True,
    )
    status = number("HTTP status", bits=16, nullable=True)
    response_bytes = size("as the service counts: eventlet with status line and headers, Apache without", nullable=True)
    duration_s = seconds("from the request's first octet to the response's last", nullable=True)
    request_id = text("req-… of the request", nullable=True)
    user_id = text("user of the request", nullable=True)
    project_id = text("project (tenant) of the request", nullable=True)
    started_at = instant("when it came in: ts minus duration_s, or ts where the stamp is the start", nullable=True)
    stamped = choice("what ts is the time of", "end", "start")
    forwarded_for = many("X-Forwarded-For, the origin first; set by clients, so never proof", address("an address"))
    http_version = text("such as HTTP/1.1", nullable=True)
    microversion = text("API microversion", nullable=True)
    user_agent = text("User-Agent", nullable=True)
    instance = text("uuid or EC2 id of the server that the path or query names", nullable=True)
    image = text("uuid or EC2 id of the image that the path or query names", nullable=True)
    client_token = text("EC2 ClientToken, the idempotency key; null where it was redacted or cut", nullable=True)
    malformed = flag("whether the request line could not be parsed as HTTP")
    written_by = choice(
        "what wrote the line",
        "eventlet",  # the WSGI server inside the service
        "requestlog",  # nova's and placement's middleware under another server
        "ec2-filter",  # nova.api.ec2, inside the same request
        "http.server",  # Python's own: werkzeug, wsgiref, and what no application saw
        "uwsgi",
        "apache",  # and others that write its formats: nginx, keystone's access log
    )
