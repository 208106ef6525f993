"""How other products count funnels, as data: the settings of ours that follow them, and what cannot be had.

A setting that is missing is one for which no documented default was found: ours stays. Checked in November 2026
against copies of the documents, some of them older.
"""

from __future__ import annotations

from userops.texts import Text
from userops.texts.compat import Preset

_HISTORY = Text(
    "Entries are those of --since to --until; later steps are looked for in all rows, as there.",
    "进入漏斗的行为取 --since 至 --until 之间;后续步骤在全部数据中查找,与该产品一致。",
)

MIXPANEL = Preset(
    name="mixpanel",
    title=Text("Mixpanel", "Mixpanel"),
    settings={"within": "7d", "order": "ordered", "entry": "first"},
    differs=(
        Text(
            "It takes consecutive steps less than two seconds apart in either order; that cannot be had: only rows of "
            "the same instant are interchangeable here.",
            "该产品把相隔两秒以内的相邻步骤视为可互换;这里无法做到,只有同一时刻的行可互换。",
        ),
        Text(
            "Its totals (one user converting many times) cannot be had; --count sessions or --count COLUMN come near. "
            "Its optional re-entry is --entry any.",
            "无法得到其“总次数”口径(同一用户多次转化);可用 --count sessions 或 --count 列名近似。其可选的重复进入对应 --entry any。",
        ),
        _HISTORY,
    ),
    source="https://docs.mixpanel.com/docs/reports/funnels/funnels-advanced",
)

AMPLITUDE = Preset(
    name="amplitude",
    title=Text("Amplitude", "Amplitude"),
    settings={"order": "ordered", "entry": "any", "resolution": "second"},
    differs=(
        Text(
            "Its conversion window on opening a chart was not found in its documents; ours of 7 days holds unless "
            "--within is given. It counts in units of 24 hours, as here.",
            "未在其文档中找到图表默认的转化窗口;未指定 --within 时沿用 7 天。其按 24 小时计,与这里一致。",
        ),
        Text(
            "It counts one of several rows of the same event in one second, as here; with its millisecond resolution "
            "switched on, add --resolution exact.",
            "同一秒内的相同事件只计一次,与这里一致;若其开启毫秒精度,请加 --resolution exact。",
        ),
        Text("Its totals cannot be had.", "无法得到其“总次数”口径。"),
    ),
    source="https://amplitude.com/docs/analytics/charts/funnel-analysis/funnel-analysis-how-amplitude-handles-simultaneous-events",
)

POSTHOG = Preset(
    name="posthog",
    title=Text("PostHog", "PostHog"),
    settings={"within": "14d", "order": "ordered", "entry": "any"},
    differs=(
        Text(
            "An excluded event there drops the user from every step; that cannot be had: here it breaks the chain and "
            "the user keeps the steps before it.",
            "在该产品中,排除事件会使用户从所有步骤中消失;这里无法做到,仅中断该路径,之前的步骤仍计入。",
        ),
        Text(
            "Its breakdown goes by the first touch; here by the value at the step-1 row, so that one user may be under "
            "several values (its step attribution).",
            "其细分默认按首次触点;这里按第一步所在行的取值,同一用户可出现在多个取值下(相当于其按步骤归因)。",
        ),
        Text(
            "In its strict order, the step just done again is not between; here every other row is.",
            "其严格顺序中,刚完成的步骤再次出现不算中断;这里任何其他行都算。",
        ),
        Text("It takes a window of 0 as 14 days; here that is an error.", "其把 0 窗口当作 14 天;这里视为错误。"),
    ),
    source="https://posthog.com/docs/product-analytics/funnels",
)

GA4 = Preset(
    name="ga4",
    title=Text("Google Analytics 4", "Google Analytics 4"),
    settings={"within": "none", "order": "ordered"},
    differs=(
        Text(
            "Open funnels (entering at any step) and times from step to step cannot be had; a step that directly follows "
            "is --order strict for all steps.",
            "无法得到其开放式漏斗(可从任意步骤进入)与步骤间限时;“直接后续”对应 --order strict(作用于全部步骤)。",
        ),
        Text(
            "How it treats rows of the same instant and repeated entries was not found; ours hold.",
            "未找到其对同一时刻的行与重复进入的处理方式;沿用我们的规则。",
        ),
    ),
    source="https://developers.google.com/analytics/devguides/reporting/data/v1/rest/v1alpha/properties/runFunnelReport",
)

SENSORS = Preset(
    name="sensors",
    title=Text("Sensors Analytics", "神策分析"),
    settings={"order": "ordered", "entry": "any"},
    differs=(
        Text(
            "Only part of its manual could be read: step 1 in the date range, the entry nearest to the goal, and stopping "
            "at the first completion are as here; its default window was not found (ours of 7 days holds). Its window of "
            "the same day is --within same-day, its linked property --hold.",
            "其手册只能读到一部分:第一步须在所选时间内、取离目标最近的进入、首次完成即止,与这里一致;未找到其默认窗口期"
            "(沿用 7 天)。其“当天”窗口对应 --within same-day,关联属性对应 --hold。",
        ),
    ),
    source="https://manual.sensorsdata.cn/sa/docs/guide_analytics_funnel",
)

CLICKHOUSE = Preset(
    name="clickhouse",
    title=Text("ClickHouse windowFunnel", "ClickHouse windowFunnel"),
    settings={"order": "ordered", "entry": "any"},
    differs=(
        Text(
            "One row serves one step here, as with its mode strict_once; its default, in which one row may serve several "
            "steps, cannot be had, and differs only where steps share rows.",
            "这里一行只用于一个步骤,相当于其 strict_once 模式;其默认模式允许一行用于多个步骤,无法得到,仅在步骤共用行时有差别。",
        ),
        Text(
            "--strictly-after is strict_once with strict_increase. Its strict_order and strict_deduplication miss chains "
            "of repeated steps and cannot be had; --order strict finds them.",
            "--strictly-after 相当于 strict_once 加 strict_increase。其 strict_order、strict_deduplication 会漏掉含重复步骤的"
            "路径,无法得到;--order strict 能找到。",
        ),
        Text(
            "Its window is an argument without a default; ours of 7 days holds unless --within is given.",
            "其窗口为必填参数;未指定 --within 时沿用 7 天。",
        ),
    ),
    source="https://clickhouse.com/docs/sql-reference/aggregate-functions/parametric-functions#windowfunnel",
)

PRESETS: dict[str, Preset] = {p.name: p for p in (MIXPANEL, AMPLITUDE, POSTHOG, GA4, SENSORS, CLICKHOUSE)}
"""The names ``--compat`` takes."""
