"""The segment grids that come with userops, as data: names in order of value, and which scores make them.

A rule is ``(segment, r, f, m)``: ranges of scores such as ``"4-5"``, ``"5"`` or ``"*"``; the first rule that matches
wins. A grid may list its cells instead (``"555 554"``: r, f, m).
"""

from __future__ import annotations

from typing import NamedTuple


class Segment(NamedTuple):
    """A segment's name in English and Chinese."""

    name: str
    name_zh: str


class GridData(NamedTuple):
    """A grid as written down: its segments in order of value, and either rules or cells."""

    bins: int
    segments: tuple[Segment, ...]
    rules: tuple[tuple[str, str, str, str], ...] = ()
    cells: dict[str, str] | None = None


CHAMPIONS11 = GridData(
    bins=5,
    segments=(
        Segment("Champions", "冠军客户"),
        Segment("Loyal", "忠诚客户"),
        Segment("Potential Loyalist", "潜在忠诚客户"),
        Segment("New", "新客户"),
        Segment("Promising", "有前途客户"),
        Segment("Need Attention", "需要关注客户"),
        Segment("About To Sleep", "即将沉睡客户"),
        Segment("Cannot Lose", "不能失去客户"),
        Segment("At Risk", "流失风险客户"),
        Segment("Hibernating", "沉睡客户"),
        Segment("Lost", "已流失客户"),
    ),
    # The 125-cell list in common use since Putler's; every cell once, none missing (tested).
    cells={
        "Champions": "555 554 544 545 454 455 445",
        "Loyal": "543 444 435 355 354 345 344 335",
        "Potential Loyalist": "553 551 552 541 542 533 532 531 452 451 442 441 431 453 433 432 423 353 352 351 342 341 333 323",
        "New": "512 511 422 421 412 411 311",
        "Promising": "525 524 523 522 521 515 514 513 425 424 413 414 415 315 314 313",
        "Need Attention": "535 534 443 434 343 334 325 324",
        "About To Sleep": "331 321 312 221 213 231 241 251",
        "At Risk": "255 254 245 244 253 252 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 124",
        "Cannot Lose": "155 154 144 214 215 115 114 113",
        "Hibernating": "332 322 233 232 223 222 132 123 122 212 211",
        "Lost": "111 112 121 131 141 151",
    },
)

# Monetary decides important (重要) or general (一般); then recency and frequency. Two bins: 2 is high, 1 is low.
CN8 = GridData(
    bins=2,
    segments=(
        Segment("Important value", "重要价值客户"),
        Segment("Important growth", "重要发展客户"),
        Segment("Important keep", "重要保持客户"),
        Segment("Important win-back", "重要挽留客户"),
        Segment("General value", "一般价值客户"),
        Segment("General growth", "一般发展客户"),
        Segment("General keep", "一般保持客户"),
        Segment("General win-back", "一般挽留客户"),
    ),
    rules=(
        ("Important value", "2", "2", "2"),
        ("Important growth", "2", "1", "2"),
        ("Important keep", "1", "2", "2"),
        ("Important win-back", "1", "1", "2"),
        ("General value", "2", "2", "1"),
        ("General growth", "2", "1", "1"),
        ("General keep", "1", "2", "1"),
        ("General win-back", "1", "1", "1"),
    ),
)

# The four value tiers of Chinese user operations: the silent fifth apart, the rest by what they spend.
VALUE_TIERS = GridData(
    bins=5,
    segments=(
        Segment("High value", "高价值用户"),
        Segment("Potential", "潜力用户"),
        Segment("Ordinary", "普通用户"),
        Segment("Silent", "沉默用户"),
    ),
    rules=(
        ("Silent", "1", "*", "*"),
        ("High value", "*", "*", "5"),
        ("Potential", "3-5", "*", "3-4"),
        ("Ordinary", "*", "*", "*"),
    ),
)

BUILT_IN: dict[str, GridData] = {"champions11": CHAMPIONS11, "cn8": CN8, "value-tiers": VALUE_TIERS}
