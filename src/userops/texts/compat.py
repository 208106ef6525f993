"""How other products count retention, as data: the settings of ours that follow them, and what cannot be had.

A setting that is missing is one for which no documented default was found: ours stays. Checked in November 2026
against copies of the documents, some of them older.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from userops.texts import Text


@dataclass(frozen=True, slots=True)
class Preset:
    """How a product documents its retention: the settings of ours that follow it, and what cannot be had.

    ``settings`` may hold ``cohort`` (first, recurring), ``mode`` (on, on-or-after), ``clock`` (calendar, elapsed,
    elapsed-hour), ``average`` (weighted, simple), ``day_zero`` (start, later), ``week_start`` (monday, sunday) and
    ``period`` (day, week, month). ``differs`` is one sentence for each thing that is not the same; ``source`` is the
    document.
    """

    name: str
    title: Text
    settings: Mapping[str, str]
    differs: tuple[Text, ...]
    source: str


_ZONE = Text(
    "It counts days in the time zone of the project; name that zone with --tz.",
    "该产品按项目设置的时区划分日期；请用 --tz 指定同一时区。",
)
_HISTORY = Text(
    "It knows a user's whole history; here the first time is the first one in the file, or signed_up_at in --users-table.",
    "该产品掌握用户的全部历史；这里的“首次”指文件中的第一次，或 --users-table 中的 signed_up_at。",
)

MIXPANEL = Preset(
    name="mixpanel",
    title=Text("Mixpanel", "Mixpanel"),
    settings={
        "cohort": "recurring",
        "mode": "on-or-after",
        "clock": "elapsed",
        "average": "weighted",
        "day_zero": "later",
        "period": "day",
    },
    differs=(
        Text(
            "It shows unfinished cells with an asterisk; here they are left empty.",
            "该产品用星号标出未结束的单元格；这里留空。",
        ),
        Text(
            "The worked example in its help weights by cohort size twice (56%); here the average is returned users over "
            "cohort users (60% in that example).",
            "其帮助文档的算例两次按群组人数加权（56%）；这里的平均值是留存人数除以群组人数（同一算例为 60%）。",
        ),
        Text(
            "Its on-or-before and streak criteria cannot be had.",
            "无法得到其“当日或之前”（on or before）与“连续”（streak）两种口径。",
        ),
        _ZONE,
    ),
    source="https://docs.mixpanel.com/docs/reports/retention",
)

AMPLITUDE = Preset(
    name="amplitude",
    title=Text("Amplitude", "Amplitude"),
    settings={
        "cohort": "recurring",
        "mode": "on",
        "clock": "elapsed-hour",
        "average": "weighted",
        "period": "day",
    },
    differs=(
        Text(
            "Its chart opens on new users and Return On or After, its API on Return On; for the chart add --cohort first "
            "--mode on-or-after.",
            "其图表默认分析新用户并采用 Return On or After，其 API 默认 Return On；要与图表一致，请加 --cohort first "
            "--mode on-or-after。",
        ),
        Text(
            "Its FAQ counts a user once in the overall rate; here a user counts once for each cohort they are in.",
            "其常见问题说明总体留存率中每个用户只计一次；这里用户属于几个群组就计几次。",
        ),
        Text(
            "It counts weeks and months in days, not in hours; here they are 7 and 30 times 24 hours from the hour of "
            "the start.",
            "其周、月留存按天而不是按小时计算；这里从起始行为所在的整点起，按 7 个和 30 个 24 小时计算。",
        ),
        Text(
            "It shows unfinished cells with an asterisk; here they are left empty.",
            "该产品用星号标出未结束的单元格；这里留空。",
        ),
        _ZONE,
    ),
    source="https://amplitude.com/docs/analytics/charts/retention-analysis/retention-analysis-time",
)

POSTHOG = Preset(
    name="posthog",
    title=Text("PostHog", "PostHog"),
    settings={
        "cohort": "first",
        "mode": "on",
        "clock": "calendar",
        "average": "simple",
        "day_zero": "start",
        "week_start": "sunday",
        "period": "day",
    },
    differs=(
        Text(
            "Its period 0 is always 100%; here it is only when start and return are the same event.",
            "其第 0 期始终为 100%；这里只有起始事件与回访事件相同时才是 100%。",
        ),
        Text(
            "It shows the period in progress and leaves it out of the average; here it is left empty.",
            "该产品会显示进行中的周期，但不计入平均值；这里留空。",
        ),
        Text(
            "Its documentation calls the weighted mean the default, but new charts are made with the simple one, as here.",
            "其文档称默认为加权平均，但新建图表实际采用简单平均，这里与后者一致。",
        ),
        _HISTORY,
        _ZONE,
    ),
    source="https://posthog.com/docs/product-analytics/retention",
)

GA4 = Preset(
    name="ga4",
    title=Text("Google Analytics 4", "Google Analytics 4"),
    settings={
        "cohort": "first",
        "mode": "on",
        "clock": "calendar",
        "day_zero": "start",
        "week_start": "sunday",
    },
    differs=(
        Text(
            "Its rolling and cumulative calculations cannot be had.",
            "无法得到其“滚动”与“累计”两种计算方式。",
        ),
        Text(
            "How it averages cohorts, treats unfinished periods and which period it opens on was not found in its "
            "documentation; here our own rules hold.",
            "未在其文档中找到群组平均方式、未结束周期的处理以及默认周期；这里沿用我们自己的规则。",
        ),
        _HISTORY,
        _ZONE,
    ),
    source="https://developers.google.com/analytics/devguides/reporting/data/v1/rest/v1beta/CohortSpec",
)

SENSORS = Preset(
    name="sensors",
    title=Text("Sensors Analytics", "神策分析"),
    settings={
        "cohort": "recurring",
        "mode": "on",
        "clock": "calendar",
        "day_zero": "start",
        "period": "day",
    },
    differs=(
        Text(
            "Its custom intervals (day n to day m) are an extra that is off by default; here they are --brackets.",
            "其“自定义区间留存”（第 n 天至第 m 天）为默认不开启的高级功能；这里用 --brackets。",
        ),
        Text(
            "Only part of its manual could be read: calendar days, a cohort for every period with a start, and day 0 "
            "counting the start itself are assumed.",
            "其手册只能读到一部分：按自然日计算、用户计入每个发生初始行为的周期、第 0 天计入初始行为本身，均为推定。",
        ),
        Text(
            "The average, the first day of the week and unfinished periods follow our own rules.",
            "平均方式、每周起始日和未结束的周期沿用我们自己的规则。",
        ),
    ),
    source="https://manual.sensorsdata.cn/sa/docs/guide_analytics_retention",
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in (MIXPANEL, AMPLITUDE, POSTHOG, GA4, SENSORS)}
"""The names ``--compat`` takes."""
