"""Churn: who will not come back, how sure that is, what drives it, and why it is said of each.

Reduce: one row per user: on how many days they acted, the last, the longest gap and so on, as it was at the end of each
of three days. Finish: learn at the first, test at the second, score at the third.

Definitions (docs/methods.md has the formulas and sources):

* An *act* is an order (refunds are none) or an event; what counts are the days with one. A user *left* at a cutoff
  when no act lies in the ``horizon`` days after it. Everybody with an act up to the cutoff is asked about.
* Learned at as-of − 2 horizons from who left by as-of − 1 horizon; tested at as-of − 1 horizon on who left by as-of:
  every score is of those later labels. Features of a cutoff come from rows up to it, so nothing leaks.
* Users are then scored at as-of by the same kind of model, learned at as-of − 1 horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from userops import account, frames, money, partition, periods, stats, tables, visits
from userops.errors import InputError, UsageError
from userops.models import churn_model
from userops.models.churn_model import Buying, Logistic, Score
from userops.models.histories import Histories
from userops.pages import churn as page
from userops.periods import WeekStart, epoch_day
from userops.results import NotesBlock, Provenance, Result

LEAST = 50
"""Users who left, and who did not, that it takes to learn or to test anything."""

LEARN_FROM = 100_000
"""Users a model is fitted to at most: of more, a fixed share by the hash of the id. All are tested and scored."""

SHUFFLED = 20_000
"""Users whose drivers are shuffled at most."""

AT_ONCE = 50_000
"""Users scored together, so that memory stays small."""

NEED = partition.Need(working=45, held=70)
"""Memory that a row takes, as measured at 5.6 orders a customer."""

HORIZONS = (1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365, 730)
"""Horizons looked at, beside the longest that fits, to say which would do."""

RISKS = (("high", "高"), ("medium", "中"), ("low", "低"))
"""Tiers of risk, the highest first."""

ODDS = 2.0
"""High risk: the odds of leaving are this many times the average's; low risk: the average's are this many times those."""

_GAP = 1 << 20
"""More than any gap in days: a day and the gap before it are one number, so that the latest of both is one maximum."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about churn; the defaults are what most people mean.

    ``since``, ``until``: users whose first act lies on these days (inclusive). ``horizon``: whole days without an act
    after which a user counts as gone. ``seed``: of the folds and shuffles. ``breadth``: a column kept in the rows whose
    different values are counted per user (None: event names, of events). ``per_user``: which table the rows are.
    """

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: WeekStart = "monday"
    horizon: timedelta = timedelta(days=90)
    seed: int = 0
    breadth: str | None = None
    per_user: bool = False

    def __post_init__(self) -> None:
        if not (timedelta(days=1) <= self.horizon <= timedelta(days=3650) and self.horizon.seconds == 0):
            raise UsageError.bad_value("--horizon", self.horizon, "whole days up to ten years, such as 30d or 12w")
        if not 0 <= self.seed < 1 << 32:
            raise UsageError.bad_value("--seed", self.seed, "a whole number from 0 to 4294967295")
        periods.require_order(self.since, self.until)

    @property
    def days(self) -> int:
        """The horizon in days."""
        return self.horizon.days


@dataclass(frozen=True, slots=True, repr=False)
class ChurnResult(Result):
    """Tenths by risk (``rows``) and, when asked for, every user (``users``)."""

    users: pl.DataFrame | None = None

    def per_user(self) -> Result:
        """The same result with users as its rows; needs ``per_user=True`` when it was made."""
        assert self.users is not None, "analyse(..., per_user=True) makes the table of users"
        headline, *rest = self.views
        views = (headline, page.users(self.users), *(block for block in rest if isinstance(block, NotesBlock)))
        return replace(self, rows=self.users, views=views)


def analyse(
    rows: frames.Table | pl.LazyFrame | pl.DataFrame,
    settings: Settings | None = None,
    *,
    partitions: int | None = None,
    **changes: Any,
) -> ChurnResult:
    """Who of the users in ``rows`` will not come back.

    ``rows``: a frame with ``user_id, event, time`` or ``user_id, ordered_at, amount`` (:mod:`userops.frames`).
    ``changes`` are fields of :class:`Settings`. ``partitions`` bounds memory, never the numbers. Raises InputError when
    no row is usable, when the history is shorter than three horizons, and when fewer than :data:`LEAST` users left or
    stayed; it then names the longest horizon that would do.
    """
    settings = replace(settings or Settings(), **changes)
    table = visits.table_of(rows, settings.as_of)
    found = counted(table, settings, partitions or partition.count_for(table.size, need=NEED))
    require_enough(found, settings)
    return Story(settings, found, learned(found, settings)).result()


# --- reduce -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """What the scans found, all days since 1970.

    ``users``: ``user`` (hash of the id), ``first`` (day) and, with 0, 1 or 2 for each of the ``cutoffs`` behind their
    names: ``days`` (with an act), ``latest`` (the last, with the gap before it), ``longest`` (gap), ``recent`` and
    ``earlier`` (days with an act in the last horizon, and in the one before), ``breadth, spent, refunded``; sorted.
    """

    books: account.Account
    as_of: date
    cutoffs: tuple[int, int, int]
    users: pl.DataFrame
    extra: tuple[str, ...]
    totals: Mapping[str, Any]
    ids: pl.DataFrame | None

    @property
    def history(self) -> int:
        """Days from the first row that counts to as-of, both included."""
        first = self.books.first_time
        assert first is not None  # there are rows
        return epoch_day(self.as_of) - epoch_day(first.date()) + 1

    @property
    def of_orders(self) -> bool:
        """Whether acts are orders."""
        return isinstance(self.books.table, frames.Orders)

    def known(self, place: int) -> pl.DataFrame:
        """Everybody seen by a cutoff, as it was then.

        ``user, silent_days, days, tenure_days, rhythm_days`` (mean gap), ``last_gap, longest_gap, recent, earlier``,
        what there is of ``breadth, spent, refunded``, and ``left`` where it is known by now. Without a second day there
        are no gaps: null.
        """
        cutoff, days, latest = self.cutoffs[place], pl.col(f"days_{place}"), pl.col(f"latest_{place}")
        last, again = (latest // _GAP).cast(pl.Int32), pl.col(f"days_{place}") > 1
        later = {"left": pl.col(f"recent_{place + 1}") == 0} if place < 2 else {}
        return self.users.filter(pl.col("first") <= cutoff).select(
            "user",
            silent_days=cutoff - last,
            days=days,
            tenure_days=cutoff - pl.col("first"),
            rhythm_days=pl.when(again).then(stats.ratio(last - pl.col("first"), days - 1)),
            last_gap=pl.when(again).then((latest % _GAP).cast(pl.Int32)),
            longest_gap=f"longest_{place}",
            recent=f"recent_{place}",
            earlier=f"earlier_{place}",
            **{name: pl.col(f"{name}_{place}") for name in self.extra},
            **later,
        )


def counted(table: frames.Table, settings: Settings, partitions: int) -> Counted:
    """The users of a table, as they were at the three cutoffs."""
    books, small = visits.opened(table)
    as_of = settings.as_of or account.latest_day(books)
    today, days = epoch_day(as_of), settings.days
    cutoffs = (today - 2 * days, today - days, today)
    values = settings.breadth or (None if isinstance(table, frames.Orders) else "event")
    has_money = isinstance(table, frames.Orders) and table.has_amount and len(books.currencies) < 2
    extra = (*(("breadth",) if values else ()), *(("spent", "refunded") if has_money else ()))

    def reduce(rows: pl.LazyFrame) -> pl.LazyFrame:
        users = _acted(_days(rows, table, settings), cutoffs, days)
        if values:
            users = users.join(_breadth(rows, table, values, cutoffs), on="user", how="left")
        if has_money:
            users = users.join(_paid(rows, table, cutoffs), on="user", how="left")
        return users.with_columns(pl.exclude("user", "^longest_.$").fill_null(0))

    found = partition.run(table.rows, {"users": partition.Reduce(reduce)}, what=table.name, partitions=partitions)
    users = found["users"].sort("user")
    ids = None
    if settings.per_user:
        names = partition.Reduce(lambda rows: frames.good(rows).select("user_id").unique())
        ids = partition.run(table.rows, {"ids": names}, what=table.name, partitions=partitions)["ids"]
        ids = ids.select("user_id", user=pl.col("user_id").hash(tables.USER_SEED))
    return Counted(books, as_of, cutoffs, users, extra, visits.totals(books, small["acts"]), ids)


def require_enough(found: Counted, settings: Settings) -> None:
    """InputError where the history is too short, or too few users left or stayed to learn and to test."""
    table, days = found.books.table, settings.days
    if found.history < 3 * days:
        raise InputError.history_too_short(table.name, found.history, days, longest_horizon(found, settings))
    for place in (0, 1):
        left = found.known(place)["left"]
        gone = int(left.sum())
        if min(gone, left.len() - gone) < LEAST:
            longest = longest_horizon(found, settings)
            raise InputError.too_few_to_learn_from(table.name, left.len() - gone, gone, LEAST, days, longest)


def _days(rows: pl.LazyFrame, table: frames.Table, settings: Settings) -> pl.LazyFrame:
    """One row per user and day with an act, in order: ``user, day, gap`` (days since the one before; null: none)."""
    acted = tables.visits(tables.acts(table, rows), "day", settings.week_start).sort("visit")
    apart = pl.col("visit").diff()
    days = acted.select(
        user=tables.visitor(), day=tables.visited(), gap=pl.when(apart < _GAP).then(apart.cast(pl.Int64))
    )
    if settings.since is None and settings.until is None:
        return days
    first = pl.when(pl.col("gap").is_null()).then("day").forward_fill()
    earliest = epoch_day(settings.since) if settings.since else -(1 << 30)
    return days.filter(first.is_between(earliest, epoch_day(settings.until) if settings.until else 1 << 30))


def _acted(days: pl.LazyFrame, cutoffs: Sequence[int], horizon: int) -> pl.LazyFrame:
    """One row per user: what they did by each cutoff."""
    day = pl.col("day")

    def count(first: int, last: int) -> pl.Expr:
        return day.is_between(first, last).sum().cast(pl.Int32)

    then: dict[str, pl.Expr] = {}
    for place, cutoff in enumerate(cutoffs):
        seen = day <= cutoff
        then |= {
            f"days_{place}": seen.sum().cast(pl.Int32),
            f"latest_{place}": pl.when(seen).then(day.cast(pl.Int64) * _GAP + pl.col("gap").fill_null(0)).max(),
            f"longest_{place}": pl.when(seen).then("gap").max().cast(pl.Int32),
            f"recent_{place}": count(cutoff - horizon + 1, cutoff),
            f"earlier_{place}": count(cutoff - 2 * horizon + 1, cutoff - horizon),
        }
    return days.group_by("user").agg(first=day.min(), **then)


def _breadth(rows: pl.LazyFrame, table: frames.Table, column: str, cutoffs: Sequence[int]) -> pl.LazyFrame:
    """One row per user: how many different values of a column there were by each cutoff; null is none."""
    value = pl.col(column).cast(pl.String).hash(tables.USER_SEED)
    day = tables.day(pl.col(table.time).to_physical())
    counts = (pl.col("reject") == 0) & pl.col(column).is_not_null()
    pairs = rows.filter(counts).group_by(user=pl.col("user_id").hash(tables.USER_SEED), value=value).agg(day=day.min())
    return pairs.group_by("user").agg(
        (pl.col("day") <= cutoff).sum().cast(pl.Int32).alias(f"breadth_{place}") for place, cutoff in enumerate(cutoffs)
    )


def _paid(rows: pl.LazyFrame, table: frames.Table, cutoffs: Sequence[int]) -> pl.LazyFrame:
    """One row per user: what they had spent, and what was refunded, by each cutoff, by the days of the rows themselves."""
    day, amount = tables.day(pl.col(table.time).to_physical()), pl.col("amount")
    paid: dict[str, pl.Expr] = {}
    for place, cutoff in enumerate(cutoffs):
        seen = day <= cutoff
        paid[f"spent_{place}"] = pl.when(seen).then(amount).sum()
        paid[f"refunded_{place}"] = pl.when(seen).then(-amount.clip(upper_bound=0)).sum()
    good = rows.filter(pl.col("reject") == 0)
    return good.group_by(user=pl.col("user_id").hash(tables.USER_SEED)).agg(**paid)


def longest_horizon(found: Counted, settings: Settings) -> int | None:
    """The longest horizon (a third of the history, or a usual one) with enough users who left and who stayed; or None."""
    table, today, most = found.books.table, epoch_day(found.as_of), found.history // 3
    horizons = sorted({most, *HORIZONS} & set(range(1, most + 1)))
    if not horizons:
        return None

    def reduce(rows: pl.LazyFrame) -> pl.LazyFrame:
        day, there, back = pl.col("day"), {}, {}
        for n in horizons:
            for place, cutoff in enumerate((today - 2 * n, today - n)):
                there[f"there_{place}_{n}"] = (day <= cutoff).any()
                back[f"back_{place}_{n}"] = (day <= cutoff).any() & day.is_between(cutoff + 1, cutoff + n).any()
        users = _days(rows, table, settings).group_by("user").agg(**there, **back)
        return users.select(pl.exclude("user").sum().cast(pl.Int64))

    counts = partition.Reduce(reduce)
    partitions = partition.count_for(table.size, need=NEED)
    parts = partition.run(table.rows, {"counts": counts}, what=table.name, partitions=partitions)["counts"]
    seen = parts.sum().row(0, named=True)

    def enough(n: int) -> bool:
        pairs = ((seen[f"there_{place}_{n}"], seen[f"back_{place}_{n}"]) for place in (0, 1))
        return all(min(back, there - back) >= LEAST for there, back in pairs)

    return max(filter(enough, horizons), default=None)


# --- finish: what is known of users, as columns of a model ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Driver:
    """One thing that may drive churn: its columns in the model, and the number of a user that stands for it."""

    name: str
    columns: tuple[pl.Expr, ...]
    stands_for: pl.Expr


def drivers(extra: Sequence[str]) -> tuple[Driver, ...]:
    """The drivers, for users as :meth:`Counted.known` has them. Times and counts are in logarithms, nulls are 0.

    Who acted on one day only has no rhythm; a column of their own (and their silence beside it) stands in for it.
    """
    silent, often, once = pl.col("silent_days").log1p(), pl.col("days").log1p(), (pl.col("days") == 1).cast(pl.Float64)
    beside = ((pl.col("silent_days") + 1) / (pl.col("rhythm_days") + 1)).log().fill_null(0.0)
    never = ((pl.col("silent_days") + 1) / (pl.col("longest_gap") + 1)).log().fill_null(0.0)
    change = pl.col("recent") - pl.col("earlier")
    found = [
        Driver("silence", (silent, silent**2, once * silent, once * silent**2), pl.col("silent_days")),
        Driver(
            "own_rhythm",
            (beside, beside**2, often * beside, often * beside**2, never),
            pl.col("silent_days") / pl.col("rhythm_days"),
        ),
        Driver("rhythm", tuple(pl.col(gap).log1p().fill_null(0.0) for gap in GAPS), pl.col("rhythm_days")),
        Driver("frequency", (once, often), pl.col("days")),
        Driver("trend", (pl.col("recent").log1p(), pl.col("earlier").log1p()), change),
        Driver("tenure", (pl.col("tenure_days").log1p(),), pl.col("tenure_days")),
    ]
    if "breadth" in extra:
        found.append(Driver("breadth", (pl.col("breadth").log1p(),), pl.col("breadth")))
    if "spent" in extra:
        spent, refunded = money.units(pl.col("spent").clip(lower_bound=0)), money.units(pl.col("refunded"))
        share = pl.when(refunded > 0).then(refunded / (spent + refunded)).otherwise(0.0)
        columns = (spent.log1p(), (spent / pl.col("days")).log1p(), share)
        found.append(Driver("money", columns, money.units(pl.col("spent"))))
    return tuple(found)


GAPS = ("rhythm_days", "last_gap", "longest_gap")
"""What tells a user's rhythm."""


