"""What an audit looks at: the small tables that one scan of a file makes, and the few rows looked at again.

Reduces (:mod:`userops.partition`) over canonical rows, all in the one scan that also takes the account; then copies,
which need every column, and the users who did so much that their rhythm is worth a second look. Users are known by
the hash of their id except where the id itself is what is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import polars as pl

from userops import account, frames, partition, periods, tables
from userops.audit.drift import Profile, profile_of
from userops.collecting import collect, collect_all
from userops.texts.known_events import STAGES

Kind = Literal["orders", "events", "users"]

ROLES: dict[str, tuple[str, ...]] = {
    "device": ("device_id", "device", "did", "idfa", "oaid", "android_id", "imei", "设备ID", "设备号"),
    "ip": ("ip", "ip_address", "client_ip", "$ip"),
    "email": ("email", "email_address", "mail", "user_email", "邮箱"),
    "unit_price": ("unit_price", "unitprice", "单价"),
    "quantity": ("quantity", "qty", "数量"),
    "order_id": ("order_id", "order_no", "transaction_id", "订单号"),
    "placed": ("created_at", "order_created_at", "order_time", "created", "下单时间", "订单创建时间", "创建时间"),
    "paid": ("paid_at", "pay_time", "paid_time", "payment_time", "付款时间", "支付时间", "订单付款时间"),
}
"""Columns beside the canonical ones that a check can use, by the names they go by."""

PURCHASED = (
    pl.col("event").str.strip_chars().str.to_lowercase().str.replace_all(" ", "_", literal=True).is_in(STAGES[-1])
)
"""Rows of events that are purchases: nobody can cause one without having come first."""

TEST_ACCOUNT = r"(?:^|[^a-z])(?:test(?:er|ing|user)?|demo|qa|dummy|internal|staging)(?:[^a-z]|$)|内部|测试"
"""What the ids and e-mail addresses of test and internal accounts look like, in small letters."""

EXACT_UP_TO = 20_000_000
"""Rows up to which copies are looked for one by one; beyond, among a fixed share of them."""

VISITS_EXACT_UP_TO = 2_000_000
"""Rows up to which the visits of all users are counted to know how many rows come together."""

SAMPLED_ONE_IN = 16

HEAVY_DAY = 100
"""Rows a day from which the rhythm of a user is looked at."""

_ZEROS = [0, *(periods.epoch_day(day) for day in (date(1900, 1, 1), date(1899, 12, 30)))]
_HEAVIEST = 5_000
_TOLERANCE = 5 * 60 * 1_000_000
_HOUR, _DAY = account.HOUR, periods.MICROSECONDS_A_DAY
_APART = 1 << 32


@dataclass(frozen=True, slots=True)
class Subject:
    """Rows of one kind under audit.

    ``columns``: the file's own names of roles, where they may differ from ours. ``torn``: signs that a file was cut.
    """

    table: frames.Table
    columns: Mapping[str, str] = field(default_factory=dict)
    torn: tuple[tuple[str, Literal["short_row", "no_newline"]], ...] = ()

    @property
    def kind(self) -> Kind:
        """What the rows are."""
        if isinstance(self.table, frames.Orders):
            return "orders"
        return "events" if isinstance(self.table, frames.Events) else "users"

    @property
    def schema(self) -> pl.Schema:
        """The canonical columns and those that were kept."""
        return self.table.rows.collect_schema()

    def column(self, role: str) -> str | None:
        """The kept column that plays a role of :data:`ROLES`."""
        return column_of(role, self.schema.names())


def column_of(role: str, names: Sequence[str]) -> str | None:
    """The first of ``names`` that a role of :data:`ROLES` goes by."""
    known = {re.sub(r"[\s_\-]+", "", alias).casefold() for alias in ROLES[role]}
    return next((name for name in names if re.sub(r"[\s_\-]+", "", name).casefold() in known), None)


def other_time(own: str | None, names: Sequence[str]) -> tuple[str, str] | None:
    """Which of ``names`` says when orders were paid (``paid``), or placed, where ``own``, their time, is the payment."""
    role = "placed" if own is not None and column_of("paid", [own]) else "paid"
    found = column_of(role, [name for name in names if name != own])
    return (role, found) if found else None


@dataclass(frozen=True, slots=True)
class Repeats:
    """Rows that repeat an earlier one: ``mark`` (a hash) and ``amount`` of each further row, of one mark in ``one_in``."""

    found: pl.DataFrame
    one_in: int

    @property
    def rows(self) -> int:
        """How many rows there are too many; estimated where ``one_in`` is not 1."""
        return self.found.height * self.one_in

    @property
    def worth(self) -> int:
        """What they are worth, in steps of money; estimated likewise."""
        return int(self.found["amount"].sum() or 0) * self.one_in


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found in the rows of one subject, ready to be judged.

    ``small``: the tables of :func:`reduces`. ``copies``: rows alike in every column. ``repeated``: rows that repeat an
    order id, where a row is one order. ``rhythm``: users of many rows a day (:func:`_rhythm`). ``samples``: by reason, a
    few cells that could not be read.
    """

    subject: Subject
    books: account.Account
    small: Mapping[str, pl.DataFrame]
    copies: Repeats
    repeated: Repeats | None
    rhythm: pl.DataFrame
    profile: Profile
    samples: Mapping[str, Sequence[str]]

    @property
    def rows_read(self) -> int:
        """Rows of the files, those included that never became rows."""
        return sum(report.rows_read for report in self.books.reports())

    @property
    def sums(self) -> dict[str, int]:
        """Counts over all rows that count."""
        return {name: int(n or 0) for name, n in self.small["sums"].row(0, named=True).items()}

    @property
    def body(self) -> tuple[int, int] | None:
        """The first and the last day (since 1970-01-01) without strays: few rows, months away from all others."""
        return body(self.books.days.drop_nulls("day"))

    def rejected(self, *reasons: str) -> int:
        """Rows that do not count for any of these reasons."""
        return sum(n for report in self.books.reports() for r, n in report.rejected.items() if r in reasons)


