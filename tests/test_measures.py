"""What a check-up follows: which metrics there are, of whom, from when on, and what each number is."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

import polars as pl
import pytest

from userops import frames
from userops.checkup import measures
from userops.checkup.dailies import Dimension
from userops.checkup.goals import Business
from userops.checkup.measures import Given, Line, Measured, Settings
from userops.errors import InputError, UsageError
from userops.texts import known_events

START = datetime(2024, 1, 1)


def events(
    days: int = 100, users: int = 60, seed: int = 0, names: tuple[str, ...] = ("view_item", "add_to_cart", "purchase")
) -> pl.DataFrame:
    """Users of two channels and three cohorts who come on some days and do some things."""
    random = Random(seed)
    rows = [
        (f"u{user}", name, START + timedelta(days=day, minutes=minute), ("ads", "mail")[user % 2], f"2024-0{1 + user % 3}")
        for user in range(users)
        for day in range(days)
        if random.random() < 0.2
        for minute, name in enumerate(names)
        if minute == 0 or random.random() < 0.5
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=["user_id", "event", "time", "channel", "cohort"], orient="row")


def orders(days: int = 100, users: int = 60) -> pl.DataFrame:
    """Everybody buys every 25 days for 10, 20 or 30."""
    rows = [
        (f"u{user}", START + timedelta(days=day, hours=user % 24), 10.0 * (1 + user % 3), ("toys", "books")[(user + day) % 2])
        for user in range(users)
        for day in range(user % 25, days, 25)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=["user_id", "ordered_at", "amount", "category"], orient="row")


def signups(users: int = 60) -> pl.DataFrame:
    """Everybody signed up some time before the first day, or in the weeks after it."""
    return pl.DataFrame(
        {
            "user_id": [f"u{user}" for user in range(users)],
            "signed_up_at": [START + timedelta(days=user - 20) for user in range(users)],
            "country": [("CN", "US")[user % 2] for user in range(users)],
        }
    )


def measured(business: Business | None = None, settings: Settings | None = None, **given: object) -> Measured:
    """The sums of some files, broken down by what they have."""
    columns = {"events": ("channel", "cohort"), "orders": ("category",), "users": ("country",)}
    return measures.measure(Given(**given, columns=columns), business or Business(), settings or Settings())  # type: ignore[arg-type] # files


def line(found: list[Line], metric: str, segment: str | None = None) -> Line:
    """One line by its name."""
    return next(one for one in found if (one.metric.name, one.segment) == (metric, segment))


# Steps and names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("purchase", "view_item", "add_to_cart", "home"), ("view_item", "add_to_cart", "purchase")),
        (("Order_Completed", "Product_Viewed"), ("Product_Viewed", "Order_Completed")),
        (("pv", "cart", "buy", "fav"), ("pv", "cart", "buy")),
        (("支付订单", "提交订单", "加购"), ("加购", "提交订单", "支付订单")),
        (("purchase", "home"), ()),
        ((), ()),
    ],
)
def test_known_steps(names: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """The stages of buying that a file has, in the order of buying, as the file spells them."""
    assert known_events.steps(names) == expected
    assert known_events.steps(names[::-1]) == expected


def test_failures_and_buying_by_name() -> None:
    """What goes wrong is told by its name, and so is a purchase."""
    assert known_events.is_failure("payment_error")
    assert known_events.is_failure("支付失败")
    assert not known_events.is_failure("payment_details")
    assert known_events.buying(["home", "Purchase"]) == "Purchase"
    assert known_events.buying(["home"]) is None


def test_steps_of_the_file_or_of_the_business() -> None:
    """Without a word those that are known; the business has the last."""
    table = frames.events(events())
    assert measured(events=table).steps == ("view_item", "add_to_cart", "purchase")
    own = measured(Business(steps=("add_to_cart", "purchase")), events=table)
    assert own.steps == ("add_to_cart", "purchase")
    names = [metric.name for metric in measures.metrics(own) if metric.family == "step"]
    assert names == ["checkout_conversion"]


@pytest.mark.parametrize("business", [Business(steps=("view_item", "pay")), Business(activation_event="pay")])
def test_events_that_nobody_caused(business: Business) -> None:
    """A step or an activation that is not in the file is an input error that names those that are."""
    with pytest.raises(InputError) as problem:
        measured(business, events=frames.events(events()))
    assert "pay" in str(problem.value)


def test_nothing_to_measure() -> None:
    """Neither events nor orders is a usage error; files without a row that counts are an input error."""
    with pytest.raises(UsageError):
        measured()
    with pytest.raises(InputError):
        measured(events=frames.events(events().clear()))
    with pytest.raises(InputError):
        measured(orders=frames.orders(orders().with_columns(user_id=pl.lit(None, pl.String))))


# Lines


def test_lines_are_sums_of_the_rows() -> None:
    """Users, conversions, orders and order values of all and of segments, as Polars adds them up from the rows."""
    frame, sold = events(), orders()
    found = measures.lines(measured(events=frames.events(frame), orders=frames.orders(sold)))
    days = frame.group_by("user_id", day=pl.col("time").dt.date()).agg("event", channel=pl.col("channel").first())
    assert line(found, "active_users").top.sum() == days.height
    checkout = line(found, "checkout_conversion", "channel=ads")
    mine = days.filter(pl.col("channel") == "ads", pl.col("event").list.contains("add_to_cart"))
    assert checkout.bottom.sum() == mine.height
    assert checkout.top.sum() == mine.filter(pl.col("event").list.contains("purchase")).height
    assert line(found, "orders").top.sum() == sold.height
    toys = line(found, "orders_share", "category=toys")
    assert (toys.top.sum(), toys.bottom.sum()) == (sold.filter(category="toys").height, sold.height)
    aov = line(found, "aov", "category=books")
    assert float(aov.top.sum()) / float(aov.bottom.sum()) / 1e4 == pytest.approx(
        sold.filter(category="books")["amount"].mean()
    )
    assert all(one.top.len() == one.bottom.len() for one in found)
    assert all(one.top.dtype == one.bottom.dtype == pl.Float64 for one in found)
    keys = [(one.metric.name, one.segment) for one in found]
    assert len(set(keys)) == len(keys)


def test_a_segment_by_two_names_is_one() -> None:
    """A country of one city, a platform of one app: followed once, under the first name."""
    frame = events().with_columns(medium=pl.col("channel").replace({"ads": "paid", "mail": "owned"}))
    given = Given(events=frames.events(frame), columns={"events": ("channel", "medium")})
    found = measures.lines(measures.measure(given, Business(), Settings()))
    assert {one.column for one in found} == {None, "channel"}


def test_columns_of_time_have_no_mix() -> None:
    """Who is new today is not tomorrow: cohorts convert, but their share of the users is not followed."""
    found = measures.lines(measured(events=frames.events(events()), users=signups().select("user_id", "signed_up_at")))
    segments = {one.segment for one in found if one.metric.name == "new_users_share"}
    assert segments == {"channel=ads", "channel=mail"}
    assert line(found, "checkout_conversion", "cohort=2024-01")
    for name, values in (("user_lifecycle", ("a", "b")), ("x", ("2024-01", "2024-02")), ("新老用户", ("新", "老"))):
        assert measures.of_time(Dimension(name, values))
    assert not measures.of_time(Dimension("channel", ("ads", "mail")))


def test_first_weeks_tell_no_newcomers_from_old_hands() -> None:
    """Without sign-ups, newcomers of the first weeks are not counted; with them, everybody's day is known."""
    frame = events()
    without = measures.lines(measured(events=frames.events(frame)))
    d1 = line(without, "d1_retention")
    blind = min(measures.OLD_HANDS, 100 // 4)
    known = line(measures.lines(measured(events=frames.events(frame), users=signups())), "d1_retention")
    assert known.bottom.head(blind).sum() > 0
    for metric in ("d1_retention", "new_users"):
        assert line(without, metric).top.len() == 100 - blind
    assert d1.first == line(without, "active_users").first + blind
    repeat = line(measures.lines(measured(orders=frames.orders(orders()))), "repeat_rate_30d")
    assert repeat.bottom.sum() == 0  # everybody bought in the first weeks
    assert repeat.known == repeat.top.len() - 30


def test_costs_by_channel() -> None:
    """Newcomers over what their channel cost, upside down; of all, where no channel is known to both."""
    table = frames.events(events())
    days = [START.date() + timedelta(days=n) for n in range(100)]
    spend = pl.DataFrame(
        {"date": days * 2, "channel": ["ads"] * 100 + ["tv"] * 100, "spend": [3.5] * 100 + [100.0] * 100}
    )
    found = [
        one for one in measures.lines(measured(events=table, costs=frames.costs(spend))) if one.metric.name == "cac"
    ]
    assert [one.segment for one in found] == ["channel=ads"]
    assert found[0].upside_down
    assert found[0].bottom.to_list() == [3.5] * 75  # the first quarter tells no newcomers
    assert found[0].top.sum() <= 1  # nearly everybody was there in the first weeks
    plain = frames.costs(spend.drop("channel"))
    found = [one for one in measures.lines(measured(events=table, costs=plain)) if one.metric.name == "cac"]
    assert [(one.segment, one.bottom.sum(), one.top.sum()) for one in found] == [(None, 103.5 * 75, found[0].top.sum())]


def test_invitations() -> None:
    """How many per active user, and how many of them were accepted."""
    sent = pl.DataFrame(
        {
            "referrer_id": [f"u{n % 60}" for n in range(80)],
            "invited_at": [START + timedelta(days=n) for n in range(80)],
            "user_id": [f"u{n}" if n % 4 == 0 else None for n in range(80)],
        }
    )
    found = measures.lines(measured(events=frames.events(events()), referrals=frames.referrals(sent)))
    rate, accepted = line(found, "invites_per_user"), line(found, "invite_conversion")
    assert (rate.top.sum(), accepted.top.sum(), accepted.bottom.sum()) == (80, 20, 80)
    assert rate.bottom.to_list() == line(found, "active_users").top.to_list()


def test_the_last_days_are_not_known_in_full() -> None:
    """A newcomer of yesterday cannot have come back after a week: the lag of each metric."""
    found = measures.lines(measured(events=frames.events(events()), users=signups()))
    lags = {name: line(found, name).top.len() - line(found, name).known for name in ("d1_retention", "d7_retention", "d30_retention", "activation_rate", "active_users")}  # fmt: skip
    assert list(lags.values()) == [1, 7, 30, 7, 0]


def test_rows_after_as_of_do_not_count() -> None:
    """A day in between as the last: the same as if the file ended there."""
    frame, sold = events(), orders()
    last = date(2024, 3, 10)
    cut = measured(
        settings=Settings(as_of=last),
        events=frames.events(frame, as_of=last),
        orders=frames.orders(sold, as_of=last),
    )
    short = measured(
        events=frames.events(frame.filter(pl.col("time").dt.date() <= last)),
        orders=frames.orders(sold.filter(pl.col("ordered_at").dt.date() <= last)),
        settings=Settings(as_of=last),
    )
    assert cut.as_of == last
    for one, other in zip(measures.lines(cut), measures.lines(short), strict=True):
        assert one.top.equals(other.top)
        assert one.bottom.equals(other.bottom)


def test_worth_of_orders_and_users() -> None:
    """The average order, and what a user brought net of refunds; None without amounts."""
    sold = orders()
    refund = pl.DataFrame({"user_id": ["u1"], "ordered_at": [START + timedelta(days=80)], "amount": [-20.0], "category": ["toys"]})  # fmt: skip
    worth = measured(orders=frames.orders(pl.concat([sold, refund])))
    assert worth.order_value == pytest.approx(sold["amount"].mean())
    assert worth.user_value == pytest.approx((sold["amount"].sum() - 20) / 60)
    assert measured(events=frames.events(events())).order_value is None


def test_ids_of_two_types_are_one() -> None:
    """Numbers in one file and texts in the other name the same users."""
    numbers = orders().with_columns(pl.col("user_id").str.slice(1).cast(pl.Int64))
    texts = events().with_columns(pl.col("user_id").str.slice(1))
    both = measured(events=frames.events(texts), orders=frames.orders(numbers))
    assert both.spent is not None
    assert both.presence is not None
    assert set(both.spent["user"]) <= set(both.presence["user"])


def test_columns_that_go_by_our_names_are_not_broken_down_by() -> None:
    """A file may call a column ``day`` or ``users``: it is left alone, and nothing breaks."""
    frame = events().with_columns(day=pl.col("channel"), users=pl.col("channel"))
    given = measures.Given(events=frames.events(frame), columns={"events": ("day", "users", "channel")})
    found = measures.lines(measures.measure(given, Business(), measures.Settings()))
    assert {one.column for one in found} == {None, "channel"}
