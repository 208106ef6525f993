"""Ids made unreadable, and text made harmless, before they leave the house.

Pseudonyms are keyed (HMAC-SHA-256): the same id and key give the same pseudonym in every run, so that results still
join with each other, and nobody without the key can try out ids. They are pseudonyms, not anonymity.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

import polars as pl

from userops.errors import UsageError

KEY_VARIABLE = "USEROPS_PSEUDONYM_KEY"
"""The environment variable that holds the key."""

MIN_KEY_BYTES = 16
"""Shortest key taken: a shorter one can be guessed."""

_NAMES = {"id": pl.String, "name": pl.String}
_SPACES = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def load_key(environ: Mapping[str, str], key_file: str | None = None) -> bytes:
    """The key of the pseudonyms: from the file when one is named, else from the environment.

    The newline that ends a key file is not part of the key. UsageError when there is no key, or it is too short.
    """
    if key_file is not None:
        key, source = _file_bytes(key_file).rstrip(b"\r\n"), key_file
    else:
        key, source = environ.get(KEY_VARIABLE, "").encode("utf-8", "surrogateescape"), KEY_VARIABLE
        if not key:
            raise UsageError.pseudonym_key_missing(KEY_VARIABLE)
    if len(key) < MIN_KEY_BYTES:
        raise UsageError.pseudonym_key_short(source, len(key), MIN_KEY_BYTES)
    return key


def pseudonym(value: str, key: bytes) -> str:
    """``v1:`` and the first 32 hexadecimal digits of HMAC-SHA-256 of the id's UTF-8 text."""
    return "v1:" + hmac.digest(key, value.encode(), "sha256").hex()[:32]


def pseudonymise(frame: pl.DataFrame, column: str, key: bytes) -> pl.DataFrame:
    """The frame with ``column`` replaced by pseudonyms (String; null stays null), sorted by them.

    Sorted, because the order of the rows would otherwise tell the order of the ids; rows of one id keep theirs.
    Costs a Python call per distinct id and the sort: some 6 seconds a million.
    """
    ids = pl.col(column).cast(pl.String)
    distinct = frame.select(ids.drop_nulls().unique()).to_series()
    names = pl.DataFrame({"id": distinct, "name": [pseudonym(value, key) for value in distinct]}, _NAMES)
    renamed = frame.select(id=ids).join(names, on="id", how="left", maintain_order="left")["name"]
    return frame.with_columns(renamed.alias(column)).sort(column, maintain_order=True)


def terminal_safe(text: str) -> str:
    """The text on one line, without what could steer a terminal or reorder what is read.

    Control characters (C0, C1, so every escape sequence's start) and bidirectional overrides go; tabs and line
    breaks become one space; bytes that were no UTF-8 (in file names) become U+FFFD.
    """
    return _SURROGATES.sub("\ufffd", _UNSEEN.sub("", _SPACES.sub(" ", text)))


def _file_bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as problem:
        raise UsageError.settings_file(path, f"the key cannot be read ({problem.strerror})") from problem
