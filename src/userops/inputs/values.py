"""Turning the columns of a file into ids and numbers: an expression for the value, and one for each flaw.

A :class:`Column` says how to get a column, what type it has and how its first values look; ``read_*`` gives a
:class:`Reading`. Nothing is guessed row by row: how a column is written (a decimal comma, say) is decided once, and
rows written otherwise are flaws, which the caller counts by reason (:data:`userops.frames.REASONS`). Checks that a
type makes needless are left out. Times: :mod:`userops.inputs.times`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import polars as pl

from userops import frames
from userops.errors import InputError
from userops.results import Text


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, how to get it, its type, its first values.

    ``rows``: what it stands in; ``table``: what that is called. ``textual``: from a text file, where cells are
    trimmed and have no type of their own.
    """

    name: str
    cell: pl.Expr
    dtype: pl.DataType
    head: pl.Series
    rows: pl.LazyFrame
    table: str
    textual: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A column as a value (null where it has none), why a value may be missing, and what was decided.

    ``first``: columns that ``value`` and ``flaws`` are made of and that are to be added beforehand, so that costly
    work is done once and not again in every expression. Of times: ``instant``, the moment in UTC; ``wall_zone``, the
    zone whose clocks they were read from, where it changes its clocks.
    """

    value: pl.Expr
    dtype: pl.DataType
    flaws: dict[str, pl.Expr] = field(default_factory=dict)
    notes: tuple[Text, ...] = ()
    first: tuple[pl.Expr, ...] = ()
    instant: pl.Expr | None = None
    wall_zone: str | None = None


def once(column: Column, what: str, cell: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """A column that is added beforehand, and the expression that adds it."""
    name = f"\x1f{column.name}\x1f{what}"
    return pl.col(name), cell.alias(name)


def first_filled(readings: Sequence[Reading]) -> Reading:
    """The first of several columns that has a value: it is missing only where all are, flawed where none has one."""
    if len(readings) == 1:
        return readings[0]
    value = pl.coalesce([reading.value for reading in readings])
    flaws = {}
    for reason in dict.fromkeys(reason for reading in readings for reason in reading.flaws):
        found = [reading.flaws[reason] for reading in readings if reason in reading.flaws]
        flaws[reason] = (
            pl.all_horizontal(found) if reason.startswith("missing") else value.is_null() & pl.any_horizontal(found)
        )
    instants = [reading.instant for reading in readings if reading.instant is not None]
    return Reading(
        value,
        readings[0].dtype,
        flaws,
        tuple(note for reading in readings for note in reading.notes),
        tuple(step for reading in readings for step in reading.first),
        pl.coalesce(instants) if instants else None,
        next((reading.wall_zone for reading in readings if reading.wall_zone), None),
    )


# --- text -------------------------------------------------------------------------------------------------------


def trimmed(column: Column) -> Column:
    """A text column without surrounding blanks, spreadsheet wrapping (``="…"``) and quotes (``'+49…``); empty to null.

    A column of a binary file is left alone unless its first values have any of these.
    """
    if column.dtype != pl.String:
        return _as_text(column)
    head = column.head.drop_nulls()
    wrapped = head.str.contains(r'^\s*(=".*"|\'[+\d].*)\s*$').any()
    if not (column.textual or wrapped or (head != head.str.strip_chars()).any() or (head == "").any()):
        return column
    return replace(
        column,
        cell=trim(column.cell, wrapped=wrapped),
        head=pl.select(trim(pl.lit(column.head), wrapped=wrapped)).to_series(),
    )


def trim(text: pl.Expr, *, wrapped: bool) -> pl.Expr:
    """Text without surrounding blanks, and with ``wrapped`` without spreadsheet wrapping; empty to null."""
    if wrapped:
        bare = (
            text.str.strip_chars().str.replace(r'^="(.*)"$', "$1").str.replace(r"^'([+\d].*)$", "$1").str.strip_chars()
        )
        return pl.when(bare != "").then(bare)
    return text.map_batches(_trimmed, return_dtype=pl.String, is_elementwise=True)


def _trimmed(text: pl.Series) -> pl.Series:
    """A batch of text without surrounding blanks, empty to null; as it is where nothing needs to be done."""
    bare = text.str.strip_chars()
    length = bare.str.len_bytes()
    if length.min() != 0 and (length == text.str.len_bytes()).all():
        return text
    return bare.set(length == 0, None)


def _as_text(column: Column) -> Column:
    """A column of another type as text; InputError for bytes that are none, and for lists and structs."""
    if column.dtype.is_nested():
        raise InputError.column_unfit("text", column.name, column.table, str(column.dtype))
    try:
        head = column.head.cast(pl.String, strict=False)
    except pl.exceptions.ComputeError:
        raise InputError.column_unfit("text", column.name, column.table, str(column.dtype)) from None
    return replace(column, cell=column.cell.cast(pl.String, strict=False), dtype=pl.String(), head=head)


def read_text(column: Column) -> Reading:
    """Text, trimmed where it needs to be; blank to null."""
    text = trimmed(column)
    if text.cell is column.cell:
        return Reading(text.cell, pl.String())
    value, step = once(column, "text", text.cell)
    return Reading(value, pl.String(), first=(step,))


def is_textlike(dtype: pl.DataType) -> bool:
    """Whether a type is a way to store text."""
    return isinstance(dtype, (pl.String, pl.Categorical, pl.Enum, pl.Binary))


# --- ids --------------------------------------------------------------------------------------------------------


def read_id(column: Column) -> Reading:
    """An id: text stays text, integers stay integers, whole floats (``17850.0``) become integers.

    Text of whole floats loses its ``.0``. Ids that a spreadsheet has rounded (``1.23457E+17``) are refused, since
    they merge users: InputError. Null where blank; no flaws of its own (:func:`user_flaws`).
    """
    head = column.head.drop_nulls()
    if column.dtype.is_integer():
        return Reading(column.cell, column.dtype)
    if column.dtype.is_float():
        if head.is_finite().all() and (head.abs() >= 2**53).any():
            raise InputError.damaged_ids(column.name, column.table, str(head.max()))
        if (head.is_nan() | (head == head.round())).all():
            return Reading(column.cell.cast(pl.Int64, strict=False), pl.Int64())
    if column.dtype.is_nested():
        raise InputError.column_unfit("user_id", column.name, column.table, str(column.dtype))
    text = trimmed(column)
    head = text.head.drop_nulls()
    damaged = head.filter(head.str.contains(r"^\d(\.\d+)?[Ee]\+\d+$"))
    if damaged.len():
        raise InputError.damaged_ids(column.name, column.table, damaged[0])
    cell = text.cell
    if head.len() and head.str.contains(r"^\d+\.0$").all():
        cell = cell.str.replace(r"\.0$", "")
    if cell is column.cell:
        return Reading(cell, pl.String())
    value, step = once(column, "id", cell)
    return Reading(value, pl.String(), first=(step,))


def read_user(columns: Sequence[Column]) -> Reading:
    """Who it was: the first column that holds an id of somebody; flawed where none does."""
    readings = [read_id(column) for column in columns]
    if len({reading.dtype for reading in readings}) > 1:
        readings = [replace(reading, value=reading.value.cast(pl.String), dtype=pl.String()) for reading in readings]
    *earlier, last = readings
    somebody = [pl.when(~_nobody(reading)).then(reading.value) for reading in earlier]
    user = replace(
        last,
        value=pl.coalesce([*somebody, last.value]) if somebody else last.value,
        first=tuple(step for reading in readings for step in reading.first),
    )
    flaws = {"missing_user_id": user.value.is_null(), "placeholder_user_id": _nobody(user)}
    if user.dtype == pl.String:
        flaws["missing_user_id"] = user.value.is_null() | (user.value.str.len_bytes() == 0)
    return replace(user, flaws=flaws)


def _nobody(reading: Reading) -> pl.Expr:
    """True for a placeholder. The text of a reading is trimmed where it needs to be, so this compares as it is."""
    return frames.is_placeholder(reading.value, reading.dtype)


# --- numbers ----------------------------------------------------------------------------------------------------

_SIGNS = r"[\s\u00a0\u202f'$€£¥¥₩₹元]"
_CODE = r"^(?:[A-Z]{3}|R\$|US\$)|[A-Z]{3}$"
_POINT = r"^[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d*)?$"
_COMMA = r"^[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)?(?:,\d*)?$"


def read_number(column: Column, *, decimal_comma: bool | None = None) -> Reading:
    """A number as Float64, with flaws ``missing_amount``, ``unreadable_amount`` and ``non_finite_amount``.

    Text with currency signs, thousands separators, a decimal comma or accounting negatives (``(1,234.50)``,
    ``5.00-``) is read so when ``decimal_comma`` is given, or when all the first values are written one way.
    Values that could be either (``1,234`` and nothing else) stop the run: InputError.
    """
    if column.dtype.is_integer() or column.dtype.is_decimal():
        return Reading(column.cell.cast(pl.Float64), pl.Float64(), {"missing_amount": column.cell.is_null()})
    if column.dtype.is_float():
        finite = ~column.cell.is_finite()
        return Reading(
            column.cell.cast(pl.Float64),
            pl.Float64(),
            {"missing_amount": column.cell.is_null(), "non_finite_amount": finite},
        )
    if column.dtype == pl.Null:
        return Reading(pl.lit(None, pl.Float64), pl.Float64(), {"missing_amount": pl.lit(value=True)})
    if not is_textlike(column.dtype):
        raise InputError.column_unfit("amount", column.name, column.table, str(column.dtype))
    text = trimmed(column)
    comma, notes = _decimal_of(text, given=decimal_comma)
    value, number_step = once(column, "number", _plain(text.cell) if comma is None else _money(text.cell, comma=comma))
    blank, blank_step = once(column, "blank", text.cell.is_null())
    flaws = {
        "missing_amount": blank,
        "unreadable_amount": ~blank & value.is_null(),
        "non_finite_amount": ~value.is_finite(),
    }
    return Reading(value, pl.Float64(), flaws, notes, (number_step, blank_step))


def _plain(text: pl.Expr) -> pl.Expr:
    return text.cast(pl.Float64, strict=False)


def _bare(text: pl.Expr) -> pl.Expr:
    """Digits, separators and a leading minus: no currency, no accounting brackets."""
    bare = text.str.replace_all(_SIGNS, "").str.replace(_CODE, "")
    return bare.str.replace(r"^\((.+)\)$", "-$1").str.replace(r"^([^-].*)-$", "-$1").str.replace(_CODE, "")


def _money(text: pl.Expr, *, comma: bool) -> pl.Expr:
    bare = _bare(text)
    fits = bare.str.contains(_COMMA if comma else _POINT) & bare.str.contains(r"\d")
    digits = (
        bare.str.replace_all(r"\.", "").str.replace(",", ".", literal=True) if comma else bare.str.replace_all(",", "")
    )
    return pl.coalesce(pl.when(fits).then(digits).cast(pl.Float64, strict=False), _plain(text))


def _decimal_of(text: Column, *, given: bool | None) -> tuple[bool | None, tuple[Text, ...]]:
    """Whether amounts have a decimal comma (None: plain numbers), and the note that says so."""
    head = text.head.drop_nulls()
    if given is None and not head.is_empty():
        if head.cast(pl.Float64, strict=False).is_not_null().all():
            return None, ()
        bare = pl.select(_bare(pl.lit(head))).to_series()
        point, comma = bare.str.contains(_POINT).all(), bare.str.contains(_COMMA).all()
        if point and comma and bare.str.contains(r"[.,]").any():
            raise InputError.ambiguous_decimal(text.name, text.table, head.filter(bare.str.contains("[.,]"))[0])
        given = comma and not point if point or comma else None
    if given is None:
        return None, ()
    if given:
        return True, (Text(f"{text.name}: read with a decimal comma", f"{text.name}:按逗号小数点读取"),)
    return False, ()


# --- what a column could be ---------------------------------------------------------------------------------------


def looks_like_numbers(head: pl.Series) -> bool:
    """Whether at least half of the first values could be numbers or money; a column of nulls could be anything."""
    if head.dtype.is_numeric() or head.dtype == pl.Null:
        return True
    if head.dtype != pl.String:
        return False
    cells = pl.select(trim(pl.lit(head), wrapped=True)).to_series().drop_nulls()
    bare = pl.select(_bare(pl.lit(cells))).to_series()
    number = cells.cast(pl.Float64, strict=False).is_not_null() | bare.str.contains(r"^[+-]?[\d.,]*\d[\d.,]*$")
    return mostly(number)


def mostly(facts: pl.Series) -> bool:
    """Whether at least half are true; of none, yes."""
    return 2 * int(facts.sum()) >= facts.len()


def any_of(conditions: Iterable[pl.Expr]) -> pl.Expr:
    """True where any condition is; null counts as not."""
    return reduce(
        lambda a, b: a | b, (condition.fill_null(value=False) for condition in conditions), pl.lit(value=False)
    )
