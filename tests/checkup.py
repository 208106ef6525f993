"""A check-up of an invented shop, as an analysis would hand it over: an app whose Android checkout failed for four weeks."""

from __future__ import annotations

import math
from datetime import date, timedelta
from random import Random
from typing import Any

import polars as pl

from golden import HOSTILE
from userops.checkup import findings as found
from userops.checkup.findings import Cause, Evidence, Finding, Looked
from userops.pages import diagnose
from userops.results import (
    Card,
    CardsBlock,
    CardSection,
    ChartBlock,
    InputReport,
    Provenance,
    Result,
    Series,
    StatusBlock,
    StatusRow,
    TableBlock,
    Text,
    WaterfallBlock,
)

AS_OF = date(2026, 10, 31)
FIRST = date(2026, 7, 1)
DAYS = (AS_OF - FIRST).days + 1
SINCE, UNTIL = date(2026, 9, 7), date(2026, 10, 4)


def daily(usual: float, then: float, seed: int = 1) -> ChartBlock:
    """A daily rate that falls from ``usual`` to ``then`` for the four weeks of the story; one day is missing."""
    random, place = Random(seed), range((SINCE - FIRST).days, (UNTIL - FIRST).days + 1)
    values = [
        (then if day in place else usual) * (1 + 0.035 * math.sin(day * 2 * math.pi / 7) + random.gauss(0, 0.012))
        for day in range(DAYS)
    ]
    return ChartBlock(
        Text("Checkout conversion a day, android", "每日结账转化率,android"),
        tuple((FIRST + timedelta(days=day)).isoformat() for day in range(DAYS)),
        (Series(Text("android", "android"), tuple(None if day == 30 else value for day, value in enumerate(values))),),
        kind="share",
        marked=(place[0], place[-1]),
        baseline=usual,
    )


def checkout() -> Finding:
    """The worst of it."""
    return Finding(
        id="behaviour.checkout_conversion.platform=android.2026-09",
        area="behaviour",
        title=Text(
            "Checkout on Android converted 31.2 % of users instead of 62.4 % for four weeks.",
            "Android 端结账转化率连续四周仅 31.2%,此前为 62.4%。",
        ),
        severity="error",
        metric="checkout_conversion",
        segment="platform=android",
        since=SINCE,
        until=UNTIL,
        value=0.312,
        baseline=0.624,
        delta=-0.312,
        target=0.6,
        n=18_402,
        p_value=1e-12,
        q_value=1e-10,
        impact=-184_320.5,
        kind="share",
        causes=(
            Cause(
                Text("begin_checkout → purchase fell on app_version 8.2", "app_version 8.2 的 begin_checkout → purchase 下降"),
                "rate",
                "platform=android & app_version=8.2",
                0.87,
            ),
            Cause(Text("More users came from paid_search", "paid_search 渠道用户占比上升"), "mix", "channel=paid_search", 0.09),
            Cause(Text("Release 8.2 went out on 2026-09-07", "8.2 版本于 2026-09-07 发布"), "coincides"),
        ),
        also=(Text("Revenue per visitor, android: −48.9 %", "android 访客人均收入:−48.9%"),),
        actions=(
            Text(
                "Roll back or fix payment in app 8.2; then write to those who stopped at checkout, while they remember.",
                "回滚或修复 8.2 版本的支付流程;随后尽快联系停在结账步骤的用户。",
            ),
        ),
        prevention=(
            Text("Watch checkout by app version every night: --fail-on error.", "每晚按应用版本监控结账:--fail-on error。"),
        ),
        proof=Text(
            "Conversion on Android is back above 60 % for 7 days, and by 2026-11-14 those written to bought more often than "
            "the tenth that was left out.",
            "Android 转化率连续 7 天回到 60% 以上;至 2026-11-14,触达用户的购买率高于留出的十分之一对照组。",
        ),
        audience="userops funnel events.parquet --steps view_item,begin_checkout,purchase --where 'platform=android' "
        "--stopped-at begin_checkout --per-user -o stopped.csv",
        reproduce="userops funnel events.parquet --steps view_item,begin_checkout,purchase --by platform "
        "--since 2026-09-07 --until 2026-10-04 --as-of 2026-10-31",
        status="new",
        chart=daily(0.624, 0.312),
    )  # fmt: skip


def quiet() -> tuple[Finding, ...]:
    """Smaller things."""
    return (
        Finding(
            id="portrait.top_share",
            area="portrait",
            title=Text("One user in ten brings 64 % of revenue.", "10% 的用户贡献了 64% 的收入。"),
            severity="warn",
            value=0.64,
            baseline=0.58,
            delta=0.06,
            n=4_310,
            q_value=0.034,
            kind="share",
            causes=(Cause(Text("Orders of champions grew by 21 %", "重要价值用户订单增长 21%"), "factor", None, 0.71),),
            actions=(Text("Speak with the 84 who stay away longest.", "回访流失最久的 84 位用户。"),),
            audience="userops rfm orders.parquet --per-user -o tiers.csv",
            confidence="medium",
        ),
        Finding(
            id="goals.revenue",
            area="goals",
            title=Text("Revenue runs 4 % behind the goal of the quarter.", "季度收入落后目标 4%。"),
            severity="info",
            value=2_310_000.0,
            baseline=2_402_000.0,
            target=2_400_000.0,
            delta=-92_000.0,
            kind="money",
            impact=-90_000.0,
            confidence="low",
            status="better",
        ),
    )


