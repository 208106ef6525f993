"""Tables of feedback: what users score, rate and say."""

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

_WORDS = ("text", "topic")
_BESIDE = ("platform", "channel")


def to_feedback(tables: Sequence[RawTable], options: ReadOptions) -> frames.Feedback:
    """The answers of all tables as one lazy table: what every column holds is told in :class:`userops.frames.Feedback`.

    Answers without a user count, they are nobody's (``user_id`` null). Rows without a time, or without an answer on its
    scale, are rejected. Raises InputError where a column is missing, unclear or unfit.
    """
    options = replace(options, known_by=None)
    mapping.checked(tables, options)
    known = [(table, _recognised(table, options)) for table in tables]
    parts = [_read(group, options) for group in mapping.groups(known)]
    return mapping.together(frames.Feedback, tables, parts)


def _recognised(table: RawTable, options: ReadOptions) -> layouts.Recognition:
    """The roles of its columns; the time stands for the user of a survey that is nobody's."""
    what = layouts.recognise(table, layout=options.layout, mapping=options.mapping, want="feedback")
    times = layouts.playing(what, "time", table)
    if not {"score", "rating"} & {*what.roles, *what.open}:
        layouts.playing(what, "score", table)
    named = "user_id" in what.roles or "user_id" in what.open
    return what if named else replace(what, roles=what.roles | {"user_id": times}, nobody=True)


def _read(group: Group, options: ReadOptions) -> Part:
    """One group in canonical columns."""
    user = Reading(pl.lit(None, pl.String), pl.String())
    if not group.what.nobody:
        user = mapping.user(group)
        user = replace(user, value=pl.when(~values.any_of(user.flaws.values())).then(user.value), flaws={})
    numbers = {scale: _number(group, scale, options) for scale in frames.SCALES}
    answers, wrong = frames.answered({scale: number.value if number else None for scale, number in numbers.items()})
    steps = {scale: number.first if number else () for scale, number in numbers.items()}
    fields = {
        "user_id": user,
        "time": mapping.time(group, options, "time"),
        **{scale: Reading(answer, pl.Int8(), first=steps[scale]) for scale, answer in answers.items()},
        **{name: _words(group, name) for name in _WORDS},
        **{name: _words(group, name) for name in _BESIDE if group.reads(name)},
    }
    return mapping.part(group, options, fields, at="time", flaws=wrong)


def _number(group: Group, scale: str, options: ReadOptions) -> Reading | None:
    """Answers on one scale as numbers, None where the file does not ask for them."""
    if not group.reads(scale):
        return None
    return values.read_number(group.playing(scale)[0], decimal_comma=options.decimal_comma)


def _words(group: Group, role: str) -> Reading:
    """Text, null where there is no column for it."""
    return (
        values.read_text(group.playing(role)[0]) if group.reads(role) else Reading(pl.lit(None, pl.String), pl.String())
    )
