"""The files of a simulated shop: orders, events, users, costs, referrals, feedback, goals; the same for the same seed.

The shop sells from ``Settings.start`` on; customers arrive every day, buy as BG/NBD has it, and click their way to
every purchase (:mod:`userops.models.shop`). With ``stories`` it also falls ill in known ways (:data:`STORIES`), so that
a check-up has something to find and a test can say whether it did; without, nothing changes but season and growth.

What holds: ids are unique; every user of every table is in ``users``; the purchases among the events are the orders
that are no refunds, with the same user, time and ``order_id``; nothing lies beyond the last day. Users come by number;
orders, events, referrals and feedback come by time within a block of :data:`BLOCK` customers, which is one row group.
The first n thousand customers stay as they are when ``customers`` grows. The bytes are the same on any machine and any
number of threads, with the same versions of numpy, Polars and pyarrow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

import polars as pl
import polars.selectors as cs

from userops.errors import OutputError, UsageError
from userops.results import Column, NotesBlock, Provenance, Result, TableBlock, Text

if TYPE_CHECKING:
    from userops.models.shop import Columns, World

BLOCK = 10_000
"""Customers in memory at a time when writing."""

BEFORE = 60
"""Days of ordinary life a story needs before it, to be a change at all."""

MOST_DAYS = 3_660


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides every byte. ``UsageError`` when a value makes no shop."""

    customers: int = 5_000
    days: int = 365
    seed: int = 0
    stories: bool = True
    start: date = date(2025, 1, 1)

    def __post_init__(self) -> None:
        if not 1 <= self.customers <= 9_999_999:
            raise UsageError.bad_value("--customers", self.customers, "a whole number from 1 to 9999999")
        if not 1 <= self.days <= MOST_DAYS:
            raise UsageError.bad_value("--days", self.days, f"a whole number from 1 to {MOST_DAYS}")
        if self.seed < 0:
            raise UsageError.bad_value("--seed", self.seed, "a whole number from 0")


@dataclass(frozen=True, slots=True)
class Story:
    """Something planted: ``metric`` of ``segment`` is ``factor`` times its usual value for some days.

    The days are counted back from the end of the data: ``begins`` 98 and ``lasts`` 28 is from 98 to 71 days before
    the end. ``also`` names further metrics that move with it. ``illness`` is False for what is meant to happen.
    """

    id: str
    text: Text
    metric: str
    segment: str
    factor: float
    begins: int
    lasts: int
    also: tuple[str, ...] = ()
    illness: bool = True

    def days(self, settings: Settings) -> range:
        """Its days as indexes from the first day; none where it is not planted or has too little before it."""
        if not settings.stories or settings.days < self.begins + BEFORE:
            return range(0)
        first = settings.days - self.begins
        return range(first, first + self.lasts)

    def dates(self, settings: Settings) -> tuple[date, date] | None:
        """Its first and last day, or None where it is not planted."""
        days = self.days(settings)
        return (settings.start + timedelta(days[0]), settings.start + timedelta(days[-1])) if days else None


STORIES: tuple[Story, ...] = (
    Story(
        id="android_checkout",
        text=Text(
            "Every second payment on Android fails for four weeks: begin_checkout to purchase halves there.",
            "安卓端连续四周有一半支付失败:该端从开始结算到购买的转化率减半。",
        ),
        metric="checkout_conversion",
        segment="platform=android",
        factor=0.5,
        begins=98,
        lasts=28,
        also=("orders", "nps"),
    ),
    Story(
        id="paid_ads",
        text=Text(
            "Search ads cost 60 % more for the last 60 days, and their newcomers hardly buy, come back or repeat.",
            "最近 60 天搜索广告花费增加 60%,而由其带来的新用户激活、留存和复购都很低。",
        ),
        metric="cac",
        segment="channel=search_ads",
        factor=1.6,
        begins=60,
        lasts=60,
        also=("activation_rate", "d7_retention", "repeat_rate"),
    ),
    Story(
        id="loyal_customers",
        text=Text(
            "Loyal customers (won in the first third, top tenth by spend) go quiet for the last 45 days.",
            "忠实高价值用户(前三分之一时段获得、消费前 10%)最近 45 天明显沉默。",
        ),
        metric="orders_per_customer",
        segment="top tenth by spend, signed up in the first third",
        factor=0.4,
        begins=45,
        lasts=45,
        also=("visits_per_customer",),
    ),
    Story(
        id="stock_out",
        text=Text(
            "The best category, fashion, is out of stock for a week: its orders vanish.",
            "销量最高的品类(fashion)断货一周,其订单消失。",
        ),
        metric="orders",
        segment="category=fashion",
        factor=0.0,
        begins=137,
        lasts=7,
        also=("nps",),
    ),
    Story(
        id="promotion",
        text=Text(
            "A promotion day: several times the usual orders and visits. The calendar, not an illness.",
            "大促日:订单与访问量数倍于平日。属于日历效应,并非异常。",
        ),
        metric="orders",
        segment="all",
        factor=6.0,
        begins=197,
        lasts=1,
        also=("visits", "dau"),
        illness=False,
    ),
    Story(
        id="referral",
        text=Text(
            "The reward for inviting a friend is cut 116 days before the end: invitations halve.",
            "距数据结束 116 天起邀请奖励下调:人均邀请数减半。",
        ),
        metric="invites_per_user",
        segment="all",
        factor=0.5,
        begins=116,
        lasts=116,
        also=("new_users of referral", "k_factor"),
    ),
)
"""What is planted, as data: the simulation reads its days and factors from here."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The whole shop in memory, for tests and for those who want frames rather than files."""

    orders: pl.DataFrame
    events: pl.DataFrame
    users: pl.DataFrame
    costs: pl.DataFrame
    referrals: pl.DataFrame
    feedback: pl.DataFrame
    goals: str


