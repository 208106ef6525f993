"""Tables of users: when they signed up, and what is known about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from userops import frames
from userops.collecting import collect
from userops.inputs import layouts, mapping
from userops.inputs.values import Reading
from userops.results import Text

if TYPE_CHECKING:
    from userops.inputs.mapping import Group, Part, ReadOptions
    from userops.inputs.raw import RawTable


def to_users(tables: Sequence[RawTable], options: ReadOptions) -> frames.Users:
    """The rows of all tables as one lazy table: ``user_id``, ``signed_up_at``, and what ``options.keep`` names.

    ``signed_up_at`` is null where it is missing or cannot be read, and throughout where no column says it; only rows
    without a user are rejected (conditions and dates of ``options`` are about events and orders). Raises InputError
    where a column is missing, unclear or unfit.
    """
    options = replace(options, where=(), only_users=None, as_of=None, known_by=None, drop_duplicates=False)
    mapping.checked(tables, options)
    known = [
        (table, layouts.recognise(table, layout=options.layout, mapping=options.mapping, want="users"))
        for table in tables
    ]
    parts = [_read(group, options) for group in mapping.groups(known)]
    return mapping.together(frames.Users, tables, parts)


def one_row_each(users: frames.Users) -> tuple[pl.DataFrame, tuple[Text, ...]]:
    """One row per user, sorted by ``user_id`` (text), and a warning where rows of one user differ.

    The earliest sign-up counts. Every attribute is the first one filled in the order of sign-ups; among equal
    sign-ups the least, so that the order of rows never matters.
    """
    rows = frames.good(users.rows).with_columns(pl.col("user_id").cast(pl.String))
    ours = {"user_id", "signed_up_at", *(("source",) if len(users.sources) > 1 else ())}
    names = [name for name in rows.collect_schema().names() if name not in ours]
    filled = {name: pl.col(name).sort_by("signed_up_at", name, nulls_last=True).drop_nulls() for name in names}
    differ = [value.n_unique() > 1 for value in filled.values()]
    each = rows.group_by("user_id").agg(
        pl.col("signed_up_at").min(),
        *(value.first().alias(name) for name, value in filled.items()),
        pl.any_horizontal(differ).alias("\x1fdiffer") if differ else pl.lit(value=False).alias("\x1fdiffer"),
    )
    table = collect(each.sort("user_id"), users.name)
    n = int(table["\x1fdiffer"].sum())
    warning = Text(
        f"{users.name}: {n:,} users have rows that differ; what the earliest sign-up says counts",
        f"{users.name}:{n:,} 个用户的多行内容不一致,以最早注册的一行为准",
    )
    return table.drop("\x1fdiffer"), (warning,) if n else ()


def fitting(given: Mapping[str, str], tables: Sequence[RawTable]) -> dict[str, str]:
    """The part of ``--map`` that names columns of these tables: the rest is about events or orders."""
    columns = {layouts.normalised(name) for table in tables for name in layouts.columns_of(table.schema)}
    return {role: column for role, column in given.items() if layouts.normalised(column) in columns}


def _read(group: Group, options: ReadOptions) -> Part:
    """One group in canonical columns."""
    user = mapping.user(group)
    signed_up = Reading(pl.lit(None, pl.Datetime("us")), pl.Datetime("us"))
    if group.reads("signed_up_at"):
        signed_up = replace(mapping.time(group, options, "signed_up_at"), flaws={}, instant=None)
    return mapping.part(group, options, {"user_id": user, "signed_up_at": signed_up}, at="signed_up_at")
