"""What ails a business, found: the stories of the simulated shop and of a real log, and nothing in shops that are well."""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from userops import demo, diagnose, frames, money
from userops.checkup import behaviour, measures, suspects
from userops.checkup.behaviour import Suspect
from userops.checkup.findings import Finding, Looked
from userops.checkup.goals import Business
from userops.checkup.measures import Given, Line, Measured, Metric, Settings
from userops.demo import STORIES, Shop
from userops.models.episodes import Episode
from userops.texts import Text

STEPS = ("visit", "view_item", "add_to_cart", "begin_checkout", "purchase")
BUSINESS = Business(steps=STEPS, activation_event="purchase")
TOLD = demo.Settings()
DATES = {story.id: story.dates(TOLD) or (date.max, date.max) for story in STORIES}
COLUMNS = {
    "events": ("channel", "platform"),
    "orders": ("channel", "platform", "category"),
    "users": ("channel", "platform", "country", "city", "age_group"),
}


def given(shop: Shop, **other: Any) -> Given:
    """The files of a simulated shop."""
    return Given(
        events=frames.events(shop.events),
        orders=frames.orders(shop.orders, grain="line"),
        users=shop.users,
        costs=frames.costs(shop.costs),
        referrals=frames.referrals(shop.referrals),
        columns=COLUMNS,
        subjects={"events": ("item_id",), "orders": ("product", "category")},
        **other,
    )


@pytest.fixture(scope="module")
def told() -> Measured:
    """The default shop, with its stories."""
    return measures.measure(given(demo.tables(TOLD)), BUSINESS, Settings())


@pytest.fixture(scope="module")
def looked(told: Measured) -> Looked:
    """What is found there."""
    return behaviour.look(told)


@pytest.fixture(scope="module")
def rete(shared: Path) -> Measured:
    """A log of 600 users with planted stories."""
    file = shared / "data" / "events" / "rete_ecom.csv"
    rows = pl.read_csv(file, try_parse_dates=True).rename({"timestamp": "time"})
    columns = {"events": ("platform", "acquisition_channel", "user_cohort", "user_lifecycle")}
    return measures.measure(Given(events=frames.events(rows), columns=columns), Business(), Settings())


def overlap(finding: Finding, first: date, last: date, today: date) -> float:
    """The share of days that a finding and a story have in common, of those that either has."""
    assert finding.since is not None
    until = finding.until or today
    shared = (min(until, last) - max(finding.since, first)).days + 1
    return shared / ((max(until, last) - min(finding.since, first)).days + 1)


def of(found: Looked, metric: str, segment: str | None = None) -> Finding:
    """The finding of a metric and a segment."""
    several = [one for one in found.findings if (one.metric, one.segment) == (metric, segment)]
    assert several, (metric, segment, [one.id for one in found.findings])
    return several[0]


# The stories of the simulated shop


@pytest.mark.parametrize(
    ("story", "metric", "segment", "severity", "least"),
    [
        ("android_checkout", "checkout_conversion", "platform=android", "warn", 0.9),
        ("paid_ads", "cac", "channel=search_ads", "error", 0.9),
        ("stock_out", "orders_share", "category=fashion", "warn", 1.0),
        ("promotion", "active_users", None, "info", 1.0),
        ("referral", "invites_per_user", None, "error", 0.9),
        ("loyal_customers", "visits_per_customer", "tier=top tenth, half a year or longer", "error", 0.9),
    ],
)
def test_each_story_is_found(
    told: Measured, looked: Looked, story: str, metric: str, segment: str | None, severity: str, least: float
) -> None:
    """Its metric, its segment, its days; what is over is a warning, what goes on an error, the calendar worth knowing."""
    finding = of(looked, metric, segment)
    assert finding.severity == severity
    assert overlap(finding, *DATES[story], told.as_of) >= least
    factor = next(one.factor for one in STORIES if one.id == story)
    assert finding.value is not None
    assert finding.baseline
    assert (finding.value < finding.baseline) == (factor < 1)