@dataclass(frozen=True, slots=True)
class Written:
    """One file as it lies in the folder; ``rows`` is None for the goals."""

    name: str
    rows: int | None
    bytes: int
    what: Text


CONFIG = "userops.toml"
FILES: dict[str, Text] = {
    "orders.parquet": Text("orders, refunds as negative rows", "订单,退款为负数行"),
    "events.parquet": Text("every click, search and purchase", "全部行为事件"),
    "users.parquet": Text("who they are and how they came", "用户属性与来源"),
    "costs.csv": Text("marketing spend by day and channel", "按日按渠道的营销花费"),
    "referrals.csv": Text("invitations, and who joined", "邀请记录与受邀注册"),
    "feedback.csv": Text("scores (NPS) and what users say", "NPS 评分与用户原声"),
    CONFIG: Text("goals, funnel steps, activation event", "目标、漏斗步骤与激活事件"),
}

Write = Callable[[BinaryIO], None]
Save = Callable[[str, Write], None]
"""Puts what a writer writes at a path, whole or not at all: :func:`userops.outputs.saving.write_atomically`."""


def tables(settings: Settings) -> Shop:
    """The whole shop as frames, each by time (users by number)."""
    parts = list(blocks(settings))
    whole = {name: pl.concat([part[name] for part in parts]) for name in parts[0]}
    whole = {name: frame.sort(SORTED_BY[name], nulls_last=True) for name, frame in whole.items()}
    return Shop(**whole, costs=_costs(settings), goals=goals())


