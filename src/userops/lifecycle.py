"""Lifecycle: the stage every user is in at as-of, from introduction to churned and back.

Reduce: one row per user (first and last day, the gap before the last, acts, exact money), and a histogram of the gaps
between their days. Finish: thresholds, stages, who moved, what to look at.

An *act* is an order (refunds are none) or, of events, a day with at least one. Definitions (docs/methods.md has the
reasons and sources):

* recency: calendar days from the last act to as-of; gap: days from one day with an act to the user's next.
* thresholds: active within the 80 % of the gaps, silent after the 90 %, churned after twice that; mature with as many
  acts as the upper two fifths of those who came back.
* stage: the first rule that matches (:func:`stage`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from typing import Any, Literal

import polars as pl

from userops import account, frames, money, partition, periods, stats, tables, visits
from userops.errors import UsageError
from userops.pages import lifecycle as page
from userops.periods import epoch_day
from userops.results import NotesBlock, Provenance, Result, Text
from userops.texts.stages import CHURNED, DECLINE, GROWTH, INTRODUCTION, MATURITY, RETURNED, SILENT, STAGES

ActKind = Literal["orders", "active_days"]

NEED = partition.Need(working=100, held=12)
"""Memory that a row takes, as measured."""

FEWEST_GAPS = 50
"""Fewer gaps than this make no thresholds: not even five would lie beyond the 90 %."""

FEWEST_MATURE = 3
"""A mature user has acted at least so often: two acts are one return, not yet a habit."""

_BEFORE_ALL = -(1 << 30)
"""The day refunds lie on while days are sorted: so long before all others that no gap is measured from it."""

_LONGEST = 1 << 20
"""More days than lie between any two."""

RESERVED = frozenset({
    "user", "user_id", "id", "stage", "stage_zh", "users", "users_share", "revenue", "median_recency_days", "first",
    "last", "first_seen", "last_seen", "recency_days", "orders", "active_days", "acts", "gap", "last_gap_days", "seen",
    "before", "last_then", "acts_then", "gap_then", "signed_up", "signed_up_at", "reported", "name",
})  # fmt: skip
"""Names of columns of the result, and of those on the way to it: not to be broken down by."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the stages part: whole days, each limit beyond the one before, and how many acts make a mature user.

    ``acts``: what was counted; thresholds of orders say nothing about active days. Save them and stage later data
    with the same ones, so that nobody changes stage for want of a new threshold.
    """

    active_within_days: int
    silent_after_days: int
    churned_after_days: int
    mature_orders: int
    acts: ActKind

    def __post_init__(self) -> None:
        if not 1 <= self.active_within_days < self.silent_after_days < self.churned_after_days < _LONGEST:
            days = f"{self.active_within_days}, {self.silent_after_days}, {self.churned_after_days} days"
            raise UsageError.bad_value("--thresholds", days, "whole days from 1 up, each more than the one before")
        if self.mature_orders < 2:
            raise UsageError.bad_value("--thresholds", f"mature_orders {self.mature_orders}", "2 or more")


FALLBACK: dict[ActKind, Thresholds] = {
    "orders": Thresholds(30, 90, 180, FEWEST_MATURE, "orders"),
    "active_days": Thresholds(7, 15, 30, FEWEST_MATURE, "active_days"),
}
"""Used where the data has too few gaps: conventions, not measurements."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be decided about a lifecycle; the defaults are what most people mean.

    ``since`` and ``until`` (inclusive days) choose who is reported: users with an act in that window; what is said of
    them reads all history. ``transitions_from``: a day at whose end the stages are compared with those at as-of.
    ``thresholds`` reuses saved ones. ``by`` breaks the stages down; ``per_user`` makes the table of users as well.
    """

    as_of: date | None = None
    since: date | None = None
    until: date | None = None
    tz: str = "UTC"
    week_start: Literal["monday", "sunday"] = "monday"
    thresholds: Thresholds | None = None
    transitions_from: date | None = None
    by: str | None = None
    per_user: bool = False

    def __post_init__(self) -> None:
        if self.by in RESERVED:
            raise UsageError.bad_value("--by", self.by, "a column that goes by none of the names of the result")
        periods.require_order(self.since, self.until)
        if self.transitions_from and (self.by or self.per_user):
            other = "--by" if self.by else "--per-user"
            raise UsageError.conflict("--transitions-from", other, "run them one after the other")


@dataclass(frozen=True, slots=True, repr=False)
class LifecycleResult(Result):
    """Stages (``rows``), the thresholds that made them, and, when asked for, every user and every transition."""

    thresholds: Thresholds = FALLBACK["orders"]
    users: pl.DataFrame | None = None

    def per_user(self) -> Result:
        """The same result with users as its rows; needs ``per_user=True`` when it was made."""
        assert self.users is not None, "analyse(..., per_user=True) makes the table of users"
        headline, _, *notes = self.views
        views = (headline, page.users(self.users), *(block for block in notes if isinstance(block, NotesBlock)))
        return replace(self, rows=self.users, views=views)

    def transitions(self) -> Result:
        """The same result with transitions as its rows; needs ``transitions_from`` when it was made."""
        moves = self.extras["transitions"]
        return replace(self, rows=moves, extras={"stages": self.rows})


def analyse(
    rows: frames.Table | pl.LazyFrame | pl.DataFrame,
    settings: Settings | None = None,
    *,
    users: pl.DataFrame | None = None,
    partitions: int | None = None,
    **changes: Any,
) -> LifecycleResult:
    """The stage of every user at as-of.

    ``rows``: events (``user_id, event, time``) or orders (``user_id, ordered_at, amount``). ``users``: one row per user with ``user_id``, ``signed_up_at`` (null: unknown) and attributes; who never acted
    counts from the sign-up. ``changes`` are fields of :class:`Settings`. ``partitions`` bounds memory, never the
    numbers; None: as the number of rows calls for. Raises InputError when no row is usable, UsageError where
    thresholds or ``transitions_from`` do not fit the data.
    """
    settings = replace(settings or Settings(), **changes)
    table = visits.table_of(rows, settings.as_of)
    partitions = partitions or partition.count_for(table.size, need=NEED)
    kind: ActKind = "orders" if isinstance(table, frames.Orders) else "active_days"
    if settings.thresholds is not None and settings.thresholds.acts != kind:
        given, wanted = settings.thresholds.acts.replace("_", " "), kind.replace("_", " ")
        raise UsageError.bad_value("--thresholds", f"thresholds of {given}", f"those of {wanted} for this data")
    reduces = {"users": partition.Reduce(lambda rows: _of_users(table, rows, settings, users))}
    if settings.thresholds is None:
        reduces["gaps"] = partition.Reduce(lambda rows: _gaps(_days(table, rows, settings)), keys=("gap_days",))
    books, small = account.opened(table, reduces, partitions=partitions)
    as_of = settings.as_of or account.latest_day(books)
    if settings.transitions_from and settings.transitions_from >= as_of:
        raise UsageError.bad_value("--transitions-from", settings.transitions_from, f"a day before as-of, {as_of}")
    found = small.pop("users")
    thresholds, gaps = settings.thresholds, None
    if thresholds is None:
        gaps = small["gaps"]
        thresholds = _thresholds(gaps, found["acts"], kind)
    people = _people(found, users, table, as_of, settings)
    staged = _staged(people, thresholds, as_of, settings)
    story = Story(settings, books, as_of, thresholds, gaps, staged)
    return story.result(books.doubts(as_of))


# --- reduce ---------------------------------------------------------------------------------------------------------


def _days(table: frames.Table, rows: pl.LazyFrame, settings: Settings) -> pl.LazyFrame:
    """One row per user and day with an act, sorted: ``visit`` (:func:`tables.visitor`), ``acts``, ``revenue``.

    A user's refunds lie together on a day before all others, without an act. ``id`` is there when users are listed.
    """
    acts = tables.acts(table, rows)
    is_order = isinstance(table, frames.Orders)
    day = pl.when(acts.counts).then(acts.day).otherwise(_BEFORE_ALL)
    taken = acts.rows.select(
        visit=pl.when(acts.valid).then(tables.visit(pl.col("user_id"), day)),
        acts=acts.counts.cast(pl.Int32),
        revenue=pl.col("amount") if is_order else pl.lit(0, pl.Int64),
        **({"id": pl.col("user_id")} if settings.per_user else {}),
    )
    added = [
        pl.col("acts").sum() if is_order else pl.col("acts").max(),
        *([pl.col("revenue").sum()] if is_order else []),
        *([pl.col("id").min()] if settings.per_user else []),
    ]
    return taken.group_by("visit").agg(added).filter(pl.col("visit").is_not_null()).sort("visit")


def _gap() -> pl.Expr:
    """Days since the day before of the same user, null on the first; on sorted ``visit``."""
    step = pl.col("visit").diff()
    return pl.when(step.is_between(1, _LONGEST)).then(step.cast(pl.Int32))


def _gaps(days: pl.LazyFrame) -> pl.LazyFrame:
    """How often each gap occurs: ``gap_days, n``."""
    return days.select(gap_days=_gap()).drop_nulls().group_by("gap_days").agg(n=pl.len().cast(pl.Int64))


def _of_users(table: frames.Table, rows: pl.LazyFrame, settings: Settings, users: pl.DataFrame | None) -> pl.LazyFrame:
    """One row per user: ``user`` (hash), ``first, last`` (days), ``gap`` before the last, ``acts``, ``revenue``.

    The same at the end of ``transitions_from`` (``last_then, gap_then, acts_then``); whether an act lies in the window
    (``reported``); ``by`` and ``id`` when asked for. Days are null for users with refunds only.
    """
    day = pl.when(pl.col("acts") > 0).then(tables.visited())
    person = (tables.visitor() != tables.visitor().shift(1)).cum_sum()  # sorted, and small: groups twice as fast
    marked = _days(table, rows, settings).with_columns(person=person.fill_null(0), day=day, gap=_gap())
    after = pl.when(pl.col("person") == pl.col("person").shift(-1)).then(pl.col("day").shift(-1))
    own = [
        pl.col("visit").max(),
        pl.col("day").min().alias("first"),
        pl.col("day").max().alias("last"),
        pl.when(pl.col("after").is_null()).then("gap").max().alias("gap"),
        pl.col("acts").sum(),
    ]
    if isinstance(table, frames.Orders):
        own.append(pl.col("revenue").sum())
    if settings.transitions_from:
        then = epoch_day(settings.transitions_from)
        by_then = pl.col("day") <= then
        own += [
            pl.when(by_then).then("day").max().alias("last_then"),
            pl.when(by_then & (pl.col("after") > then).fill_null(value=True)).then("gap").max().alias("gap_then"),
            pl.when(by_then).then("acts").sum().alias("acts_then"),
        ]
    if settings.since or settings.until:
        own.append(_inside(pl.col("day"), settings).any().alias("reported"))
    if settings.per_user:
        own.append(pl.col("id").min())
    found = marked.with_columns(after=after).group_by("person").agg(own)
    found = found.with_columns(user=tables.visitor()).drop("visit", "person")
    if settings.by is not None and (users is None or settings.by not in users.columns):
        window = (settings.since, settings.until)
        found = found.join(tables.attribute(table, rows, settings.by, window), on="user", how="left")
    return found


def _inside(day: pl.Expr, settings: Settings) -> pl.Expr:
    """Whether a day lies in the reporting window; not where it is null."""
    since = day >= epoch_day(settings.since) if settings.since else day.is_not_null()
    until = day <= epoch_day(settings.until) if settings.until else day.is_not_null()
    return (since & until).fill_null(value=False)


# --- finish: thresholds and stages ----------------------------------------------------------------------------------


def _thresholds(gaps: pl.DataFrame, acts: pl.Series, kind: ActKind) -> Thresholds:
    """What the data itself says: order statistics of its gaps, moved apart where they coincide."""
    if int(gaps["n"].sum()) < FEWEST_GAPS:
        return FALLBACK[kind]
    most, nearly_all = (int(stats.quantile_of_counts(gaps["gap_days"], gaps["n"], q) or 1) for q in (0.8, 0.9))
    active = most
    silent = max(nearly_all, active + 1)
    churned = max(2 * nearly_all, silent + 1)
    repeated = acts.filter(acts >= 2)
    usual = int(stats.cuts(repeated, 5)[2]) if repeated.len() else 0
    return Thresholds(active, silent, churned, max(FEWEST_MATURE, usual), kind)


def _people(
    found: pl.DataFrame, users: pl.DataFrame | None, table: frames.Table, as_of: date, settings: Settings
) -> pl.DataFrame:
    """Everybody who is known by as-of: users of the rows, and of the table of users; ``seen``: has rows."""
    found = found.with_columns(seen=pl.lit(value=True))
    if users is None:
        return found
    known = tables.known_users(users.with_columns(id=pl.col("user_id")), table, "day", settings.week_start)
    by = [settings.by] if settings.by in known.columns else []
    known = known.select("user", "signed_up", *by, *(["id"] if settings.per_user else []))
    known = known.filter(pl.col("signed_up").is_null() | (pl.col("signed_up") <= epoch_day(as_of)))
    if settings.per_user:
        found = found.with_columns(pl.col("id").cast(pl.String))
    everybody = found.join(known, on="user", how="full", coalesce=True, suffix=" known")
    if settings.per_user:
        everybody = everybody.with_columns(id=pl.coalesce("id", "id known")).drop("id known")
    return everybody.with_columns(pl.col("acts").fill_null(0), pl.col("seen").fill_null(value=False))


@dataclass(frozen=True, slots=True)
class Staged:
    """Users with their stage (an index of ``STAGES``), and those who have none: refunds only, or nothing known."""

    users: pl.DataFrame
    refund_only: pl.DataFrame
    unknown_users: int
    not_reported: pl.DataFrame


def _staged(people: pl.DataFrame, thresholds: Thresholds, as_of: date, settings: Settings) -> Staged:
    today = epoch_day(as_of)
    signed_up = pl.col("signed_up") if "signed_up" in people.columns else pl.lit(None, pl.Int32)
    never_acted = pl.col("last").is_null()
    refund_only = people.filter(never_acted & pl.col("seen"))
    unknown = people.filter(never_acted & ~pl.col("seen") & signed_up.is_null()).height
    users = people.filter(~never_acted | (~pl.col("seen") & signed_up.is_not_null())).with_columns(
        first=pl.min_horizontal("first", signed_up), last=pl.coalesce("last", signed_up)
    )
    users = users.with_columns(recency_days=today - pl.col("last"))
    users = users.with_columns(stage=stage(pl.col("recency_days"), pl.col("acts"), pl.col("gap"), thresholds))
    if settings.transitions_from:
        users = users.with_columns(before=_stage_then(signed_up, thresholds, epoch_day(settings.transitions_from)))
    others = users.clear()
    if settings.since or settings.until:
        reported = pl.coalesce("reported", _inside(pl.col("last"), settings))
        users, others = users.filter(reported), users.filter(~reported)
    return Staged(users, refund_only, unknown, others)


def _stage_then(signed_up: pl.Expr, thresholds: Thresholds, then: int) -> pl.Expr:
    """The stage at the end of an earlier day, null for who was not there yet."""
    last = pl.coalesce("last_then", pl.when(signed_up <= then).then(signed_up))
    found = stage(then - last, pl.col("acts_then").fill_null(0), pl.col("gap_then"), thresholds)
    return pl.when(last.is_not_null()).then(found)


def stage(recency: pl.Expr, acts: pl.Expr, gap: pl.Expr, thresholds: Thresholds) -> pl.Expr:
    """The stage (index of ``STAGES``, UInt8): the first rule that matches, and the last catches all.

    ``recency``: days since the last act. ``gap``: days between the last two days with an act, null where there is but
    one.
    """
    recent = recency <= thresholds.active_within_days
    rules = (
        (recent & (gap > thresholds.churned_after_days), RETURNED),
        (recent & (acts >= thresholds.mature_orders), MATURITY),
        (recent & (acts >= 2), GROWTH),
        (recent, INTRODUCTION),
        (recency <= thresholds.silent_after_days, DECLINE),
        (recency <= thresholds.churned_after_days, SILENT),
    )
    found = pl.lit(CHURNED, pl.UInt8)
    for matches, number in reversed(rules):
        found = pl.when(matches).then(pl.lit(number, pl.UInt8)).otherwise(found)
    return found


# --- finish: what comes out -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Story:
    """Everything a result is told from; ``gaps`` is None where thresholds were given."""

    settings: Settings
    books: account.Account
    as_of: date
    thresholds: Thresholds
    gaps: pl.DataFrame | None
    staged: Staged

    @property
    def has_money(self) -> bool:
        """Whether users are worth something here: orders with amounts are."""
        return isinstance(self.books.table, frames.Orders) and self.books.table.has_amount

    @property
    def gaps_seen(self) -> int | None:
        """How many gaps the thresholds were taken from; None where they were given."""
        return None if self.gaps is None else int(self.gaps["n"].sum())

    @property
    def used_fallback(self) -> bool:
        """Whether the data had too few gaps to take thresholds from."""
        return self.gaps_seen is not None and self.gaps_seen < FEWEST_GAPS

    @property
    def span_days(self) -> int:
        """Days from the first row to as-of."""
        first = self.books.first_time
        assert first is not None  # rows that count have a time
        return (self.as_of - first.date()).days

    def result(self, warnings: list[Text]) -> LifecycleResult:
        """All of it as one result."""
        rows, summary, extras = self.stages(), self.summary(), {}
        if self.settings.transitions_from:
            moves = extras["transitions"] = transitions(self.staged.users)
            both = moves.drop_nulls("from")
            summary["moved_users"] = int(both.filter(pl.col("from") != pl.col("to"))["users"].sum())
            summary["stayed_users"] = int(both.filter(pl.col("from") == pl.col("to"))["users"].sum())
        warnings = [*warnings, *page.warnings(self)]
        provenance = Provenance(
            as_of=self.as_of.isoformat(),
            tz=self.settings.tz,
            week_start=self.settings.week_start,
            inputs=self.books.reports(),
            settings=self.settings_in_force(),
            definitions=page.definitions(self),
            warnings=tuple(warnings),
            facts={"thresholds": {**asdict(self.thresholds), "gaps": self.gaps_seen}},
        )
        return LifecycleResult(
            command="lifecycle",
            rows=rows,
            summary=summary,
            provenance=provenance,
            extras=extras,
            views=page.views(self, rows, extras, summary, warnings),
            thresholds=self.thresholds,
            users=self.people() if self.settings.per_user else None,
        )

    def settings_in_force(self) -> dict[str, Any]:
        """Every setting with the value that was used: as-of and thresholds as found, not as asked."""
        chosen: dict[str, Any] = {f.name: getattr(self.settings, f.name) for f in fields(self.settings)}
        chosen |= {"as_of": self.as_of, "thresholds": asdict(self.thresholds)}
        del chosen["tz"], chosen["week_start"]
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in chosen.items()}

    def stages(self) -> pl.DataFrame:
        """One row per stage in the order of ``STAGES``, the empty ones included; per value of ``by`` when given."""
        keys = [self.settings.by] if self.settings.by else []
        users = self.staged.users
        names = pl.DataFrame(
            {"stage": range(len(STAGES)), "name": [s.key for s in STAGES], "stage_zh": [s.zh for s in STAGES]},
            schema={"stage": pl.UInt8, "name": pl.String, "stage_zh": pl.String},
        )
        counted = users.group_by(*keys, "stage").agg(
            users=pl.len().cast(pl.Int64),
            revenue=pl.col("revenue").sum() if self.has_money else pl.lit(None, pl.Int64),
            median_recency_days=pl.col("recency_days").quantile(0.5, "lower").cast(pl.Int64),
        )
        frame = users.select(keys).unique().join(names, how="cross") if keys else names
        return (
            frame.join(counted, on=[*keys, "stage"], how="left", nulls_equal=True)
            .sort(*keys, "stage", nulls_last=True)
            .select(
                *keys,
                stage="name",
                stage_zh="stage_zh",
                users=pl.col("users").fill_null(0),
                users_share=stats.ratio(pl.col("users").fill_null(0), pl.lit(users.height)),
                revenue=money.units(pl.col("revenue").fill_null(0) if self.has_money else pl.col("revenue")),
                median_recency_days="median_recency_days",
            )
        )

    def people(self) -> pl.DataFrame:
        """One row per user, sorted by the text of the id."""
        names = pl.Series([s.key for s in STAGES], dtype=pl.String)
        names_zh = pl.Series([s.zh for s in STAGES], dtype=pl.String)
        users = self.staged.users.sort(pl.col("id").cast(pl.String))
        return users.select(
            user_id=pl.col("id").cast(pl.String),
            stage=names.gather(users["stage"]),
            stage_zh=names_zh.gather(users["stage"]),
            first_seen=pl.col("first").cast(pl.Date),
            last_seen=pl.col("last").cast(pl.Date),
            recency_days=pl.col("recency_days").cast(pl.Int64),
            **{self.thresholds.acts: pl.col("acts").cast(pl.Int64)},
            last_gap_days=pl.col("gap").cast(pl.Int64),
            revenue=money.units(pl.col("revenue").fill_null(0)) if self.has_money else pl.lit(None, pl.Float64),
            **({self.settings.by: pl.col(self.settings.by)} if self.settings.by else {}),
        )

    def summary(self) -> dict[str, Any]:
        """All users together; flat."""
        users, refund_only = self.staged.users, self.staged.refund_only
        n = users.height
        found: dict[str, Any] = {"users": n}
        if isinstance(self.books.table, frames.Orders):
            money_of = {"revenue": users, "refund_only_revenue": refund_only}
            worth = {k: int(f["revenue"].sum()) / money.SCALE if self.has_money else None for k, f in money_of.items()}
            found |= {
                "orders": int(users["acts"].sum()),
                "revenue": worth["revenue"],
                "currency": self.books.currency,
                "refund_only_users": refund_only.height,
                "refund_only_revenue": worth["refund_only_revenue"],
            }
        else:
            found["events"] = self.books.rows_used
        limits = asdict(self.thresholds)
        del limits["acts"]
        found |= limits
        count = dict(users.group_by("stage").agg(pl.len()).iter_rows())
        for number, known in enumerate(STAGES):
            found[f"{known.key}_users"] = count.get(number, 0)
            found[f"{known.key}_share"] = count.get(number, 0) / n if n else None
        return found


def transitions(users: pl.DataFrame) -> pl.DataFrame:
    """Who moved where: ``from, to, users, share`` (of the users who were in ``from``), in the order of ``STAGES``.

    ``users`` has ``before`` and ``stage``. A null ``from``, last, is who was not there yet; its shares are of all such.
    """
    names = pl.Series([s.key for s in STAGES], dtype=pl.String)
    counted = users.group_by("before", "stage").agg(users=pl.len().cast(pl.Int64))
    counted = counted.sort("before", "stage", nulls_last=True)
    return counted.select(
        names.gather(counted["before"]).alias("from"),
        names.gather(counted["stage"]).alias("to"),
        "users",
        share=stats.ratio(pl.col("users"), pl.col("users").sum().over("before")),
    )
