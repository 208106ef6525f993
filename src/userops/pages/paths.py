"""What a person sees of paths: where users go from each event, how paths begin, where they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from userops import flowchart, stats
from userops.pages import shared
from userops.results import Block, Column, Edge, FactsBlock, GraphBlock, HeatBlock, Node, TableBlock, Text

if TYPE_CHECKING:
    from userops.paths import Story

MOST_ROWS, MOST_PATHS, MOST_EVENTS, MOST_COLUMNS = 15, 10, 15, 7
"""How many transitions, paths, events, and columns of a grid a page shows."""

MOST_ARROWS, MOST_DRAWN = 25, 15
"""Arrows of the flowchart, and of the graph on a page: more cannot be followed."""

EVENT = Column("event", Text("Event", "事件"))
SOURCE, TARGET = Column("source", Text("From", "来源")), Column("target", Text("To", "去向"))
SHARE = Column("share", Text("Share", "占比"), "share", bar=True)


# --- words ----------------------------------------------------------------------------------------------------------


def definitions(story: Story) -> tuple[Text, ...]:
    """The rules that made the numbers, in words."""
    return (
        _session_words(story),
        *_cut_words(story),
        Text(
            "Transitions: from each event to the next of the session; events of one instant go in order of their names. "
            "(start) leads to the first event, the last one to (exit). Share: of all that leaves the source.",
            "路径转移:同一会话内从一个事件到下一个事件;同一时刻的事件按名称排序。(start) 指向首个事件,末个事件指向 (exit)。"
            "占比:占该来源全部流出的比例。",
        ),
        Text(
            "Bounce rate: sessions with a single event, of all. Exit rate: of all that leaves an event, how much leaves "
            "the session. Dwell time: from an event to the next of the session; the last one has none.",
            "跳出率:仅含一个事件的会话占比。退出率:离开某事件的流出中结束会话的比例。停留时长:从某事件到会话内下一事件;"
            "末个事件无停留时长。",
        ),
        Text(
            "Step matrix: of all sessions, the share whose step N is the event; who has left stays at (exit).",
            "步骤矩阵:第 N 步为该事件的会话占比;已离开者计入 (exit)。",
        ),
        *_window_words(story),
        *_precision_words(story),
    )


def _session_words(story: Story) -> Text:
    match story.settings.gap_text:
        case "session_id":
            return Text(
                "Sessions: as the column session_id says; events without one go by a pause longer than 30m.",
                "会话:按 session_id 列;缺失者按 30 分钟间隔划分。",
            )
        case "none":
            return Text("Sessions: all events of a user are one.", "会话:每个用户的全部事件算一个会话。")
        case gap:
            return Text(
                f"Sessions: a pause longer than {gap} begins a new one, whatever ids the file has "
                "(--session-gap session_id goes by those).",
                f"会话:间隔超过 {gap} 即开始新会话,不看文件中的会话 ID(--session-gap session_id 则按其划分)。",
            )


def _cut_words(story: Story) -> tuple[Text, ...]:
    settings, found = story.settings, []
    if settings.start_at is not None:
        found.append(Text(
            f"Paths begin at the first '{settings.start_at}' of a session; sessions without it are left out.",
            f"路径从会话内首个“{settings.start_at}”开始;不含该事件的会话不计。",
        ))  # fmt: skip
    if settings.end_at is not None:
        after, after_zh = (" after that", "之后") if settings.start_at is not None else ("", "")
        found.append(Text(
            f"Paths end with the first '{settings.end_at}'{after}; sessions without it are left out.",
            f"路径到{after_zh}首个“{settings.end_at}”为止;不含该事件的会话不计。",
        ))  # fmt: skip
    if settings.max_steps is not None:
        found.append(Text(
            f"Only the first {settings.max_steps} events of a path are looked at; going on after that is no exit.",
            f"仅看每条路径的前 {settings.max_steps} 个事件;其后的继续不算退出。",
        ))  # fmt: skip
    return tuple(found)


def _window_words(story: Story) -> tuple[Text, ...]:
    settings = story.settings
    if not settings.since and not settings.until:
        return ()
    days = shared.span(settings.since, settings.until)
    return (
        Text(
            f"Reported: sessions that begin from {days.en}, whole.",
            f"报告范围:{days.zh} 开始的会话(整个会话)。",
        ),
    )


def _precision_words(story: Story) -> tuple[Text, ...]:
    if story.walk.precision == 1:
        return ()
    return (Text("Medians of time are of times rounded to whole seconds.", "时长中位数按四舍五入到整秒的时长计算。"),)


# --- blocks ---------------------------------------------------------------------------------------------------------


def views(
    story: Story, tables: dict[str, pl.DataFrame], summary: dict[str, Any], warnings: tuple[Text, ...]
) -> tuple[Block, ...]:
    """The page: headline, transitions, their graph and grid, events, top paths, step matrix, definitions, warnings."""
    blocks: list[Block] = [_facts(summary)]
    if story.settings.show == "sessions":
        blocks.append(_sessions(story, tables["sessions"]))
    else:
        drawn = graph(tables["transitions"], MOST_DRAWN)
        parts: list[Block] = [_parted(story, tables)] if story.by else [_grid(tables), _events(tables["events"])]
        shown = [drawn, *parts]
        steps = [] if story.by else [_matrix(tables["step_matrix"])]
        blocks += [*steps, *shown] if story.settings.show == "step_matrix" else [_transitions(story, tables), *shown]
        blocks += _compared(tables)
        blocks += [_top(story, tables["top_paths"])]
        blocks += steps if story.settings.show == "transitions" else []
    return (*blocks, *shared.ending(definitions(story), warnings))


def _facts(summary: dict[str, Any]) -> FactsBlock:
    return FactsBlock((
        (Text("users", "用户"), summary["users"], "count"),
        (Text("events", "事件"), summary["events"], "count"),
        (Text("sessions", "会话"), summary["sessions"], "count"),
        (Text("bounce rate", "跳出率"), summary["bounce_rate"], "share"),
        (Text("events per session", "会话事件数"), summary["mean_events_per_session"], "number"),
        (Text("median session (s)", "会话时长中位数(秒)"), summary["median_session_seconds"], "number"),
    ))  # fmt: skip


def _by(story: Story) -> tuple[Column, ...]:
    return shared.by_columns(*story.by)


def _transitions(story: Story, tables: dict[str, pl.DataFrame]) -> TableBlock:
    """The most frequent transitions, those into the first event left aside."""
    rows = tables["transitions"]
    shown = rows.sort("transitions", descending=True, maintain_order=True).head(MOST_ROWS)
    columns = (
        SOURCE,
        TARGET,
        Column("transitions", Text("Times", "次数"), "count"),
        Column("users", Text("Users", "用户数"), "count"),
        SHARE,
        Column("median_seconds", Text("Median (s)", "耗时中位数(秒)"), "number"),
    )
    more, title = rows.height > shown.height, f"transitions as of {story.as_of}"
    return TableBlock(
        Text(
            f"The {shown.height} most frequent {title}" if more else title.capitalize(),
            f"最常见的 {shown.height} 种转移(截至 {story.as_of})" if more else f"路径转移(截至 {story.as_of})",
        ),
        (*_by(story), *columns),
        shown,
    )


def _grid(tables: dict[str, pl.DataFrame]) -> HeatBlock:
    """Where each event leads, as a grid of shares: the most frequent events; all others in one column."""
    names = tables["events"]["event"].to_list()[:MOST_COLUMNS]
    rest = tables["events"].height > len(names)
    rows = tables["transitions"]
    columns = [*names, *(["…"] if rest else []), "(exit)"]
    kept = rows.filter(pl.col("source").is_in([*names, "(start)"])).with_columns(
        target=pl.when(pl.col("target").is_in([*names, "(exit)"])).then("target").otherwise(pl.lit("…"))
    )
    shares = {(a, b): share for a, b, share in kept.group_by("source", "target").agg(pl.col("share").sum()).iter_rows()}
    left = dict(kept.group_by("source").agg(pl.col("transitions").sum()).iter_rows())
    sources = [name for name in ("(start)", *names) if name in left]
    return HeatBlock(
        Text("From each event to the next", "从各事件到下一事件"),
        SOURCE.label,
        TARGET.label,
        tuple(Text(name, name) for name in sources),
        tuple(Text("others", "其他") if name == "…" else Text(name, name) for name in columns),
        tuple(tuple(shares.get((source, target)) for target in columns) for source in sources),
        kind="share",
        lead_title=Text("Times", "次数"),
        lead=tuple(left[source] for source in sources),
    )


def _events(events: pl.DataFrame) -> TableBlock:
    columns = (
        EVENT,
        Column("events", Text("Times", "次数"), "count"),
        Column("users", Text("Users", "用户数"), "count"),
        Column("entries", Text("First", "作为入口"), "count"),
        Column("exits", Text("Last", "作为出口"), "count"),
        Column("exit_rate", Text("Exit rate", "退出率"), "share", bar=True),
        Column("mean_dwell_seconds", Text("Mean dwell (s)", "平均停留(秒)"), "number"),
        Column("dwell_seconds_per_user", Text("Dwell per user (s)", "人均停留(秒)"), "number"),
    )
    return TableBlock(Text("Events", "事件"), columns, events.head(MOST_EVENTS))


def _top(story: Story, paths: pl.DataFrame) -> TableBlock:
    rows = paths.sort("sessions", descending=True, maintain_order=True).head(MOST_PATHS)
    most = story.settings.trail_steps
    columns = (
        *_by(story),
        Column("path", Text("Path", "路径")),
        Column("sessions", Text("Sessions", "会话数"), "count"),
        SHARE,
    )
    return TableBlock(
        Text(f"How paths begin: the first {most} events", f"最常见的路径开头(前 {most} 个事件)"), columns, rows
    )


def _matrix(matrix: pl.DataFrame) -> HeatBlock:
    """Events by step; the most frequent ones, the exit last."""
    totals = matrix.filter(pl.col("event") != "(exit)").group_by("event").agg(pl.col("sessions").sum())
    names = totals.sort("sessions", "event", descending=[True, False])["event"].to_list()[:MOST_EVENTS]
    shares = {(event, step): share for step, event, share in matrix.select("step", "event", "share").iter_rows()}
    steps = sorted(set(matrix["step"].to_list()))
    return HeatBlock(
        Text("Step matrix: where sessions are at each step", "步骤矩阵:会话在每一步的位置"),
        EVENT.label,
        Text("Step", "步骤"),
        tuple(Text(name, name) for name in (*names, "(exit)")),
        tuple(Text(str(step), str(step)) for step in steps),
        tuple(tuple(shares[name, step] for step in steps) for name in (*names, "(exit)")),
        kind="share",
    )


def _parted(story: Story, tables: dict[str, pl.DataFrame]) -> TableBlock:
    columns = (
        *_by(story),
        Column("users", Text("Users", "用户数"), "count"),
        Column("sessions", Text("Sessions", "会话数"), "count"),
        Column("bounce_rate", Text("Bounce rate", "跳出率"), "share", bar=True),
        Column("mean_events_per_session", Text("Events per session", "会话事件数"), "number"),
        Column("median_session_seconds", Text("Median session (s)", "会话时长中位数(秒)"), "number"),
    )
    by = story.by[0]
    return TableBlock(Text(f"Sessions by {by}", f"会话(按 {by})"), columns, tables["segments"])


def _compared(tables: dict[str, pl.DataFrame]) -> list[Block]:
    """Two segments side by side, what differs most first."""
    if "compared" not in tables:
        return []
    rows = tables["compared"]
    first, second = (rows[name][0] if rows[name][0] is not None else "–" for name in ("first", "second"))
    columns = (
        SOURCE,
        TARGET,
        Column("first_share", Text(first, first), "share"),
        Column("second_share", Text(second, second), "share"),
        Column("difference", Text("Difference", "差值"), "share"),
    )
    title = Text(f"Where {first} and {second} differ most", f"{first} 与 {second} 差异最大的转移")
    return [TableBlock(title, columns, rows.head(MOST_ROWS))]


def _sessions(story: Story, rows: pl.DataFrame) -> TableBlock:
    by_id = (Column("session_id", Text("Session id", "会话ID")),) if story.settings.by_id else ()
    columns = (
        Column("user_id", Text("User", "用户")),
        Column("session", Text("Session", "会话"), "count"),
        *by_id,
        Column("started_at", Text("Started", "开始时间")),
        Column("events", Text("Events", "事件数"), "count"),
        Column("seconds", Text("Seconds", "时长(秒)"), "number"),
    )
    return TableBlock(Text(f"Sessions as of {story.as_of}", f"会话(截至 {story.as_of})"), columns, rows)


# --- the graph ------------------------------------------------------------------------------------------------------


def mermaid(transitions: pl.DataFrame) -> str:
    """The most frequent transitions as a Mermaid flowchart: times and share on every arrow, the strongest ones thick.

    Values of ``by`` are put together.
    """
    return flowchart.mermaid(graph(transitions, MOST_ARROWS))


def graph(transitions: pl.DataFrame, most: int) -> GraphBlock:
    """The ``most`` frequent transitions and the events they join; values of ``by`` are put together."""
    summed = transitions.group_by("source", "target").agg(pl.col("transitions").sum())
    leaving = pl.col("transitions").sum().over("source")
    rows = summed.with_columns(share=stats.ratio(pl.col("transitions"), leaving))
    rows = rows.sort("transitions", "source", "target", descending=[True, False, False])
    left, come = (dict(rows.group_by(end).agg(pl.col("transitions").sum()).iter_rows()) for end in ("source", "target"))
    rows = rows.head(most)
    names = sorted({*rows["source"], *rows["target"]})
    places = {name: place for place, name in enumerate(names)}
    return GraphBlock(
        Text("Where paths go", "路径走向"),
        tuple(Node(Text(n, n), max(left.get(n, 0), come.get(n, 0)), end=n in ("(start)", "(exit)")) for n in names),
        tuple(
            Edge(places[source], places[target], count, share)
            for source, target, count, share in rows.select("source", "target", "transitions", "share").iter_rows()
        ),
    )
