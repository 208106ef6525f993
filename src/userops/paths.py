"""Paths: how users move from event to event within a session, where they come in and where they leave.

Reduce: the events of each user in order, cut into sessions; moves, waits, steps and trails counted by keys. Finish:
shares, medians, the facts of sessions.

Definitions (docs/methods.md has the long form):

* A *session* is a run of events of one user without a pause longer than the gap. A *path* is a session, or what
  ``start_at`` and ``end_at`` leave of it.
* A *move* leads from one event of a path to the next, from ``(start)`` to the first, from the last to ``(exit)``. Events
  of one instant go in order of their names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any, Literal

import polars as pl

from userops import account, frames, partition, periods, stats, tables, visits
from userops.errors import InputError, UsageError
from userops.pages import paths as page
from userops.periods import WeekStart
from userops.results import Provenance, Result

START, EXIT = "(start)", "(exit)"
"""Where paths come from, and where they go."""

MATRIX_STEPS, TRAIL_STEPS = 10, 3
"""How many steps the step matrix and the top paths show unless told otherwise."""

ROWS_AT_ONCE = 25_000_000
"""Rows that are put in order together: they take some 2.5 GB."""

NEED = partition.Need(working=60, held=50)
"""Memory that a row takes, as measured."""

LONGEST_TRAIL = 5
"""Steps that a top path has at most."""

MOST_STEPS = 50
"""Steps that may be asked for."""

TOP_PATHS = 100
"""Top paths that are listed."""

SECOND = 1_000_000

RESERVED = frozenset({
    "source", "target", "transitions", "users", "share", "median_seconds", "session", "session_id", "started_at",
    "events", "seconds", "step", "event", "path", "steps", "sessions", "user", "user_id", "at", "time", "instant", "reject",
    "group", "bounces", "bounce_rate", "first", "last", "began", "owner", "key", "unnamed",
})  # fmt: skip
"""Names of columns of the result, and of those on the way to it: not to be broken down by."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about paths; the defaults are what most people mean.

    ``since``, ``until``: sessions that begin on these days are reported, whole. ``session_gap``: a longer pause begins a
    session; None: one session per user; ``session_id``: as that column says. ``max_steps``: only the first so many
    events of a path are looked at. ``start_at``: paths begin at the first such event of a session, sessions without it
    are left out; ``end_at``: they end with the first such event (after the start) likewise. ``show``: which table the
    rows are.
    """

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: WeekStart = "monday"
    session_gap: timedelta | Literal["session_id"] | None = timedelta(minutes=30)
    max_steps: int | None = None
    start_at: str | None = None
    end_at: str | None = None
    by: str | None = None
    show: Literal["transitions", "sessions", "step_matrix"] = "transitions"

    def __post_init__(self) -> None:
        if isinstance(self.session_gap, timedelta) and self.session_gap <= timedelta(0):
            raise UsageError.bad_value("--session-gap", self.session_gap, "a time above zero, such as 30m, or none")
        if self.max_steps is not None and not 1 <= self.max_steps <= MOST_STEPS:
            raise UsageError.bad_value("--max-steps", self.max_steps, f"a whole number from 1 to {MOST_STEPS}")
        if self.by in RESERVED:
            raise UsageError.bad_value("--by", self.by, "a column that goes by none of the names of the result")
        if self.by and self.show == "sessions":
            raise UsageError.conflict("--by", "--sessions", "the sessions are listed one by one")
        periods.require_order(self.since, self.until)

    @property
    def columns(self) -> list[str]:
        """Columns that are needed beside the usual ones."""
        return [*([self.by] if self.by else []), *(["session_id"] if self.by_id else [])]

    @property
    def by_id(self) -> bool:
        """Whether a column tells sessions apart."""
        return self.session_gap == "session_id"

    @property
    def gap(self) -> int | None:
        """The longest pause inside a session, microseconds."""
        gap = self.session_gap
        return gap // timedelta(microseconds=1) if isinstance(gap, timedelta) else None

    @property
    def gap_text(self) -> str:
        """The gap as the option takes it: ``30m``, ``none``, ``session_id``."""
        gap = self.session_gap
        if not isinstance(gap, timedelta):
            return gap or "none"
        units = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
        unit, size = next((u for u in units.items() if gap % u[1] == timedelta(0)), ("s", timedelta(seconds=1)))
        return f"{gap / size:g}{unit}"

    @property
    def matrix_steps(self) -> int:
        """Steps of the step matrix."""
        return self.max_steps or MATRIX_STEPS

    @property
    def trail_steps(self) -> int:
        """The most steps of a top path."""
        return min(self.max_steps or TRAIL_STEPS, LONGEST_TRAIL)


@dataclass(frozen=True, slots=True, repr=False)
class PathsResult(Result):
    """Paths, which can be drawn as a flowchart too."""

    def mermaid(self) -> str:
        """The most frequent transitions as a Mermaid flowchart; needs transitions as its rows."""
        return page.mermaid(self.rows)


def analyse(
    rows: frames.Table | pl.LazyFrame | pl.DataFrame,
    settings: Settings | None = None,
    *,
    users: pl.DataFrame | None = None,
    partitions: int | None = None,
    **changes: Any,
) -> PathsResult:
    """The transitions of events (or the sessions, or the step matrix), with what is told of them.

    ``users``: ``user_id`` and attributes, for ``by``. ``changes`` are fields of :class:`Settings`. ``partitions`` bounds
    memory, never the numbers. Raises InputError when no row is usable, when an event that was named is not there, and
    when no session is left to look at; UsageError for orders.
    """
    settings = replace(settings or Settings(), **changes)
    table = visits.table_of(rows, settings.as_of)
    _require_columns(table, settings, users)
    partitions = partitions or partition.count_for(table.size, at_once=ROWS_AT_ONCE, need=NEED)
    seen = partition.Reduce(tables.events_seen, keys=("event",), earliest=("first",), latest=("last",))
    first = {"seen": seen}
    if settings.by:
        first["groups"] = partition.Reduce(lambda part: _groups(table, part, settings, users))
    books, small = account.opened(table, first, partitions=partitions if settings.by else 1)
    log = tables.Log.of(small["seen"])
    _require_events(log, settings, table.name)
    groups = Groups.of(small["groups"], str(settings.by)) if settings.by else Groups(None, (None,))
    walk = _Walk(settings, log, groups, _precision(books.rows_used))
    found = partition.run(
        table.rows,
        walk.reduces(),
        what=table.name,
        partitions=partitions,
        prepare=lambda part: walk.paths(part, walk.keep),
    )
    if found["sessions"].is_empty():
        raise InputError.no_paths(table.name)
    return Story(settings, books, settings.as_of or account.latest_day(books), walk, found).result()


def _require_columns(table: frames.Table, settings: Settings, users: pl.DataFrame | None) -> None:
    """UsageError for orders; InputError where a column that was named is not there."""
    if not isinstance(table, frames.Events):
        raise UsageError.needs_events("paths", table.name)
    known = table.rows.collect_schema().names()
    for column in settings.columns:
        if column not in known and not (users is not None and column in users.columns and column == settings.by):
            raise InputError.column_unknown(column, table.name, known)


def _require_events(log: tables.Log, settings: Settings, name: str) -> None:
    """InputError where an event that was named is not there, and where one goes by a name of ours."""
    for event in (settings.start_at, settings.end_at):
        if event is not None and event not in log.names:
            raise InputError.event_unknown(event, name, log.names)
    for event in (START, EXIT):
        if event in log.names:
            raise InputError.event_name_taken(event, name)


def _precision(rows: int) -> int:
    """Waits are told apart to the microsecond, in logs too large for that to the second."""
    return 1 if rows <= partition.WHOLE_UP_TO else SECOND


# --- whole numbers as one -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Packing:
    """Several whole numbers as one, which sorts and groups as they would, several times as fast.

    ``sizes``: by name, how many values each may have, from 0 on; the first is the most significant.
    """

    sizes: Mapping[str, int]

    @property
    def size(self) -> int:
        """How many values the one number may have."""
        return math.prod(self.sizes.values())

    @property
    def dtype(self) -> pl.DataType:
        """Int64 where that holds the one number, else Int128."""
        return pl.Int64() if self.size < 1 << 63 else pl.Int128()

    def pack(self, **parts: pl.Expr) -> pl.Expr:
        """The numbers as one, from the columns of these names or the ``parts``."""
        packed = pl.lit(0, self.dtype)
        for name, size in self.sizes.items():
            packed = packed * size + parts.get(name, pl.col(name)).cast(self.dtype)
        return packed

    def unpack(self, packed: pl.Expr) -> dict[str, pl.Expr]:
        """The numbers by name, Int64."""
        found, rest = {}, packed
        for name, size in reversed(list(self.sizes.items())):
            found[name], rest = (rest % size).cast(pl.Int64), rest // size
        return found


# --- groups ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Groups:
    """What ``by`` parts users into: ``of_user`` (``user, group``: a place in ``values``), None where nothing is parted.

    ``values``: sorted, None last: users of whom nothing is known.
    """

    of_user: pl.DataFrame | None
    values: tuple[str | None, ...]

    @classmethod
    def of(cls, known: pl.DataFrame, by: str) -> Groups:
        """From ``user, <by>``."""
        values = known[by].drop_nulls().unique().sort()
        place = pl.col(by).replace_strict(values, range(values.len()), default=values.len(), return_dtype=pl.UInt32)
        return cls(known.select("user", group=place), (*values, None))

    def joined(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Rows with the ``group`` of their ``user``, in the order they were."""
        if self.of_user is None:
            return rows.with_columns(group=pl.lit(0, pl.UInt32))
        with_group = rows.join(self.of_user.lazy(), on="user", how="left", maintain_order="left")
        return with_group.with_columns(pl.col("group").fill_null(len(self.values) - 1))


