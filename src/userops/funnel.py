"""Funnel: how many users went through steps in order, where they stopped, how long it took.

Reduce: for each user and step, whether some chain of rows did it, and how fast (:mod:`userops.chains` finds the chains).
Finish: counts, shares with intervals, times, trends.

Definitions (docs/methods.md has the reasons):

* A user *reaches* step k if some chain of k distinct rows serves steps 1 to k in time order, all within the window of
  its first row, inclusive. Every step-1 row in the reporting window, an *entry*, may start a chain.
* An entry is *mature* when its whole window is over at the end of as-of. Shares, intervals and times are of mature
  entries; ``users`` counts all.
* The time to a step is that of the earliest completion, from the latest entry that leads to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

import polars as pl

from userops import chains, frames, partition, periods, stats, visits
from userops.errors import InputError, UsageError
from userops.funnel_rules import SECOND, UNITS, Rules, Settings, Step, decide, serving, window
from userops.funnel_scan import BY, TREND, WHOLE, Found, Scan
from userops.pages import funnel as page
from userops.periods import Grain, WeekStart
from userops.results import Provenance, Result, Text

__all__ = ["Settings", "Step", "Story", "analyse", "explain"]

LADDER = (
    0, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800, 259_200,
    604_800, 1_209_600, 2_592_000, 5_184_000, 7_776_000, 15_552_000, 31_536_000,
)  # fmt: skip
"""Seconds at which the bins of the histogram of times begin."""


def analyse(
    table: frames.Table,
    settings: Settings | None = None,
    *,
    partitions: int | None = None,
    **changes: Any,
) -> Result:
    """The funnel of events (:func:`userops.frames.events`).

    ``changes`` are fields of :class:`Settings`. ``partitions`` bounds memory, never the numbers. Raises InputError when
    no row is usable, and when the rows hold no event of a step; UsageError where the table holds orders.
    """
    settings = replace(settings, **changes) if settings else Settings(**changes)
    if isinstance(table, frames.Orders):
        raise UsageError.needs_events("--steps", table.name)
    names = table.rows.collect_schema().names()
    for column in settings.columns:
        if column not in names:
            raise InputError.column_unknown(column, table.name, names)
    rules = decide(settings, table)
    found = Scan(table, rules).found(partitions)
    _require_events(table, rules, found)
    return Story(rules, found).result()


def _require_events(table: frames.Table, rules: Rules, found: Found) -> None:
    """InputError, with the closest names, where an event that was named is not there, or a step has no row."""
    reached = set(found.reached["step"].unique())
    doubtful = [step for step in rules.steps if len(step.events) > 1] or rules.settings.exclude
    if not doubtful and len(reached) == len(rules.steps):
        return
    known = visits.event_names(table)
    for event in rules.events:
        if event not in known:
            raise InputError.event_unknown(event, table.name, known)
    for number, step in enumerate(rules.steps, 1):
        if number not in reached and step.where is not None and not _count(table, serving(step)):
            raise InputError.step_matches_nothing(number, step.text, table.name)


def _count(table: frames.Table, met: pl.Expr) -> int:
    """How many rows that count meet a condition."""
    rows = partition.Reduce(lambda rows: frames.good(rows).filter(met).select(n=pl.len()))
    return int(partition.run(table.rows, {"rows": rows}, what=table.name)["rows"]["n"].sum())


# --- finish ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """One step as it went for one user.

    ``at``: when it was done; None: it was not, for ``reason``, and ``seen`` at ``seen_at`` is the row that shows it.
    """

    step: int
    text: str
    matched: str | None
    at: int | None
    reason: str
    seen: str | None = None
    seen_at: int | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """Everything a result is told from."""

    rules: Rules
    found: Found

    @property
    def settings(self) -> Settings:
        """The settings as given."""
        return self.rules.settings

    def result(self) -> Result:
        """All of it as one result."""
        if self.settings.explain is not None:
            return self._explained(self.settings.explain)
        whole = self.table(WHOLE, [])
        summary = self.summary(whole)
        warnings = self.warnings(whole)
        if self.rules.listed:
            rows = self.people()
            return Result("funnel", rows, summary, self.provenance(warnings), {}, page.people(self, rows, summary))
        by = self.settings.by
        rows = whole if by is None else self.table(BY, ["by"]).rename({"by": by})
        extras = {"time_to_convert": self.times()}
        if self.settings.trend is not None:
            extras["trend"] = self.trend()
        views = page.views(self, whole, rows, extras, summary, warnings)
        return Result("funnel", rows, summary, self.provenance(warnings), extras, views)

    def provenance(self, warnings: tuple[Text, ...]) -> Provenance:
        """Where the numbers came from."""
        return Provenance(
            as_of=self.found.as_of.isoformat(),
            tz=self.settings.tz,
            week_start=self.settings.week_start,
            inputs=self.found.books.reports(),
            settings=self.settings_in_force(),
            definitions=page.definitions(self),
            warnings=warnings,
        )

    def warnings(self, whole: pl.DataFrame) -> tuple[Text, ...]:
        """What may mislead."""
        return (*self.found.books.doubts(self.found.as_of), *page.warnings(self, whole))

    def settings_in_force(self) -> dict[str, Any]:
        """Every setting with the value that was used."""
        rules, chosen = self.rules, {f.name: getattr(self.settings, f.name) for f in fields(self.settings)}
        chosen |= {name: getattr(rules, name) for name in ("within", "order", "entry", "resolution")}
        chosen |= {
            "as_of": self.found.as_of,
            "steps": [s.text for s in rules.steps],
            "exclude": list(chosen["exclude"]),
        }
        del chosen["tz"], chosen["week_start"]
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in chosen.items()}

    @property
    def names(self) -> list[str]:
        """What the rows are called: the steps, or how many of them in any order."""
        if self.rules.order == "any":
            return [f"any {n}" for n in range(1, len(self.rules.steps) + 1)]
        return [step.text for step in self.rules.steps]

    def cut(self, cut: int) -> pl.DataFrame:
        """The rows of ``reached`` of one cut."""
        return self.found.reached.filter(pl.col("cut") == cut)

    def table(self, cut: int, keys: list[str]) -> pl.DataFrame:
        """The published rows, with ``keys`` in front."""
        us, n = pl.col("us"), pl.col("us").count().cast(pl.Int64)
        ordered = us.drop_nulls().sort()
        counted = (
            self.cut(cut)
            .group_by(*keys, "step")
            .agg(
                users=pl.len().cast(pl.Int64),
                mature_users=n,
                median=ordered.get((n + 1) // 2 - 1, null_on_oob=True),
                p90=ordered.get((9 * n + 9) // 10 - 1, null_on_oob=True),
            )
        )
        steps = pl.DataFrame(
            {"step": range(1, len(self.names) + 1), "event": self.names}, {"step": pl.Int8, "event": pl.String}
        )
        groups = counted.select(keys).unique() if keys else pl.DataFrame({"one": [1]})
        full = groups.join(steps, how="cross").join(counted, on=[*keys, "step"], how="left", nulls_equal=True)
        full = full.with_columns(pl.col("users", "mature_users").fill_null(0)).sort(*keys, "step", nulls_last=True)
        mature = pl.col("mature_users")
        first, before = ((e.over(keys) if keys else e) for e in (mature.first(), mature.shift(1)))
        low, high = stats.wilson(mature, pl.col("entered"), self.settings.confidence)
        rated = full.with_columns(entered=first, before=before)
        return rated.select(
            *keys,
            pl.col("step").cast(pl.Int32),
            "event",
            "users",
            "mature_users",
            from_start=stats.ratio(mature, pl.col("entered")),
            from_previous=stats.ratio(mature, pl.col("before")),
            dropped=pl.col("before") - mature,
            ci_low=low,
            ci_high=high,
            median_seconds_from_start=_seconds("median"),
            p90_seconds_from_start=_seconds("p90"),
        )

    def summary(self, whole: pl.DataFrame) -> dict[str, Any]:
        """Everybody together; flat."""
        return {
            "users": int(whole["users"][0]),
            "events": self.found.books.rows_used,
            "mature_users": int(whole["mature_users"][0]),
            "converted": int(whole["mature_users"][-1]),
            "conversion": whole["from_start"][-1],
            "steps": whole.height,
            "median_seconds": whole["median_seconds_from_start"][-1],
        }

    def times(self) -> pl.DataFrame:
        """Histogram of the time from entry to the last step: ``from_seconds, to_seconds, users``; no empty ends."""
        last = self.cut(WHOLE).filter(pl.col("step") == len(self.rules.steps), pl.col("us").is_not_null())
        edges = pl.DataFrame({"from_seconds": LADDER, "to_seconds": (*LADDER[1:], None)}, {
            "from_seconds": pl.Int64, "to_seconds": pl.Int64
        })  # fmt: skip
        placed = last.select(at=pl.col("us") // SECOND).sort("at")
        placed = placed.join_asof(edges, left_on="at", right_on="from_seconds", strategy="backward", coalesce=False)
        counts = placed.group_by("from_seconds").agg(users=pl.len().cast(pl.Int64))
        full = (
            edges.join(counts, on="from_seconds", how="left")
            .sort("from_seconds")
            .with_columns(pl.col("users").fill_null(0))
        )
        filled = (pl.col("users") > 0).cast(pl.Int8)
        return full.filter(filled.cum_max() * filled.cum_max(reverse=True) > 0)

    def trend(self) -> pl.DataFrame:
        """Conversion by the period of the entry: who entered in several counts in each."""
        grain, start = self.settings.trend, self.settings.week_start
        assert grain is not None
        counted = self.cut(TREND).group_by("period").agg(
            users=(pl.col("step") == 1).sum().cast(pl.Int64),
            mature_users=((pl.col("step") == 1) & pl.col("us").is_not_null()).sum().cast(pl.Int64),
            converted=((pl.col("step") == len(self.rules.steps)) & pl.col("us").is_not_null()).sum().cast(pl.Int64),
        )  # fmt: skip
        if counted.is_empty():
            every = pl.DataFrame({"period": []}, {"period": pl.Int32})
        else:
            low, high = counted["period"].min(), counted["period"].max()
            every = pl.DataFrame({"period": pl.int_range(low, high + 1, dtype=pl.Int32, eager=True)})  # type: ignore[operator, arg-type] # numbers
        full = (
            every.join(counted, on="period", how="left").sort("period").with_columns(pl.exclude("period").fill_null(0))
        )
        ci_low, ci_high = stats.wilson(pl.col("converted"), pl.col("mature_users"), self.settings.confidence)
        over = self._last_over(grain, start)
        return full.select(
            periods.first_days(pl.col("period"), grain, start).alias("period_start"),
            "users",
            "mature_users",
            "converted",
            conversion=stats.ratio(pl.col("converted"), pl.col("mature_users")),
            ci_low=ci_low,
            ci_high=ci_high,
            complete=pl.col("period") <= over,
        )

    def _last_over(self, grain: Grain, start: WeekStart) -> int:
        """The last period all of whose entries are mature."""
        days = -(-(window(self.rules.within) or 0) // UNITS["d"])
        day = date.fromordinal(max(1, self.found.as_of.toordinal() - days))
        return periods.last_complete(day, grain, start)

    # --- users ----------------------------------------------------------------------------------------------------

    def people(self) -> pl.DataFrame:
        """Users who entered: ``user_id, level, entered_at, reached_at, mature``; of ``stopped_at`` only, if given."""
        people = self.found.people
        if self.settings.stopped_at is not None:
            people = people.filter(pl.col("level") == self.settings.stopped_at)
        last = self._last_mature()
        ripe = pl.lit(value=True) if last is None else pl.col("entered") <= last
        wall = {name: self.wall(pl.col(name)) for name in ("entered", "reached")}
        shown = people.select(
            "user_id", "level", entered_at=wall["entered"], reached_at=wall["reached"], mature=ripe
        )  # fmt: skip
        return shown.sort("user_id")

    def _last_mature(self) -> int | None:
        return Scan(self.found.books.table, self.rules).last_mature(self.found.as_of)

    def wall(self, instant: pl.Expr) -> pl.Expr:
        """A moment on the clocks of the analysis."""
        return periods.wall_clock(instant.cast(pl.Datetime("us", "UTC")), self.settings.tz)

    def _explained(self, user: str) -> Result:
        """What happened at each step, for one user."""
        if self.found.told.is_empty() and not self._knows(user):
            raise InputError.user_unknown(user, self.found.books.table.name)
        told = explain(self.rules, self.found)
        schema = {"step": pl.Int32, "event": pl.String, "matched": pl.String, "at": pl.Int64, "reason": pl.String,
                  "seen": pl.String, "seen_at": pl.Int64}  # fmt: skip
        raw = pl.DataFrame(
            [(t.step, t.text, t.matched, t.at, t.reason, t.seen, t.seen_at) for t in told], schema, orient="row"
        )
        entered = next((t.at for t in told if t.at is not None), None)
        rows = raw.with_columns(
            at=self.wall(pl.col("at")),
            seen_at=self.wall(pl.col("seen_at")),
            seconds_from_start=stats.ratio(pl.col("at") - (entered or 0), pl.lit(float(SECOND))),
        )
        level = sum(t.at is not None for t in told)
        summary = {"users": 1, "events": self.found.told.height, "level": level, "steps": len(told)}
        return Result("funnel", rows, summary, self.provenance(()), {}, page.explained(self, user, rows))

    def _knows(self, user: str) -> bool:
        return bool(_count(self.found.books.table, pl.col("user_id").cast(pl.String) == user))


def _seconds(name: str) -> pl.Expr:
    return stats.ratio(pl.col(name), pl.lit(float(SECOND)))


def explain(rules: Rules, found: Found) -> list[Told]:
    """Which row served which step of the user's best chain, and why the next step was not done."""
    rows = found.told.with_columns(at=chains.instant_of(pl.col("key")), log=chains.log_of(pl.col("key")))
    rows = rows.sort("at", "event")
    best = next(iter(found.people.iter_rows(named=True)), None)
    if best is None:
        return [_first_missing(rules, rows), *_unreached(rules, 1)]
    frames_ = Scan(found.books.table, rules).completions(found.told.with_columns(unit=chains.log_of(pl.col("key"))))
    mine = [
        frame.with_columns(at=chains.instant_of(pl.col("key")), end=chains.instant_of(pl.col("done"))).filter(
            pl.col("at") == best["entered"]
        )
        for frame in frames_
    ]
    whole = mine[best["level"] - 1].filter(pl.col("end") == best["reached"]).sort("key")
    log = whole.select(chains.log_of(pl.col("key"))).item(0, 0)
    ends = [frame.filter(chains.log_of(pl.col("key")) == log)["end"].min() for frame in mine[: best["level"]]]
    same = rows.filter(pl.col("log") == log)
    told = []
    for number, end in enumerate(ends, 1):
        serving = same.filter(
            pl.col("at") == end, chains.serves(range(len(rules.steps)) if rules.order == "any" else [number - 1])
        )
        matched = " | ".join(serving["event"].unique().sort())
        told.append(Told(number, _called(rules, number), matched, int(end), "matched"))  # type: ignore[arg-type] # a number
    level = len(ends)
    if level < len(rules.steps):
        told += [_missing(rules, rows, same, best, level), *_unreached(rules, level + 1)]
    return told


