"""Tables of referrals: who invited when, and who joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from userops import frames
from userops.inputs import layouts, mapping, values
from userops.inputs.values import Reading

if TYPE_CHECKING:
    from userops.inputs.mapping import Group, Part, ReadOptions
    from userops.inputs.raw import RawTable

_JOINED = "\x1fjoined"


def to_referrals(tables: Sequence[RawTable], options: ReadOptions) -> frames.Referrals:
    """The rows of all tables as one lazy table: ``referrer_id, invited_at, instant``, ``user_id`` (null: nobody yet).

    Rows without a referrer or a time are rejected. Conditions are about events and orders; a list of users is about
    those who invite. Raises InputError where a column is missing, unclear or unfit.
    """
    options = replace(options, where=(), known_by=None, keep=())
    mapping.checked(tables, options)
    known = [(table, _recognised(table, options)) for table in tables]
    parts = [_read(group, options) for group in mapping.groups(known)]
    found = mapping.together(frames.Referrals, tables, parts)
    rows = found.rows.rename({"user_id": "referrer_id", _JOINED: "user_id"})
    if options.identities is not None:
        rows, joined = options.identities.joined(rows, Reading(pl.col("user_id"), pl.String()))
        rows = rows.with_columns(user_id=joined.value)
    return replace(found, rows=rows)


def _recognised(table: RawTable, options: ReadOptions) -> layouts.Recognition:
    """The roles of its columns; who invites is its user, who joined comes beside."""
    what = layouts.recognise(table, layout=options.layout, mapping=options.mapping, want="referrals")
    inviting = layouts.playing(what, "referrer_id", table)
    joined = {_JOINED: layouts.playing(what, "user_id", table)}
    return replace(what, roles=what.roles | joined | {"user_id": inviting})


def _read(group: Group, options: ReadOptions) -> Part:
    """One group in canonical columns."""
    joined = values.read_id(group.column(group.what.roles[_JOINED][0]))
    somebody = ~frames.is_placeholder(joined.value, joined.dtype)
    if joined.dtype == pl.String:
        somebody &= joined.value.str.len_bytes() > 0
    fields = {
        "user_id": mapping.user(group),
        "invited_at": mapping.time(group, options, "invited_at"),
        _JOINED: replace(joined, value=pl.when(somebody).then(joined.value)),
    }
    return mapping.part(group, options, fields, at="invited_at")
