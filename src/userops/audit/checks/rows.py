"""Checks of rows as such: copies, and rows of nobody."""

from __future__ import annotations

import polars as pl

from userops import account, tables
from userops.audit.checks.verdicts import (
    GOOD,
    Look,
    Status,
    Verdict,
    joined,
    level_of,
    passed,
    rejected_for,
    rows_of,
    share_of,
)
from userops.audit.scan import Scan, likeness, named
from userops.results import Text


def duplicates(look: Look) -> Verdict:
    """DQ01: repeated ids of orders and events, rows alike in every column, users with several rows."""
    scan, limit = look.scan, look.limits.duplicates_error
    if scan.subject.kind == "users":
        several = scan.small["ids"].filter(pl.col("n") > 1).sort("id")
        n = int(several["n"].sum()) - several.height
        shown = look.people(several["id"].head(6).to_list())
        said = Text(f"{several.height:,} users have several rows: {shown}", f"{several.height:,} 个用户有多行:{shown}")
        if not n:
            return passed("one row per user", "每个用户一行")
        return Verdict(
            level_of(share_of(n, look.used)), said, n, share_of(n, look.used), rows=rows_of(several["id"].to_list())
        )
    again, copies = scan.repeated, scan.copies
    sent, dropped = scan.rejected("duplicate_event"), scan.rejected("duplicate_row")
    found, zh, n, worst, rows = [], [], 0, 0.0, pl.lit(value=False)
    rough = "about " if copies.one_in > 1 else ""
    if again and again.rows:
        n, worst = again.rows, (share_of(again.rows, look.used) or 0.0)
        found.append(f"{rough}{n:,} rows repeat the id of an order{_worth(scan, again.worth, 'en')}")
        zh.append(f"{n:,} 行重复订单号{_worth(scan, again.worth, 'zh')}")
        rows = GOOD & pl.col("order_id").hash(tables.USER_SEED).is_in(again.found["mark"].unique().implode())
    elif copies.rows:
        n = copies.rows
        told_apart = scan.subject.kind == "events" or scan.sums["midnight"] < scan.sums["timed"]
        whole_rows = getattr(scan.subject.table, "grain", "order") == "order" or _one_line_each(scan)
        worst = (share_of(n, look.used) or 0.0) if told_apart and whole_rows else 0.0
        found.append(f"{rough}{n:,} rows are the same as another in every column{_worth(scan, copies.worth, 'en')}")
        zh.append(f"{n:,} 行与其他行完全相同{_worth(scan, copies.worth, 'zh')}")
        rows = GOOD & likeness(scan.subject.table).is_in(copies.found["mark"].unique().implode())
    if sent:
        found.append(f"{sent:,} rows were sent again under the same id; they are counted once")
        zh.append(f"{sent:,} 行以相同ID重复发送,已只计一次")
        rows = rows | rejected_for("duplicate_event")
    if dropped:
        found.append(f"{dropped:,} exact copies were dropped")
        zh.append(f"已去除 {dropped:,} 行完全重复")
        rows = rows | rejected_for("duplicate_row")
    n += sent + dropped
    if not n:
        return passed("no row or id twice", "无重复行或重复ID")
    status: Status = "error" if worst > limit else "warn"
    return Verdict(
        status,
        joined(*((True, *both) for both in zip(found, zh, strict=True))),
        n,
        share_of(n, scan.rows_read),
        rows=rows,
    )


def _one_line_each(scan: Scan) -> bool:
    """Whether orders have one line as a rule, so that a line that is there twice is no second piece of the same thing."""
    orders = scan.small["order_ids"].height if "order_ids" in scan.small else 0
    return scan.books.rows_used - scan.copies.rows < 1.05 * orders


def _worth(scan: Scan, steps: int, lang: str) -> str:
    """Revenue with and without the rows too many."""
    if not scan.subject.table.has_amount:
        return ""
    whole = int(scan.books.used["amount"].sum())
    with_them, without = account.money_text(whole), account.money_text(whole - steps)
    return f" (revenue {with_them}, {without} without)" if lang == "en" else f"(收入 {with_them},去重后 {without})"


def no_user(look: Look) -> Verdict:
    """DQ02: rows without an id, or with one that stands for nobody."""
    blank, nobody = look.scan.rejected("missing_user_id"), look.scan.rejected("placeholder_user_id")
    n = blank + nobody
    if not n:
        return passed("every row names a user", "每行都有用户")
    share = share_of(n, look.scan.rows_read)
    values = look.scan.small["nobody"].sort("n", "id", descending=[True, False])["id"].drop_nulls().head(6).to_list()
    said = joined(
        (blank, f"{blank:,} rows without an id", f"{blank:,} 行无ID"),
        (nobody, f"{nobody:,} rows with a placeholder: {named(values)}", f"{nobody:,} 行为占位ID:{named(values)}"),
    )
    level = level_of(share, warn=look.limits.no_user_warn, error=look.limits.no_user_error)
    return Verdict(level, said, n, share, rows=rejected_for("missing_user_id", "placeholder_user_id"))