def test_nothing_else_is_above_info(looked: Looked) -> None:
    """Five illnesses, five findings to act on: what shares a cause is one finding."""
    assert len([one for one in looked.findings if one.severity != "info"]) == 5
    assert len({one.id for one in looked.findings}) == len(looked.findings)


def test_what_accounts_for_a_change(looked: Looked) -> None:
    """The checkout of all fell because Android's did; the promotion is the calendar's; the spend on ads rose."""
    android = of(looked, "checkout_conversion", "platform=android")
    assert android.causes[0].segment == "platform=android"
    assert android.causes[0].share is not None
    assert 0.6 <= android.causes[0].share <= 1.2
    assert any(text.en.startswith("begin_checkout → purchase:") for text in android.also)
    assert not [one for one in looked.findings if one.metric == "checkout_conversion" and one.segment is None]
    assert [cause.how for cause in of(looked, "active_users").causes][:1] == ["calendar"]
    ads = of(looked, "cac", "channel=search_ads")
    assert ads.causes[0].how == "factor"
    assert any("activation rate" in text.en for text in ads.also)


def test_words_in_both_languages(looked: Looked) -> None:
    """No name is left open, Chinese is Chinese, and whoever should act is told what would prove it."""
    for finding in looked.findings:
        texts = [finding.title, *finding.also, *finding.actions, *finding.prevention, *(c.text for c in finding.causes)]
        texts += [finding.proof] if finding.proof else []
        for text in texts:
            assert "{" not in text.en + text.zh, text
            assert text.en
            assert text.zh
        for text in (finding.title, *finding.actions, *finding.prevention):
            assert re.search(r"[一-鿿]", text.zh), text
        if finding.severity != "info":
            assert finding.actions
            assert finding.prevention or finding.metric == "spend"
            assert finding.proof is not None


def test_numbers_are_those_of_the_line(told: Measured, looked: Looked) -> None:
    """Value and n of a finding are sums of its days; the loss is what was missed times what an order is worth."""
    lines = {(one.metric.name, one.segment): one for one in measures.lines(told)}
    checked = 0
    for finding in looked.findings:
        line = lines.get((finding.metric or "", finding.segment))
        if line is None or finding.since is None:
            continue
        first = (finding.since - date(1970, 1, 1)).days - line.first
        last = (finding.until - date(1970, 1, 1)).days - line.first if finding.until else line.known - 1
        n, d = (float(each.slice(first, last - first + 1).sum()) for each in (line.top, line.bottom))
        value = d / n if line.upside_down else n / d
        assert finding.value == pytest.approx(value / (money.SCALE if finding.metric == "aov" else 1))
        assert finding.n == round(n if line.upside_down else d)
        assert finding.baseline is not None
        assert finding.value is not None
        assert finding.delta == pytest.approx(finding.value - finding.baseline)
        checked += 1
    assert checked >= 6


def test_ids_do_not_change_overnight(told: Measured, looked: Looked) -> None:
    """A day earlier the same illnesses had the same ids."""
    shop = demo.tables(TOLD)
    last = told.as_of - timedelta(days=1)
    before = replace(
        given(shop),
        events=frames.events(shop.events, as_of=last),
        orders=frames.orders(shop.orders, grain="line", as_of=last),
        costs=frames.costs(shop.costs, as_of=last),
        referrals=frames.referrals(shop.referrals, as_of=last),
    )
    yesterday = behaviour.look(measures.measure(before, BUSINESS, Settings(as_of=last)))
    tonight, then = ({one.id for one in each.findings if one.severity != "info"} for each in (looked, yesterday))
    assert tonight == then


