"""Words and grids as data, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Lang = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Text:
    """A label or a sentence in English and Chinese."""

    en: str
    zh: str

    def __call__(self, lang: Lang) -> str:
        """What a reader of ``lang`` is told."""
        return self.zh if lang == "zh" else self.en
