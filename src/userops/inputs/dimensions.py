"""Which columns of a file are worth breaking numbers down by, and which name what a row is about.

Told from the names and the first rows alone, so that opening a file tells it: what is decided here is only what is
looked at, never a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from userops.inputs import layouts, times, values
from userops.inputs.layouts import normalised

if TYPE_CHECKING:
    from userops.inputs.raw import RawTable

MOST = 8
"""Columns that are broken down by at most."""

FEWEST_VALUES, MOST_VALUES = 2, 50
"""Distinct values among the first rows that make a column worth it."""

USUAL: tuple[tuple[str, ...], ...] = (
    ("channel", "utm_source", "渠道", "来源渠道"),
    ("platform", "os", "平台", "终端"),
    ("category", "category_id", "类目", "品类", "商品类目"),
    ("country", "国家", "地区"),
    ("city", "城市"),
    ("province", "region", "state", "省份", "区域"),
    ("age_group", "age", "年龄段"),
    ("gender", "sex", "性别"),
    ("device", "device_type", "设备", "设备类型"),
    ("plan", "tier", "level", "会员等级", "等级"),
    ("app_version", "version", "版本"),
    ("store", "shop", "门店", "店铺"),
)
"""Columns that people break down by first, in the order of their use."""

SUBJECTS: tuple[tuple[str, ...], ...] = (
    ("item_id", "product_id", "product", "sku", "item", "商品ID", "商品", "商品名称"),
    ("page", "url", "path", "screen", "page_location", "页面"),
    ("campaign", "utm_campaign", "campaign_id", "活动", "推广活动"),
    ("content_id", "article", "article_id", "post_id", "video_id", "内容", "内容ID", "文章"),
    ("category", "category_id", "类目", "品类", "商品类目"),
)
"""Columns that say what a row is about: of each line the first that a file has."""

_NO_DIMENSIONS = frozenset({"event", "currency", "status", "text", "topic"})
"""Roles that are few values and yet no segments of users."""

_NEVER = frozenset(
    map(normalised, ("email", "phone", "mobile", "name", "address", "ip", "手机号", "邮箱", "姓名", "地址"))
)


def dimensions(table: RawTable, kind: layouts.Kind | None = None) -> tuple[str, ...]:
    """The columns of few values to break down by, at most :data:`MOST`: the usual ones first, then as the file has them.

    Text and truth values with 2 to 50 values among the first rows; no ids, times, numbers, names of events, currencies
    and nothing personal. ``channel`` stands for whichever column plays that role. Empty where no row was seen.
    """
    roles = layouts.recognise(table, want=kind).roles if kind else layouts.recognise(table).roles
    role_of = {column: role for role, columns in roles.items() for column in columns}
    found = {}
    for place, column in enumerate(table.head.columns):
        role = role_of.get(column)
        name = "channel" if role == "channel" else column
        if role not in (None, "channel", "platform", "category_id") or name in found or name == "source":
            continue
        if normalised(column) not in _NEVER and _parts(table.head[column]):
            found[name] = (_rank(name, USUAL), place)
    return tuple(sorted(found, key=lambda name: found[name])[:MOST])


def subjects(table: RawTable, kind: layouts.Kind | None = None) -> tuple[str, ...]:
    """The columns that say what a row is about: an item, a page, a campaign; of each sort the first there is."""
    roles = layouts.recognise(table, want=kind).roles if kind else layouts.recognise(table).roles
    spelled = {normalised(column): column for column in reversed(table.head.columns)}
    found = []
    for names in SUBJECTS:
        by_role = [name for name in names if name in roles]
        by_name = [spelled[normalised(name)] for name in names if normalised(name) in spelled]
        found += (by_role or by_name)[:1]
    return tuple(dict.fromkeys(found))


def _rank(column: str, lists: tuple[tuple[str, ...], ...]) -> int:
    names = [{normalised(name) for name in line} for line in lists]
    return next((place for place, line in enumerate(names) if normalised(column) in line), len(lists))


def _parts(head: pl.Series) -> bool:
    """Whether the first values of a column are few, and words rather than numbers or times."""
    if not (values.is_textlike(head.dtype) or head.dtype == pl.Boolean) or head.dtype == pl.Binary:
        return False
    known = head.drop_nulls()
    words = known.cast(pl.String)
    if not FEWEST_VALUES <= words.n_unique() <= MOST_VALUES or 2 * words.n_unique() > max(known.len(), 4):
        return False
    numbers = words.cast(pl.Float64, strict=False).is_not_null().all()
    return head.dtype == pl.Boolean or not (numbers or times.looks_like_times(words))
