"""What several pages say alike: how they end, columns and values of a breakdown, the days reported, how money adds up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from userops.account import money_text
from userops.results import Column, NotesBlock, Text

if TYPE_CHECKING:
    from datetime import date

    from userops.texts.compat import Preset

GRAINS: dict[str, Text] = {"day": Text("day", "日"), "week": Text("week", "周"), "month": Text("month", "月")}
"""What one period is called."""


def ending(definitions: Sequence[Text], warnings: Sequence[Text] = ()) -> tuple[NotesBlock, ...]:
    """The last blocks of a page: the definitions, and what to mind where there is anything."""
    defined = NotesBlock(Text("Definitions", "口径"), tuple(definitions))
    return (defined, NotesBlock(Text("Mind", "注意"), tuple(warnings), tone="warning")) if warnings else (defined,)


def by_columns(*names: str | None) -> tuple[Column, ...]:
    """The columns of a breakdown, called as the user calls them; none where there is none."""
    return tuple(Column(name, Text(name, name)) for name in names if name)


def value(found: object) -> Text:
    """How a value of a breakdown reads."""
    return Text("(none)", "(无)") if found is None else Text(str(found), str(found))


def span(since: date | None, until: date | None) -> Text:
    """The days of a report within a sentence; where they are open, from the first row, to as-of."""
    return Text(f"{since or 'the first row'} to {until or 'as-of'}", f"{since or '首行'} 至 {until or '截止日'}")


def preset_words(preset: Preset | None) -> tuple[Text, ...]:
    """What ``--compat`` set, and what of the product cannot be had."""
    if preset is None:
        return ()
    set_ = ", ".join(f"{name.replace('_', '-')} {how}" for name, how in preset.settings.items())
    return (
        Text(
            f"--compat {preset.name} follows {preset.title.en}; it sets, where nothing else is given: {set_} "
            f"({preset.source}).",
            f"--compat {preset.name} 按{preset.title.zh}的口径,未另行指定时设定:{set_}({preset.source})。",
        ),
        *(Text(f"{preset.title.en}: {text.en}", f"{preset.title.zh}:{text.zh}") for text in preset.differs),
    )


def amount(en: str, zh: str, steps: int) -> Text:
    """One amount of a sum, from steps of money."""
    return Text(f"{en} {money_text(steps)}", f"{zh} {money_text(steps)}")


def added(parts: Sequence[Text], whole: Text) -> Text:
    """Amounts that add up to another."""
    en, zh = " + ".join(part.en for part in parts), " + ".join(part.zh for part in parts)
    return Text(f"{en} = {whole.en}", f"{zh} = {whole.zh}")


def reconciliation(parts: Sequence[Text], total: int) -> NotesBlock:
    """The line that shows that no money is missing: amounts that add up to that of every row of the file."""
    line = added(parts, amount("the file's total", "文件合计", total))
    return NotesBlock(Text("Reconciliation", "对账"), (Text(f"{line.en}.", f"{line.zh}。"),))
