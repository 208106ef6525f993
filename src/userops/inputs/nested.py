"""What lies inside a column: ``a.b`` is field ``b`` of a struct, key ``b`` of JSON text, or of records of key and value.

So a property of an event has one name whatever the export made of it: PostHog's ``properties.$browser`` in its JSON
lines (an object) and in its Parquet (text), GA4's ``event_params.page_location`` in a list of records.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

_VALUES = ("string_value", "int_value", "float_value", "double_value")


def reach(name: str, schema: Mapping[str, pl.DataType]) -> tuple[pl.Expr, pl.DataType] | None:
    """How to get a column, or what lies inside one, and its type; None where there is no such thing.

    A column that is called so comes first, the longest name of those that lead to it next. What is inside of text or
    of records is String, null where a row does not have it; whether text is JSON is for the caller to look at
    (:func:`holds_json`).
    """
    if name in schema:
        return pl.col(name), schema[name]
    roots = sorted((root for root in schema if name.startswith(f"{root}.")), key=len, reverse=True)
    found = (_within(pl.col(root), schema[root], name[len(root) + 1 :]) for root in roots)
    return next((inside for inside in found if inside is not None), None)


def json_root(name: str, schema: Mapping[str, pl.DataType]) -> str | None:
    """The part of a name that is a column of text, or a field of text in a struct; None where no text is in the way."""
    for place, letter in enumerate(name):
        above = reach(name[:place], schema) if letter == "." else None
        if above is not None and above[1] == pl.String:
            return name[:place]
    return None


def holds_json(head: pl.Series) -> bool:
    """Whether the first values of a text column are JSON objects."""
    cells = head.drop_nulls().str.strip_chars()
    return bool(cells.len()) and bool(cells.filter(cells != "").str.starts_with("{").all())


def _within(cell: pl.Expr, dtype: pl.DataType, path: str) -> tuple[pl.Expr, pl.DataType] | None:
    if isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            inner: pl.DataType = field.dtype  # type: ignore[assignment] # an instance, in a schema that was collected
            if path == field.name:
                return cell.struct.field(field.name), inner
            if path.startswith(f"{field.name}."):
                return _within(cell.struct.field(field.name), inner, path[len(field.name) + 1 :])
        return None
    if dtype == pl.String:
        keys = "".join(f"['{key}']" for key in path.replace("\\", "\\\\").replace("'", "\\'").split("."))
        return cell.str.json_path_match(f"${keys}"), pl.String()
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        return _of_records(cell, dtype.inner, path)
    return None


def _of_records(cell: pl.Expr, record: pl.Struct, key: str) -> tuple[pl.Expr, pl.DataType] | None:
    """The value beside a key in a list of records ``{key, value}``; the value may be split by type, as GA4 does it."""
    fields = {field.name: field.dtype for field in record.fields}
    if not {"key", "value"} <= set(fields):
        return None
    value, held = pl.element().struct.field("value"), fields["value"]
    if isinstance(held, pl.Struct):
        split = [field.name for field in held.fields if field.name in _VALUES]
        if not split:
            return None
        split.sort(key=_VALUES.index)
        value = pl.coalesce(value.struct.field(name).cast(pl.String) for name in split)
    of_key = pl.when(pl.element().struct.field("key") == key).then(value.cast(pl.String))
    return cell.list.eval(of_key).list.drop_nulls().list.first(), pl.String()
