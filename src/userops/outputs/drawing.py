"""What every SVG drawing shares: the two sheets, texts with their widths, numbers, and how to escape.

Each drawing is made twice, for a wide and for a narrow window (the style shows one), because text that shrinks with a
drawing cannot be read on a phone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from rich.cells import cell_len, set_cell_size

CELL = 6.7
"""Width of one cell of text of 12 units; a wide character has two."""

BOLD = 1.12
"""How much wider bold text is."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is drawn on, in the drawing's own units: one is a pixel where the window is as wide as the sheet.

    ``height`` is that of charts; what has a height of its own brings it.
    """

    name: str
    width: int
    height: int


WIDE = Sheet("wide", 960, 300)
"""Has the names beside the lines where they fit, and numbers under the pointer."""

NARROW = Sheet("narrow", 340, 230)
"""Has neither: a phone has no room and no pointer."""


def picture(sheet: Sheet, height: float, said: str, parts: Iterable[str]) -> str:
    """The parts on a sheet of that height, and what is said to who cannot see them."""
    return (
        f'<svg class="{sheet.name}" role="img" aria-label="{escaped(said)}" '
        f'viewBox="0 0 {sheet.width} {num(height)}">{"".join(parts)}</svg>'
    )


def text(words: str, x: float, y: float, anchor: str = "start", kind: str = "") -> str:
    """A line of text; ``kind`` is its class."""
    end = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text{class_of(kind, bool(kind))} x="{num(x)}" y="{num(y)}"{end}>{escaped(words)}</text>'


def titled(words: str, shapes: str, kind: str) -> str:
    """Shapes that say their words under the pointer."""
    return f'<g class="{kind}"><title>{escaped(words)}</title>{shapes}</g>'


def clipped(words: str, room: float) -> str:
    """The words as far as they fit, an ellipsis where they do not."""
    most = max(int(room / (CELL * BOLD)), 2)
    return words if cell_len(words) <= most else set_cell_size(words, most - 1).rstrip() + "…"


def width_of(words: str) -> float:
    """About how wide a text of 12 units is."""
    return cell_len(words) * CELL


def class_of(name: str, applies: bool) -> str:
    """The attribute, where it applies."""
    return f' class="{name}"' if applies else ""


def num(number: float) -> str:
    """A coordinate, short."""
    return f"{number + 0.0:.1f}".removesuffix(".0")


def escaped(words: str) -> str:
    """Words as they may stand in a page."""
    return escape(words, quote=True)
