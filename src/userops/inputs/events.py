"""Tables of events as canonical Events: who did what and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from userops import frames
from userops.inputs import layouts, mapping, values
from userops.inputs.amounts import read_amount, read_currency
from userops.inputs.values import Reading

if TYPE_CHECKING:
    from userops.inputs.mapping import Group, Part, ReadOptions
    from userops.inputs.raw import RawTable

_SEED = 20_047


def to_events(tables: Sequence[RawTable], options: ReadOptions) -> frames.Events:
    """The events of all tables as one lazy table; what every column holds is told in :mod:`userops.frames`.

    Rows that cannot count stay, with the first reason that applies; of rows that were sent more than once under one
    event id, the earliest counts. ``amount`` and ``currency`` are there when they are asked for (``keep``, or a
    condition on the amount); an amount that cannot be read is null and no reason to reject. Raises InputError where a
    column is missing, unclear or unfit, UsageError where an option is wrong.
    """
    mapping.checked(tables, options)
    known = [
        (table, layouts.recognise(table, layout=options.layout, mapping=options.mapping, want="events"))
        for table in tables
    ]
    parts = [_read(group, options) for group in mapping.groups(known)]
    return mapping.together(frames.Events, tables, parts)


def _read(group: Group, options: ReadOptions) -> Part:
    """One group in canonical columns."""
    user, event, time = mapping.user(group), _event(group), mapping.time(group, options, "time")
    fields = {
        "user_id": user,
        "event": event,
        "time": time,
        **mapping.arrival(group, options, time),
        **_money(group, options),
    }
    flaws = {}
    if (known := group.what.variant) is not None and known.closed:
        flaws["not_an_event"] = mapping.ruled(group, known.closed)
        flaws["missing_event"] = event.flaws["missing_event"] & ~flaws["not_an_event"]  # a profile has no name
    return mapping.part(group, options, fields, at="time", flaws=flaws, sent_as=_sent_as(group))


def _event(group: Group) -> Reading:
    """The name of the event, in our words where the export has its own."""
    readings = [values.read_text(column) for column in group.playing("event")]
    blank = [reading.value.is_null() | (reading.value.str.len_bytes() == 0) for reading in readings]
    event = values.first_filled(
        [replace(reading, flaws={"missing_event": flaw}) for reading, flaw in zip(readings, blank, strict=True)]
    )
    known = group.what.variant
    return event if known is None or not known.event_names else replace(event, value=_renamed(event.value, known))


def _renamed(event: pl.Expr, export: layouts.Layout) -> pl.Expr:
    renamed = event
    for theirs, ours in export.event_names.items():
        renamed = pl.when(event == theirs).then(pl.lit(ours)).otherwise(renamed) if theirs != ours else renamed
    return renamed


def _money(group: Group, options: ReadOptions) -> dict[str, Reading]:
    """What an event is worth, and in which currency, if that is asked for."""
    wanted = {*options.keep, *(condition.column for condition in options.conditions)}
    if "amount" not in wanted:
        return {}
    readings = {"amount": read_amount(group, options, needed=True), "currency": read_currency(group, needed=True)}
    return {name: replace(reading, flaws={}) for name, reading in readings.items() if reading is not None}


def _sent_as(group: Group) -> Reading | None:
    """A number that all copies of one event share, null where it has no id; None where no column holds ids."""
    names = group.what.roles.get("event_id")
    if names is None:
        return None
    ids = [values.read_text(group.column(name)) for name in names]
    empty = [frames.is_placeholder(i.value, i.dtype) | (i.value.str.len_bytes() == 0) for i in ids]
    event_id = pl.coalesce(pl.when(~no).then(reading.value) for reading, no in zip(ids, empty, strict=True))
    known = group.what.variant
    roles = known.same_event if known is not None else ()
    alike = [group.column(name).cell.alias(name) for role in roles for name in group.what.roles[role]]
    whole = pl.struct(event_id.alias("id"), *alike) if alike else event_id
    steps = tuple(step for reading in ids for step in reading.first)
    return Reading(pl.when(event_id.is_not_null()).then(whole.hash(_SEED)), pl.UInt64(), first=steps)
