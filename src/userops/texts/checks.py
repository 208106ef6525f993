"""The checks of the data, DQ01 to DQ19, as data: what each is called, how grave it is, what to do about it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from userops.texts import Text

Severity = Literal["high", "medium", "low"]
"""What a finding does to the numbers: makes them wrong, bends some of them, or is good to know."""


class Check(NamedTuple):
    """One check: its stable id, its name, its severity, which kinds of rows it looks at, and what mends it."""

    id: str
    name: Text
    severity: Severity
    kinds: tuple[str, ...]
    fix: Text


_ALL, _ACTS, _ORDERS, _EVENTS = ("orders", "events", "users"), ("orders", "events"), ("orders",), ("events",)

CHECKS: tuple[Check, ...] = (
    Check("DQ01", Text("duplicates", "重复数据"), "high", _ALL, Text(
        "count each row once with --drop-duplicates (or say --grain line, where rows are lines), and mend what sent them twice",
        "用 --drop-duplicates 去重(若每行是订单明细,用 --grain line),并修复重复发送的环节",
    )),
    Check("DQ02", Text("rows without a user", "缺失用户"), "high", _ALL, Text(
        "these rows count nowhere; find where the id gets lost, or name another column: --map user_id=COLUMN",
        "这些行不计入任何指标;排查用户ID丢失的环节,或指定其他列:--map user_id=列名",
    )),
    Check("DQ03", Text("impossible times", "异常时间"), "high", _ALL, Text(
        "fix them at the source; until then --as-of leaves out what is later, --date-format says how to read them",
        "在源头修正;在此之前用 --as-of 排除之后的行,用 --date-format 指定时间格式",
    )),
    Check("DQ04", Text("clocks that disagree", "时钟不一致"), "medium", _ACTS, Text(
        "use the server's time, or look at --late-rows and report with --known-by",
        "改用服务器时间,或查看 --late-rows,并用 --known-by 出报表",
    )),
    Check("DQ05", Text("amounts below zero or unreadable", "金额为负或无法解析"), "high", _ORDERS, Text(
        "see them with --rejects; say how amounts are written: --decimal-comma, --amount-unit, --map amount=COLUMN",
        "用 --rejects 查看;说明金额写法:--decimal-comma、--amount-unit、--map amount=列名",
    )),
    Check("DQ06", Text("outliers", "离群金额"), "medium", _ORDERS, Text(
        "look at these orders; leave them out with --where 'amount<N' if they are no customers' own",
        "逐笔核对;若非正常消费,用 --where 'amount<N' 排除",
    )),
    Check("DQ07", Text("mixed currencies or units", "币种或单位混用"), "high", _ORDERS, Text(
        "report one currency at a time: --where currency=USD; convert before, or mend the unit at the source",
        "一次只看一种币种:--where currency=USD;先换算,或在源头统一单位",
    )),
    Check("DQ08", Text("test and internal accounts", "测试与内部账号"), "medium", _ALL, Text(
        "leave them out: --where 'user_id!=ID' (repeatable), or mark them at the source",
        "排除:--where 'user_id!=ID'(可重复),或在源头标记",
    )),
    Check("DQ09", Text("bots and click farms", "机器人与刷量"), "medium", _ACTS, Text(
        "look at these users, and leave them out: --where 'user_id!=ID' (repeatable)",
        "核对这些用户并排除:--where 'user_id!=ID'(可重复)",
    )),
    Check("DQ10", Text("missing days and hours", "缺失日期与时段"), "high", _ACTS, Text(
        "load them again, unless the shop was closed; --as-of leaves out a last day that is not over",
        "若非停业,补录缺失数据;最后一天未结束时用 --as-of 排除",
    )),
    Check("DQ11", Text("jumps in volume", "数据量突变"), "medium", _ACTS, Text(
        "tell promotions from faults: look at these days before you compare periods with them",
        "区分促销与故障:用这些日期做对比前先核实",
    )),
    Check("DQ12", Text("schema drift", "结构漂移"), "high", _ALL, Text(
        "ask who changed the export; name a renamed column with --map ROLE=COLUMN",
        "确认导出变更;列改名时用 --map 角色=列名 指定",
    )),
    Check("DQ13", Text("ids that may be one user", "疑似同一用户的ID"), "medium", _ALL, Text(
        "join them with --identities FILE, and write ids in one way at the source",
        "用 --identities 文件 合并,并在源头统一ID写法",
    )),
    Check("DQ14", Text("first digits (Benford)", "首位数字(本福特)"), "low", _ORDERS, Text(
        "no proof of anything: ask how the amounts came about",
        "不构成证据:了解金额的产生方式",
    )),
    Check("DQ15", Text("time zone in doubt", "时区存疑"), "medium", _ACTS, Text(
        "say where your users live: --tz Asia/Shanghai; ask in which zone the export writes times",
        "指定用户所在时区:--tz Asia/Shanghai;确认导出所用时区",
    )),
    Check("DQ16", Text("times at midnight", "零点时间"), "medium", _ALL, Text(
        "some rows hold a date where others hold a time: do not read hours, sessions or funnels from them",
        "部分行只有日期:不要用于小时、会话与漏斗分析",
    )),
    Check("DQ17", Text("late arrivals", "迟到数据"), "low", _ACTS, Text(
        "say so beside earlier reports, or repeat them; --known-by shows what was known then",
        "在旧报表旁注明或重算;--known-by 可重现当时所知",
    )),
    Check("DQ18", Text("steps, sums and files that contradict", "步骤、合计与文件矛盾"), "medium", _ACTS, Text(
        "ask which of the two is right before you trust a funnel or a total",
        "在使用漏斗或合计前,先确认哪一方正确",
    )),
    Check("DQ19", Text("files cut short", "文件截断"), "high", _ALL, Text(
        "copy or export the file again, and compare its row count with the source; prefer Parquet",
        "重新复制或导出,并与源头核对行数;建议使用 Parquet",
    )),
)  # fmt: skip
"""In the order of their ids. A check of rows it does not look at is skipped."""

GRADES: dict[str, Text] = {
    "A": Text("nothing to mend", "无需处理"),
    "B": Text("usable, mind the warnings", "可用,注意警告"),
    "C": Text("use with care: mend first what is marked", "谨慎使用:先处理标出的问题"),
    "D": Text("not to be relied on: numbers made of it are wrong", "不可信:据此得出的数字有误"),
}
"""What a grade says of the data."""
