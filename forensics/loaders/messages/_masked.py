"""Texts of messages without the tokens and keys in them, as column expressions."""

from __future__ import annotations

import polars as pl

_SHOWN = "${1}•••"
_QUERY = (
    r"(?i)([?&;](?:amp;)?(?:AWSAccessKeyId|AWSSecretKey|Signature|X-Amz-(?:Signature|Credential|Security-Token)|"
    r"temp_url_sig|(?:[a-z]+[_-])?(?:token|secret|password|passwd))=)[^\[&;#\s\"][^&;#\s\"]*"
)
_SEGMENT = r"(/tokens/)[^/?#\s]{16,}"
_KEY = r"auth_token|admin_token|token|password|passwd|admin_pass|adminPass|secret_key|secret|Authorization"
_VALUE = (
    rf"(?i)(['\"]?[\w.-]*(?:{_KEY})\\?['\"]?\s*[=:]\s*(?:Basic\s+|Bearer\s+)?)"
    r"(?:u?\\?'[^']*'?|u?\\?\"[^\"]*\"?|[^\s'\",;}\]]+)"
)


def masked_target(target: pl.Expr) -> pl.Expr:
    """A request's target without the values of keys, signatures and tokens; what is redacted already stays."""
    return target.str.replace_all(_QUERY, _SHOWN).str.replace_all(_SEGMENT, _SHOWN)


def masked_text(said: pl.Expr) -> pl.Expr:
    """A message without tokens and passwords, also where it is the text of a Python dictionary."""
    return said.str.replace_all(_VALUE, _SHOWN)
