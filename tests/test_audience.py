"""Whom a finding is about: small worlds by hand, the comparison group, whether acting helped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from userops import frames
from userops.checkup import audience, follow, measures
from userops.checkup.findings import Finding
from userops.checkup.goals import Business
from userops.checkup.measures import Given, Measured, Settings
from userops.errors import UsageError
from userops.results import Text

LAST = date(2026, 6, 30)
BUSINESS = Business(steps=("cart", "buy"))

Event = tuple[str, str, int, str]
Order = tuple[str, int, str]


def ago(days: int) -> date:
    return LAST - timedelta(days=days)


def events(rows: Sequence[Event]) -> frames.Events:
    """Rows of (user, event, days before the last, platform)."""
    noon = datetime(LAST.year, LAST.month, LAST.day, 12)
    return frames.events(
        pl.DataFrame(
            {
                "user_id": [user for user, *_ in rows],
                "event": [event for _, event, *_ in rows],
                "time": pl.Series([noon - timedelta(days=days) for *_, days, _ in rows], dtype=pl.Datetime("us")),
                "platform": [platform for *_, platform in rows],
            }
        )
    )


def orders(rows: Sequence[Order]) -> frames.Orders:
    """Rows of (user, days before the last, category), each of 10."""
    return frames.orders(
        pl.DataFrame(
            {
                "user_id": [user for user, *_ in rows],
                "ordered_at": pl.Series([ago(days) for _, days, _ in rows], dtype=pl.Date),
                "amount": [10.0] * len(rows),
                "category": [category for *_, category in rows],
            }
        )
    )


def measured(
    done: Sequence[Event] = (), bought: Sequence[Order] = (), business: Business = BUSINESS, invited: Sequence[int] = ()
) -> Measured:
    referrals = pl.DataFrame(
        {
            "referrer_id": [f"r{place}" for place in range(len(invited))],
            "invited_at": pl.Series([ago(days) for days in invited], dtype=pl.Date),
            "user_id": pl.Series([None] * len(invited), dtype=pl.String),
        }
    )
    given = Given(
        events=events(done) if done else None,
        orders=orders(bought) if bought else None,
        referrals=frames.referrals(referrals) if invited else None,
    )
    return measures.measure(
        given, business if done else Business(carried_out=business.carried_out), Settings(as_of=LAST)
    )


def finding(metric: str, segment: str | None = None, since: int = 10, until: int | None = 5) -> Finding:
    return Finding(
        id=f"behaviour.{metric}",
        area="behaviour",
        title=Text(metric, metric),
        severity="warn",
        metric=metric,
        segment=segment,
        since=ago(since),
        until=None if until is None else ago(until),
    )


def users(of: Finding, world: Measured) -> list[str]:
    assert audience.known(of, world)
    return audience.of(of, world)["user_id"].to_list()


def test_of_a_step_those_who_stopped_before_it_on_these_days() -> None:
    world = measured(
        [
            ("stopped", "cart", 7, "ios"), ("went on", "cart", 7, "ios"), ("went on", "buy", 7, "ios"),
            ("later", "cart", 7, "ios"), ("later", "buy", 4, "ios"), ("elsewhere", "cart", 7, "web"),
            ("early", "cart", 11, "ios"), ("last day", "cart", 5, "ios"), ("first day", "cart", 10, "ios"),
        ]
    )  # fmt: skip
    mine = finding("checkout_conversion", "platform=ios")
    assert users(mine, world) == ["first day", "last day", "later", "stopped"]
    assert users(replace(mine, segment=None), world) == ["elsewhere", "first day", "last day", "later", "stopped"]
    assert users(replace(mine, until=None), world) == ["first day", "last day", "stopped"]  # it goes on: later did buy


def test_of_newcomers_those_who_were_not_activated() -> None:
    world = measured(
        [
            ("lost", "see", 8, "ios"), ("won", "see", 8, "ios"), ("won", "buy", 2, "ios"), ("old", "see", 40, "ios"),
            ("old", "see", 8, "ios"), ("web", "see", 8, "web"), ("web", "see", 7, "ios"), ("won", "cart", 8, "ios"),
        ]
    )  # fmt: skip
    assert users(finding("activation_rate", "platform=ios"), world) == ["lost"]  # a user's segment is the first row's
    assert users(finding("d7_retention"), world) == ["lost", "web"]


def test_of_a_segments_orders_its_buyers_who_stopped() -> None:
    world = measured(
        bought=[
            ("stopped", 30, "shoes"), ("stopped", 7, "hats"), ("stays", 30, "shoes"), ("stays", 8, "shoes"),
            ("hats only", 30, "hats"), ("too long ago", 200, "shoes"), ("new", 8, "shoes"),
        ]
    )  # fmt: skip
    assert users(finding("orders_share", "category=shoes"), world) == ["stopped"]


def test_of_the_best_customers_those_who_are_silent() -> None:
    """Twenty customers of a year; the two who bought most are the top tenth, one of them was there lately."""
    bought = [(f"u{user:02}", days, "x") for user in range(20) for days in (300, *range(60, 60 + user))]
    world = measured(bought=[*bought, ("u18", 3, "x")])
    silent = finding("orders_per_customer", "tier=top tenth, half a year or longer", since=27, until=None)
    assert users(silent, world) == ["u19"]


def test_of_invitations_those_who_invited_before() -> None:
    world = measured([("a", "cart", 1, "ios"), ("a", "buy", 1, "ios")], invited=[30, 8, 120])
    assert users(finding("invites_per_user", until=None), world) == ["r0"]


@pytest.mark.parametrize(
    ("metric", "segment"), [("active_users", None), ("orders_share", "category=x"), ("checkout_conversion", "city=x")]
)
def test_about_nobody_in_particular(metric: str, segment: str | None) -> None:
    world = measured([("a", "cart", 1, "ios"), ("a", "buy", 1, "ios")])
    assert not audience.known(finding(metric, segment), world)
    with pytest.raises(UsageError, match="nobody in particular"):
        audience.of(finding(metric, segment), world)


def test_a_finding_by_its_id_or_the_closest_one() -> None:
    found = [finding("checkout_conversion"), finding("cac")]
    assert audience.find(found, "behaviour.cac") is found[1]
    with pytest.raises(UsageError) as raised:
        audience.find(found, "behaviour.checkout_conversio")
    assert "did you mean 'behaviour.checkout_conversion'" in str(raised.value.hint)


CROWD = [(f"u{user:04}", "cart", 7, "ios") for user in range(2_000)]


def test_a_fifth_is_left_alone_the_same_in_any_file() -> None:
    of = finding("checkout_conversion")
    world = measured([*CROWD, ("z", "buy", 7, "ios")])
    drawn = audience.of(of, world)
    share = (drawn["group"] == "compare").mean()
    assert share == pytest.approx(follow.COMPARE, abs=0.04)  # 4.5 standard errors
    assert drawn.equals(audience.of(of, measured([("z", "buy", 7, "ios"), *reversed(CROWD)])))
    half = audience.of(of, measured([*CROWD[:1_000], ("z", "buy", 7, "ios")]))
    assert half.equals(drawn.head(1_000))  # who else is in the audience changes nobody's group
    other = audience.of(replace(of, id="another"), world)
    assert not other["group"].equals(drawn["group"])


def test_the_result_counts_the_groups() -> None:
    of = finding("checkout_conversion")
    result = audience.result(of, measured([*CROWD[:50], ("z", "buy", 7, "ios")]))
    assert result.summary["users"] == 50 == result.summary["act"] + result.summary["compare"]
    assert dict(result.rows.schema) == audience.SCHEMA


# --- did it help ----------------------------------------------------------------------------------------------------

REPORTED = ago(20)


def judged(carried_out: date | None, bought: set[str], of: Finding | None = None) -> str:
    """What is said of a prescription that was reported 20 days ago; those who bought did so 10 days ago."""
    stopped = of or finding("checkout_conversion", since=40, until=30)
    business = replace(BUSINESS, carried_out={stopped.id: carried_out} if carried_out else {})
    done = [(user, event, 35, platform) for user, event, _, platform in CROWD]
    world = measured([*done, ("z", "buy", 35, "ios")], [(user, 10, "x") for user in sorted({"z", *bought})], business)
    last = follow.Report(REPORTED, (replace(stopped, audience="userops ..."),), {})
    (line,) = audience.outcomes(world, last)
    assert line.label.en == f"prescription of {stopped.id}"
    assert line.note is not None
    return line.note.en


def groups() -> dict[str, list[str]]:
    drawn = audience.of(finding("checkout_conversion"), measured([*CROWD, ("z", "buy", 7, "ios")]))
    return {name: drawn.filter(group=name)["user_id"].to_list() for name in ("act", "compare")}


def test_it_worked_where_those_acted_on_bought_more_often() -> None:
    act, compare = groups().values()
    said = judged(REPORTED, {*act[::2], *compare[::10]})
    assert said.startswith(f"it worked: 50.0 % of {len(act):,} who were acted on against 10.")
    assert judged(REPORTED, {*act[::5], *compare[::5]}).startswith("no difference shown")
    assert judged(REPORTED, {*act[::10], *compare[::2]}).startswith("it did harm")


def test_it_is_judged_by_the_audience_of_its_own_day() -> None:
    """It goes on, and half of those who were written to have bought since, in the events too: they belong to it still."""
    act, compare = groups().values()
    goes_on = finding("checkout_conversion", since=40, until=None)
    business = replace(BUSINESS, carried_out={goes_on.id: REPORTED})
    bought = [*act[::2], *compare[::10]]
    done = [*((user, "cart", 35, "ios") for user, *_ in CROWD), *((user, "buy", 10, "ios") for user in bought)]
    world = measured(done, [(user, 10, "x") for user in sorted(bought)], business)
    assert set(users(goes_on, world)) == {*act, *compare} - {*bought}  # today's audience is another one
    (line,) = audience.outcomes(world, follow.Report(REPORTED, (replace(goes_on, audience="userops ..."),), {}))
    assert line.note is not None
    assert line.note.en.startswith(f"it worked: 50.0 % of {len(act):,} who were acted on against 10.")


def test_it_is_judged_a_fortnight_later() -> None:
    assert judged(ago(5), set()) == f"carried out; to be judged on {ago(6) + timedelta(days=14)}"
    assert "not said to be carried out" in judged(None, set())
    assert judged(REPORTED, set(), finding("checkout_conversion", "city=x", 40, 30)).startswith("its audience cannot")