def test_order_of_rows_and_partitions_do_not_matter(looked: Looked) -> None:
    """Shuffled rows, eight partitions: every field of every finding the same."""
    shop = demo.tables(TOLD)
    shuffled = replace(
        shop,
        **{
            name: getattr(shop, name).sample(fraction=1, shuffle=True, seed=5)
            for name in ("events", "orders", "users", "costs", "referrals")
        },
    )
    again = behaviour.look(measures.measure(given(shuffled), BUSINESS, Settings(), partitions=8))
    names = [field.name for field in fields(Finding)]
    for one, other in zip(looked.findings, again.findings, strict=True):
        for name in names:
            assert getattr(one, name) == getattr(other, name), (one.id, name)
    assert looked == again


def test_days_outside_the_report_are_left_out(told: Measured) -> None:
    """Only what touches the days asked for is told."""
    asked = replace(told, settings=Settings(since=date(2025, 9, 1), until=date(2025, 10, 31)))
    cases = suspects.joined(suspects.suspected(measures.lines(asked), asked), asked)
    leads = {case.lead.metric.name for case in cases}
    assert "checkout_conversion" in leads
    assert "orders_share" not in leads
    assert "active_users" not in leads


# Shops that are well


@pytest.mark.parametrize("seed", range(3))
def test_a_quiet_shop(seed: int) -> None:
    """No stories, nothing above worth knowing."""
    shop = demo.tables(demo.Settings(seed=seed, stories=False))
    found = behaviour.look(measures.measure(given(shop), BUSINESS, Settings())).findings
    assert [one.id for one in found if one.severity != "info"] == []
    assert len(found) <= 6


@pytest.mark.slow
def test_twenty_quiet_shops() -> None:
    """The whole check-up: in at least nineteen of twenty nothing above worth knowing."""
    loud = {}
    for seed in range(1_000, 1_020):
        shop = demo.tables(demo.Settings(seed=seed, stories=False))
        whole = diagnose.analyse(given(shop, feedback=frames.feedback(shop.feedback)), BUSINESS)
        above = whole.rows.filter(pl.col("severity") != "info")
        if above.height:
            loud[seed] = above["id"].to_list()
    assert len(loud) <= 1, loud


# A log of 600 users


def test_planted_stories_of_a_real_log(rete: Measured) -> None:
    """The payment incident, the bug of the mobile checkout, and those who always buy less."""
    found = behaviour.look(rete)
    incident = next(
        one for one in found.findings
        if one.since and one.until and overlap(one, date(2024, 5, 19), date(2024, 6, 7), rete.as_of) >= 0.6
    )  # fmt: skip
    assert incident.severity == "warn"
    assert "payment" in f"{incident.title.en} {[text.en for text in incident.also]}"
    mobile = of(found, "conversion_shipping_details_payment_details", "platform=mobile")
    assert mobile.severity == "warn"
    assert overlap(mobile, date(2024, 4, 9), date(2024, 5, 9), rete.as_of) >= 0.6
    assert of(found, "visit_conversion", "user_lifecycle=new").value is not None
    assert of(found, "visit_conversion", "user_cohort=2024-04").value is not None
    assert rete.steps[-2:] == ("payment_details", "purchase") or len(rete.steps) > 2


# Small shops of our own making


