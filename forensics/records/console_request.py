"""ConsoleRequest: somebody asked for the console log of an instance."""

from __future__ import annotations

from forensics.records._record import Observed, choice, number, seconds, size, text


class ConsoleRequest(Observed):
    """One sign of one request for a console log; one request leaves several, joined by `request_id` or `msg_id`.

    The API may say the same thing more than once, too: EC2's filter and access line, an action and the method that it
    calls. Lines that do not say what a call over the broker was for (``Making synchronous call on compute.cc12 ...``,
    ``MSG_ID is``, oslo.messaging's ``CALL msg_id`` and ``sending reply``) are no rows of this record: they are log
    records that share the request id. At level INFO a request to the OpenStack API is a
    ``POST …/servers/{server_id}/action`` of `ApiRequest` like any other action.
    """

    stage = choice(
        "where it was seen",
        "dashboard",  # the dashboard was asked for the page or the text
        "api",  # the API accepted it
        "call",  # the API asked a compute host over the broker
        "received",  # the compute host took the call from the broker
        "compute",  # the compute host says that it reads the log
        "reply",  # the answer went back over the broker
        "data",  # console text in the host's own log
        "truncated",  # the host capped the log
    )
    instance = text(
        "uuid; else the EC2 id (i-…), the directory (instance-…) or the number that the line has", nullable=True
    )
    tail_length = number("lines asked for; null for all", nullable=True)
    compute_host = text("host that was asked: the one that says so itself", nullable=True)
    msg_id = text("id of the call over the broker, 32 hexadecimal digits", nullable=True)
    ignored_bytes = size("what the cap of MAX_CONSOLE_BYTES cut off", nullable=True)
    elapsed_s = seconds("time that the line gives", nullable=True)
    request_id = text("req-… of the request", nullable=True)
    user_id = text("user of the request", nullable=True)
    project_id = text("project of the request", nullable=True)
    pid = number("process", nullable=True)
    message = text("the line's message, at most 2,000 characters, tokens masked")