def _groups(table: frames.Table, rows: pl.LazyFrame, settings: Settings, users: pl.DataFrame | None) -> pl.LazyFrame:
    """``user, <by>``: what the users table, else a user's first row in the window, says."""
    by = str(settings.by)
    if users is not None and by in users.columns:
        return tables.known_users(users, table, "day", settings.week_start).lazy().select("user", by)
    return tables.attribute(table, rows, by, (settings.since, settings.until))


# --- reduce ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Walk:
    """The paths of users, and what is counted of them. Events go by their place in ``log.names``.

    ``source`` of a first event and ``target`` of a last one are ``len(log.names)``: the start, the exit. ``precision``:
    microseconds that a wait is told in.
    """

    settings: Settings
    log: tables.Log
    groups: Groups
    precision: int

    def reduces(self) -> dict[str, partition.Reduce]:
        """All that is counted; every table but the list of sessions is counted in one scan."""
        if self.settings.show == "sessions":
            return {"sessions": partition.Reduce(self.sessions), "listed": partition.Reduce(self.listed)}
        return {
            "sessions": partition.Reduce(self.sessions),
            "moves": partition.Reduce(self.moves, keys=("move",)),
            "users": partition.Reduce(self.users, keys=("move",)),
            "waits": partition.Reduce(self.waits),
            "steps": partition.Reduce(self.steps, keys=("cell",)),
            "trails": partition.Reduce(self.trails, keys=("trail",)),
        }

    # --- numbers that stand for several

    @property
    def _ends(self) -> int:
        return len(self.log.names)

    @property
    def move(self) -> Packing:
        """Group, target and source."""
        return Packing({"group": len(self.groups.values), "target": self._ends + 1, "source": self._ends + 1})

    @property
    def wait(self) -> Packing:
        """A move and how long it took."""
        return Packing({**self.move.sizes, "waited": (self.log.last - self.log.first) // self.precision + 2})

    @property
    def cell(self) -> Packing:
        """Group, step and event."""
        sizes = {"group": len(self.groups.values), "step": self.settings.matrix_steps + 1, "event": self._ends}
        return Packing(sizes)

    @property
    def trail(self) -> Packing:
        """Group and the first events of a path; after its end, the exit."""
        events = {f"event{step}": self._ends + 1 for step in range(1, self.settings.trail_steps + 1)}
        return Packing({"group": len(self.groups.values), **events})

    # --- the rows of paths

    def paths(self, rows: pl.LazyFrame, keep: Sequence[str] = ()) -> pl.LazyFrame:
        """The events of all paths, each with its place: ``who, group, source, event, waited, step, last, lasted``.

        Sorted by user, path and time. ``who``: a number of the user, UInt32. ``source``: the event before; the first one
        has waited null. ``step`` counts from 1; ``last``: of its path; ``lasted``: microseconds since the path began.
        ``keep``: as they are, ``time`` as that of the first event.
        """
        settings = self.settings
        windowed = settings.since is not None or settings.until is not None
        kept = [*keep, *(["time"] if windowed and "time" not in keep else [])]
        found = tables.sessions(frames.good(rows), self.log, gap=settings.gap, by_id=settings.by_id, keep=kept)
        if windowed:
            began = _of_first(pl.col("time")).to_physical()
            since, until = settings.since or date.min, settings.until or date.max - timedelta(days=1)
            found = found.filter(began >= periods.start_of_day(since), began < periods.end_of_day(until))
        at, event, number = pl.col("at"), pl.col("event"), pl.int_range(pl.len(), dtype=pl.UInt32)
        return self.groups.joined(self._cut(found)).select(
            "group", "event",
            *(_of_first(pl.col("time")) if name == "time" else name for name in keep),
            who=pl.col("user").ne_missing(pl.col("user").shift(1)).cum_sum(),
            source=pl.when(_first()).then(pl.lit(self._ends, pl.UInt32)).otherwise(event.shift(1)),
            waited=pl.when(~_first()).then(at.diff()),
            step=number - _of_first(number) + 1,
            last=_last(),
            lasted=at - _of_first(at),
        )  # fmt: skip

    def _cut(self, found: pl.LazyFrame) -> pl.LazyFrame:
        """What lies between the first ``start_at`` and the first ``end_at`` after it, of sessions that have them."""
        start, end = (self._place(event) for event in (self.settings.start_at, self.settings.end_at))
        if start is not None:
            found = found.filter(_so_far(pl.col("event") == start) > 0)
        if end is not None:
            ends = pl.col("event") == end
            ends = ends & ~_first() if start is not None else ends
            found = found.with_columns(ends=ends).filter(_so_far(pl.col("ends")) - pl.col("ends").cast(pl.UInt32) == 0)
            found = found.filter(pl.when(_last()).then("ends").backward_fill()).drop("ends")
        return found

    def _place(self, event: str | None) -> int | None:
        return None if event is None else self.log.names.index(event)

    def _early(self, paths: pl.LazyFrame, most: int | None) -> pl.LazyFrame:
        """The steps that are looked at."""
        return paths.filter(pl.col("step") <= most) if most else paths

    def _moves(self, paths: pl.LazyFrame) -> pl.LazyFrame:
        """All moves, those into an event and those out: ``who, waited, move``."""
        early = self._early(paths, self.settings.max_steps)
        out = {"target": pl.lit(self._ends, pl.UInt32), "source": pl.col("event")}
        return pl.concat([
            early.select("who", "waited", move=self.move.pack(target=pl.col("event"))),
            early.filter("last").select("who", pl.lit(None, pl.Int64).alias("waited"), move=self.move.pack(**out)),
        ])  # fmt: skip

    # --- what is counted

    def moves(self, paths: pl.LazyFrame) -> pl.LazyFrame:
        """``move, transitions, waited`` (microseconds in all)."""
        counted = self._moves(paths).group_by("move")
        return counted.agg(transitions=pl.len().cast(pl.Int64), waited=pl.col("waited").sum())

    def users(self, paths: pl.LazyFrame) -> pl.LazyFrame:
        """``move, users, of_target``: who made the move, and who is counted here for having been at its target."""
        packing = Packing({"who": 1 << 32, "move": self.move.size})
        made = self._moves(paths).select(made=packing.pack()).sort("made")
        there = pl.col("made") // (self._ends + 1)
        new, new_there = (x.ne_missing(x.shift(1)) for x in (pl.col("made"), there))
        move = (pl.col("made") % self.move.size).cast(self.move.dtype)
        counted = made.select(move=move, new=new, there=new_there).group_by("move")
        return counted.agg(users=pl.col("new").sum().cast(pl.Int64), of_target=pl.col("there").sum().cast(pl.Int64))

    def waits(self, paths: pl.LazyFrame) -> pl.LazyFrame:
        """``wait, n``, sorted: how often each wait occurs, of each move."""
        waited = self._early(paths, self.settings.max_steps).filter(pl.col("waited").is_not_null())
        rounded = (pl.col("waited") + self.precision // 2) // self.precision
        wait = self.wait.pack(target=pl.col("event"), waited=rounded)
        waits = waited.select(wait=wait).sort("wait")
        other = (pl.col("wait") != pl.col("wait").shift(1)).fill_null(value=True)
        place = pl.int_range(pl.len(), dtype=pl.UInt32)
        runs = waits.select("wait", place=place, total=pl.len()).filter(other)
        after = pl.col("place").shift(-1)
        return runs.select("wait", n=pl.coalesce(after, "total") - pl.col("place"))

    def steps(self, paths: pl.LazyFrame) -> pl.LazyFrame:
        """``cell, paths``: how many paths have that event at that step."""
        early = self._early(paths, self.settings.matrix_steps)
        return early.group_by(cell=self.cell.pack()).agg(paths=pl.len().cast(pl.Int64))

    def trails(self, paths: pl.LazyFrame) -> pl.LazyFrame:
        """``trail, paths``: how many paths begin like that."""
        start, steps = pl.arg_where(pl.col("step") == 1), self.settings.trail_steps

        def event(n: int) -> pl.Expr:
            place = start + n
            there = pl.col("step").gather(place, null_on_oob=True) == n + 1
            return pl.when(there).then(pl.col("event").gather(place, null_on_oob=True)).otherwise(self._ends)

        events = {f"event{n + 1}": event(n) for n in range(steps)}
        trail = self.trail.pack(group=pl.col("group").gather(start), **events)
        return paths.select(trail=trail).group_by("trail").agg(paths=pl.len().cast(pl.Int64))

    def sessions(self, paths: pl.LazyFrame) -> pl.LazyFrame:
        """One row per path: ``group, events, lasted`` (microseconds), ``new``: whether it is its user's first."""
        new = pl.col("who").ne_missing(pl.col("who").shift(1))
        return paths.filter("last").select("group", "lasted", events="step", new=new)

    def listed(self, paths: pl.LazyFrame) -> pl.LazyFrame:
        """One row per path: ``user_id, [session_id,] time, events, lasted``."""
        return paths.filter("last").select(*self.keep, "lasted", events="step")

    @property
    def keep(self) -> list[str]:
        """The columns that a list of sessions has beside."""
        if self.settings.show != "sessions":
            return []
        return ["user_id", *(["session_id"] if self.settings.by_id else []), "time"]


def _first() -> pl.Expr:
    """Whether a row is the first of its session."""
    return (pl.col("session") != pl.col("session").shift(1)).fill_null(value=True)


def _last() -> pl.Expr:
    """Whether a row is the last of its session."""
    return (pl.col("session") != pl.col("session").shift(-1)).fill_null(value=True)


def _of_first(value: pl.Expr) -> pl.Expr:
    """A value of the first row of the session, never null, for all of its rows."""
    return pl.when(_first()).then(value).forward_fill()


def _so_far(hit: pl.Expr) -> pl.Expr:
    """How many rows of the session are hits, up to and with this one."""
    count = hit.cast(pl.UInt32).cum_sum()
    return count - _of_first(count - hit.cast(pl.UInt32))


# --- finish ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Story:
    """Everything a result is told from. ``found``: what the reduces of ``walk`` counted."""

    settings: Settings
    books: account.Account
    as_of: date
    walk: _Walk
    found: Mapping[str, pl.DataFrame]

    def result(self) -> PathsResult:
        """All of it as one result."""
        found = self.tables()
        extras = {name: table for name, table in found.items() if name != self.settings.show}
        rows = found[self.settings.show]
        said = tuple(self.books.doubts(self.as_of))
        summary = self.facts().to_dicts()[0]
        provenance = Provenance(
            as_of=self.as_of.isoformat(),
            tz=self.settings.tz,
            week_start=self.settings.week_start,
            inputs=self.books.reports(),
            settings=self.settings_in_force(),
            definitions=page.definitions(self),
            warnings=said,
        )
        views = page.views(self, found, summary, said)
        return PathsResult("paths", rows, summary, provenance, extras, views)

    def settings_in_force(self) -> dict[str, Any]:
        """Every setting with the value that was used."""
        chosen = {f.name: getattr(self.settings, f.name) for f in fields(self.settings)}
        chosen |= {"as_of": self.as_of, "session_gap": self.settings.gap_text}
        for name in ("tz", "week_start"):
            del chosen[name]
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in chosen.items()}

    def tables(self) -> dict[str, pl.DataFrame]:
        """Every table by its name, that of the rows among them."""
        if self.settings.show == "sessions":
            return {"sessions": self.sessions()}
        moves = self.moves()
        found = {
            "transitions": self.transitions(moves),
            "events": self.events(moves),
            "top_paths": self.top_paths(),
        }
        if self.by:
            found |= {"segments": self.segments(), "compared": self.compared(moves)}
        if not self.by or self.settings.show == "step_matrix":  # that of many values is large
            found["step_matrix"] = self.step_matrix()
        return {name: table for name, table in found.items() if table.width}

    # --- names

    @property
    def by(self) -> list[str]:
        """The column that parts the users, if any."""
        return [self.settings.by] if self.settings.by else []

    @property
    def _group(self) -> list[pl.Expr]:
        """What the column says, for a ``group``."""
        values = pl.Series(self.walk.groups.values, dtype=pl.String)
        return [pl.lit(values).gather(pl.col("group")).alias(name) for name in self.by]

    def _event(self, place: pl.Expr, end: str) -> pl.Expr:
        """The name of an event, ``end`` for what is no event."""
        return pl.lit(pl.Series([*self.walk.log.names, end])).gather(place).alias(place.meta.output_name())

    # --- transitions

    def moves(self) -> pl.DataFrame:
        """``move, group, source, target, transitions, waited, users, of_target, leaving, median``, sorted by move.

        ``leaving``: how often its source is left. ``median``: microseconds, null for moves that take no time.
        """
        both = self.found["moves"].join(self.found["users"], on="move", how="inner").sort("move")
        parts = self.walk.move.unpack(pl.col("move"))
        leaving = pl.col("transitions").sum().over("group", "source")
        return self._with_medians(both.with_columns(**parts).with_columns(leaving=leaving))

    def _with_medians(self, moves: pl.DataFrame) -> pl.DataFrame:
        """The median wait of each move: the mean of the two middle ones where no single one is the middle."""
        packing, waits = self.walk.wait, self.found["waits"].sort("wait")
        if waits.is_empty():
            return moves.with_columns(median=pl.lit(None, pl.Float64))
        timed = moves.select(pl.max_horizontal("source", "target") < len(self.walk.log.names)).to_series()
        n = moves["transitions"] * timed
        before, upto = n.cum_sum() - n, waits["n"].cast(pl.Int64).cum_sum()
        both = pl.Series([0] * moves.height, dtype=pl.Int64)
        for middle in ((n - 1) // 2, n // 2):
            place = upto.search_sorted(before + middle, side="right").clip(0, waits.height - 1)
            both += waits.select(packing.unpack(pl.col("wait").gather(place))["waited"]).to_series()
        median = stats.ratio(pl.lit(both * self.walk.precision), pl.lit(2 * SECOND))
        return moves.with_columns(median=pl.when(timed).then(median))

    def transitions(self, moves: pl.DataFrame) -> pl.DataFrame:
        """The moves as they are published, the most frequent first."""
        ordered = moves.sort("group", "transitions", "source", "target", descending=[False, True, False, False])
        return ordered.select(
            *self._group,
            source=self._event(pl.col("source"), START),
            target=self._event(pl.col("target"), EXIT),
            transitions="transitions",
            users="users",
            share=stats.ratio(pl.col("transitions"), pl.col("leaving")),
            median_seconds="median",
        )

    def events(self, moves: pl.DataFrame) -> pl.DataFrame:
        """What became of each event, the most frequent first.

        ``[by,] event, events, users, entries, exits, exit_rate`` (of all that leaves it), ``mean_dwell_seconds`` (to the
        next event of the path; the last one has none), ``dwell_seconds_per_user``.
        """
        start = end = len(self.walk.log.names)
        reached = moves.filter(pl.col("target") != end).group_by("group", event="target")
        left = moves.filter(pl.col("source") != start).group_by("group", event="source")
        exits, n = pl.col("target") == end, pl.col("transitions")
        came = reached.agg(
            events=n.sum(), users=pl.col("of_target").sum(), entries=n.filter(pl.col("source") == start).sum()
        )
        went = left.agg(
            exits=n.filter(exits).sum(), stays=n.filter(~exits).sum(), dwelt=pl.col("waited").sum(), leaving=n.sum()
        )
        both = came.join(went, on=["group", "event"], how="left").with_columns(
            pl.col("exits", "stays", "dwelt", "leaving").fill_null(0)
        )
        dwelt = stats.ratio(pl.col("dwelt"), pl.lit(SECOND))
        return both.sort("group", "events", "event", descending=[False, True, False]).select(
            *self._group,
            self._event(pl.col("event"), EXIT),
            "events", "users", "entries", "exits",
            exit_rate=stats.ratio(pl.col("exits"), pl.col("leaving")),
            mean_dwell_seconds=stats.ratio(dwelt, pl.col("stays")),
            dwell_seconds_per_user=stats.ratio(dwelt, pl.col("users")),
        )  # fmt: skip

    def compared(self, moves: pl.DataFrame) -> pl.DataFrame:
        """The two values of ``by`` with the most users side by side, what differs most first.

        ``source, target, first, first_share, second, second_share, difference, z``: second minus first, and how far
        that is from chance (two shares, pooled). A share is null where nobody of the value was at the source. No rows
        and no columns where there is but one value.
        """
        most = self.facts("group").sort("users", "group", descending=[True, False])["group"].to_list()[:2]
        if len(most) < 2:
            return pl.DataFrame()
        pair = ["source", "target"]
        both = moves.filter(pl.col("group").is_in(most)).select(pair).unique()
        for name, group in zip(("first", "second"), most, strict=True):
            side = moves.filter(pl.col("group") == group)
            left = side.group_by("source").agg(pl.col("leaving").first().alias(f"{name}_leaving"))
            made = side.select(*pair, pl.col("transitions").alias(f"{name}_made"))
            both = both.join(left, on="source", how="left").join(made, on=pair, how="left")
        (a, n), (b, m) = ((pl.col(f"{x}_made").fill_null(0), pl.col(f"{x}_leaving")) for x in ("first", "second"))
        first, second, pooled = stats.ratio(a, n), stats.ratio(b, m), stats.ratio(a + b, n + m)
        spread = (pooled * (1 - pooled) * (1 / n + 1 / m)).sqrt()
        values = [pl.lit(self.walk.groups.values[group], pl.String) for group in most]
        told = both.select(
            *pair, first=values[0], first_share=first, second=values[1], second_share=second,
            difference=second - first, z=pl.when(spread > 0).then((second - first) / spread),
        )  # fmt: skip
        ordered = told.sort(pl.col("z").abs(), *pair, descending=[True, False, False], nulls_last=True)
        names = {"source": START, "target": EXIT}
        return ordered.with_columns(self._event(pl.col(name), end) for name, end in names.items())

    # --- sessions

    def facts(self, *keys: str) -> pl.DataFrame:
        """What is told of the paths, of each group or of all: the summary, plus the keys."""
        lasted, events = pl.col("lasted"), pl.col("events")
        told = {
            "users": pl.col("new").sum().cast(pl.Int64),
            "events": events.sum().cast(pl.Int64),
            "sessions": pl.len().cast(pl.Int64),
            "bounces": (events == 1).sum().cast(pl.Int64),
            "median_events_per_session": events.median(),
            "median_lasted": lasted.median(),
            "lasted": lasted.sum(),
        }
        paths = self.found["sessions"]
        counted = paths.group_by(keys).agg(**told).sort(keys) if keys else paths.select(**told)
        second = pl.lit(SECOND)
        return counted.select(
            *keys, "users", "events", "sessions",
            bounce_rate=stats.ratio(pl.col("bounces"), pl.col("sessions")),
            sessions_per_user=stats.ratio(pl.col("sessions"), pl.col("users")),
            mean_events_per_session=stats.ratio(pl.col("events"), pl.col("sessions")),
            median_events_per_session="median_events_per_session",
            mean_session_seconds=stats.ratio(pl.col("lasted"), pl.col("sessions") * SECOND),
            median_session_seconds=stats.ratio(pl.col("median_lasted"), second),
        )  # fmt: skip

    def segments(self) -> pl.DataFrame:
        """The facts of each value of ``by``."""
        return self.facts("group").select(*self._group, pl.exclude("group"))

    def sessions(self) -> pl.DataFrame:
        """``user_id, session, [session_id,] started_at, events, seconds``: every path, numbered by user from 1 on."""
        by_id = ["session_id"] if self.settings.by_id else []
        ordered = self.found["listed"].sort("user_id", "time", *by_id, "events", "lasted", nulls_last=True)
        new = pl.col("user_id") != pl.col("user_id").shift(1)
        number = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
        before = pl.when(new.fill_null(value=True)).then(number - 1).forward_fill()
        seconds = stats.ratio(pl.col("lasted"), pl.lit(SECOND))
        return ordered.select(
            "user_id", (number - before).alias("session"), *by_id, pl.col("time").alias("started_at"), "events",
            seconds.alias("seconds"),
        )  # fmt: skip

    # --- steps

    def top_paths(self) -> pl.DataFrame:
        """How paths begin, the most frequent first: ``[by,] path, steps, sessions, share`` (of all paths)."""
        packing, end = self.walk.trail, len(self.walk.log.names)
        trails = self.found["trails"].with_columns(packing.unpack(pl.col("trail"))["group"].alias("group"))
        trails = trails.with_columns(whole=pl.col("paths").sum().over("group")).sort(
            "group", "paths", "trail", descending=[False, True, False]
        )
        top = trails.group_by("group", maintain_order=True).head(TOP_PATHS)
        events = [part for name, part in packing.unpack(pl.col("trail")).items() if name != "group"][::-1]
        names = [pl.when(event != end).then(self._event(event, EXIT)) for event in events]
        return top.select(
            *self._group,
            path=pl.concat_str(names, separator=" > ", ignore_nulls=True),
            steps=pl.sum_horizontal(event != end for event in events).cast(pl.Int64),
            sessions="paths",
            share=stats.ratio(pl.col("paths"), pl.col("whole")),
        )

    def step_matrix(self) -> pl.DataFrame:
        """``[by,] step, event, sessions, share``: where paths are at each step; who has left stays at the exit.

        As many steps as were asked for, or until all have left. Every event that occurs in them has all of them.
        """
        end = len(self.walk.log.names)
        cells = self.found["steps"].with_columns(**self.walk.cell.unpack(pl.col("cell"))).drop("cell")
        steps = min(self.settings.matrix_steps, int(cells["step"].max()) + 1)  # type: ignore[arg-type] # a number
        whole = self.found["sessions"].group_by(pl.col("group").cast(pl.Int64)).agg(whole=pl.len().cast(pl.Int64))
        here = cells.group_by("group", "step").agg(there=pl.col("paths").sum())
        every = whole.join(pl.DataFrame({"step": range(1, steps + 1)}, schema={"step": pl.Int64}), how="cross")
        left = every.join(here, on=["group", "step"], how="left").select(
            "group", "step", event=pl.lit(end, pl.Int64), paths=pl.col("whole") - pl.col("there").fill_null(0)
        )
        grid = every.join(cells.select("event").unique(), how="cross")
        filled = grid.join(cells, on=["group", "step", "event"], how="left").with_columns(pl.col("paths").fill_null(0))
        both = pl.concat([filled, left.join(whole, on="group").select(filled.columns)])
        return both.sort("group", "step", "event").select(
            *self._group,
            "step",
            self._event(pl.col("event"), EXIT),
            pl.col("paths").alias("sessions"),
            share=stats.ratio(pl.col("paths"), pl.col("whole")),
        )
