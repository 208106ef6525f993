"""Events read once: what plain Python says of coded rows, held or not, and the same account as ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from userops import aarrr, account, coded, frames, partition, tables
from userops.checkup import measures
from userops.checkup.goals import Business
from userops.errors import InputError


def log(seed: int = 0, rows: int = 300) -> pl.DataFrame:
    """Events around 1970 of some users, some of nobody, of no name, or without a time."""
    random = Random(seed)
    start = datetime(1969, 11, 20)
    return pl.DataFrame(
        {
            "user_id": [random.choice([*(f"u{n}" for n in range(20)), None]) for _ in range(rows)],
            "event": [random.choice(["visit", "cart", "buy", None]) for _ in range(rows)],
            "time": [
                None if random.random() < 0.03 else start + timedelta(minutes=random.randint(0, 60 * 24 * 60))
                for _ in range(rows)
            ],
            "channel": [random.choice(["ads", "mail", None]) for _ in range(rows)],
        },
        schema_overrides={"channel": pl.String},
    )


def plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows that count."""
    return [row for row in frame.iter_rows(named=True) if None not in (row["user_id"], row["event"], row["time"])]


@pytest.mark.parametrize("most", [0, coded.HELD_UP_TO])
def test_coded_rows(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """The rows that count, ids hashed, texts as they were; the account of the table itself."""
    monkeypatch.setattr(coded, "HELD_UP_TO", most)
    events = frames.events(log())
    events = replace(events, size=300)
    opened = coded.opened(events, ["channel"])
    rows = opened.rows.with_columns(pl.col("event", "channel").cast(pl.String)).collect()
    by_hand = pl.DataFrame(plain(log()), schema=log().schema)
    hashed = by_hand.with_columns(pl.col("user_id").hash(tables.USER_SEED))
    columns = ["user_id", "time", "event", "channel"]
    assert_frame_equal(rows.select(columns).sort(columns), hashed.select(columns).sort(columns))
    assert_frame_equal(opened.books.rows, account.opened(events)[0].rows)
    assert opened.books.table is events


def test_columns_of_the_account_stay_as_they_are() -> None:
    """Currencies are told apart by the account, and may be asked for too."""
    frame = log().with_columns(currency=pl.lit("EUR"))
    opened = coded.opened(frames.events(frame), ["currency", "channel"])
    schema = opened.rows.collect_schema()
    assert schema["currency"] == pl.String
    assert isinstance(schema["channel"], pl.Categorical)
    found = opened.rows.select(
        coded.places(opened.rows, "currency", ["USD", "EUR"]), other=coded.places(opened.rows, "currency", ["USD"])
    )
    assert set(found.collect().iter_rows()) == {(1, 1)}


def test_places() -> None:
    """The place of a value; what is not named, or null, comes after all of them, in whatever order values were seen."""
    rows = coded.code(["channel"])(frames.events(log()).rows)
    for rows_ in (rows, rows.collect().lazy()):
        found = rows_.select(
            pl.col("channel").cast(pl.String), place=coded.places(rows_, "channel", ["nowhere", "mail"])
        )
        assert set(found.collect().iter_rows()) == {("mail", 1), ("ads", 2), (None, 2)}
        none = rows_.select(coded.places(rows_, "event", [])).collect().to_series()
        assert none.unique().to_list() == [0]


def there(rows: pl.LazyFrame) -> pl.DataFrame:
    """Users and their days."""
    return partition.run(rows, {"days": coded.user_days()}, what="the frame")["days"]


@pytest.mark.parametrize("seed", range(3))
def test_user_days(seed: int) -> None:
    """Each user and day once, days before 1970 too; of no rows none."""
    frame = log(seed)
    found = there(coded.opened(frames.events(frame)).rows)
    ids = {pl.select(pl.lit(f"u{n}").hash(tables.USER_SEED)).item(): f"u{n}" for n in range(20)}
    by_hand = {(row["user_id"], (row["time"].date() - date(1970, 1, 1)).days) for row in plain(frame)}
    assert sorted((ids[user], day) for user, day in found.iter_rows()) == sorted(by_hand)
    nobody = coded.code([])(frames.events(frame.clear()).rows)
    assert there(nobody).schema == found.schema


def test_rows_of_text_are_counted_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows how many rows a text has before it was read; what is held is then looked at in as many parts."""
    events = frames.events(log())
    assert events.size is None
    assert coded.opened(events).partitions == 1
    monkeypatch.setattr(partition, "WHOLE_UP_TO", 100)
    monkeypatch.setattr(partition, "ROWS_A_PARTITION", 50)
    assert coded.opened(events).partitions == -(-len(plain(log())) // 50)


def test_no_row_counts() -> None:
    """The usual error."""
    with pytest.raises(InputError):
        coded.opened(frames.events(log().with_columns(user_id=pl.lit(None, pl.String))))


def test_held_where_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit on memory that does not hold the rows has them coded for every look."""
    assert coded._room(None, 24) == (True, 1)
    assert coded._room(10_000_000, 24) == (True, 1)
    assert coded._room(100_000_000, 24)[0] is False
    with partition.working_in(partition.Place(memory=1_000_000_000)):
        assert coded._room(10_000_000, 24)[0] is True
        assert coded._room(20_000_000, 60)[0] is False


@pytest.mark.parametrize("partitions", [1, 3])
def test_held_or_not_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch, partitions: int) -> None:
    """Of a check-up and of AARRR."""
    events = replace(frames.events(log(5, 600)), size=600)
    given, business = measures.Given(events=events, columns={"events": ["channel"]}), Business()

    def numbers() -> list[pl.DataFrame]:
        found = measures.measure(given, business, measures.Settings(), partitions=partitions)
        assert found.days is not None
        assert found.newcomers is not None
        told = aarrr.analyse(events, activation_event="buy", by="channel", partitions=partitions)
        return [found.days.rows, found.newcomers.rows, told.rows, *told.extras.values()]

    held = numbers()
    monkeypatch.setattr(coded, "HELD_UP_TO", 0)
    for one, two in zip(held, numbers(), strict=True):
        assert_frame_equal(one, two)
