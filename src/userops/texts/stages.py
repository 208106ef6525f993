"""The stages of a user's life, in the order of a life that goes on, as data."""

from __future__ import annotations

from typing import NamedTuple

from userops.texts import Text


class Stage(NamedTuple):
    """A stage: its key in English, its name in Chinese, and who is in it."""

    key: str
    zh: str
    meaning: Text


INTRODUCTION, GROWTH, MATURITY, DECLINE, SILENT, CHURNED, RETURNED = range(7)

STAGES: tuple[Stage, ...] = (
    Stage("introduction", "引入", Text("here for the first time, just now", "近期首次出现")),
    Stage("growth", "成长", Text("came back, and is here", "已再次出现,仍活跃")),
    Stage("maturity", "成熟", Text("comes often, and is here", "多次出现,仍活跃")),
    Stage("decline", "衰退", Text("late: most would have come back by now", "已晚于多数人的间隔")),
    Stage("silent", "沉默", Text("very late: few come back after so long", "已晚于绝大多数人的间隔")),
    Stage("churned", "流失", Text("taken to be gone", "视为已流失")),
    Stage("returned", "回流", Text("was taken to be gone, and is back", "流失后重新出现")),
)
"""Every user is in exactly one."""
