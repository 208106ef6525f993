"""The files of a simulated shop: orders, events, users, costs, referrals, feedback and goals, the same for the same seed.

The shop sells from ``Settings.start`` on; customers arrive every day, buy as BG/NBD has it, and click their way to
every purchase (:mod:`userops.models.shop`). With ``stories`` it also falls ill in known ways (:data:`STORIES`), so that
a check-up has something to find and a test can say whether it did; without, nothing changes but season and growth.

What holds: ids are unique; every user of every table is in ``users``; the purchases among the events are the orders
that are no refunds, with the same user, time and ``order_id``; nothing lies beyond the last day. Users come by number;
orders, events, referrals and feedback come by time within a block of :data:`BLOCK` customers, which is one row group.
The first n thousand customers stay as they are when ``customers`` grows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

import polars as pl

from userops.errors import OutputError, UsageError
from userops.results import Text

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


FILES: dict[str, Text] = {
    "orders.parquet": Text("orders, refunds as negative rows", "订单,退款为负数行"),
    "events.parquet": Text("every click, search and purchase", "全部行为事件"),
    "users.parquet": Text("who they are and how they came", "用户属性与来源"),
    "costs.csv": Text("marketing spend by day and channel", "按日按渠道的营销花费"),
    "referrals.csv": Text("invitations, and who joined", "邀请记录与受邀注册"),
    "feedback.csv": Text("scores (NPS) and what users say", "NPS 评分与用户原声"),
    "userops.toml": Text("goals, funnel steps, activation event", "目标、漏斗步骤与激活事件"),
}

Save = Callable[[str], AbstractContextManager[str]]
"""Gives the name to write under in place of the final one, and puts the file there when the block ends well."""


def tables(settings: Settings) -> Shop:
    """The whole shop as frames, each by time (users by number)."""
    parts = list(blocks(settings))
    whole = {name: pl.concat([part[name] for part in parts]) for name in parts[0]}
    for name, (time, identity) in _ORDER.items():
        whole[name] = whole[name].sort(time, identity, nulls_last=True)
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


def write(settings: Settings, folder: str, save: Save | None = None) -> list[Written]:
    """Write the shop into ``folder`` and say what lies there. Files of the same names are replaced when all is done.

    Memory stays that of one block. ``OutputError`` when the folder cannot be written; what was there then remains.
    """
    folder = os.fspath(folder)
    try:
        os.makedirs(folder, exist_ok=True)
        rows = _write(settings, folder, save or replacing)
        sizes = {name: os.path.getsize(os.path.join(folder, name)) for name in FILES}
    except OSError as error:
        raise OutputError.not_written(folder, error.strerror or str(error), "choose another --out") from error
    return [Written(name, rows.get(name), sizes[name], what) for name, what in FILES.items()]


@contextmanager
def replacing(path: str) -> Iterator[str]:
    """A name beside ``path`` to write under; it becomes ``path`` at the end, or is removed when something fails."""
    beside = f"{path}.{os.getpid()}.tmp"
    try:
        yield beside
        os.replace(beside, path)
    finally:
        if os.path.exists(beside):
            os.remove(beside)


def _write(settings: Settings, folder: str, save: Save) -> dict[str, int]:
    rows = {name: 0 for name in FILES if name != "userops.toml"}
    with ExitStack() as stack:
        paths = {name: stack.enter_context(save(os.path.join(folder, name))) for name in FILES}
        with ExitStack() as opened:
            sinks: dict[str, _CsvSink | _ParquetSink] = {}
            for name in rows:
                kind = _ParquetSink if name.endswith(".parquet") else _CsvSink
                sinks[name] = opened.enter_context(kind(paths[name]))
            for block in blocks(settings):
                for table, frame in block.items():
                    name = next(file for file in rows if file.startswith(f"{table}."))
                    rows[name] += frame.height
                    sinks[name].append(frame)
            costs = _costs(settings)
            rows["costs.csv"] = costs.height
            sinks["costs.csv"].append(costs)
        with open(paths["userops.toml"], "w", encoding="utf-8", newline="\n") as file:
            file.write(goals())
    return rows


class _ParquetSink:
    """A Parquet file that grows by one row group per frame."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._writer: Any = None

    def __enter__(self) -> _ParquetSink:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def append(self, frame: pl.DataFrame) -> None:
        import pyarrow.parquet as pq

        table = frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd", store_schema=False)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))


class _CsvSink:
    """A CSV file with one header that grows by frames."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> _CsvSink:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, frame: pl.DataFrame) -> None:
        new = self._file is None
        if self._file is None:
            self._file = open(self._path, "wb")
        frame.write_csv(self._file, include_header=new, float_precision=2, datetime_format="%Y-%m-%d %H:%M:%S")


def goals() -> str:
    """The shop's ``userops.toml``: what its owners aim for, and which events mean what."""
    return _GOALS


# Codes to frames


def _world(settings: Settings) -> World:
    from userops.models import shop

    episodes = {story.id: shop.Episode(story.days(settings), story.factor) for story in STORIES}
    return shop.World(settings.seed, settings.days, settings.start.weekday(), episodes)


_ORDER = {
    "orders": ("ordered_at", "order_id"),
    "events": ("time", "event_id"),
    "users": ("user_id", "signed_up_at"),
    "referrals": ("invited_at", "referrer_id"),
    "feedback": ("time", "user_id"),
}
"""By what each table is sorted."""


def _frames(settings: Settings, whole: dict[str, Columns]) -> dict[str, pl.DataFrame]:
    """The tables as people know them: ids and names for codes, dates for milliseconds."""
    raw = {name: pl.DataFrame(columns).lazy() for name, columns in whole.items()}
    midnight = datetime.combine(settings.start, datetime.min.time())
    lazy = _named(raw, midnight)
    frames = pl.collect_all([table.sort(*_ORDER[name], nulls_last=True) for name, table in lazy.items()])
    return dict(zip(lazy, frames, strict=True))