def log(
    *, days: int = 200, users: int = 40, seed: int = 1, bad: dict[str, tuple[int, int]] | None = None
) -> pl.DataFrame:
    """``users`` a day on each of two platforms and in each of two countries; 60 % of carts are bought, 15 % on bad days.

    ``bad``: the days on which it goes wrong, by platform or country.
    """
    random = Random(seed)
    rows = []
    for day in range(days):
        for platform in ("ios", "web"):
            for country in ("CN", "US"):
                ill = any(
                    first <= day <= last for name, (first, last) in (bad or {}).items() if name in (platform, country)
                )
                for _ in range(users // 2):
                    who, at = (
                        f"u{random.randint(0, 3000)}{platform}{country}",
                        datetime(2024, 1, 1, 9) + timedelta(days=day),
                    )
                    rows.append((who, "add_to_cart", at, platform, country))
                    if random.random() < (0.15 if ill else 0.6):
                        rows.append((who, "purchase", at + timedelta(minutes=5), platform, country))
    return pl.DataFrame(rows, schema=["user_id", "event", "time", "platform", "country"], orient="row")


def measured(frame: pl.DataFrame) -> Measured:
    """The sums of a small log."""
    given = Given(events=frames.events(frame), columns={"events": ("platform", "country")})
    return measures.measure(given, Business(), Settings())


def test_the_segment_that_accounts_for_it_leads() -> None:
    """Web fails: one finding, of web, that accounts for the fall of all; countries join it."""
    found = behaviour.look(measured(log(bad={"web": (100, 119)})))
    checkouts = [one for one in found.findings if one.metric == "checkout_conversion"]
    assert [one.segment for one in checkouts] == ["platform=web"]
    assert checkouts[0].causes[0].segment == "platform=web"
    assert checkouts[0].causes[0].share == pytest.approx(1, abs=0.15)
    assert checkouts[0].since == date(2024, 1, 1) + timedelta(days=100)
    assert checkouts[0].until == date(2024, 1, 1) + timedelta(days=119)


def test_everybody_alike_is_of_all() -> None:
    """Everything fails: one finding, of all, and no segment is blamed."""
    found = behaviour.look(measured(log(bad={"web": (100, 119), "ios": (100, 119)})))
    checkouts = [one for one in found.findings if one.metric == "checkout_conversion"]
    assert [one.segment for one in checkouts] == [None]
    assert [cause.segment for cause in checkouts[0].causes] == [None]


def test_two_illnesses_stay_two() -> None:
    """Web fails for three weeks, and in the third begins a month in which China does."""
    found = behaviour.look(measured(log(users=80, bad={"web": (60, 80), "CN": (74, 109)})))
    segments = {one.segment for one in found.findings if one.metric == "checkout_conversion"}
    assert {"platform=web", "country=CN"} <= segments


def test_small_logs_say_nothing_and_what_is_missing() -> None:
    """A row, a week, one user for ever: no finding, no traceback; what was not followed is said."""
    frame = log(days=60)
    for rows in (
        frame.head(1),
        frame.filter(pl.col("time") < datetime(2024, 1, 8)),
        frame.with_columns(user_id=pl.lit("me")),
    ):
        found = behaviour.look(measured(rows))
        assert [one for one in found.findings if one.severity != "info"] == []
    orders = pl.DataFrame({"user_id": ["a"], "ordered_at": [date(2024, 1, 1)], "amount": [1.0]})
    alone = behaviour.look(measures.measure(Given(orders=frames.orders(orders)), Business(), Settings()))
    assert alone.findings == ()
    assert any(text.en.startswith("no events") for text in alone.left_out)
    home = measures.measure(
        Given(events=frames.events(frame.with_columns(event=pl.lit("home")))), Business(), Settings()
    )
    assert any("steps of a funnel" in text.en for text in behaviour.look(home).left_out)


# Arithmetic


def suspect(family: str, value: float, expected: float, of: float, **about: Any) -> Suspect:
    """A line that was not as expected; numerator and denominator follow."""
    upside_down = family == "cac"
    metric = Metric(about.pop("name", family), family, "days", "a", "b", about.pop("chance", "share"), 1, **about)
    ones = pl.Series([1.0])
    line = Line(metric, None, None, ones, ones, 19_723, metric.chance, upside_down)
    ratio = (1 / value if upside_down else value, 1 / expected if upside_down else expected)
    episode = Episode(0, 0, 0, ratio[0], ratio[1], ratio[1], -5.0, 1e-6, ratio[0] * of, of, lasting=False)
    scale = money.SCALE if family == "aov" else 1
    return Suspect(line, episode, value / scale, expected / scale, expected / scale, 0.001)


def test_money_at_stake_by_hand(told: Measured) -> None:
    """What was missed times what it is worth: negative is lost."""
    order, user = told.order_value, told.user_value
    assert order is not None
    assert user is not None

    def at_stake(*of: Any, **about: Any) -> float:
        found = behaviour.impact(suspect(*of, **about), told)
        assert found is not None
        return found

    assert at_stake("step", 0.4, 0.6, 500, event="purchase", previous="begin_checkout") == pytest.approx(-100 * order)
    assert at_stake("orders", 20, 25, 7, chance="count") == pytest.approx(-35 * order)
    assert at_stake("refund_rate", 0.12, 0.02, 300) == pytest.approx(-30 * order)
    assert at_stake("refund_rate", 0.01, 0.03, 300) == pytest.approx(6 * order)
    assert at_stake("activation_rate", 0.3, 0.4, 200) == pytest.approx(-20 * order)
    assert at_stake("new_users", 15, 10, 14, chance="count") == pytest.approx(70 * user)
    assert at_stake("aov", 400_000, 500_000, 100, chance="mean") == pytest.approx(-1_000)
    # 1,000 spent, 20 newcomers at 50 in place of 25: each cost 25 more
    assert at_stake("cac", 50, 25, 1_000, chance="rate") == pytest.approx(-500)
    assert behaviour.impact(suspect("reach", 0.4, 0.2, 100), told) is None
    bought = 1.0
    assert told.days is not None
    for previous, step in (("add_to_cart", "begin_checkout"), ("begin_checkout", "purchase")):
        bought *= int(told.days.rows[f"both {step}"].sum()) / int(told.days.rows[f"did {previous}"].sum())
    assert at_stake("step", 0.4, 0.5, 100, event="add_to_cart", previous="view_item") == pytest.approx(
        -10 * bought * order
    )


@pytest.mark.parametrize(
    ("family", "value", "expected", "chance", "matters"),
    [
        ("step", 0.5, 0.6, "share", True),
        ("step", 0.55, 0.6, "share", False),
        ("reach", 0.011, 0.002, "share", False),  # less than two points
        ("reach", 0.03, 0.002, "share", True),
        ("step", 1.0, 0.9, "share", True),
        ("orders", 13.1, 10, "count", True),
        ("orders", 12.9, 10, "count", False),
        ("invites_per_user", 1.16, 1, "rate", True),
        ("invites_per_user", 1.14, 1, "rate", False),
        ("cac", math.inf, 10, "rate", False),
    ],
)
def test_what_matters(family: str, value: float, expected: float, chance: str, matters: bool) -> None:
    """Shares by points and by odds, numbers per day by 30 %, everything else by 15 %."""
    one = suspect(family, value if math.isfinite(value) else 5.0, expected, 100, chance=chance)
    assert suspects.matters(replace(one, value=value)) is matters


def test_for_the_better_is_never_a_warning(looked: Looked) -> None:
    """Severity follows what is good: more carts are, more refunds are not."""
    better, worse = suspect("step", 0.8, 0.6, 100), suspect("refund_rate", 0.8, 0.6, 100)
    assert (better.tone, worse.tone) == (1, -1)
    assert behaviour._severity(better, lasting=True, named=None) == "info"
    assert behaviour._severity(worse, lasting=True, named=None) == "error"
    assert behaviour._severity(worse, lasting=False, named=None) == "warn"
    assert behaviour._severity(worse, lasting=True, named=Text("Double 11", "双十一")) == "info"
    assert behaviour._severity(replace(worse, q=0.02), lasting=True, named=None) == "info"


def test_findings_of_one_month_keep_ids_apart() -> None:
    """The first keeps the id of the month, the others say the day."""
    same = [Finding(id="behaviour.x.2025-06", area="behaviour", title=Text("", ""), severity="info", since=date(2025, 6, day)) for day in (3, 24)]  # fmt: skip
    assert [one.id for one in behaviour.apart_by_day(same)] == ["behaviour.x.2025-06", "behaviour.x.2025-06-24"]