def _called(rules: Rules, number: int) -> str:
    return f"any {number}" if rules.order == "any" else rules.steps[number - 1].text


def _unreached(rules: Rules, after: int) -> list[Told]:
    return [Told(n, _called(rules, n), None, None, "not_reached") for n in range(after + 1, len(rules.steps) + 1)]


def _first_missing(rules: Rules, rows: pl.DataFrame) -> Told:
    """Why there is no entry: no such row, or none in the reporting window."""
    events = [event for step in rules.steps for event in step.events] if rules.order == "any" else rules.steps[0].events
    named = rows.filter(pl.col("event").is_in(events))
    reason = "no_such_row" if named.is_empty() else "not_an_entry"
    seen = {} if named.is_empty() else {"seen": named["event"][0], "seen_at": named["at"][0]}
    return Told(1, _called(rules, 1), None, None, reason, **seen)


def _missing(rules: Rules, rows: pl.DataFrame, same: pl.DataFrame, best: Mapping[str, Any], level: int) -> Told:
    """Why the step after ``level`` was not done: the nearest row that could have, or what stood in its way."""
    start, reached = best["entered"], best["reached"]
    steps = [level]
    if rules.order == "any":  # those that nothing served, if any
        seen = same.filter(pl.col("at").is_between(start, reached))
        every_step = range(len(rules.steps))
        steps = [k for k in every_step if seen.filter(chains.serves([k])).is_empty()] or list(every_step)
    served = chains.serves(steps)

    def tell(reason: str, row: pl.DataFrame | None = None) -> Told:
        seen = {} if row is None else {"seen": row["event"][0], "seen_at": row["at"][0]}
        return Told(level + 1, _called(rules, level + 1), None, None, reason, **seen)

    every, mine = rows.filter(served), same.filter(served)
    later = mine.filter(pl.col("at") > reached)
    if every.is_empty():
        return tell("no_such_row")
    if later.is_empty():
        elsewhere = every.filter(pl.col("at") >= reached, pl.col("log") != same["log"][0])
        if not elsewhere.is_empty():
            return tell("other_log", elsewhere)
        tied = mine.filter(pl.col("at") == reached)
        if not tied.is_empty():
            return tell("same_instant" if rules.search.strictly_after else "row_in_use", tied)
        return tell("only_before", mine.tail(1) if not mine.is_empty() else every.tail(1))
    if later["at"][0] > start + rules.search.within:
        return tell("after_window", later)
    between = same.filter(pl.col("at") > start, pl.col("at") < later["at"][0])
    out = between.filter(pl.col("mask") & chains.OUT != 0)
    if not out.is_empty():
        return tell("excluded_between", out)
    if rules.order == "strict":
        return tell("other_between", between.filter(pl.col("at") > reached))
    return tell("row_in_use", later)
