"""Tables of costs: what was spent on which day, and for which channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from userops import frames, money
from userops.inputs import layouts, mapping, values
from userops.inputs.amounts import read_currency
from userops.inputs.values import Reading

if TYPE_CHECKING:
    from userops.inputs.mapping import Group, Part, ReadOptions
    from userops.inputs.raw import RawTable


def to_costs(tables: Sequence[RawTable], options: ReadOptions) -> frames.Costs:
    """The rows of all tables as one lazy table: ``date``, ``amount`` (exact money), ``channel`` (null: not told).

    Rows without a date or an amount are rejected. Conditions hold here too; lists of users and identities are about
    others. Raises InputError where a column is missing, unclear or unfit.
    """
    options = replace(options, only_users=None, identities=None, known_by=None, keep=())
    mapping.checked(tables, options)
    known = [(table, _recognised(table, options)) for table in tables]
    parts = [_read(group, options) for group in mapping.groups(known)]
    return mapping.together(frames.Costs, tables, parts)


def _recognised(table: RawTable, options: ReadOptions) -> layouts.Recognition:
    """The roles of its columns; the date stands where other tables have a user, whom costs do not know."""
    what = layouts.recognise(table, layout=options.layout, mapping=options.mapping, want="costs")
    dates = layouts.playing(what, "date", table)
    return replace(what, roles=what.roles | {"user_id": dates})


def _read(group: Group, options: ReadOptions) -> Part:
    """One group in canonical columns."""
    spend = values.read_number(group.playing("spend")[0], decimal_comma=options.decimal_comma)
    steps = money.scaled(spend.value)
    channel = Reading(pl.lit(None, pl.String), pl.String())
    if group.reads("channel"):
        channel = values.read_text(group.playing("channel")[0])
    fields = {
        "user_id": Reading(pl.lit("nobody"), pl.String()),
        "date": replace(mapping.time(group, options, "date"), instant=None),
        "amount": replace(spend, value=steps, dtype=pl.Int64(), flaws=_flaws(spend, steps)),
        "channel": channel,
    }
    currency = read_currency(group, needed=True)
    return mapping.part(group, options, fields | ({"currency": currency} if currency else {}), at="date")


def _flaws(spend: Reading, steps: pl.Expr) -> dict[str, pl.Expr]:
    """What is wrong with an amount; one that is too large for exact money cannot be read."""
    too_large = steps.is_null() & spend.value.is_finite()
    unreadable = spend.flaws.get("unreadable_amount")
    return spend.flaws | {"unreadable_amount": too_large if unreadable is None else unreadable | too_large}