def _matrix(known: pl.DataFrame, using: Sequence[Driver]) -> Any:
    """The columns of the drivers as an array, one row per user."""
    columns = [column for driver in using for column in driver.columns]
    return known.select(column.cast(pl.Float64).alias(str(n)) for n, column in enumerate(columns)).to_numpy()


def _histories(known: pl.DataFrame) -> Histories:
    """Users as models of repeat buying know them, in days."""
    last = pl.col("tenure_days") - pl.col("silent_days")
    columns = known.select(pl.col("days") - 1, last.alias("last"), "tenure_days").cast(pl.Float64)
    return Histories.of(*(column.to_numpy() for column in columns))


def _share(known: pl.DataFrame, most: int) -> pl.DataFrame:
    """A fixed share of the users, by the hash of their id, where there are more than ``most``."""
    one_in = -(-known.height // most)
    return known.filter(pl.col("user") % one_in == 0) if one_in > 1 else known


def _to_learn_from(known: pl.DataFrame) -> pl.DataFrame:
    """A share of the users, or all of them where the share would hold too few of one kind."""
    part = _share(known, LEARN_FROM)
    gone = int(part["left"].sum())
    return part if min(gone, part.height - gone) >= LEAST else known


# --- finish: learn, test, score ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judges:
    """What tells the probability of leaving in three ways: ``logistic``, ``btyd`` (may be missing) and ``recency``."""

    using: tuple[Driver, ...]
    logistic: Logistic
    recency: Logistic
    buying: Buying | None
    horizon: int

    @classmethod
    def of(cls, known: pl.DataFrame, later: pl.DataFrame, using: tuple[Driver, ...], settings: Settings) -> Judges:
        """Learned from who of ``known`` left; models of repeat buying need no label, and know all up to ``later``."""
        left = known["left"].to_numpy()
        return cls(
            using,
            Logistic.fit(_matrix(known, using), left, settings.seed),
            Logistic.fit(_matrix(known, _RECENCY), left, settings.seed),
            Buying.of(_histories(_share(later, LEARN_FROM)).grouped()[0]),
            settings.days,
        )

    def told(self, known: pl.DataFrame) -> pl.DataFrame:
        """``logistic, recency, btyd, p_alive`` of every user, in the same order; the last two null where unknown."""
        parts = [self._told(part) for part in known.iter_slices(AT_ONCE)]
        return pl.concat(parts) if parts else self._told(known)

    def _told(self, known: pl.DataFrame) -> pl.DataFrame:
        nothing = pl.Series([None], dtype=pl.Float64).new_from_index(0, known.height)
        h = _histories(known)
        alive = self.buying.p_alive(h) if self.buying else None
        return pl.DataFrame({
            "logistic": self.logistic.p(_matrix(known, self.using)),
            "recency": self.recency.p(_matrix(known, _RECENCY)),
            "btyd": self.buying.p(h, float(self.horizon)) if self.buying else nothing,
            "p_alive": nothing if alive is None else alive,
        })  # fmt: skip


_RECENCY = (Driver("silence", (pl.col("silent_days").log1p(),), pl.col("silent_days")),)
"""The baseline: how long they have been silent, and nothing else."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of it.

    ``scores``: of ``logistic, recency, btyd`` on the later labels; ``chosen``: whose squared error is least. ``tested``:
    users at the second cutoff with ``left`` and what was said (``p``: by the chosen one); ``now``: users at as-of.
    ``tested_buying``, ``buying``: the models of repeat buying then and now. ``drivers``: the most important first.
    """

    trained_on: int
    scores: dict[str, Score]
    chosen: str
    recent: tuple[int, float | None, float | None]
    tested: pl.DataFrame
    now: pl.DataFrame
    tested_buying: Buying | None
    buying: Buying | None
    drivers: pl.DataFrame

    @property
    def base_rate(self) -> float:
        """The share of the later labels that left; neither 0 nor 1."""
        return float(int(self.tested["left"].sum()) / self.tested.height)

    @property
    def borders(self) -> tuple[float, float]:
        """The probabilities from which risk is high, and below which it is low."""
        odds = self.base_rate / (1 - self.base_rate)
        return ODDS * odds / (1 + ODDS * odds), odds / ODDS / (1 + odds / ODDS)


def learned(found: Counted, settings: Settings) -> Learned:
    """Learn at the first cutoff, test at the second, learn again there, score at the third."""
    using = drivers(found.extra)
    learn, then = _to_learn_from(found.known(0)), found.known(1)
    judges = Judges.of(learn, then, using, settings)
    tested = pl.concat([then, judges.told(then)], how="horizontal")
    left = tested["left"].to_numpy()
    scores = {
        name: churn_model.score(tested[name].to_numpy(), left)
        for name in ("logistic", "btyd", "recency")
        if tested[name].null_count() < tested.height
    }
    chosen = min(scores, key=lambda name: scores[name].brier)  # of equal ones the first
    tested = tested.with_columns(p=pl.col(chosen))
    recent = tested.filter(pl.col("recent") > 0)
    gone = recent["left"].to_numpy()
    of_recent = (
        recent.height,
        float(gone.mean()) if recent.height else None,
        churn_model.auc(recent["p"].to_numpy(), gone) if recent.height else None,
    )
    now = found.known(2)
    final = Judges.of(_to_learn_from(then), now, using, settings)
    said = pl.concat([now, final.told(now)], how="horizontal").with_columns(p=pl.coalesce(chosen, "logistic"))
    return Learned(
        learn.height,
        scores,
        chosen,
        of_recent,
        tested,
        said,
        judges.buying,
        final.buying,
        _driving(judges.logistic, tested, using, settings),
    )


def _driving(model: Logistic, tested: pl.DataFrame, using: Sequence[Driver], settings: Settings) -> pl.DataFrame:
    """What drives churn: ``driver, weight, auc_lost, brier_lost``, and of its lowest and highest quarter of users who left.

    ``weight``: the share of all that is lost, shuffling one driver after another; null where nothing is.
    ``low_to, low_rate, high_from, high_rate``: quarters part at observed values; null where users hardly differ.
    """
    part = _share(tested, SHUFFLED)
    places, start = {}, 0
    for driver in using:
        places[driver.name] = range(start, start + len(driver.columns))
        start += len(driver.columns)
    lost = churn_model.importance(model, _matrix(part, using), part["left"].to_numpy(), places, settings.seed)
    rows = []
    for driver in using:
        values = tested.select("left", value=driver.stands_for.cast(pl.Float64)).filter(pl.col("value").is_not_null())
        low, _, high = stats.cuts(values["value"], 4) or (None, None, None)
        quarters: tuple[Any, ...] = (None,) * 4
        if low is not None and high is not None and low < high:
            least, most = (values.filter(which)["left"] for which in (pl.col("value") <= low, pl.col("value") >= high))
            quarters = (low, int(least.sum()) / least.len(), high, int(most.sum()) / most.len())
        rows.append((driver.name, *lost[driver.name], *quarters))
    names = ("auc_lost", "brier_lost", "low_to", "low_rate", "high_from", "high_rate")
    schema: dict[str, Any] = {"driver": pl.String, **dict.fromkeys(names, pl.Float64)}
    found = pl.DataFrame(rows, schema=schema, orient="row").sort("auc_lost", "driver", descending=[True, False])
    all_lost = sum(max(loss, 0.0) for loss, _ in lost.values())
    weight = stats.ratio(pl.col("auc_lost").clip(lower_bound=0), pl.lit(all_lost))
    return found.select("driver", weight.alias("weight"), pl.exclude("driver"))


# --- finish: what comes out -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Story:
    """Everything a result is told from."""

    settings: Settings
    found: Counted
    learned: Learned

    def day(self, place: int) -> date:
        """A cutoff as a day: its end is where what is known stops."""
        return date(1970, 1, 1) + timedelta(days=self.found.cutoffs[place])

    @property
    def values(self) -> str:
        """The column whose different values are counted."""
        return self.settings.breadth or "event"

    def result(self) -> ChurnResult:
        """All of it as one result."""
        settings, found = self.settings, self.found
        rows, risks = self.tenths(), self.risks()
        drivers = self.learned.drivers.with_columns(page.in_words(self))
        summary = self.summary(rows, risks)
        warnings = [*found.books.doubts(found.as_of), *page.warnings(self, summary)]
        chosen = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name not in ("tz", "week_start")}
        chosen |= {"as_of": found.as_of, "horizon": f"{settings.days}d"}
        provenance = Provenance(
            as_of=found.as_of.isoformat(),
            tz=settings.tz,
            week_start=settings.week_start,
            inputs=found.books.reports(),
            settings={name: v.isoformat() if isinstance(v, date) else v for name, v in chosen.items()},
            definitions=page.definitions(self),
            warnings=tuple(warnings),
        )
        return ChurnResult(
            command="churn",
            rows=rows,
            summary=summary,
            provenance=provenance,
            extras={"drivers": drivers, "risks": risks},
            views=page.views(self, rows, drivers, risks, summary, warnings),
            users=self.told_users() if settings.per_user else None,
        )

    def tenths(self) -> pl.DataFrame:
        """Users at the second cutoff by tenths of the probability, the highest first; equal ones stay together.

        ``tenth, users, churned, churn_rate, predicted, lift, captured, p_from``: what came beside what was said.
        """
        tested = self.learned.tested
        n, gone = tested.height, int(tested["left"].sum())
        before = pl.col("p").rank("average", descending=True) - 0.5
        tenth = (before * 10 / float(n)).floor().clip(0, 9).cast(pl.Int64) + 1
        added = (
            tested.select("p", left=pl.col("left").cast(pl.Int64), tenth=tenth, billionths=_billionths("p"))
            .group_by("tenth")
            .agg(
                users=pl.len().cast(pl.Int64),
                churned=pl.col("left").sum(),
                billionths=pl.col("billionths").sum(),
                p_from=pl.col("p").min(),
            )
            .sort("tenth")
        )
        rate = stats.ratio(pl.col("churned"), pl.col("users"))
        return added.select(
            "tenth",
            "users",
            "churned",
            churn_rate=rate,
            predicted=stats.ratio(pl.col("billionths"), pl.col("users") * 1_000_000_000),
            lift=stats.ratio(pl.col("churned") * n, pl.col("users") * gone),
            captured=stats.ratio(pl.col("churned").cum_sum(), pl.lit(gone)),
            p_from="p_from",
        )

    def _risk(self) -> pl.Expr:
        """The place of a user's tier among :data:`RISKS`."""
        high, low = self.learned.borders
        return pl.when(pl.col("p") >= high).then(0).when(pl.col("p") < low).then(2).otherwise(1).cast(pl.Int64)

    def risks(self) -> pl.DataFrame:
        """Users at as-of by risk: ``risk, risk_zh, users, users_share, expected_churned, p_from, p_to``."""
        now = self.learned.now
        names = pl.DataFrame({
            "tier": range(len(RISKS)), "risk": [en for en, _ in RISKS], "risk_zh": [zh for _, zh in RISKS],
        })  # fmt: skip
        added = now.select("p", tier=self._risk(), billionths=_billionths("p"))
        added = added.group_by("tier").agg(
            users=pl.len().cast(pl.Int64), billionths=pl.col("billionths").sum(), p_from=pl.min("p"), p_to=pl.max("p")
        )
        every = (
            names.join(added, on="tier", how="left")
            .sort("tier")
            .with_columns(pl.col("users", "billionths").fill_null(0))
        )
        return every.select(
            "risk",
            "risk_zh",
            "users",
            users_share=stats.ratio(pl.col("users"), pl.lit(now.height)),
            expected_churned=pl.col("billionths") / pl.lit(1e9),
            p_from="p_from",
            p_to="p_to",
        )

    def told_users(self) -> pl.DataFrame:
        """One row per user, sorted by the text of the id."""
        assert self.found.ids is not None  # they were asked for
        reason, reason_zh = page.reasons(self)
        names = (pl.Series([risk[place] for risk in RISKS]) for place in (0, 1))
        now = self.learned.now.with_columns(tier=self._risk())
        risk, risk_zh = (column.gather(now["tier"]) for column in names)
        known = now.with_columns(risk=risk, risk_zh=risk_zh).join(self.found.ids, on="user", how="left")
        return known.sort(pl.col("user_id").cast(pl.String)).select(
            user_id=pl.col("user_id").cast(pl.String),
            p_churn="p",
            risk="risk",
            reason=reason,
            reason_zh=reason_zh,
            risk_zh="risk_zh",
            btyd_p_churn="btyd",
            recency_p_churn="recency",
            p_alive="p_alive",
            silent_days=pl.col("silent_days").cast(pl.Int64),
            rhythm_days="rhythm_days",
            longest_gap_days=pl.col("longest_gap").cast(pl.Int64),
            active_days=pl.col("days").cast(pl.Int64),
            recent_active_days=pl.col("recent").cast(pl.Int64),
            earlier_active_days=pl.col("earlier").cast(pl.Int64),
            tenure_days=pl.col("tenure_days").cast(pl.Int64),
        )

    def summary(self, tenths: pl.DataFrame, risks: pl.DataFrame) -> dict[str, Any]:
        """All users together; every score is of the later labels."""
        told, scores = self.learned, self.learned.scores
        best, btyd = scores[told.chosen], scores.get("btyd")
        high, low = told.borders
        n = told.tested.height
        off = tenths.select(((pl.col("predicted") - pl.col("churn_rate")).abs() * pl.col("users")).cast(pl.Float64))
        return {
            "model": told.chosen,
            "auc": best.auc,
            "brier": best.brier,
            "base_rate": told.base_rate,
            "lift_top_decile": best.lift,
            "calibration_error": sum(off.to_series().to_list()) / n,
            "predicted_rate": told.tested.select(_billionths("p").sum()).item() / 1e9 / n,
            "logistic_auc": scores["logistic"].auc,
            "logistic_brier": scores["logistic"].brier,
            "btyd_model": told.buying.name if told.buying else None,
            "btyd_auc": btyd.auc if btyd else None,
            "btyd_brier": btyd.brier if btyd else None,
            "recency_auc": scores["recency"].auc,
            "recency_brier": scores["recency"].brier,
            "dropout_identified": told.buying is not None and told.buying.tells,
            "recent_users": told.recent[0],
            "recent_base_rate": told.recent[1],
            "recent_auc": told.recent[2],
            "horizon_days": self.settings.days,
            "trained_at": self.day(0).isoformat(),
            "tested_at": self.day(1).isoformat(),
            "scored_at": self.day(2).isoformat(),
            "trained_users": told.trained_on,
            "tested_users": n,
            "users": told.now.height,
            **self.found.totals,
            **{f"{name}_users": users for name, users in risks.select("risk", "users").iter_rows()},
            "expected_churned": told.now.select(_billionths("p").sum()).item() / 1e9,
            "high_from": high,
            "low_below": low,
        }


def _billionths(column: str) -> pl.Expr:
    """A probability as a whole number, whose sum is the same in any order."""
    return (pl.col(column) * 1e9).round().cast(pl.Int64)
