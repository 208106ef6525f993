"""JSON and NDJSON: the contract that other programs read.

One envelope: ``schema``, ``meta`` (where the numbers came from), ``summary`` (flat), ``rows`` and, where an analysis
has further tables, ``tables``. Keys are English and snake_case, dates ISO 8601, numbers in their shortest exact form,
NaN and infinities null. Rows stand one on a line, so that a diff or ``grep`` of two results is readable.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from userops import __version__
from userops.outputs.tabular import textual
from userops.results import Lang, Result, Text

_ROWS_AT_ONCE = 50_000


def json_text(result: Result, lang: Lang) -> str:
    """The whole envelope as one text; ``lang`` is that of the definitions and warnings."""
    return "".join(json_parts(result, lang))


def ndjson_text(result: Result) -> str:
    """The rows only, one JSON object on a line."""
    return "".join(ndjson_parts(result))


def json_parts(result: Result, lang: Lang) -> Iterator[str]:
    """The envelope piece by piece: what is in memory at once does not grow with the rows."""
    head = {
        "schema": f"userops.{result.command}/1",
        "meta": meta(result, lang),
        "summary": as_json(result.summary, lang),
    }
    yield "{\n"
    for key, value in head.items():
        yield f'  "{key}": {_indented(_dumps(value), 2)},\n'
    yield '  "rows": '
    yield from _array(result.rows, indent=2)
    if result.extras:
        yield ',\n  "tables": {\n'
        for number, (name, frame) in enumerate(result.extras.items()):
            yield f"{',' + chr(10) if number else ''}    {_dumps(name)}: "
            yield from _array(frame, indent=4)
        yield "\n  }"
    yield "\n}\n"


def ndjson_parts(result: Result) -> Iterator[str]:
    """The lines of NDJSON, some thousands at a time."""
    for part in _slices(result.rows):
        yield textual(part).write_ndjson()


def meta(result: Result, lang: Lang) -> dict[str, Any]:
    """Where the numbers came from, as plain values: as-of, inputs, settings in force, definitions, warnings."""
    of = result.provenance
    return {
        "as_of": of.as_of,
        "tz": of.tz,
        "week_start": of.week_start,
        "inputs": [dataclasses.asdict(report) for report in of.inputs],
        "settings": as_json(of.settings, lang),
        "definitions": [text(lang) for text in of.definitions],
        "warnings": [text(lang) for text in of.warnings],
        **as_json(of.facts, lang),
        "version": __version__,
    }


def as_json(value: Any, lang: Lang = "en") -> Any:
    """The value in JSON's own types: ISO dates, seconds for durations, null for what is not finite, else text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() | Decimal():
            return float(value) if math.isfinite(value) else None
        case dt.date() | dt.time():  # a datetime is a date
            return value.isoformat()
        case dt.timedelta():
            return value.total_seconds()
        case Text():
            return value(lang)
        case pl.DataFrame():
            return json.loads(f"[{','.join(_lines(value))}]")
        case Mapping():
            return {str(key): as_json(item, lang) for key, item in value.items()}
        case set() | frozenset():
            return sorted(as_json(item, lang) for item in value)
        case Iterable():
            return [as_json(item, lang) for item in value]
        case _:
            return str(value)


def _array(frame: pl.DataFrame, indent: int) -> Iterator[str]:
    """The frame's rows as a JSON array, one row on a line."""
    if frame.is_empty():
        yield "[]"
        return
    space = " " * (indent + 2)
    separator = "["
    for part in _slices(frame):
        yield separator + "\n" + ",\n".join(f"{space}{line}" for line in _lines(part))
        separator = ","
    yield "\n" + " " * indent + "]"


def _lines(frame: pl.DataFrame) -> list[str]:
    return textual(frame).write_ndjson().split("\n")[:-1]


def _slices(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    for start in range(0, frame.height, _ROWS_AT_ONCE):
        yield frame.slice(start, _ROWS_AT_ONCE)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)


def _indented(text: str, indent: int) -> str:
    return text.replace("\n", "\n" + " " * indent)
