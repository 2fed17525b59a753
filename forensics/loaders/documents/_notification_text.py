"""Texts of notifications laid bare: envelopes opened, odd JSON set right, secrets taken out of payloads."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
from polars.datatypes import DataTypeClass

from forensics import escape

Schema = Mapping[str, pl.DataType | DataTypeClass]
_Pairs = Callable[[list[tuple[str, Any]]], dict[str, Any]]
_LEVELS = 3  # a notification in an envelope, in a list with its routing key, in a string of a table's column
_ROWS_AT_ONCE = 256
_DEEPEST = 60
_ROUTED = r'^\[\s*(?:null|"([^"\\]{0,255})")\s*,\s*\{'
_KEY = r'^\[\s*(?:null|"[^"\\]{0,255}")\s*,\s*'

# openstack/oslo.utils oslo_utils/strutils.py (_SANITIZE_KEYS), nova/api/openstack/compute/servers.py (what a user hands
# in), cinder (CHAP); matched in any case, with any of - _ between the words, as a part of the key.
_SECRET_KEY = re.compile(
    r"(?i)pass(?:word|wd|phrase)|admin_?pass|_pass$|^pass$|secret|token|user_?data|injected_?files|personality|"
    r"private_?key|credential|aws_?access|signature|cert_?key|encryption_?key|chap_|api_?key|fernet|sslkey"
)
_HINTS = ["pass", "secret", "token", "user_data", "userdata", "injected", "personality", "credential",
          "aws", "signature", "key", "chap_", "fernet", "\\u00"]  # fmt: skip
_HARMLESS = ["key_name", "key_data", "keypair", "message_signature"]
_HINT_URL = r"://[^\s/@\x22]{1,256}@"
HIDDEN = "•••"


def peeled(texts: pl.Series) -> pl.DataFrame:
    """What is inside: ``routing_key``, and ``body``, the text of one JSON object; null where there is none.

    Args:
        texts: A notification each: bare, ``[routing_key, body]``, in oslo.messaging's envelopes, in a JSON string,
            or an event as ceilometer and panko keep it.
    """
    frame = pl.DataFrame({"body": texts.cast(pl.String).str.strip_chars(" \t\r\n\0\ufeff")})
    breaks = pl.col("body").str.contains("\n", literal=True) | pl.col("body").str.contains("\r", literal=True)
    frame = frame.with_columns(
        body=pl.when(breaks).then(pl.col("body").str.replace_all(r"[\r\n]+", " ")).otherwise("body"),
        routing_key=pl.lit(None, pl.String),
    )
    for _ in range(_LEVELS):
        frame = frame.with_columns(routed=pl.col("body").str.starts_with("[") & pl.col("body").str.contains(_ROUTED))
        if frame["routed"].any():
            frame = frame.with_columns(
                routing_key=pl.when("routed").then(pl.col("body").str.extract(_ROUTED)).otherwise("routing_key"),
                body=pl.when("routed")
                .then(pl.col("body").str.replace(_KEY, "").str.strip_chars_end(" \t]"))
                .otherwise("body"),
            )
        sealed = frame["body"].str.contains('"oslo.message"', literal=True).fill_null(False)
        if not sealed.any():
            break
        inner = decoded(frame["body"].filter(sealed), {"oslo.message": pl.String})["oslo.message"]
        opened = pl.Series("body", frame["body"]).to_frame().with_columns(at=pl.int_range(pl.len()))
        inside = pl.DataFrame({"at": opened["at"].filter(sealed), "inner": inner.str.strip_chars()})
        frame = frame.with_columns(
            body=opened.join(inside, on="at", how="left", maintain_order="left").select(
                body=pl.coalesce("inner", "body")
            )["body"]
        )
    odd = frame["body"].str.starts_with("{").not_() | frame["body"].str.contains('"traits"', literal=True)
    odd |= frame["body"].str.contains('"oslo.message"', literal=True)
    if odd.any():
        places = odd.fill_null(False).arg_true()
        mended = [_mended(text) for text in frame["body"].gather(places)]
        frame = frame.with_columns(
            body=frame["body"].scatter(places, [body for _, body in mended]),
            routing_key=frame["routing_key"].scatter(places, [
                key or known for (key, _), known in zip(mended, frame["routing_key"].gather(places), strict=True)
            ]),
        )  # fmt: skip
    return frame.select("routing_key", "body")


def decoded(bodies: pl.Series, schema: Schema) -> pl.DataFrame:
    """Fields of JSON objects, one row each; a value of another kind, and what is no JSON, gives nulls.

    Regular rows are read by polars a block at a time; a block that it refuses is read row by row.
    """
    whole = _block(bodies, schema)
    if whole is not None:
        return whole
    parts = []
    for start in range(0, bodies.len(), _ROWS_AT_ONCE):
        some = bodies.slice(start, _ROWS_AT_ONCE)
        part = _block(some, schema)
        if part is None:
            part = _block(pl.Series([_mended(text, _first_of_each)[1] for text in some], dtype=pl.String), schema)
        parts.append(part if part is not None else _singly(some, schema))
    return pl.concat(parts)


def _singly(bodies: pl.Series, schema: Schema) -> pl.DataFrame:
    frames = (_block(bodies.slice(at, 1), schema) for at in range(bodies.len()))
    return pl.concat(
        [pl.DataFrame({name: [None] for name in schema}, schema=schema) if one is None else one for one in frames]
    )


def _block(bodies: pl.Series, schema: Schema) -> pl.DataFrame | None:
    if not bodies.len():
        return pl.DataFrame(schema=schema)
    lines = bodies.fill_null("{}").str.join("\n").item().encode()
    try:
        # NULs and ignored errors: a type that differs becomes null; malformed JSON raises all the same
        read = pl.read_ndjson(io.BytesIO(lines), schema=schema, ignore_errors=True)
    except pl.exceptions.PolarsError:
        return None
    return read if read.height == bodies.len() else None


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that is written twice the first value, as polars takes it."""
    return dict(reversed(pairs)) if len({key for key, _ in pairs}) < len(pairs) else dict(pairs)