def areas(findings: tuple[Finding, ...]) -> tuple[Looked, ...]:
    """Six areas: one without a file, one without a finding."""
    waterfall = WaterfallBlock(
        Text("Revenue, from last month to this one", "收入:上月到本月"),
        (Text("September", "九月"), 812_400.0),
        ((Text("Users", "用户数"), 41_200.0), (Text("Orders per user", "人均订单"), -66_900.5), (Text("Value", "客单价"), 9_310.5)),
        (Text("October", "十月"), 796_010.0),
        "money",
    )  # fmt: skip
    evidence = {
        "data": (Evidence(Text("Rows used", "采用行数"), 1_204_331, "count"), Evidence(Text("Duplicates", "重复"), 0.0004, "share")),
        "portrait": (
            Evidence(Text("Users", "用户数"), 43_102, "count"),
            Evidence(Text("Top tenth of revenue", "头部 10% 收入占比"), 0.64, "share", Text("a year ago 58 %", "一年前 58%")),
            Evidence(Text("Age known", "年龄覆盖率"), 0.41, "share"),
        ),
        "goals": (Evidence(Text("Revenue", "收入"), 2_310_000.0, "money"), Evidence(Text("Days left", "剩余天数"), 61.0, "days")),
        "behaviour": (Evidence(Text("Checkout", "结账转化"), 0.554, "share"), Evidence(Text("Week 4", "第 4 周留存"), 0.21, "share")),
        "content": (Evidence(Text("Pages", "页面数"), 318, "count"), Evidence(Text("Top page", "首要页面"), "home", "text")),
    }  # fmt: skip
    demand = Text(
        "no feedback file: --feedback FILE with rating and text", "没有反馈文件:--feedback FILE(含评分与文本)"
    )
    return tuple(
        Looked(
            area,
            tuple(finding for finding in findings if finding.area == area),
            evidence.get(area, ()),
            (demand,) if area == "demand" else (),
            (waterfall,) if area == "goals" else (daily(0.6, 0.55),) if area == "behaviour" else (),
            skipped=area == "demand",
        )
        for area in found.AREAS
    )


def checkup_result(findings: tuple[Finding, ...] | None = None, whole: bool = False) -> Result:
    """The check-up as a result."""
    findings = found.ranked((checkout(), *quiet()) if findings is None else findings)
    warning = Text(
        "2 of 84 days hold no event: 2026-07-31, 2026-08-01", "84 天中有 2 天没有事件:2026-07-31、2026-08-01"
    )
    head: list[tuple[Text, Any, Any]] = [
        (Text("Findings", "诊断项"), len(findings), "count"),
        (Text("At stake", "涉及金额"), -274_320.5, "money"),
        (Text("Tested", "检验数"), 212, "count"),
    ]
    views = diagnose.views(
        areas(findings), findings, grade="B", head=head, tested=212, as_of=AS_OF.isoformat(), warnings=(warning,),
        manual_checks=(Text("Is consent recorded for every channel you write to?", "每个触达渠道是否都有用户同意记录?"),),
        definitions=(Text("Before: the eight weeks before, same weekdays.", "之前:此前八周的相同星期。"),), whole=whole,
    )  # fmt: skip
    inputs = (InputReport("events.parquet", "canonical", 1_204_331, 1_204_331, {}),)
    provenance = Provenance(AS_OF.isoformat(), "Asia/Shanghai", "monday", inputs, {}, (), (warning,))
    return Result("diagnose", found.table(findings), {"findings": len(findings)}, provenance, views=views)


def crowded_result(count: int = 60) -> Result:
    """As many findings as nobody wants, each with its chart, and a long table."""
    many = tuple(
        Finding(**{**{name: getattr(checkout(), name) for name in Finding.__slots__}, "id": f"f{number}",
                   "chart": daily(0.6, 0.3, number)})
        for number in range(count)
    )  # fmt: skip
    rows = pl.DataFrame({"user": [f"user {number:05}" for number in range(3_000)], "n": range(3_000)})
    from userops.results import Column

    table = TableBlock(
        Text("Everybody", "所有人"), (Column("user", Text("User", "用户")), Column("n", Text("n", "n"), "count")), rows
    )
    result = checkup_result(many)
    return Result("diagnose", result.rows, {}, result.provenance, views=(*result.views, table))


def hostile_checkup() -> Result:
    """Every text of every block from an enemy."""
    text = Text(HOSTILE, HOSTILE)
    chart = ChartBlock(text, (HOSTILE, HOSTILE), (Series(text, (1.0, math.nan)),), marked=(0, 9), baseline=math.inf)
    card = Card("error", text, text, ((text, HOSTILE, "text"),), (CardSection(text, (text,), HOSTILE),
                CardSection(text, (text,), HOSTILE, more=True)), chart)  # fmt: skip
    views = (
        StatusBlock(text, (StatusRow("warn", text, text, ((text, HOSTILE, "text"),)),), HOSTILE, text),
        CardsBlock(text, (card,), whole=True),
        WaterfallBlock(text, (text, 1.0), ((text, -3.0), (text, math.nan)), (text, 2.0)),
        WaterfallBlock(text, (text, 1.0), ((text, -3.0),), (text, 2.0), "money"),
        chart,
    )
    return Result("diagnose", pl.DataFrame({"x": [1]}), {}, Provenance(None, "UTC", "monday", (), {}, ()), views=views)
