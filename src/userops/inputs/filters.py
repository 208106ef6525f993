"""Conditions on rows, as ``--where`` takes them: ``country=DE``, ``amount>=10``, ``platform in ios,android``.

The type of the column decides how values compare: numbers as numbers, dates as dates (a bare day means the whole
day), text as text, unless a text column and the value both look like numbers. Null never matches.
"""

from __future__ import annotations

import csv
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from userops.errors import UsageError

_FORM = re.compile(r"\s*(?P<column>[^=!<>]+?)\s*(?P<op>==|!=|<=|>=|=|<|>)\s*(?P<value>.*?)\s*", re.DOTALL)
_LIST = re.compile(r"\s*(?P<column>.+?)\s+in\s+(?P<values>.+?)\s*", re.DOTALL | re.IGNORECASE)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: a column, how it compares, and with what; ``in`` has several values."""

    text: str
    column: str
    op: str
    values: tuple[str, ...]


def parse(text: str) -> Condition:
    """The condition a text stands for; UsageError when it is none."""
    if simple := _FORM.fullmatch(text):
        op = "=" if simple["op"] == "==" else simple["op"]
        return Condition(text, simple["column"], op, (_unquoted(simple["value"]),))
    if several := _LIST.fullmatch(text):
        cells = next(csv.reader([several["values"]], skipinitialspace=True))
        return Condition(text, several["column"], "in", tuple(_unquoted(cell.strip()) for cell in cells))
    raise _malformed(text, "COLUMN=VALUE, or !=, <, <=, >, >=, or 'COLUMN in A,B'")


def matches(condition: Condition, column: pl.Expr, dtype: pl.DataType, head: pl.Series) -> pl.Expr:
    """True for rows that meet the condition, False for all others, null included.

    ``head``: first values of the column, which tell whether text is numbers. UsageError for a value that cannot be
    compared with the column.
    """
    value, wanted = _comparable(condition, column, dtype, head)
    if condition.op == "in":
        return value.is_in(wanted).fill_null(value=False)
    result: pl.Expr = _COMPARE[condition.op](value, pl.lit(wanted[0]))
    return result.fill_null(value=False)


def _comparable(
    condition: Condition, column: pl.Expr, dtype: pl.DataType, head: pl.Series
) -> tuple[pl.Expr, list[Any]]:
    """The column and the values in the type in which they compare."""
    if dtype in (pl.Date, pl.Datetime):
        return _as_times(condition, column, dtype)
    if dtype == pl.Boolean:
        known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        return column, [_read(condition, lambda v: known[v.casefold()], v, "true or false") for v in condition.values]
    if dtype.is_numeric():
        return _numeric(column, dtype), [_read(condition, float, value, "a number") for value in condition.values]
    text = column.cast(pl.String, strict=False)
    if dtype == pl.String and _look_numeric(head, condition.values):
        return text.str.strip_chars().cast(pl.Float64, strict=False), [float(value) for value in condition.values]
    if dtype == pl.String and all(_DAY.fullmatch(value) for value in condition.values) and _look_dated(head):
        return text.str.strip_chars().str.head(10), list(condition.values)
    return text, list(condition.values)


def _numeric(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    value = column.cast(pl.Float64)
    return value.fill_nan(None) if dtype.is_float() else value


def _as_times(condition: Condition, column: pl.Expr, dtype: pl.DataType) -> tuple[pl.Expr, list[Any]]:
    """Whole days where every value is one, else moments."""
    moments = [
        _read(condition, datetime.fromisoformat, value, "a date such as 2026-01-31") for value in condition.values
    ]
    wall = column if dtype == pl.Date else column.dt.replace_time_zone(None)
    if all(_DAY.fullmatch(value) for value in condition.values):
        return wall.cast(pl.Date), [date(m.year, m.month, m.day) for m in moments]
    return wall.cast(pl.Datetime("us")), [moment.replace(tzinfo=None) for moment in moments]


def _look_numeric(head: pl.Series, values: tuple[str, ...]) -> bool:
    """Whether values and column are numbers; ids with leading zeros (``007``) are text."""
    cells = head.drop_nulls().str.strip_chars()
    number = r"^[+-]?(?:0|[1-9]\d*)(?:\.\d+)?$"
    return cells.len() > 0 and cells.str.contains(number).all() and pl.Series(values).str.contains(number).all()


def _look_dated(head: pl.Series) -> bool:
    cells = head.drop_nulls().str.strip_chars()
    return cells.len() > 0 and cells.str.contains(r"^\d{4}-\d{2}-\d{2}(?:[T ]|$)").all()


def _read(condition: Condition, reader: Callable[[str], Any], value: str, wanted: str) -> Any:
    try:
        return reader(value)
    except (ValueError, KeyError):
        raise _malformed(condition.text, f"{wanted} here: '{condition.column}' holds such values") from None


def _malformed(text: str, wanted: str) -> UsageError:
    return UsageError.bad_value("--where", text, wanted)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
