"""Customers of a simulated shop, as arrays: who they are, what they buy, every click on the way there.

Customers are drawn in cells, each from its own seed, so a cell is the same whatever is drawn before, after or beside
it. Buying is BG/NBD with gamma-gamma spend (Fader, Hardie and Lee 2005): a customer buys at a gamma-distributed pace,
may leave for good after every purchase with a beta-distributed probability, and spends around a level of their own.
Time runs faster at weekends. Every purchase ends a session that walked the whole funnel; other sessions stop earlier.

Episodes (:class:`Episode`) change one thing for some days. All random numbers are drawn before an episode picks among
them, so a shop with episodes and the same shop without differ by what the episodes did and by little else.

Times are whole milliseconds since the first midnight, money is whole cents, names are codes into the tuples below, and
-1 is none. Logarithms are rounded to whole units at once, so that their last bit never reaches a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Columns: TypeAlias = dict[str, NDArray[Any]]
"""One table: columns of equal length by name."""

CELL = 1_000
"""Customers drawn together from one seed. Part of what a seed means: another value is another shop."""

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

CHANNELS = ("organic", "search_ads", "social", "referral", "email", "direct")
ORGANIC, SEARCH_ADS, SOCIAL, REFERRAL, EMAIL, DIRECT = range(6)
PLATFORMS = ("ios", "android", "web")
ANDROID = PLATFORMS.index("android")
EVENTS = (
    "visit", "sign_up", "complete_profile", "search", "view_item", "favourite", "share",
    "add_to_cart", "begin_checkout", "purchase", "invite",
)  # fmt: skip
"""What can happen in a session, in the order in which it happens."""
VISIT, SIGN_UP, PROFILE, SEARCH, VIEW, FAVOURITE, SHARE, CART, CHECKOUT, PURCHASE, INVITE = range(11)
CATEGORIES = ("fashion", "beauty", "home", "electronics", "food", "sports")
PRODUCTS_PER_CATEGORY = 20
PRODUCTS = tuple(f"{name}-{k:02d}" for name in CATEGORIES for k in range(1, PRODUCTS_PER_CATEGORY + 1))
CATEGORY_OF_PRODUCT = tuple(name for name in CATEGORIES for _ in range(PRODUCTS_PER_CATEGORY))
CITIES = (
    ("US", "New York"), ("US", "Los Angeles"), ("US", "Chicago"), ("US", "Houston"), ("CA", "Toronto"),
    ("CA", "Vancouver"), ("GB", "London"), ("GB", "Manchester"), ("AU", "Sydney"), ("SG", "Singapore"),
)  # fmt: skip
AGE_GROUPS = ("18-24", "25-34", "35-44", "45-54", "55+")
REVIEWS = (
    ("Great prices and quick delivery.", "Lovely quality, will order again.", "Everything arrived as described.",
     "My go-to shop.", "Support answered within minutes.", "Easy to find what I wanted."),
    ("Fine overall.", "Delivery took a day longer than promised.", "Good, but the search could be better.",
     "Does the job.", "Packaging could be simpler.", "Prices are about average."),
    ("Parcel arrived late.", "Smaller than it looked in the photos.", "Returning an item is too complicated.",
     "Too many messages from you.", "Wrong colour delivered.", "Not worth the price."),
    ("The app freezes when I pay.", "Checkout fails on my phone every time.", "Payment page never loads.",
     "Tried to pay three times and gave up.", "Cannot check out since the update.", "Pay button does nothing."),
    ("What I wanted is sold out.", "Out of stock again.", "Nothing left in my size.",
     "Whole range unavailable this week.", "Item vanished from my basket: out of stock.", "When will you restock?"),
)  # fmt: skip
"""What people write, by mood: pleased, so-so, displeased, kept from paying, sold out."""

WEEK = (88, 87, 89, 92, 102, 125, 117)
"""Activity by weekday, Monday first, in hundredths of an average day."""
HOURS = (22, 13, 8, 5, 4, 6, 14, 28, 42, 50, 54, 58, 66, 60, 54, 52, 54, 58, 66, 78, 92, 94, 72, 42)
"""Activity by hour of the day: a trough from three to five, a small peak at noon, a large one in the evening."""

CHANNEL_SHARES = (28, 22, 18, 12, 8, 12)
VISIT_SHARES = (20, 5, 8, 2, 25, 40)
"""Where later visits come from when they do not come through the channel that won the customer."""
PLATFORM_SHARES = (38, 38, 24)
CATEGORY_SHARES = (28, 20, 16, 15, 12, 9)
CITY_SHARES = (16, 12, 9, 7, 9, 6, 14, 8, 10, 9)
AGE_SHARES = (18, 34, 25, 14, 9)
SCORE_SHARES = (1, 1, 1, 2, 2, 5, 6, 14, 22, 20, 26)
LOW_SCORE_SHARES = (22, 18, 16, 14, 12, 8, 5, 3, 2, 0, 0)

ACTIVATION = np.array([0.64, 0.58, 0.52, 0.74, 0.70, 0.68])
"""Chance by channel that somebody who signed up ever buys."""
PACE = np.array([1.0, 0.9, 0.85, 1.2, 1.1, 1.05])
"""Buying pace by channel, against the average."""
SPEND = np.array([1.0, 0.95, 0.85, 1.1, 1.1, 1.05])
"""Spend per order by channel, against the average."""
CATEGORY_SPEND = np.array([1.0, 0.8, 1.1, 1.6, 0.6, 1.1])

PACE_SHAPE, PACE_RATE = 0.9, 34
"""Gamma of the purchases per day after the first (BG/NBD's r and alpha)."""
LEAVE_A, LEAVE_B = 0.8, 2.6
"""Beta of the probability to leave after a purchase (BG/NBD's a and b)."""
ORDER_SHAPE, LEVEL_SHAPE, LEVEL_RATE = 6, 3.8, 21.0
"""Gamma-gamma spend in currency units (p, q and v): a mean order of p*v/(q-1) = 45."""

CART_RATE = np.array([0.36, 0.34, 0.30])
CHECKOUT_RATE = np.array([0.46, 0.44, 0.38])
"""By platform, in sessions without a purchase: looked at something and put it in the cart; had it there and began to
check out."""

PRICE_ENDINGS, ENDING_SHARES = np.array((90, 50, 0, 99)), (60, 15, 10, 15)
PRODUCT_SHARES = tuple(1000 * share // k for share in CATEGORY_SHARES for k in range(1, PRODUCTS_PER_CATEGORY + 1))
"""Zipf within each category."""
BEST_CATEGORY = 0
REFUND_RATE = 0.022
RATINGS = (1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5)
"""Stars by score from 0 to 10."""

COST_PER_NEWCOMER = (0, 1400, 900, 600, 150, 0)
"""Cents by channel."""
DEAR_ACTIVATION, DEAR_PACE, DEAR_VISITS = 0.4, 0.4, 0.5
"""How newcomers won by too much advertising compare with the usual ones."""
NO_TROUBLE, KEPT_FROM_PAYING, SOLD_OUT = range(3)


@dataclass(frozen=True, slots=True)
class Episode:
    """Days (indexes from the first day, possibly none) in which something is ``factor`` times its usual size."""

    days: range
    factor: float

    def covers(self, times: Ints) -> Flags:
        """True for times within these days."""
        return (times >= self.days.start * DAY) & (times < self.days.stop * DAY)


@dataclass(frozen=True)
class World:
    """What all customers of one shop share. ``weekday`` is that of the first day, Monday 0.

    ``episodes`` holds ``android_checkout, paid_ads, loyal_customers, stock_out, promotion, referral``.
    """

    seed: int
    days: int
    weekday: int
    episodes: Mapping[str, Episode]

    @property
    def end(self) -> int:
        """The midnight that ends the last day."""
        return self.days * DAY

    @cached_property
    def season(self) -> Ints:
        """Activity passed by the start of each day, and by the end: ``days + 1`` running sums of hundredths."""
        weights = np.array(WEEK, dtype=np.int64)[(self.weekday + np.arange(self.days)) % 7]
        return np.concatenate(([0], np.cumsum(weights)))

    @cached_property
    def arrivals(self) -> Ints:
        """Running sums of the newcomers' weights by day: the season, rising gently by a fifth in all."""
        weights = np.diff(self.season) * (1000 + 200 * np.arange(self.days) // self.days)
        return np.concatenate(([0], np.cumsum(weights)))

    def stream(self, *key: int) -> np.random.Generator:
        """The random numbers that belong to ``key`` and to nothing else."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=key)))


def cells(customers: int) -> list[range]:
    """The customers in cells; the last one holds the remainder."""
    return [range(first, min(first + CELL, customers)) for first in range(0, customers, CELL)]


def cell(world: World, customers: range) -> dict[str, Columns]:
    """The tables ``users, orders, events, referrals, feedback`` of one cell of customers.

    Users come by number, the others by user and time, referrals by time. ``user`` and ``invited_by`` are customer
    numbers over the whole shop; ``number`` counts from 0 within the user.
    """
    part = customers.start // CELL
    people = _people(world, world.stream(0, part), len(customers))
    invites = _invites(world, world.stream(1, part), people)
    attempts = _attempts(world, world.stream(2, part), people)
    attempts = _baskets(world, world.stream(3, part), people, attempts)
    loyal = _loyal(world, people, attempts)
    attempts = _without_the_quiet(world, loyal, attempts)
    visits = _visits(world, world.stream(4, part), people, loyal)
    sessions = _sessions(world.stream(5, part), people, invites, attempts, visits)
    tables = {
        "users": people,
        "orders": _orders(world, attempts),
        "events": _events(world, world.stream(6, part), sessions),
        "referrals": invites,
        "feedback": _feedback(world, world.stream(7, part), attempts),
    }
    for table in tables.values():
        for name in table.keys() & {"user", "referrer", "invited_by"}:
            table[name] = np.where(table[name] < 0, -1, table[name] + customers.start)
    return tables


def costs(world: World, customers: int) -> Columns:
    """Marketing spend in cents by day and paid channel: what the expected newcomers cost, give or take a tenth."""
    noise = 0.9 + 0.2 * world.stream(8).random((world.days, len(CHANNELS)))
    newcomers = customers * np.diff(world.arrivals) / world.arrivals[-1]
    share = np.array(CHANNEL_SHARES) / sum(CHANNEL_SHARES)
    spend = newcomers[:, None] * share * np.array(COST_PER_NEWCOMER) * noise
    ads, referral = world.episodes["paid_ads"], world.episodes["referral"]
    spend[ads.days.start : ads.days.stop, SEARCH_ADS] *= ads.factor
    spend[referral.days.start : referral.days.stop, REFERRAL] *= referral.factor
    paid = np.flatnonzero(COST_PER_NEWCOMER)
    return {
        "day": np.repeat(np.arange(world.days), len(paid)),
        "channel": np.tile(paid, world.days),
        "spend": np.rint(spend[:, paid]).astype(np.int64).ravel(),
    }


# Who they are


def _people(world: World, rng: np.random.Generator, n: int) -> Columns:
    """One row per customer, with the latent traits that drive the rest.

    ``nature`` is the channel whose kind of customer this is. ``first`` is when the first purchase falls, if
    ``wish`` is below the chance of one; ``life`` how many purchases until the customer leaves; ``pace`` purchases and
    ``curiosity`` visits per average day; ``level`` the inverse of the usual spend; ``interest`` the day on which
    someone who never buys stops looking.
    """
    u = rng.random((n, 12))
    day = _pick(u[:, 0] * world.arrivals[-1], world.arrivals)
    signed_up = np.maximum(day * DAY + _clock(u[:, 1]), 20 * MINUTE)
    soon = signed_up + 30 * MINUTE + (u[:, 3] * (90 * MINUTE)).astype(np.int64)
    later = (day + 1 + _exponential(u[:, 3], 14)) * DAY + _clock(u[:, 4])
    pace = rng.gamma(PACE_SHAPE, 1 / PACE_RATE, n)
    return {
        "user": np.arange(n),
        "signed_up": signed_up,
        "channel": _choose(u[:, 5], CHANNEL_SHARES),
        "nature": _choose(u[:, 5], CHANNEL_SHARES),
        "platform": _choose(u[:, 6], PLATFORM_SHARES),
        "city": _choose(u[:, 7], CITY_SHARES),
        "age_group": _choose(u[:, 8], AGE_SHARES),
        "invited_by": np.full(n, -1),
        "first": np.where(u[:, 2] < 0.5, soon, later),
        "wish": u[:, 9],
        "life": rng.geometric(np.maximum(rng.beta(LEAVE_A, LEAVE_B, n), 1e-9)),
        "pace": pace,
        "curiosity": 0.03 + pace,
        "level": rng.gamma(LEVEL_SHAPE, 1 / LEVEL_RATE, n),
        "interest": signed_up // DAY + _exponential(u[:, 10], 40),
    }


def _invites(world: World, rng: np.random.Generator, people: Columns) -> Columns:
    """Invitations sent, by time; sets ``invited_by`` of those who joined through one.

    Someone of the referral channel was invited by a fairly new customer; where there was none, or the episode took
    the invitation away, they came on their own. ``user`` is -1 where nobody joined.
    """
    n = len(people["user"])
    u = rng.random((n, 4))
    accepted_at = people["signed_up"] - 5 * MINUTE - _exponential(u[:, 0], 3600) * MINUTE
    by_arrival = np.argsort(people["signed_up"], kind="stable")
    position = np.searchsorted(people["signed_up"][by_arrival], accepted_at) - 1
    position -= _exponential(u[:, 1], max(1.0, n * 30 / world.days))
    sent = rng.poisson(0.33, n)
    unanswered = np.repeat(people["user"], sent)
    v = rng.random((len(unanswered), 2))
    referral = world.episodes["referral"]

    def kept(times: Ints, chance: Floats) -> Flags:
        usual = chance < np.where(referral.covers(times), referral.factor, 1.0)
        return usual & (times >= 0) & (times < world.end)

    joined = (people["channel"] == REFERRAL) & (position >= 0) & kept(accepted_at, u[:, 2])
    people["invited_by"] = np.where(joined, by_arrival[np.maximum(position, 0)], -1)
    people["channel"] = np.where((people["channel"] == REFERRAL) & ~joined, ORGANIC, people["channel"])
    asked_at = people["signed_up"][unanswered] + 5 * MINUTE + _exponential(v[:, 0], 30 * 1440) * MINUTE
    alone = kept(asked_at, v[:, 1])
    invites: Columns = {
        "referrer": np.concatenate((people["invited_by"][joined], unanswered[alone])),
        "at": np.concatenate((accepted_at[joined], asked_at[alone])),
        "user": np.concatenate((people["user"][joined], np.full(alone.sum(), -1))),
    }
    return _take(invites, np.lexsort((invites["user"], invites["referrer"], invites["at"])))


# What they buy


def _attempts(world: World, rng: np.random.Generator, people: Columns) -> Columns:
    """Every time a customer means to buy, by user and time: BG/NBD in seasonal time, until the customer leaves.

    ``draw`` numbers the attempt among those that might have been. Adds ``gone`` to people: the day on which the
    customer left, or lost interest before ever buying; past the last day for one who stayed.
    """
    n = len(people["user"])
    dear = _dear(world, people)
    chance = ACTIVATION[people["nature"]] * np.where(dear, DEAR_ACTIVATION, 1.0)
    buyer = (people["wish"] < chance) & (people["first"] < world.end)
    start = world.season[np.minimum(people["first"] // DAY + 1, world.days)]
    ahead = world.season[-1] - start
    pace = people["pace"] * PACE[people["nature"]]
    again = np.repeat(people["user"], rng.poisson(pace * ahead / 100))
    u = rng.random((len(again), 3))
    again_at = _pick(start[again] + u[:, 0] * ahead[again], world.season) * DAY + _clock(u[:, 1])
    spike, spike_at = _spike(rng, world.episodes["promotion"], people["first"], pace)

    user = np.concatenate((people["user"], again, spike))
    at = np.concatenate((people["first"], again_at, spike_at))
    meant = buyer[user]
    meant[n : n + len(again)] &= u[:, 2] < np.where(dear[again], DEAR_PACE, 1.0)
    draw = np.flatnonzero(meant)
    draw = draw[np.argsort(user[draw] * world.end + at[draw], kind="stable")]
    user, at = user[draw], at[draw]
    rank, life = _rank(user), people["life"][user]
    last = rank == life - 1
    people["gone"] = np.where(buyer, world.days, np.minimum(people["interest"], world.days))
    people["gone"][user[last]] = at[last] // DAY + 1
    return _take({"user": user, "at": at, "draw": draw}, rank < life)


def _dear(world: World, people: Columns) -> Flags:
    """The newcomers that too much advertising won: there to look rather than to buy."""
    won_by_ads: Flags = people["channel"] == SEARCH_ADS
    return won_by_ads & world.episodes["paid_ads"].covers(people["signed_up"])


def _spike(rng: np.random.Generator, promotion: Episode, since: Ints, rate: Floats) -> tuple[Ints, Ints]:
    """Who comes because of the promotion, and when: ``factor - 1`` times the usual rate on top."""
    u = rng.random((len(since), 3))
    at = (promotion.days.start + (u[:, 1] * len(promotion.days)).astype(np.int64)) * DAY + _clock(u[:, 2])
    extra = 1 - np.exp(-rate * (promotion.factor - 1) * len(promotion.days))
    user = np.flatnonzero((u[:, 0] < extra) & (since + DAY < at))
    return user, at[user]


def _baskets(world: World, rng: np.random.Generator, people: Columns, attempts: Columns) -> Columns:
    """The attempts with where, what and how much, and the ``trouble`` that stopped some."""
    draw = attempts["draw"]
    u = rng.random((draw.max(initial=-1) + 1, 8 + ORDER_SHAPE))[draw]
    user, at = attempts["user"], attempts["at"]
    platform = _platforms(people["platform"][user], u[:, 0])
    product = _choose(u[:, 2], PRODUCT_SHARES)
    category = product // PRODUCTS_PER_CATEGORY
    size = -np.log(np.prod(1 - u[:, 8:], axis=1))
    value = size / people["level"][user] * CATEGORY_SPEND[category] * SPEND[people["nature"][user]]
    failing, sold_out = world.episodes["android_checkout"], world.episodes["stock_out"]
    kept_from_paying = (platform == ANDROID) & failing.covers(at) & (u[:, 4] >= failing.factor)
    gone = (category == BEST_CATEGORY) & sold_out.covers(at) & (u[:, 4] >= sold_out.factor)
    return attempts | {
        "platform": platform,
        "channel": _visit_channels(people["channel"][user], u[:, 1]),
        "product": product,
        "cents": np.clip(value, 4, 9_999).astype(np.int64) * 100 + PRICE_ENDINGS[_choose(u[:, 3], ENDING_SHARES)],
        "trouble": np.where(gone, SOLD_OUT, np.where(kept_from_paying, KEPT_FROM_PAYING, NO_TROUBLE)),
        "refund": u[:, 5],
        "refund_later": u[:, 6],
        "quiet": u[:, 7],
    }


def _loyal(world: World, people: Columns, attempts: Columns) -> Flags:
    """The customers who go quiet: won in the first third, and among the tenth who spent most until then."""
    start = world.episodes["loyal_customers"].days.start * DAY
    before = (attempts["trouble"] == NO_TROUBLE) & (attempts["at"] < start)
    cents = np.where(before, attempts["cents"], 0)
    spent = np.bincount(attempts["user"], weights=cents, minlength=len(people["user"]))
    if not spent.any():
        return np.zeros(len(spent), dtype=np.bool_)
    most = spent >= np.quantile(spent[spent > 0], 0.9, method="higher")
    return most & (people["signed_up"] < world.end // 3)


def _without_the_quiet(world: World, loyal: Flags, attempts: Columns) -> Columns:
    """The attempts less those that loyal customers gave up."""
    quiet = world.episodes["loyal_customers"]
    lost = loyal[attempts["user"]] & quiet.covers(attempts["at"]) & (attempts["quiet"] >= quiet.factor)
    return _take(attempts, ~lost)


def _orders(world: World, attempts: Columns) -> Columns:
    """The attempts that came to an order, and the refunds of some of them: negative, on a later day."""
    orders = _take(attempts, attempts["trouble"] == NO_TROUBLE)
    orders = orders | {"number": _rank(orders["user"]), "refunded": np.zeros(len(orders["user"]), dtype=np.bool_)}
    refunds = _take(orders, orders["refund"] < REFUND_RATE)
    part = np.where(refunds["refund"] < REFUND_RATE / 5, 2, 1)
    refunds = refunds | {
        "at": refunds["at"] + DAY + (refunds["refund_later"] * (13 * DAY)).astype(np.int64),
        "cents": -(refunds["cents"] // part),
        "refunded": np.ones(len(refunds["user"]), dtype=np.bool_),
    }
    refunds = _take(refunds, refunds["at"] < world.end)
    names = ("user", "number", "refunded", "at", "cents", "channel", "platform", "product")
    return {name: np.concatenate((orders[name], refunds[name])) for name in names}


def _feedback(world: World, rng: np.random.Generator, attempts: Columns) -> Columns:
    """What some said in the two days after buying, or after failing to: far more of those who failed."""
    u = rng.random((attempts["draw"].max(initial=-1) + 1, 4))[attempts["draw"]]
    trouble = attempts["trouble"]
    score = np.where(trouble == NO_TROUBLE, _choose(u[:, 1], SCORE_SHARES), _choose(u[:, 1], LOW_SCORE_SHARES))
    mood = np.where(trouble == NO_TROUBLE, np.select([score >= 9, score >= 7], [0, 1], 2), 2 + trouble)
    said: Columns = {
        "user": attempts["user"],
        "at": attempts["at"] + HOUR + (u[:, 2] * (47 * HOUR)).astype(np.int64),
        "score": score,
        "review": mood * len(REVIEWS[0]) + (u[:, 3] * len(REVIEWS[0])).astype(np.int64),
        "rating": np.array(RATINGS)[score],
    }
    return _take(said, (u[:, 0] < np.where(trouble == NO_TROUBLE, 0.05, 0.15)) & (said["at"] < world.end))


# What they click


def _visits(world: World, rng: np.random.Generator, people: Columns, loyal: Flags) -> Columns:
    """Visits without the wish to buy: a few soon after signing up, then some while interest lasts."""
    user = people["user"]
    start = world.season[people["signed_up"] // DAY + 1]
    ahead = world.season[-1] - start
    soon = np.repeat(user, rng.poisson(1.3, len(user)))
    later = np.repeat(user, rng.poisson(people["curiosity"] * ahead / 100))
    u, v = rng.random((len(soon), 2)), rng.random((len(later), 2))
    soon_day = people["signed_up"][soon] // DAY + _exponential(u[:, 0], 5)
    soon_at = soon_day * DAY + _clock(u[:, 1])
    same_day = soon_at < people["signed_up"][soon] + HOUR
    soon_at = np.where(same_day, people["signed_up"][soon] + HOUR + (u[:, 1] * (4 * HOUR)).astype(np.int64), soon_at)
    later_day = _pick(start[later] + v[:, 0] * ahead[later], world.season)
    spike, spike_at = _spike(rng, world.episodes["promotion"], people["signed_up"], people["curiosity"])
    visits: Columns = {
        "user": np.concatenate((soon, later, spike)),
        "at": np.concatenate((soon_at, later_day * DAY + _clock(v[:, 1]), spike_at)),
    }
    u = rng.random((len(visits["user"]), 4))
    who, at, quiet = visits["user"], visits["at"], world.episodes["loyal_customers"]
    interested = at < np.minimum(people["gone"][who] * DAY, world.end)
    interested[: len(soon)] = at[: len(soon)] < world.end
    interested &= (u[:, 0] < quiet.factor) | ~(loyal[who] & quiet.covers(at))
    interested &= (u[:, 0] < DEAR_VISITS) | ~_dear(world, people)[who]
    return _take(
        visits
        | {
            "platform": _platforms(people["platform"][who], u[:, 1]),
            "channel": _visit_channels(people["channel"][who], u[:, 2]),
            "product": _choose(u[:, 3], PRODUCT_SHARES),
        },
        interested,
    )


def _sessions(
    rng: np.random.Generator, people: Columns, invites: Columns, attempts: Columns, visits: Columns
) -> Columns:
    """All sessions, by user and time: what happens in each how often (``counts``), and which event falls on ``at``."""
    referrer = invites["referrer"]
    home = {name: people[name][referrer] for name in ("platform", "channel")}
    arrivals = {"user": people["user"], "at": people["signed_up"]} | {k: people[k] for k in ("platform", "channel")}
    sources: list[tuple[Columns, int]] = [
        (arrivals, SIGN_UP),
        ({"user": referrer, "at": invites["at"]} | home, INVITE),
        (visits, VISIT),
        (attempts, PURCHASE),
    ]
    kind = np.concatenate([np.full(len(source["user"]), anchor) for source, anchor in sources])
    names = ("user", "at", "platform", "channel")
    sessions: Columns = {name: np.concatenate([source[name] for source, _ in sources]) for name in names}
    u = rng.random((len(kind), 10))
    known = len(kind) - len(visits["user"]) - len(attempts["user"])
    guess = _choose(u[:known, 9], PRODUCT_SHARES)
    sessions["product"] = np.concatenate((guess, visits["product"], attempts["product"]))
    trouble = np.concatenate((np.zeros(len(kind) - len(attempts["user"]), dtype=np.int64), attempts["trouble"]))
    bought = (kind == PURCHASE) & (trouble == NO_TROUBLE)
    stopped = (kind == PURCHASE) & (trouble == KEPT_FROM_PAYING)
    viewed = (kind == PURCHASE) | ((kind != INVITE) & (u[:, 0] < 0.82))
    in_cart = bought | stopped | (viewed & (trouble != SOLD_OUT) & (u[:, 1] < CART_RATE[sessions["platform"]]))
    at_checkout = bought | stopped | (in_cart & (u[:, 2] < CHECKOUT_RATE[sessions["platform"]]))
    counts = np.zeros((len(kind), len(EVENTS)), dtype=np.int64)
    counts[:, VISIT] = 1
    counts[:, SIGN_UP] = kind == SIGN_UP
    counts[:, PROFILE] = (kind == SIGN_UP) & (u[:, 3] < 0.4)
    counts[:, SEARCH] = viewed * ((u[:, 4] < 0.4).astype(np.int64) + (u[:, 4] < 0.1))
    counts[:, VIEW] = viewed * (1 + np.minimum(_exponential(u[:, 5], 2.1), 15))
    counts[:, FAVOURITE] = viewed & (u[:, 6] < 0.1)
    counts[:, SHARE] = viewed & (u[:, 7] < 0.03)
    counts[:, CART] = in_cart * (1 + (u[:, 8] < 0.15).astype(np.int64))
    counts[:, CHECKOUT] = at_checkout
    counts[:, PURCHASE] = bought
    counts[:, INVITE] = kind == INVITE
    sessions["counts"] = counts
    sessions["anchor"] = np.where(stopped, CHECKOUT, np.where(trouble == SOLD_OUT, VISIT, kind))
    order = np.lexsort((kind, sessions["at"], sessions["user"]))
    sessions = _take(sessions, order)
    return sessions | {"number": _rank(sessions["user"])}


def _events(world: World, rng: np.random.Generator, sessions: Columns) -> Columns:
    """Every event of the sessions, by user and time. ``order`` numbers the user's purchases, -1 for other events."""
    counts = sessions["counts"].ravel()
    slots = np.repeat(np.arange(len(counts)), counts)
    session, kind = np.divmod(slots, len(EVENTS))
    u = rng.random((len(kind), 4))
    reached = np.cumsum(3_000 + _exponential(u[:, 0], 25_000))
    anchor = np.flatnonzero(kind == sessions["anchor"][session])
    at = sessions["at"][session] + reached - reached[anchor][session]
    lag = 200 + _exponential(u[:, 1], 1_500)
    late = u[:, 2] < 0.012
    lag[late] += _exponential(u[late, 2] / 0.012, 3 * 3_600) * 1_000
    product = sessions["product"][session]
    browsing = (kind == VIEW) & (np.roll(kind, -1) == VIEW)
    product[browsing] = _choose(u[browsing, 3], PRODUCT_SHARES)
    product[(kind < VIEW) | (kind == INVITE)] = -1
    events: Columns = {
        "user": sessions["user"][session],
        "at": at,
        "event": kind,
        "session": sessions["number"][session],
        "platform": sessions["platform"][session],
        "channel": sessions["channel"][session],
        "product": product,
        "ingested": at + lag,
    }
    rows = np.flatnonzero((at >= 0) & (at < world.end))
    rows = rows[np.argsort(events["user"][rows] * (2 * world.end) + at[rows], kind="stable")]
    events = _take(events, rows)
    bought = events["event"] == PURCHASE
    order = np.full(len(rows), -1)
    order[bought] = _rank(events["user"][bought])
    return events | {"number": _rank(events["user"]), "order": order}


# Drawing


def _exponential(u: Floats, mean: float) -> Ints:
    """Whole numbers, exponentially distributed around ``mean``, from uniform numbers."""
    return (-np.log(1 - u) * mean).astype(np.int64)


def _pick(place: Floats, sums: Ints) -> Ints:
    """The index of the piece in which each place lies, of pieces laid end to end up to the running ``sums``."""
    return np.searchsorted(sums, place, side="right") - 1


def _choose(u: Floats, shares: Sequence[int]) -> Ints:
    """Indexes drawn with probabilities proportional to ``shares``."""
    sums = np.concatenate(([0], np.cumsum(shares)))
    return _pick(u * sums[-1], sums)


def _clock(u: Floats) -> Ints:
    """Milliseconds since midnight, by the day's curve."""
    sums = np.concatenate(([0], np.cumsum(HOURS)))
    place = u * sums[-1]
    hour = _pick(place, sums)
    within: Ints = ((place - sums[hour]) / np.array(HOURS)[hour] * HOUR).astype(np.int64)
    return hour * HOUR + within


def _platforms(home: Ints, u: Floats) -> Ints:
    """The customer's platform, or now and then another."""
    return np.where(u < 0.9, home, _choose(np.clip((u - 0.9) * 10, 0, 1 - 1e-9), PLATFORM_SHARES))


def _visit_channels(won_by: Ints, u: Floats) -> Ints:
    """The channel of a later visit: as often as not the one that won the customer."""
    return np.where(u < 0.45, won_by, _choose(np.clip((u - 0.45) / 0.55, 0, 1 - 1e-9), VISIT_SHARES))


def _rank(user: Ints) -> Ints:
    """0, 1, 2, ... within each user of a sorted column."""
    position = np.arange(len(user))
    new = np.ones(len(user), dtype=np.bool_)
    new[1:] = user[1:] != user[:-1]
    return position - np.maximum.accumulate(np.where(new, position, 0))


def _take(table: Columns, rows: Ints | Flags) -> Columns:
    """The chosen rows of every column."""
    return {name: column[rows] for name, column in table.items()}
