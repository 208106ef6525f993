"""Checks of users: tests, bots, ids that may be one user."""

from __future__ import annotations

import polars as pl

from userops.audit.checks.verdicts import GOOD, Look, Verdict, joined, passed, rows_of, share_of, skipped
from userops.audit.scan import HEAVY_DAY, TEST_ACCOUNT


def test_accounts(look: Look) -> Verdict:
    """DQ08: ids and e-mail addresses of tests and of colleagues, and orders of one cent."""
    ids = look.scan.small["ids"]
    texts = [
        pl.col(name).str.to_lowercase().str.contains(TEST_ACCOUNT) for name in ("id", "email") if name in ids.columns
    ]
    found = ids.filter(pl.any_horizontal(*(text.fill_null(value=False) for text in texts))).sort(
        "n", "id", descending=[True, False]
    )
    n, cents = int(found["n"].sum()), look.scan.sums.get("cents", 0)
    cents = cents if cents >= 3 else 0
    if not n and not cents:
        return passed("no id looks like a test", "无疑似测试账号")
    shown = look.people(found["id"].head(6).to_list())
    en = [f"{found.height:,} accounts look like tests: {shown}"] if n else []
    zh = [f"{found.height:,} 个疑似测试账号:{shown}"] if n else []
    en += [f"{cents:,} orders of 0.01"] if cents else []
    zh += [f"{cents:,} 笔 0.01 订单"] if cents else []
    rows = rows_of(found["id"].to_list())
    if cents:
        rows = rows | (GOOD & (pl.col("amount") == 100))
    return Verdict(
        "warn",
        joined(*((True, *both) for both in zip(en, zh, strict=True))),
        n + cents,
        share_of(n + cents, look.used),
        rows=rows,
    )


def bots(look: Look) -> Verdict:
    """DQ09: users too busy, too tireless or too regular for people, and addresses with too many users."""
    limits, busy = look.limits, look.scan.rhythm
    dated = look.scan.sums["midnight"] >= 0.5 * max(1, look.scan.sums["timed"])
    steady = (
        (pl.col("peak_day") >= HEAVY_DAY)
        & (pl.col("pause") >= 2_000_000)
        & (pl.col("steady") >= limits.bot_steady_pauses)
    )
    signs = {
        "hours": (pl.col("hours") >= limits.bot_hours_a_day, "{hours} hours of one day", "一天活跃 {hours} 小时"),
        "hour": (pl.col("peak_hour") > limits.bot_rows_an_hour, "{peak_hour:,} rows in an hour", "一小时 {peak_hour:,} 行"),
        "minute": (pl.col("peak_minute") > limits.bot_rows_a_minute, "{peak_minute:,} rows in a minute", "一分钟 {peak_minute:,} 行"),
        "steady": (steady, "{peak_day:,} rows a day like clockwork", "节奏固定,一天 {peak_day:,} 行"),
    }  # fmt: skip
    if look.scan.subject.kind == "orders":
        lines = getattr(look.scan.subject.table, "grain", "order") == "line"
        most = limits.bot_orders_a_day * (look.burst("days") if lines else 1.0)
        signs = {"day": (pl.col("peak_day") > most, "{peak_day:,} orders in a day", "一天 {peak_day:,} 单")}
        if lines:
            signs["day"] = (
                pl.col("peak_day") > most,
                "{peak_day:,} lines of orders in a day",
                "一天 {peak_day:,} 行明细",
            )
    elif dated:
        signs = {}
    if not signs and "ip" not in look.scan.small:
        return skipped("times are dates", "时间只有日期")
    found = busy.with_columns(**{f"is_{name}": met for name, (met, _, _) in signs.items()}) if busy.height else busy
    if signs and busy.height:
        found = found.filter(pl.any_horizontal([f"is_{name}" for name in signs])).sort(
            "n", "id", descending=[True, False]
        )
    else:
        found = found.clear()
    ips = look.scan.small.get("ip", pl.DataFrame(schema={"value": pl.String, "users": pl.Int64}))
    crowded = ips.filter(pl.col("users") > limits.users_per_ip).sort("users", "value", descending=[True, False])
    n = int(found["n"].sum()) if found.height else 0
    if not found.height and crowded.is_empty():
        return passed("nobody is busier than people are", "无异常高频用户")
    en, zh = [], []
    if found.height:
        top = found.row(0, named=True)
        why = next(name for name in signs if top[f"is_{name}"])
        who = look.people(found["id"].head(6).to_list())
        en.append(
            f"{found.height:,} users are busier than people are: {who}; the first has {signs[why][1].format(**top)}"
        )
        zh.append(f"{found.height:,} 个用户活跃异常:{who};首位{signs[why][2].format(**top)}")
    if crowded.height:
        most = int(crowded["users"][0])
        en.append(f"{crowded.height:,} IP addresses with more than {limits.users_per_ip:g} users, {most:,} at most")
        zh.append(f"{crowded.height:,} 个IP的用户超过 {limits.users_per_ip:g} 个,最多 {most:,} 个")
    rows = rows_of(found["id"].to_list()) if found.height else None
    said = joined(*((True, *both) for both in zip(en, zh, strict=True)))
    if not found.height:
        return Verdict("warn", said, int(crowded["users"].sum()), None, "users")
    return Verdict("warn", said, n, share_of(n, look.used), rows=rows)


def alike_ids(look: Look) -> Verdict:
    """DQ13: ids that differ in case, blanks or leading zeros only, and devices and users that share too many."""
    limits, ids = look.limits, look.scan.small["ids"]
    bare = pl.col("id").str.to_lowercase().str.replace_all(r"\s+", "").str.replace(r"^0+(\d)", "$1")
    same = ids.select("id", "n", bare=bare)
    several = same.filter(pl.col("bare").is_in(same.filter(pl.col("bare").is_duplicated())["bare"].unique().implode()))
    several = several.sort("bare", "id")
    en, zh, n = [], [], several.height
    if n:
        shown = look.people(several["id"].head(6).to_list())
        en.append(f"{n:,} ids differ only in case, blanks or leading zeros: {shown}")
        zh.append(f"{n:,} 个ID仅大小写、空格或前导零不同:{shown}")
    devices, of_users = look.scan.small.get("device"), look.scan.small.get("devices")
    if devices is not None:
        crowded = devices.filter(pl.col("users") > limits.users_per_device)
        if crowded.height:
            most = int(crowded["users"].sort()[-1])
            en.append(f"{crowded.height:,} devices with more than {limits.users_per_device:g} users, {most:,} at most")
            zh.append(f"{crowded.height:,} 台设备的用户超过 {limits.users_per_device:g} 个,最多 {most:,} 个")
            n += int(crowded["users"].sum())
    if of_users is not None:
        many = of_users.filter(pl.col("devices") > limits.devices_per_user)
        if many.height:
            en.append(f"{many.height:,} users with more than {limits.devices_per_user:g} devices")
            zh.append(f"{many.height:,} 个用户的设备超过 {limits.devices_per_user:g} 台")
            n += many.height
    if not n:
        return passed("no two ids are alike", "无相近ID")
    said = joined(*((True, *both) for both in zip(en, zh, strict=True)))
    return Verdict("warn", said, n, share_of(n, max(ids.height, n)), "users", rows_of(several["id"].to_list()))
