"""The scan of a funnel: from rows of whole users to which step each user reached, and how fast.

The reduce of :mod:`userops.funnel`; the chains themselves are found by :mod:`userops.chains`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from userops import account, chains, frames, partition, periods, tables
from userops.funnel_rules import SECOND, Rules, serving, window

WHOLE, BY, TREND = 0, 1, 2
"""What a row of ``reached`` is a part of: everybody, a value of ``by``, a period of the trend."""

_COLUMN_SEED, _HELD_SEED, _DAY_SEED, _SESSION_SEED = 11, 13, 17, 19
_LEVEL = 1 << 112

ROWS_AT_ONCE = 25_000_000
"""Rows that are looked at together in the fast form: they take some 1.2 GB."""

NEED = partition.Need(working=40, held=1)
"""Memory that a row takes in the fast form, as measured."""

_GENERAL_WEIGHT = 4
"""How many times as much memory a row takes in the general form."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the scans found.

    ``reached``: one row for each user (or session, or pair) and step it reached: ``cut`` (whole, by, trend), ``by``,
    ``period``, ``step``, ``us``: microseconds from the entry, null where only fresh entries lead there. ``people``:
    ``user_id, level, entered, reached`` (instants). ``told``: the rows of the user to be explained.
    """

    books: account.Account
    as_of: date
    reached: pl.DataFrame
    people: pl.DataFrame = field(default_factory=pl.DataFrame)
    told: pl.DataFrame = field(default_factory=pl.DataFrame)


_REACHED: dict[str, pl.DataType] = {
    "cut": pl.Int8(), "by": pl.String(), "period": pl.Int32(), "step": pl.Int8(), "us": pl.Int64()
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scan:
    """The reduces, and the order in which they run."""

    table: frames.Table
    rules: Rules

    def found(self, partitions: int | None) -> Found:
        """The account first, then what rows of the steps amount to: which entries are mature hangs on as-of.

        Rows of the steps wait in memory until as-of is known. Where they do not fit all at once, the file is read again
        for each partition of users.
        """
        table, settings = self.table, self.rules.settings
        weight = 1 if self.rules.plain else _GENERAL_WEIGHT
        partitions = partitions or partition.count_for(
            table.size and table.size * weight, at_once=ROWS_AT_ONCE, need=NEED
        )
        once = partitions == 1
        books, small = account.opened(table, {"rows": partition.Reduce(self.rows)} if once else {})
        as_of = settings.as_of or account.latest_day(books)
        source, slim = (small["rows"].lazy(), _as_they_are) if once else (table.rows, self.rows)
        reduces = self._reduces(slim, self.last_mature(as_of))
        found = partition.run(source, reduces, what=table.name, partitions=partitions)
        return Found(books, as_of, **found)

    def _reduces(self, slim: Callable[[pl.LazyFrame], pl.LazyFrame], mature: int | None) -> dict[str, partition.Reduce]:
        """The tables of :class:`Found`; ``slim`` gives the rows of the steps, which are looked at as a whole."""
        reduces = {"reached": partition.Reduce(slim, then=lambda rows: self.reached(rows, mature))}
        if self.rules.listed:
            reduces["people"] = partition.Reduce(slim, then=self.people)
        if self.rules.settings.explain is not None:
            reduces["told"] = partition.Reduce(lambda rows: slim(rows).select("key", "mask", "event"))
        return reduces

    def last_mature(self, as_of: date) -> int | None:
        """The last instant at which an entry is mature; None: all are."""
        length = window(self.rules.within)
        return None if length is None else periods.end_instant(as_of, self.rules.settings.tz) - length - 1

    # --- rows ---------------------------------------------------------------------------------------------------------

    def rows(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Rows as :mod:`userops.chains` takes them, beside them what else is asked for: ``unit, day, by, user_id``.

        In the plain case one number per row, ``stepped``.
        """
        rules, settings = self.rules, self.rules.settings
        rows = frames.good(rows)
        if settings.explain is not None:
            rows = rows.filter(pl.col("user_id").cast(pl.String) == settings.explain)
        if settings.count == "sessions" and not rules.session_ids:
            rows = _in_sessions(rows)
        day = tables.day(pl.col("time").to_physical())
        instant = pl.col("instant").to_physical()
        instant = instant // SECOND * SECOND if rules.resolution == "second" else instant
        unit = log = self._unit()
        if settings.hold is not None:
            log = log ^ pl.col(settings.hold).cast(pl.String).hash(_HELD_SEED)
        if rules.same_day:
            log = log ^ day.hash(_DAY_SEED)
        if rules.plain:
            return rows.select(stepped=chains.stepped(chains.key(log, instant), self._step(day))).drop_nulls()
        columns = {"key": chains.key(log, instant), "mask": self._mask(day), "unit": unit}
        if settings.trend is not None:
            columns["day"] = day
        if settings.by is not None:
            columns["by"] = pl.col(settings.by).cast(pl.String)
        if rules.listed:
            columns |= {"user_id": pl.col("user_id"), "event": pl.col("event")}
        if rules.resolution == "second":
            columns["event"] = pl.col("event")
        slim = rows.filter(self._needed()).select(**columns)
        return slim.unique() if rules.resolution == "second" else slim

    def _unit(self) -> pl.Expr:
        """What is counted, as a number: users, their sessions, or pairs of a user and a value."""
        user, count = pl.col("user_id").hash(tables.USER_SEED), self.rules.settings.count
        if count == "users":
            return user
        if count == "sessions" and not self.rules.session_ids:
            return user ^ pl.col(_SESSION).hash(_SESSION_SEED)
        column = "session_id" if count == "sessions" else count
        return user ^ pl.col(column).cast(pl.String).hash(_COLUMN_SEED)

    def _needed(self) -> pl.Expr:
        """The rows that can matter: of named events (all, if strict), with a value where one is held or counted."""
        rules, settings = self.rules, self.rules.settings
        needed = [pl.col("event").is_in(rules.events)] if rules.order != "strict" else []
        values = [settings.hold] if settings.hold else []
        values += [] if settings.count in ("users", "sessions") else [settings.count]
        values += ["session_id"] if rules.session_ids else []
        needed += [pl.col(column).is_not_null() for column in values]
        return pl.all_horizontal(needed) if needed else pl.lit(value=True)

    def _inside(self, day: pl.Expr) -> pl.Expr:
        """Whether a chain may begin on a day."""
        settings, inside = self.rules.settings, pl.lit(value=True)
        if settings.since is not None:
            inside &= day >= periods.epoch_day(settings.since)
        if settings.until is not None:
            inside &= day <= periods.epoch_day(settings.until)
        return inside

    def _step(self, day: pl.Expr) -> pl.Expr:
        """The one step that a row serves, from 0; null where it serves none."""
        first, *others = (serving(step) for step in self.rules.steps)
        served = [first & self._inside(day), *others]
        return pl.coalesce(pl.when(there).then(pl.lit(step, pl.Int8)) for step, there in enumerate(served))

    def _mask(self, day: pl.Expr) -> pl.Expr:
        """Which steps a row may serve, and whether it may begin a chain, or breaks one."""
        settings, inside = self.rules.settings, self._inside(day)
        served_by = [serving(step) for step in self.rules.steps]
        bits = {1 << step: served for step, served in enumerate(served_by)}
        if self.rules.order == "any":
            bits[chains.START] = pl.any_horizontal(served_by) & inside
        else:  # a row of step 1 does nothing but begin a chain
            bits[1] = served_by[0] & inside
            bits[chains.START] = bits[1]
        if settings.exclude:
            bits[chains.OUT] = pl.col("event").is_in(settings.exclude)
        return pl.sum_horizontal(served.cast(pl.UInt32) * pl.lit(bit, pl.UInt32) for bit, served in bits.items())

    # --- what they amount to ------------------------------------------------------------------------------------------

    def reached(self, rows: pl.DataFrame, mature: int | None) -> pl.DataFrame:
        """``reached`` of :class:`Found`, from rows of whole users."""
        parts = self._quickly(rows, mature) if self.rules.plain else self._thoroughly(rows, mature)
        return pl.concat([part.select(pl.col(name).cast(dtype) for name, dtype in _REACHED.items()) for part in parts])

    def _quickly(self, rows: pl.DataFrame, mature: int | None) -> list[pl.DataFrame]:
        """The plain case: mature entries over all rows, and fresh entries, whose chains begin after the last mature one."""
        search, whole = self.rules.search, {"cut": WHOLE, "by": None, "period": None}
        served = chains.by_step(rows["stepped"], search.steps)
        young = [keys.clear() if mature is None else keys.filter(chains.later(keys, mature)) for keys in served]
        begun = served[0] if mature is None else served[0].filter(~chains.later(served[0], mature))
        old, new = (chains.first_completions(keys, search) for keys in ([begun, *served[1:]], young))
        parts = []
        for step, (ripe, fresh) in enumerate(zip(old, new, strict=True), 1):
            timed = ripe.select(unit=chains.log_of(pl.col("key")), us=(pl.col("done") - pl.col("key")).cast(pl.Int64))
            only = fresh.select(unit=chains.log_of(pl.col("key"))).join(timed, on="unit", how="anti")
            us = pl.concat([timed, only.with_columns(us=pl.lit(None, pl.Int64))])
            parts.append(us.with_columns(pl.lit(step).alias("step"), **{k: pl.lit(v) for k, v in whole.items()}))
        return parts

    def _thoroughly(self, rows: pl.DataFrame, mature: int | None) -> list[pl.DataFrame]:
        """The general case: every entry by itself, then the best of each user, of each value, of each period."""
        settings = self.rules.settings
        ripe = pl.lit(value=True) if mature is None else ~chains.later(pl.col("key"), mature)
        cuts: dict[int, dict[str, pl.Expr]] = {WHOLE: {}}
        if settings.by is not None:
            cuts[BY] = {"by": pl.col("by")}
        if settings.trend is not None:
            cuts[TREND] = {"period": periods.index(pl.col("day"), settings.trend, settings.week_start)}
        empty = {"by": pl.lit(None, pl.String), "period": pl.lit(None, pl.Int32)}
        best = chains.taken(pl.when(ripe).then(chains.merit()).min()).alias("us")
        parts = []
        for step, entries in enumerate(self.completions(rows), 1):
            for cut, keys in cuts.items():
                bests = entries.group_by("unit", *(key.alias(name) for name, key in keys.items())).agg(best)
                absent = {name: null for name, null in empty.items() if name not in keys}
                parts.append(bests.with_columns(cut=pl.lit(cut), step=pl.lit(step), **absent))
        return parts

    def completions(self, rows: pl.DataFrame) -> list[pl.DataFrame]:
        """:func:`userops.chains.completions` of the rows; with ``entry`` first, of the first entry of each unit only."""
        if self.rules.entry == "first":
            begins, at = pl.col("mask") & chains.START != 0, chains.instant_of(pl.col("key"))
            first = rows.filter(begins).group_by("unit").agg(first=at.min())
            rows = rows.join(first, on="unit", how="left").with_columns(
                mask=pl.when(begins & (at > pl.col("first"))).then(pl.col("mask") ^ chains.START).otherwise("mask")
            )
            rows = rows.drop("first")
        return chains.completions(rows, self.rules.search)

    def people(self, rows: pl.DataFrame) -> pl.DataFrame:
        """``user_id, level, entered, reached``: of each user the deepest step, its earliest completion, latest entry."""
        last = len(self.rules.steps)
        ranked = [
            entries.select("user_id", rank=pl.lit((last - step) * _LEVEL, pl.Int128) + chains.merit())
            for step, entries in enumerate(self.completions(rows), 1)
        ]
        best = pl.concat(ranked).group_by("user_id").agg(pl.col("rank").min())
        merit = pl.col("rank") % _LEVEL
        done = chains.finished(merit)
        level = (last - pl.col("rank") // _LEVEL).cast(pl.Int32)
        return best.select("user_id", level=level, entered=done - chains.taken(merit), reached=done)


_SESSION = "\x1fsession"


def _as_they_are(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows


def _in_sessions(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with the key of the first row of their session: a session ends where a user is silent for longer than a gap."""
    key = chains.key(pl.col("user_id").hash(tables.USER_SEED), pl.col("instant").to_physical())
    ordered = rows.with_columns(key.alias(_SESSION)).sort(_SESSION)
    begins = (pl.col(_SESSION).diff() > tables.SESSION_GAP).fill_null(value=True)
    return ordered.with_columns(pl.when(begins).then(_SESSION).forward_fill().alias(_SESSION))
