"""Notification: one event as StackTach, oslo.messaging or ceilometer kept it; Operation: a start and its end."""

from __future__ import annotations

from forensics.records._record import (
    Observed,
    Record,
    address,
    choice,
    flag,
    instant,
    mac_address,
    many,
    number,
    seconds,
    text,
)


class Notification(Observed):
    """One notification. ``ts`` is the emitter's own time (UTC), ``host`` the host part of its publisher."""

    publisher_id = text("service.host, or service:host in versioned ones", nullable=True)
    event_type = text("compute.instance.create.end, instance.create.end, image.delete, …", nullable=True)
    message_id = text("uuid of the notification", nullable=True)
    request_id = text("req-… of the request that led to it", nullable=True)
    instance = text("uuid of the instance", nullable=True)
    image = text("uuid of the image it booted from, or that the event is about", nullable=True)
    user_id = text("user", nullable=True)
    project_id = text("project (tenant)", nullable=True)
    state = text("vm_state", nullable=True)
    task_state = text("task_state, or state_description", nullable=True)
    payload = text("payload as JSON text, secrets replaced; a string payload as a JSON string", nullable=True)
    service = text("service part of the publisher", nullable=True)
    priority = text("DEBUG, INFO, WARN, ERROR, CRITICAL", nullable=True)
    routing_key = text("topic and priority that it was published under", nullable=True)
    deployment = text("StackTach's deployment", nullable=True)
    old_state = text("state before", nullable=True)
    old_task_state = text("task_state before", nullable=True)
    compute_host = text("host that the instance runs on", nullable=True)
    flavor = text("flavor or instance type", nullable=True)
    root_gb = number("root disk of the flavor: the `_NN` of a resized base file", bits=32, nullable=True)
    display_name = text("name that its user gave it", nullable=True)
    base_image = text("image that a snapshot descends from", nullable=True)
    source_instance = text("instance that the image is a snapshot of", nullable=True)
    macs = many("hardware addresses in the payload", mac_address("one"))
    ips = many("addresses in the payload, fixed before floating", address("one"))
    created_at = instant("created", nullable=True)
    launched_at = instant("launched", nullable=True)
    terminated_at = instant("terminated", nullable=True)
    deleted_at = instant("deleted", nullable=True)
    error = text("message of an error", nullable=True)
    versioned = flag("whether it is of nova's versioned kind")
    raw_id = number("id of the row in StackTach's table", nullable=True)


class Operation(Record):
    """A `.start` notification and the `.end` or `.error` that belongs to it."""

    event = text("event type without .start and .end")
    instance = text("uuid of the instance, or of the image", nullable=True)
    request_id = text("request", nullable=True)
    host = text("host of the publisher of the start, or of the end where there is no start", nullable=True)
    user_id = text("user", nullable=True)
    project_id = text("project", nullable=True)
    image = text("image", nullable=True)
    started_at = instant("time of the start", nullable=True)
    ended_at = instant("time of the end", nullable=True)
    duration_s = seconds("from start to end; negative where two hosts' clocks differ", nullable=True)
    outcome = choice("how it ended", "completed", "failed", "unfinished", "start not seen")
    start_source = text("where the start stands", nullable=True)
    start_position = number("line or row of the start", nullable=True)
    end_source = text("where the end stands", nullable=True)
    end_position = number("line or row of the end", nullable=True)
