"""The best customers who go quiet: those who come or order less than by their own rhythm, as findings."""

from __future__ import annotations

import polars as pl

from userops import periods
from userops.checkup import rhythm
from userops.checkup.findings import STRONG, Finding
from userops.checkup.measures import Measured
from userops.results import Text
from userops.texts import symptoms

TIERS = {
    rhythm.TOP_OLD: Text(
        "the tenth who spent most, customers for half a year or longer", "消费前 10% 且半年以上的老客"
    ),
    rhythm.TOP_NEW: Text("the tenth who spent most, customers for less than half a year", "消费前 10% 的较新客户"),
    rhythm.OTHERS: Text("the other customers", "其他客户"),
}

LEAST_P, LEFT = 0.0002, 0.8
"""How unlikely a tier's silence must be, and what may at most be left of what was expected."""


def found(measured: Measured) -> tuple[list[Finding], int]:
    """Tiers of customers who come or order less than by their own rhythm, and how many were asked about."""
    spent = measured.spent
    if spent is None or measured.orders is None:
        return [], 0
    first, today = measured.orders.first, measured.today
    ordered = spent.select("user", "day", n="orders")
    asked: list[tuple[str, rhythm.Shift]] = []
    if measured.presence is not None and measured.days is not None:
        start = max(first, today - rhythm.BUCKET * rhythm.BUCKETS)
        asked += [("visits", shift) for shift in rhythm.shifts(spent, measured.presence, start, today)]
    asked += [("orders", shift) for shift in rhythm.shifts(spent, ordered, first, today)]
    found: dict[str, Finding] = {}
    for what, shift in sorted(asked, key=lambda pair: pair[1].p):
        silent = shift.p <= LEAST_P and shift.now <= LEFT * shift.expected
        if silent and shift.tier not in found and shift.tier != rhythm.OTHERS:
            found[shift.tier] = _silent(what, shift, ordered, measured)
    return list(found.values()), len(asked)


def _silent(what: str, shift: rhythm.Shift, ordered: pl.DataFrame, measured: Measured) -> Finding:
    """That a tier of customers went quiet."""
    assert measured.spent is not None  # it was found there
    label, tier = symptoms.SYMPTOMS["rhythm"], TIERS[shift.tier]
    orders = shift
    if what == "visits":
        first = measured.orders.first if measured.orders else measured.today
        again = rhythm.shifts(measured.spent, ordered, first, measured.today, spans=(shift.days,))
        orders = next((other for other in again if other.tier == shift.tier), shift)
    since = periods.first_day(measured.today - shift.days + 1, "day")
    less = f"{(1 - shift.now / shift.expected) * 100:.0f} %"
    event = Text("visits", "访问") if what == "visits" else Text("orders", "下单")
    also: tuple[Text, ...] = ()
    if what == "visits" and orders is not shift:
        also = (
            Text(
                f"orders of the same customers: {orders.expected:,.0f} expected, {orders.now:,}",
                f"同一批客户的订单:预期 {orders.expected:,.0f},实际 {orders.now:,}",
            ),
        )
    value = measured.order_value
    return Finding(
        id=f"behaviour.{what}_per_customer.{shift.tier.split(',')[0].replace(' ', '_')}.{'loyal' if shift.tier == rhythm.TOP_OLD else 'newer'}",
        area="behaviour",
        title=Text(
            f"Loyal customers go quiet: {tier.en} made {less} fewer {event.en} than by their own rhythm, since {since}",
            f"忠实客户沉默:{tier.zh}的{event.zh}较自身节奏少 {less}({since} 起)",
        ),
        severity="error" if shift.now <= (1 - STRONG) * shift.expected else "warn",
        metric=f"{what}_per_customer",
        segment=f"tier={shift.tier}",
        since=since,
        value=shift.now / shift.customers,
        baseline=shift.expected / shift.customers,
        delta=(shift.now - shift.expected) / shift.customers,
        n=shift.customers,
        p_value=shift.p,
        impact=(orders.now - orders.expected) * value if value is not None and orders.now < orders.expected else None,
        causes=(),
        also=also,
        actions=tuple(symptoms.to(text, tier) for text in label.actions),
        prevention=tuple(symptoms.to(text, tier) for text in label.prevention),
        proof=label.proof,
    )