def _mended(text: str | None, pairs: _Pairs | None = None) -> tuple[str | None, str | None]:
    """Routing key and body of a text that is not regular, as text that every reader of JSON takes."""
    key: str | None = None
    value: Any = text
    for _ in range(2 * _LEVELS):
        if isinstance(value, str):
            value = loads(value, pairs)
        elif isinstance(value, dict) and "oslo.message" in value:
            value = value["oslo.message"]
        elif isinstance(value, list) and len(value) == 2 and isinstance(value[1], (dict, str)):
            key = value[0] if isinstance(value[0], str) else None
            value = value[1]
        else:
            break
    if not isinstance(value, dict):
        return key, None
    return key, dumps(_of_traits(value) if "traits" in value and "generated" in value else value)


def _of_traits(event: dict[str, Any]) -> dict[str, Any]:
    """An event of ceilometer or panko as the notification that it was made of, as far as it tells."""
    given = event.get("traits")
    traits: dict[str, Any] = {}
    for one in given if isinstance(given, list) else ():
        if isinstance(one, list) and len(one) == 3:
            traits[str(one[0])] = one[2]
        elif isinstance(one, dict) and "name" in one:
            traits[str(one["name"])] = one.get("value")
    if isinstance(given, dict):
        traits = given
    raw = event.get("raw")
    known = {"message_id": event.get("message_id"), "event_type": event.get("event_type")}
    if isinstance(raw, dict) and "payload" in raw:
        return {**raw, **known, "timestamp": raw.get("timestamp") or event.get("generated")}
    service, host = traits.get("service"), traits.get("host")
    publisher = f"{service}.{host}" if service and host and "." not in str(service) else service or host
    of_instance = str(event.get("event_type")).startswith(("compute.", "scheduler.", "instance."))
    if of_instance and "instance_id" not in traits and "resource_id" in traits:
        traits = {**traits, "instance_id": traits["resource_id"]}
    return {
        **known, "timestamp": event.get("generated"), "publisher_id": publisher, "priority": traits.get("priority"),
        "_context_request_id": traits.get("request_id"), "payload": traits,
    }  # fmt: skip


def loads(text: str, pairs: _Pairs | None = None) -> Any:
    """A JSON value; None where it is none, is nested too deeply, or is a number nobody can hold."""
    try:
        return json.loads(text, strict=False, parse_constant=lambda _: None, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return None


def dumps(value: Any) -> str | None:
    """JSON text without blanks; None where it is nested too deeply."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return None
    return text.encode("utf-8", "backslashreplace").decode()


def payloads(bodies: pl.Series) -> pl.Series:
    """The payload of each body as JSON text, without secrets; a payload that is a string as a JSON string."""
    found = bodies.str.json_path_match("$.payload")
    with_one = bodies.str.contains('"payload"', literal=True)
    container = found.str.contains(r"^[\[{]")
    missed = (with_one & found.is_null() & bodies.str.contains(r'"payload"\s*:\s*[^\sn]')).fill_null(False)
    hinted = found.str.contains_any(_HINTS, ascii_case_insensitive=True) | found.str.contains(_HINT_URL)
    if hinted.any():  # most hints are names of key pairs, which are no secrets
        plainer = found.filter(hinted.fill_null(False)).str.replace_many(_HARMLESS, [""] * len(_HARMLESS))
        still = plainer.str.contains_any(_HINTS, ascii_case_insensitive=True) | plainer.str.contains(_HINT_URL)
        hinted = hinted.scatter(hinted.fill_null(False).arg_true(), still)
    slow = (hinted | container.not_()).fill_null(False) | missed
    if not slow.any():
        return found
    places = slow.arg_true()
    return found.scatter(places, [_payload(text) for text in bodies.gather(places)])


def without_secrets(texts: pl.Series) -> pl.Series:
    """Texts without the passwords and tokens in them."""
    hinted = texts.str.contains_any(_HINTS, ascii_case_insensitive=True) | texts.str.contains(_HINT_URL)
    places = hinted.fill_null(False).arg_true()
    return texts.scatter(places, [escape.masked(text) for text in texts.gather(places)]) if len(places) else texts


def _payload(body: str | None) -> str | None:
    value = loads(body) if body is not None else None
    payload = value.get("payload") if isinstance(value, dict) else None
    return None if payload is None else dumps(scrubbed(payload))


def scrubbed(value: Any, depth: int = 0) -> Any:
    """A JSON value without passwords, tokens, keys, and what a user had put into the instance.

    Examples:
        >>> scrubbed({"admin_pass": "s3cret", "vcpus": 1, "user_data": None})
        {'admin_pass': '•••', 'vcpus': 1, 'user_data': None}
    """
    if depth > _DEEPEST:
        return HIDDEN
    if isinstance(value, dict):
        return {
            key: HIDDEN if inner not in (None, "", [], {}) and not isinstance(inner, bool) and is_secret(key)
            else scrubbed(inner, depth + 1) for key, inner in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [scrubbed(one, depth + 1) for one in value]
    if isinstance(value, str):
        if value.startswith(("{", "[")) and isinstance(inside := loads(value), (dict, list)):
            return dumps(scrubbed(inside, depth + 1))
        return escape.masked(value)
    return value


def is_secret(key: str) -> bool:
    """Whether the value under a key must not be kept."""
    return key not in _HARMLESS and _SECRET_KEY.search(key.replace("-", "_")) is not None
