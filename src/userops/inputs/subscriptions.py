"""Tables of subscriptions, in any of three shapes: dates, tenures, or counts of those who are left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from userops import frames
from userops.errors import InputError
from userops.inputs import layouts, mapping, values
from userops.inputs.values import Column, Reading

if TYPE_CHECKING:
    from userops.inputs.mapping import Group, Part, ReadOptions
    from userops.inputs.raw import RawTable

TRUE = ("1", "1.0", "yes", "y", "true", "t", "churned", "cancelled", "canceled", "是", "流失", "已流失")
FALSE = ("0", "0.0", "no", "n", "false", "f", "active", "retained", "否", "未流失", "留存")
"""What people write for having churned or not, in small letters."""

NEVER = r"^\s*(?:9999|0000)[-/]"
"""Dates that stand for no end."""


def to_subscriptions(tables: Sequence[RawTable], options: ReadOptions) -> frames.Subscriptions:
    """The rows of all tables as one lazy table (:class:`userops.frames.Subscriptions`), with ``options.keep``.

    Rows that lack what their shape needs are rejected, and dates that end before they start. Raises InputError where
    a table has no shape, where the shapes differ, or where a column is missing, unclear or unfit.
    """
    mapping.checked(tables, options)
    known = [
        (table, layouts.recognise(table, layout=options.layout, mapping=options.mapping, want="subscriptions"))
        for table in tables
    ]
    shapes = [_shape(table, what, options) for table, what in known]
    for (table, _), shape in zip(known, shapes, strict=True):
        if shape != shapes[0]:
            raise InputError.kinds_differ(tables[0].name, shapes[0], table.name, shape)
    if shapes[0] == "counts":  # of cohorts, not of users: the period stands where an id would
        options = replace(options, only_users=None, identities=None)
        known = [(table, replace(what, roles=what.roles | {"user_id": what.roles["period"]})) for table, what in known]
    parts = [_READ[shapes[0]](group, options) for group in mapping.groups(known)]
    return mapping.together(frames.Subscriptions, tables, parts, shape=shapes[0])


def _shape(table: RawTable, what: layouts.Recognition, options: ReadOptions) -> frames.Shape:
    """What ``--map`` asks for, else the first shape whose columns are all there, else whose first one is."""
    given = [shape for shape, columns in frames.SHAPES.items() if set(columns) & set(options.mapping)]
    reads = {*what.roles, *what.open}
    for shape in given or frames.SHAPES:
        columns = frames.SHAPES[shape]
        if set(columns) <= reads:
            for role in columns:
                layouts.playing(what, role, table)  # a choice to make stops here
            return shape
    if "started_at" in reads or given:
        for role in frames.SHAPES[given[0] if given else "dates"]:
            layouts.playing(what, role, table)  # says which one is missing
    raise InputError.no_subscriptions(table.name, list(table.schema))


def _dates(group: Group, options: ReadOptions) -> Part:
    started = replace(mapping.time(group, options, "started_at"), instant=None)
    ended = mapping.time(group, options, "ended_at")
    never = pl.any_horizontal(
        column.cell.cast(pl.String, strict=False).str.contains(NEVER).fill_null(value=False)
        for column in group.playing("ended_at")
    )
    end = pl.when(~never).then(ended.value)
    still_there = ended.flaws["missing_time"] | never
    flaws = {
        "unreadable_time": started.flaws["unreadable_time"] | (ended.flaws["unreadable_time"] & ~still_there),
        "ends_before_start": end < started.value,
    }
    ended = replace(ended, value=end, flaws={}, instant=None)
    return mapping.part(
        group,
        options,
        {"user_id": mapping.user(group), "started_at": started, "ended_at": ended},
        at="started_at",
        flaws=flaws,
    )


def _tenures(group: Group, options: ReadOptions) -> Part:
    churned = _yes_or_no(group.playing("churned")[0])
    fields = {"user_id": mapping.user(group), "tenure": _number(group, options, "tenure"), "churned": churned}
    return _undated(group, options, fields, {"unreadable_churned": churned.value.is_null()})


def _counts(group: Group, options: ReadOptions) -> Part:
    cohort = Reading(pl.lit("cohort"), pl.String())
    fields = {"user_id": cohort} | {role: _number(group, options, role) for role in frames.SHAPES["counts"]}
    return _undated(group, options, fields, {})


_READ = {"dates": _dates, "tenures": _tenures, "counts": _counts}


def _undated(group: Group, options: ReadOptions, fields: dict[str, Reading], flaws: dict[str, pl.Expr]) -> Part:
    """A part whose rows happened at no time in particular."""
    numbers = [reading.value for reading in fields.values() if reading.dtype == pl.Float64]
    flaws["unreadable_number"] = pl.any_horizontal(~frames.is_number(value) for value in numbers)
    never = Reading(pl.lit(None, pl.Datetime("us")), pl.Datetime("us"))
    options = replace(options, as_of=None, known_by=None)
    return mapping.part(group, options, {**fields, "started_at": never}, at="started_at", flaws=flaws)


def _number(group: Group, options: ReadOptions, role: str) -> Reading:
    """A number; what is wrong with it is told as one reason."""
    return replace(values.read_number(group.playing(role)[0], decimal_comma=options.decimal_comma), flaws={})


def _yes_or_no(column: Column) -> Reading:
    """Whether somebody has churned: words, numbers or Booleans; null where it says neither."""
    if column.dtype == pl.Boolean:
        return Reading(column.cell, column.dtype)
    text = values.trimmed(column).cell.str.to_lowercase()
    value = pl.when(text.is_in(TRUE)).then(pl.lit(value=True)).when(text.is_in(FALSE)).then(pl.lit(value=False))
    return Reading(value, pl.Boolean())