def body(days: pl.DataFrame) -> tuple[int, int] | None:
    """The days (``day, n``, sorted) that belong together, as first and last; None without days.

    Left out at either end: at most 1 % of the rows (or one), parted from the rest by more than 90 days and more than
    20 times the usual gap; and the days that clocks begin to count at (1970-01-01; 1900-01-01, 1899-12-30 of spreadsheets).
    """
    days = days.filter(~pl.col("day").is_in(_ZEROS)) if days["day"].is_in(_ZEROS).any() and days.height > 1 else days
    if days.is_empty():
        return None
    if days.height < 4:
        return int(days["day"][0]), int(days["day"][-1])
    stray = max(1, int(days["n"].sum()) // 100)
    gap = days["day"].diff()
    far = max(90, 20 * int(gap.median() or 1))  # type: ignore[arg-type] # a number
    table = days.with_columns(gap=gap, before=pl.col("n").cum_sum().shift(fill_value=0)).with_columns(
        after=pl.col("n").sum() - pl.col("before")
    )
    torn_off = pl.col("gap") > far
    starts = table.filter(torn_off, pl.col("before") <= stray)["day"]
    ends = table.with_columns(previous=pl.col("day").shift()).filter(torn_off, pl.col("after") <= stray)["previous"]
    first = int(starts.max()) if starts.len() else int(days["day"][0])  # type: ignore[arg-type]
    last = int(ends.min()) if ends.len() else int(days["day"][-1])  # type: ignore[arg-type]
    return first, last


def scanned(
    subject: Subject, signed_up: pl.DataFrame | None = None, *, matched: bool = False, partitions: int | None = None
) -> Scan:
    """Look at all rows of one subject.

    ``signed_up``: who is in a table of users beside it, and since when (``user_id``, text; ``signed_up_at``).
    ``matched``: orders and events are both there, so that purchases can be held against orders.
    Errors as :func:`userops.collecting.collect` has them.
    """
    table = subject.table
    parts = partitions or partition.count_for(table.size)
    small = partition.run(table.rows, reduces(subject, signed_up, matched=matched), what=table.name, partitions=parts)
    books = account.Account(small.pop("account"), table)
    one_in = 1 if books.rows["n"].sum() <= EXACT_UP_TO else SAMPLED_ONE_IN
    repeated = None
    if isinstance(table, frames.Orders) and table.has_order_id and table.grain == "order":
        repeated = repeats(table, pl.col("order_id").hash(tables.USER_SEED), one_in, pl.col("order_id").is_not_null())
    return Scan(
        subject,
        books,
        small,
        repeats(table, likeness(table), one_in),
        repeated,
        _rhythm(subject, small["busy"]) if "busy" in small else pl.DataFrame(),
        profile_of(table, books, besides=subject.columns.get("user_id", "user_id")),
        _samples(subject, books),
    )


def _samples(subject: Subject, books: account.Account) -> dict[str, list[str]]:
    """The first of the cells, sorted, that made a row unreadable, by reason."""
    there = {frames.REASONS[code] for code in books.rejected["reject"].unique()}
    raw = subject.table.raw
    names = raw.collect_schema().names()
    asked = {"unreadable_time": subject.table.time, "unreadable_amount": "amount", "non_finite_amount": "amount"}
    queries = {}
    for reason, role in asked.items():
        column = subject.columns.get(role, role)
        if reason in there and column in names:
            bad = raw.filter(pl.col("reject") == frames.reject_code(reason))
            queries[reason] = bad.select(pl.col(column).cast(pl.String).alias("cell")).unique().sort("cell").head(6)
    found = collect_all(list(queries.values()), subject.table.name)
    return {reason: cells["cell"].drop_nulls().to_list() for reason, cells in zip(queries, found, strict=True)}


def likeness(table: frames.Table) -> pl.Expr:
    """A number that rows share which are alike in every column, whatever file they are from."""
    return pl.struct(pl.all().exclude(ours(table))).hash(tables.USER_SEED)


def ours(table: frames.Table) -> tuple[str, ...]:
    """The columns that are not of the files."""
    return ("reject", "source") if len(table.sources) > 1 else ("reject",)


def repeats(table: frames.Table, mark: pl.Expr, one_in: int, told: pl.Expr | None = None) -> Repeats:
    """The rows that count whose ``mark`` an earlier row has; of several with one mark the one worth least is the first.

    Looked at are rows that are ``told`` (None: all), and of their marks one in ``one_in``.
    """
    rows = frames.good(table.rows if told is None else table.rows.filter(told))
    marks = rows.select(mark=mark)
    if one_in > 1:
        marks = marks.filter(pl.col("mark") % one_in == 0)
    again = tables.repeated(collect(marks, table.name)["mark"])
    if again.is_empty() or not table.has_amount:
        return Repeats(again.to_frame().with_columns(amount=pl.lit(0, pl.Int64)), one_in)
    theirs = rows.select("amount", mark=mark).filter(pl.col("mark").is_in(again.unique().implode()))
    found = collect(theirs, table.name).sort("mark", "amount").filter(pl.col("mark") == pl.col("mark").shift())
    return Repeats(found, one_in)


# --- reduces --------------------------------------------------------------------------------------------------------


def reduces(subject: Subject, signed_up: pl.DataFrame | None, *, matched: bool) -> dict[str, partition.Reduce]:
    """The tables of the one scan: those that this kind of rows, with these columns, has something for."""
    table = subject.table
    found = {"account": account.reduce(table), "sums": _sums(subject), "ids": _ids(subject), "nobody": _nobody()}
    if subject.kind == "users":
        return found
    found |= {
        "later": _later(subject),
        "people": _people(subject, signed_up),
        "busy": _busy(subject),
        "visits": _visits(subject),
    }
    if table.has_ingested_at:
        found["lags"] = _lags(subject)
    if subject.kind == "orders" and table.has_amount:
        found["amounts"] = _amounts()
    lines = subject.kind == "orders" and getattr(table, "grain", "order") == "line"
    if subject.column("order_id") and (matched or lines):
        found["order_ids"] = _order_ids(subject)
    for role in ("device", "ip"):
        if column := subject.column(role):
            found[role] = _shared(column)
    if subject.column("device"):
        found["devices"] = _devices(str(subject.column("device")))
    return found


def _total(condition: pl.Expr) -> pl.Expr:
    return condition.sum().cast(pl.Int64)


def _sums(subject: Subject) -> partition.Reduce:
    """One row of counts (:attr:`Scan.sums`)."""
    table = subject.table
    good, at = pl.col("reject") == 0, pl.col(table.time).to_physical()
    counts = {"rows": good, "timed": good & at.is_not_null(), "midnight": good & (at % _DAY == 0)}
    if table.has_ingested_at:
        arrived = pl.col("ingested_at").to_physical()
        counts |= {"arrived": good & arrived.is_not_null(), "early": good & (arrived < at - _TOLERANCE)}
    if subject.kind == "orders" and table.has_amount:
        amount = pl.col("amount")
        counts |= {"negative": good & (amount < 0), "zero": good & (amount == 0), "cents": good & (amount == 100)}
        price, quantity = subject.column("unit_price"), subject.column("quantity")
        if price and quantity:
            product = pl.col(price).cast(pl.Float64, strict=False) * pl.col(quantity).cast(pl.Float64, strict=False)
            told, paid = product.is_finite() & (amount > 0), amount / 10_000
            counts |= {"products": good & told, "unequal": good & told & ((product - paid).abs() > 0.011 + paid * 0.01)}

    if (early := paid_early(subject)) is not None:
        counts |= {"paid": good & early.is_not_null(), "paid_early": good & early}

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.select(what=pl.lit(0), **{name: _total(met) for name, met in counts.items()})

    return partition.Reduce(count, keys=("what",))


def paid_early(subject: Subject) -> pl.Expr | None:
    """Whether an order was paid 5 minutes or more before it was placed; of payments that are dates, a day or more.

    Null where one of the two is not known, None where the file does not tell both.
    """
    found = other_time(subject.columns.get(subject.table.time), subject.schema.names())
    if subject.kind != "orders" or found is None or subject.schema[found[1]] != pl.Datetime("us"):
        return None
    here, there = pl.col(subject.table.time).to_physical(), pl.col(found[1]).to_physical()
    paid, placed = (there, here) if found[0] == "paid" else (here, there)
    dated = paid % _DAY == 0
    return pl.when(dated).then(paid < placed // _DAY * _DAY).otherwise(paid <= placed - _TOLERANCE)


def _later(subject: Subject) -> partition.Reduce:
    """The days of rows after as-of: ``day, n``."""
    code, at = frames.reject_code("after_as_of"), pl.col(subject.table.time).to_physical()

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        later = rows.filter(pl.col("reject") == code)
        return later.group_by(day=(at // _DAY).cast(pl.Int64)).agg(n=pl.len().cast(pl.Int64))

    return partition.Reduce(count, keys=("day",))


def _nobody() -> partition.Reduce:
    """The placeholders that stand where a user should: ``id, n``."""
    code = frames.reject_code("placeholder_user_id")

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        theirs = rows.filter(pl.col("reject") == code)
        return theirs.group_by(id=pl.col("user_id").cast(pl.String)).agg(n=pl.len().cast(pl.Int64))

    return partition.Reduce(count, keys=("id",))


def _ids(subject: Subject) -> partition.Reduce:
    """One row per user id (text): ``id, n``; ``email`` beside, the smallest, where the file has one."""
    email = subject.column("email")
    beside = {"email": pl.col(email).cast(pl.String).min()} if email and email != "user_id" else {}

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        used = rows.filter(pl.col("reject") == 0)
        return used.group_by(id="user_id").agg(n=pl.len().cast(pl.Int64), **beside).cast({"id": pl.String})

    return partition.Reduce(count)


def _people(subject: Subject, signed_up: pl.DataFrame | None) -> partition.Reduce:
    """One row of counts of users: what they did in an order that cannot be, and who is in no table of users."""
    table = subject.table
    at = pl.col(table.time).to_physical()
    each: dict[str, pl.Expr] = {"first": at.min()}
    counts: dict[str, pl.Expr] = {"users": pl.len()}
    if subject.kind == "orders" and table.has_amount:
        back = pl.col("amount") < 0
        each |= {
            "paid": pl.when(~back).then("amount").sum(),
            "back": pl.when(back).then("amount").sum(),
            "refunds": back.sum(),
            "orders": (~back).sum(),
        }
        alone = pl.col("orders") == 0
        counts |= {
            "refunds_alone": pl.when(alone).then("refunds").sum(),
            "refunded_beyond": (~alone & (pl.col("paid") + pl.col("back") < 0)).sum(),
        }
    if subject.kind == "events":
        each |= {"bought": pl.when(PURCHASED).then(at).min(), "came": pl.when(~PURCHASED).then(at).min()}
        bought = pl.col("bought").is_not_null()
        counts |= {
            "buyers": bought.sum(),
            "never_came": (bought & (pl.col("came") > pl.col("bought")).fill_null(value=True)).sum(),
        }
    known = None
    if signed_up is not None:
        dtype = table.rows.collect_schema()["user_id"]
        known = signed_up.lazy().select(
            user=pl.col("user_id").cast(dtype, strict=False).hash(tables.USER_SEED),
            since=pl.col("signed_up_at").to_physical(),
            known=pl.lit(value=True),
        )
        known = known.group_by("user").agg(pl.col("since").min(), pl.col("known").first())
        counts |= {
            "unknown": pl.col("known").is_null().sum(),
            "before_sign_up": (pl.col("first") < pl.col("since") - _DAY).sum(),
        }

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        used = rows.filter(pl.col("reject") == 0)
        users = used.group_by(user=pl.col("user_id").hash(tables.USER_SEED)).agg(**each)
        if known is not None:
            users = users.join(known, on="user", how="left")
        return users.select(what=pl.lit(0), **{name: n.cast(pl.Int64) for name, n in counts.items()})

    return partition.Reduce(count, keys=("what",))


def _hours(subject: Subject, rows: pl.LazyFrame) -> pl.LazyFrame:
    """One row per user and hour with rows that count: ``key`` (user and hour as one number, Int128), ``n``."""
    user, at = pl.col("user_id").hash(tables.USER_SEED), pl.col(subject.table.time).to_physical()
    used = pl.when(pl.col("reject") == 0, at.is_not_null()).then(user.cast(pl.Int128) * _APART + at // _HOUR)
    return rows.group_by(key=used).agg(n=pl.len().cast(pl.Int64)).filter(pl.col("key").is_not_null())


_KEY_TIME = ((pl.col("key") + _APART // 2) % _APART - _APART // 2).cast(pl.Int64)
_KEY_USER = ((pl.col("key") + _APART // 2) // _APART).cast(pl.UInt64)


def _days(subject: Subject, rows: pl.LazyFrame) -> pl.LazyFrame:
    """One row per user and day: ``user, day, hours`` (of that day with rows), ``peak_hour`` (rows of one at most), ``n``.

    Of orders, which are few a day, hours are not told apart.
    """
    if subject.kind == "orders":
        user, at = pl.col("user_id").hash(tables.USER_SEED), pl.col(subject.table.time).to_physical()
        used = pl.when(pl.col("reject") == 0, at.is_not_null()).then(user.cast(pl.Int128) * _APART + at // _DAY)
        days = rows.group_by(key=used).agg(n=pl.len().cast(pl.Int64)).filter(pl.col("key").is_not_null())
        return days.select("n", user=_KEY_USER, day=_KEY_TIME, hours=pl.lit(1, pl.Int64), peak_hour="n")
    return (
        _hours(subject, rows)
        .group_by(user=_KEY_USER, day=_KEY_TIME // 24)
        .agg(hours=pl.len().cast(pl.Int64), peak_hour=pl.col("n").max(), n=pl.col("n").sum())
    )


def _visits(subject: Subject) -> partition.Reduce:
    """One row: ``hours`` and ``days`` in which users were there, each counted once for each of them.

    Of many rows those of a fixed share of the users are counted, times what they stand for.
    """
    one_in = SAMPLED_ONE_IN if (subject.table.size or 0) > VISITS_EXACT_UP_TO else 1

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        if one_in > 1:
            rows = rows.filter(pl.col("user_id").hash(tables.USER_SEED) % one_in == 0)
        days = _days(subject, rows)
        hours, n = pl.col("hours").sum(), pl.len().cast(pl.Int64)
        return days.select(what=pl.lit(0), hours=hours * one_in, days=n * one_in)

    return partition.Reduce(count, keys=("what",))


def _busy(subject: Subject) -> partition.Reduce:
    """The busiest users: ``user, hours, peak_hour, peak_day, n``: hours of a day, rows of an hour and of a day at most."""

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        users = (
            _days(subject, rows)
            .group_by("user")
            .agg(pl.col("hours").max(), pl.col("peak_hour").max(), peak_day=pl.col("n").max(), n=pl.col("n").sum())
        )
        busy = users.filter((pl.col("hours") >= 16) | (pl.col("peak_day") >= HEAVY_DAY // 4))
        return busy.sort("peak_day", "hours", "n", "user", descending=True).head(_HEAVIEST)

    return partition.Reduce(count)


def _lags(subject: Subject) -> partition.Reduce:
    """How often rows took how long to arrive: ``lag`` (minutes), ``n``."""
    at, arrived = pl.col(subject.table.time).to_physical(), pl.col("ingested_at").to_physical()

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        used = rows.filter(pl.col("reject") == 0, pl.col("ingested_at").is_not_null())
        lag = ((arrived - at).clip(0) // 60_000_000).cast(pl.Int64)
        return used.group_by(lag=lag).agg(n=pl.len().cast(pl.Int64))

    return partition.Reduce(count, keys=("lag",))


def _amounts() -> partition.Reduce:
    """How often each amount above zero occurs: ``amount`` (steps), ``n``."""

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        used = rows.filter(pl.col("reject") == 0, pl.col("amount") > 0)
        return used.group_by("amount").agg(n=pl.len().cast(pl.Int64))

    return partition.Reduce(count, keys=("amount",))


def _order_ids(subject: Subject) -> partition.Reduce:
    """The order ids (hashes) of orders, or of purchases among events: ``id``, each once."""
    order_id = pl.col(str(subject.column("order_id"))).cast(pl.String)
    told = (pl.col("reject") == 0) & order_id.is_not_null()
    if subject.kind == "events":
        told = told & PURCHASED

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.filter(told).select(id=order_id.hash(tables.USER_SEED)).unique()

    return partition.Reduce(count)


def _shared(column: str) -> partition.Reduce:
    """How many users share each value of a column: ``value, users``."""

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        used = rows.filter(pl.col("reject") == 0, pl.col(column).is_not_null())
        pairs = used.select(value=pl.col(column).cast(pl.String), user="user_id").unique()
        return pairs.group_by("value").agg(users=pl.len().cast(pl.Int64))

    return partition.Reduce(count, keys=("value",))


def _devices(column: str) -> partition.Reduce:
    """Users of many devices: ``id, devices``."""

    def count(rows: pl.LazyFrame) -> pl.LazyFrame:
        used = rows.filter(pl.col("reject") == 0, pl.col(column).is_not_null())
        users = used.group_by(id="user_id").agg(devices=pl.col(column).n_unique().cast(pl.Int64))
        return users.filter(pl.col("devices") > 1).cast({"id": pl.String})

    return partition.Reduce(count)


# --- a second look --------------------------------------------------------------------------------------------------


def _rhythm(subject: Subject, busy: pl.DataFrame) -> pl.DataFrame:
    """Busy users with their rhythm, sorted by ``id``: ``peak_minute``, and ``steady``: the share of pauses that are alike.

    ``id`` (text), ``hours, peak_hour, peak_day, n`` as :func:`_busy` has them; ``pause``: the median pause in
    microseconds. Alike: within 5 % of the median pause.
    """
    if busy.is_empty():
        return busy.with_columns(id=pl.lit(None, pl.String), peak_minute=0, pause=0, steady=0.0)
    user, at = pl.col("user_id").hash(tables.USER_SEED), pl.col("instant").to_physical()
    rows = subject.table.rows.filter(pl.col("reject") == 0).select(
        id=pl.col("user_id").cast(pl.String), user=user, at=at
    )
    theirs = collect(rows.filter(pl.col("user").is_in(busy["user"].implode())), subject.table.name)
    ordered = theirs.sort("user", "at").with_columns(pause=pl.col("at").diff().over("user"))
    pause = pl.col("pause")
    each = ordered.group_by("user").agg(
        pl.col("id").min(),
        pause=pause.sort().get(pause.count() // 2, null_on_oob=True),
        steady=((pause - pause.median()).abs() <= 0.05 * pause.median()).mean(),
    )
    minutes = ordered.group_by("user", minute=pl.col("at") // 60_000_000).agg(n=pl.len())
    peaks = minutes.group_by("user").agg(peak_minute=pl.col("n").max().cast(pl.Int64))
    return busy.join(each, on="user").join(peaks, on="user").sort("id")


def first_day(number: int) -> date:
    """A day since 1970-01-01 as a date."""
    return periods.first_day(number, "day")


def named(values: Sequence[object]) -> str:
    """At most five values as harmless text: no control characters, none longer than 40."""
    shown = [re.sub(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+", " ", str(v))[:40] for v in values]
    return ", ".join(shown[:5]) + (", …" if len(shown) > 5 else "")
