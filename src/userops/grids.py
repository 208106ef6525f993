"""Segment grids: which combination of R, F and M scores makes which segment, and what is wrong with a grid.

A grid covers every cell of ``bins x bins x bins`` exactly once. A written grid that leaves a cell open, or holds a rule
that can never match because earlier rules take all its cells, is refused with the cells and the rules named.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from userops.errors import UsageError
from userops.texts.segments import BUILT_IN, GridData, Segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Rule = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Grid:
    """A checked grid: its segments in order of value, and for each cell (r, f, m from 1) the segment's index."""

    name: str
    bins: int
    segments: tuple[Segment, ...]
    cells: tuple[int, ...]

    def assign(self, r: pl.Series, f: pl.Series, m: pl.Series) -> pl.Series:
        """The index of each user's segment (UInt8), from scores 1..bins."""
        cell = ((r.cast(pl.Int32) - 1) * self.bins + (f - 1)) * self.bins + (m - 1)
        return pl.Series("segment", self.cells, dtype=pl.UInt8).gather(cell)


def built_in(name: str) -> Grid:
    """One of the grids that come with userops; an unknown name is a UsageError with the closest one."""
    if name not in BUILT_IN:
        raise UsageError.unknown_name("segmentation", name, [*BUILT_IN, "kmeans:K", "a grid file.toml"])
    data = BUILT_IN[name]
    return _from_cells(name, data) if data.cells else checked(name, data.bins, data.segments, data.rules)


def parse(document: Mapping[str, Any], where: str) -> Grid:
    """A grid from a document (a TOML file, say): ``bins``, and ``[[segment]]`` with name, name_zh, r, f, m.

    The order of the segments is the order of their rules and of the output; a segment may come twice. ``where`` names
    the file in errors.
    """
    _refuse_unknown(where, document, {"name", "bins", "segment"})
    bins = document.get("bins", 5)
    if not isinstance(bins, int) or not 2 <= bins <= 20:
        raise UsageError.settings_file(where, f"bins cannot be {bins!r}", "it takes a whole number from 2 to 20")
    entries = document.get("segment", [])
    if not isinstance(entries, list) or not entries:
        raise UsageError.settings_file(where, "holds no segments", 'write them as [[segment]] name = "VIP" r = "4-5"')
    segments: dict[str, Segment] = {}
    rules: list[Rule] = []
    for number, entry in enumerate(entries, 1):
        _refuse_unknown(f"{where}: segment {number}", entry, {"name", "name_zh", "r", "f", "m"})
        name = entry.get("name")
        if not isinstance(name, str) or not name.strip():
            raise UsageError.settings_file(where, f"segment {number} has no name")
        segments.setdefault(name, Segment(name, str(entry.get("name_zh", name))))
        rules.append((name, *(str(entry.get(axis, "*")) for axis in "rfm")))  # type: ignore[arg-type] # three axes
    return checked(where, bins, tuple(segments.values()), rules)


def checked(name: str, bins: int, segments: tuple[Segment, ...], rules: Sequence[Rule]) -> Grid:
    """A grid from rules, the first that matches winning; gaps and rules that can never match are refused."""
    index = {segment.name: i for i, segment in enumerate(segments)}
    taken: dict[tuple[int, ...], int] = {}
    for number, (segment, *axes) in enumerate(rules, 1):
        spans = [_span(name, number, axis, text, bins) for axis, text in zip("rfm", axes, strict=True)]
        wanted = list(itertools.product(*spans))
        free = [cell for cell in wanted if cell not in taken]
        if not free:
            hiding = sorted({taken[cell] for cell in wanted})
            raise UsageError.settings_file(
                name,
                f"rule {number} ({segment}) can never match",
                f"every cell of it is taken by rule {', '.join(map(str, hiding))}: move it up, or narrow the earlier ones",
            )
        taken.update(dict.fromkeys(free, number))
    every = list(itertools.product(range(1, bins + 1), repeat=3))
    open_cells = ["".join(map(str, cell)) for cell in every if cell not in taken]
    if open_cells:
        shown = " ".join(open_cells[:8]) + (" …" if len(open_cells) > 8 else "")
        raise UsageError.settings_file(
            name,
            f"{len(open_cells)} of {len(every)} cells belong to no segment: {shown}",
            "add a last segment without r, f and m: it catches the rest",
        )
    return Grid(name, bins, segments, tuple(index[rules[taken[cell] - 1][0]] for cell in every))


def _from_cells(name: str, data: GridData) -> Grid:
    of_cell = {
        cell: index for index, segment in enumerate(data.segments) for cell in (data.cells or {})[segment.name].split()
    }
    every = ("".join(cell) for cell in itertools.product("12345", repeat=3))
    return Grid(name, data.bins, data.segments, tuple(of_cell[cell] for cell in every))


def _span(where: str, number: int, axis: str, text: str, bins: int) -> range:
    """``"*"`` is every score, ``"4"`` one, ``"2-4"`` a range."""
    if text.strip() == "*":
        return range(1, bins + 1)
    low, _, high = text.partition("-")
    try:
        first, last = int(low), int(high or low)
    except ValueError:
        first = last = 0
    if not 1 <= first <= last <= bins:
        hint = f"write one score, a range such as 2-{bins}, or * for all; scores run from 1 to {bins}"
        raise UsageError.settings_file(where, f"rule {number}: {axis} cannot be '{text}'", hint)
    return range(first, last + 1)


def _refuse_unknown(where: str, found: Mapping[str, Any], known: set[str]) -> None:
    for key in found:
        if key not in known:
            raise UsageError.unknown_name("key", key, sorted(known), where)
