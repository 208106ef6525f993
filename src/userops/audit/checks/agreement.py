"""Checks of what should agree: with the last run, with other files, within a row."""

from __future__ import annotations

from userops.audit import drift
from userops.audit.checks.verdicts import Look, Part, Verdict, joined, of_parts, passed, share_of, skipped
from userops.audit.scan import named
from userops.results import Text


def schema_drift(look: Look) -> Verdict:
    """DQ12: columns that went, came or changed their type, and values that are spread otherwise than in the last run."""
    if look.last is None:
        return skipped("needs an earlier audit: --compare-with LAST.json", "需要上次审计结果:--compare-with LAST.json")
    then, now = look.last.columns, look.scan.profile.columns
    gone, new = sorted(set(then) - set(now)), sorted(set(now) - set(then))
    retyped = sorted(name for name in set(then) & set(now) if then[name]["dtype"] != now[name]["dtype"])
    moved = {
        name: value for name, value in drift.shifts(look.last, look.scan.profile).items() if value > look.limits.psi
    }
    ranked = sorted(moved, key=lambda name: (-moved[name], name))
    types = [f"{name} {then[name]['dtype']} → {now[name]['dtype']}" for name in retyped]
    shifts = [f"{name} (PSI {moved[name]:.2f})" for name in ranked]
    parts = (
        (gone, f"columns gone: {named(gone)}", f"列消失:{named(gone)}"),
        (new, f"columns new: {named(new)}", f"新增列:{named(new)}"),
        (retyped, f"types changed: {named(types)}", f"类型改变:{named(types)}"),
        (ranked, f"values shifted: {named(shifts)}", f"分布偏移:{named(shifts)}"),
    )
    touched = {*gone, *new, *retyped, *ranked}
    if not touched:
        return passed("as in the last run", "与上次一致")
    said = joined(*parts)
    return Verdict(
        "error" if gone else "warn", said, len(touched), share_of(len(touched), len({*then, *now})), "columns"
    )


def contradictions(look: Look) -> Verdict:
    """DQ18: purchases by users never seen before, sums that do not add up, users and orders another file lacks."""
    scan, limits = look.scan, look.limits
    people, sums = scan.small["people"].row(0, named=True), scan.sums
    parts: list[Part] = []
    if buyers := int(people.get("buyers") or 0):
        n = int(people["never_came"])
        told = Text(
            f"{n:,} of {buyers:,} buyers were never seen before they bought",
            f"{buyers:,} 个购买者中 {n:,} 个在购买前没有任何行为",
        )
        parts.append(Part(n, buyers, limits.bought_unseen, "users", told))
    if products := sums.get("products", 0):
        n = sums["unequal"]
        told = Text(f"{n:,} amounts are not price times quantity", f"{n:,} 行金额不等于单价乘数量")
        parts.append(Part(n, products, limits.unequal_sums, "rows", told))
    if "unknown" in people:
        n = int(people["unknown"] or 0)
        told = Text(f"{n:,} users are not in the table of users", f"{n:,} 个用户不在用户表中")
        parts.append(Part(n, int(people["users"]), limits.unknown, "users", told))
    orders = look.others.get("orders")
    if scan.subject.kind == "events" and orders and "order_ids" in scan.small and "order_ids" in orders.small:
        ids = scan.small["order_ids"]["id"].unique()
        n = int((~ids.is_in(orders.small["order_ids"]["id"].unique().implode())).sum())
        told = Text(
            f"{n:,} of {ids.len():,} purchases are no orders of the other file",
            f"{ids.len():,} 次购买中 {n:,} 次不在订单文件中",
        )
        parts.append(Part(n, ids.len(), limits.unknown, "orders", told))
    if not parts:
        return skipped("no purchases among the events, no prices, no table of users", "没有购买事件、单价或用户表")
    return of_parts(parts, ("steps, sums and files agree", "步骤、合计与文件一致"))