def blocks(settings: Settings, customers: int = BLOCK) -> Iterator[dict[str, pl.DataFrame]]:
    """The tables ``orders, events, users, referrals, feedback``, so many customers at a time (whole thousands).

    The rows of a customer do not depend on the size of the block.
    """
    import numpy as np

    from userops.models import shop

    world = _world(settings)
    cells = shop.cells(settings.customers)
    per_block = max(1, customers // shop.CELL)
    for first in range(0, len(cells), per_block):
        drawn = [shop.cell(world, cell) for cell in cells[first : first + per_block]]
        whole = {
            table: {name: np.concatenate([part[table][name] for part in drawn]) for name in drawn[0][table]}
            for table in drawn[0]
        }
        yield _frames(settings, whole)


def write(settings: Settings, folder: str | os.PathLike[str], save: Save) -> list[Written]:
    """Write the shop into ``folder``, made if need be, and say what lies there then.

    No file takes its place before all are complete; memory stays that of one block. ``OutputError`` when the folder
    cannot be made (what ``save`` raises passes through).
    """
    folder = os.fspath(folder)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise OutputError.not_written(folder, error.strerror or str(error), "choose another --out") from error
    written: list[Written] = []
    paths = [os.path.join(folder, name) for name in FILES]
    _with_files(save, paths, lambda files: written.extend(_fill(settings, files)))
    return written


def _with_files(save: Save, paths: Sequence[str], use: Callable[[list[BinaryIO]], None]) -> None:
    """Have ``use`` fill all the files at once, each saved as ``save`` does."""
    if not paths:
        use([])
    else:
        save(paths[0], lambda first: _with_files(save, paths[1:], lambda rest: use([first, *rest])))


def _fill(settings: Settings, files: list[BinaryIO]) -> list[Written]:
    """Stream the shop into its open files, in the order of :data:`FILES`."""
    by_name = dict(zip(FILES, files, strict=True))
    sinks = {name.partition(".")[0]: _sink(name, file) for name, file in by_name.items() if name != CONFIG}
    for block in chain(blocks(settings), [{"costs": _costs(settings)}]):
        for table, frame in block.items():
            sinks[table].append(frame)
    for sink in sinks.values():
        sink.close()
    by_name[CONFIG].write(goals().encode())
    rows = {table: sink.rows for table, sink in sinks.items()}
    return [Written(name, rows.get(name.partition(".")[0]), by_name[name].tell(), what) for name, what in FILES.items()]


def _sink(name: str, file: BinaryIO) -> _ParquetSink | _CsvSink:
    return _ParquetSink(file) if name.endswith(".parquet") else _CsvSink(file)


class _ParquetSink:
    """Parquet that grows by one row group per frame."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer: Any = None
        self.rows = 0

    def append(self, frame: pl.DataFrame) -> None:
        from pyarrow.parquet import ParquetWriter

        table = frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = ParquetWriter(
                self._file,
                table.schema,
                compression="zstd",
                store_schema=False,  # plain strings and times for every reader
                use_dictionary=frame.select(cs.string()).columns,
                column_encoding=dict.fromkeys(frame.select(~cs.string() & ~cs.float()).columns, "DELTA_BINARY_PACKED"),
            )
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self.rows += frame.height

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class _CsvSink:
    """CSV with one header that grows by frames."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._headed = False
        self.rows = 0

    def append(self, frame: pl.DataFrame) -> None:
        text = frame.write_csv(include_header=not self._headed, float_precision=2, datetime_format="%Y-%m-%d %H:%M:%S")
        self._file.write(text.encode())
        self._headed = True
        self.rows += frame.height

    def close(self) -> None:
        self._file.flush()


def goals() -> str:
    """The shop's ``userops.toml``: what its owners aim for, and which events mean what."""
    return _GOALS


def result(settings: Settings, folder: str, written: Sequence[Written]) -> Result:
    """The files as a result like any other, with commands to try on them."""
    columns = {"file": pl.String, "rows": pl.Int64, "bytes": pl.Int64, "what": pl.String, "what_zh": pl.String}
    lines = [(file.name, file.rows, file.bytes, file.what.en, file.what.zh) for file in written]
    rows = pl.DataFrame(lines, schema=columns, orient="row")
    shown = (
        Column("file", Text("File", "文件")),
        Column("rows", Text("Rows", "行数"), "count"),
        Column("bytes", Text("Bytes", "字节"), "count"),
    )
    table = TableBlock(
        Text(f"A simulated shop in {folder}", f"模拟店铺:{folder}"),
        (*shown, Column("what", Text("What it holds", "内容"))),
        rows,
        columns_zh=(*shown, Column("what_zh", Text("What it holds", "内容"))),
    )
    commands = (
        f"userops rfm {folder}/orders.parquet",
        f"userops retention {folder}/events.parquet --period week",
        f"userops lifecycle {folder}/orders.parquet --lang zh",
        f"userops inspect {folder}/events.parquet",
    )
    summary = {"customers": settings.customers, "days": settings.days, "seed": settings.seed}
    nothing_read = Provenance(None, "UTC", "monday", (), {**summary, "stories": settings.stories}, ())
    try_this = NotesBlock(Text("Try", "试试"), tuple(Text(command, command) for command in commands))
    return Result("demo", rows, summary, nothing_read, views=(table, try_this))


_GOALS = """\
# What this shop aims for. userops diagnose reads this file from the folder it runs in.

vertical = "e-commerce"          # benchmarks are shown for this line of business only

[activation]
event = "purchase"               # a new user is activated by the first purchase ...
within = "7d"                    # ... in the seven days after signing up

[funnel]
steps = ["visit", "view_item", "add_to_cart", "begin_checkout", "purchase"]
within = "7d"

[goals]                          # a comparison per metric; shares are fractions of 1
activation_rate = ">= 0.40"
d1_retention = ">= 0.22"
d7_retention = ">= 0.10"
d30_retention = ">= 0.04"
checkout_conversion = ">= 0.60"  # begin_checkout to purchase
repeat_rate = ">= 0.50"
cac = "<= 12"                    # US dollars per newcomer of the paid channels
ltv_cac = ">= 3"
invite_conversion = ">= 0.20"
nps = ">= 25"
refund_rate = "<= 0.03"
"""


# From codes to what people read


def _world(settings: Settings) -> World:
    from userops.models import shop

    episodes = {story.id: shop.Episode(story.days(settings), story.factor) for story in STORIES}
    return shop.World(settings.seed, settings.days, settings.start.weekday(), episodes)


SORTED_BY = {
    "orders": ("ordered_at", "order_id"),
    "events": ("time", "event_id"),
    "users": ("user_id",),
    "referrals": ("invited_at", "referrer_id", "user_id"),
    "feedback": ("time", "user_id", "score"),
}
"""By what the rows of each table are sorted, within a block."""


def _frames(settings: Settings, block: dict[str, Columns]) -> dict[str, pl.DataFrame]:
    """The tables of a block, sorted, with ids, names, times and money for the codes of the simulation."""
    start = settings.start
    return {
        table: pl.DataFrame(block[table]).lazy().select(columns).sort(SORTED_BY[table], nulls_last=True).collect()
        for table, columns in _columns(start).items()
    }


def _columns(start: date) -> dict[str, list[pl.Expr]]:
    """How the columns of each file are made of the arrays of the simulation."""
    from userops.models import shop

    channel, platform = _named("channel", shop.CHANNELS), _named("platform", shop.PLATFORMS)
    return {
        "orders": [
            pl.when("refunded").then(_order_id("R", "number")).otherwise(_order_id("O", "number")).alias("order_id"),
            _user_id("user"),
            _time("at", start).alias("ordered_at"),
            _money("cents").alias("amount"),
            pl.lit("USD").alias("currency"),
            channel,
            platform,
            _named("product", shop.PRODUCTS),
            _named("product", shop.CATEGORY_OF_PRODUCT).alias("category"),
        ],
        "events": [
            (_customer("user") * 1_000_000 + pl.col("number") + 1).alias("event_id"),
            _user_id("user"),
            _named("event", shop.EVENTS),
            _time("at", start).alias("time"),
            (_customer("user") * 100_000 + pl.col("session") + 1).alias("session_id"),
            platform,
            channel,
            _named("product", shop.PRODUCTS).alias("item_id"),
            pl.when(pl.col("order") >= 0).then(_order_id("O", "order")).alias("order_id"),
            _time("ingested", start).alias("ingested_at"),
        ],
        "users": [
            _user_id("user"),
            _time("signed_up", start).alias("signed_up_at"),
            channel,
            platform,
            _named("city", [country for country, _ in shop.CITIES]).alias("country"),
            _named("city", [city for _, city in shop.CITIES]),
            _named("age_group", shop.AGE_GROUPS),
            _user_id("invited_by"),
        ],
        "referrals": [
            _user_id("referrer").alias("referrer_id"),
            _time("at", start).alias("invited_at"),
            _user_id("user"),
        ],
        "feedback": [
            _user_id("user"),
            _time("at", start).alias("time"),
            pl.col("score"),
            _named("review", [text for mood in shop.REVIEWS for text in mood]).alias("text"),
            pl.col("rating"),
        ],
    }


def _costs(settings: Settings) -> pl.DataFrame:
    """``date, channel, spend``, a row per day and paid channel."""
    from userops.models import shop

    return pl.DataFrame(shop.costs(_world(settings), settings.customers)).select(
        (pl.lit(settings.start) + pl.duration(days="day")).alias("date"),
        _named("channel", shop.CHANNELS),
        _money("spend"),
    )


def _named(code: str, names: Sequence[str]) -> pl.Expr:
    """The name of each code, null for -1."""
    return pl.lit(pl.Series([*names, None])).gather(pl.col(code)).alias(code)


def _customer(user: str) -> pl.Expr:
    return pl.col(user) + 1


def _user_id(user: str) -> pl.Expr:
    """``U0000001`` for the first customer, null for -1; under the canonical name unless it says who invited."""
    number = _customer(user)
    name = "user_id" if user == "user" else user
    return pl.when(number > 0).then(pl.lit("U") + number.cast(pl.String).str.zfill(7)).alias(name)


def _order_id(letter: str, number: str) -> pl.Expr:
    digits = _customer("user") * 10_000 + pl.col(number) + 1
    return pl.lit(letter) + digits.cast(pl.String).str.zfill(11)


def _money(cents: str) -> pl.Expr:
    """Currency units, the double nearest to the cents: rounded, as Polars divides by multiplying with 0.01."""
    return (pl.col(cents) / 100).round(2)


def _time(milliseconds: str, start: date) -> pl.Expr:
    """Naive UTC, to the millisecond."""
    midnight = pl.lit(datetime(start.year, start.month, start.day), dtype=pl.Datetime("us"))
    return midnight + pl.duration(milliseconds=milliseconds, time_unit="us")
