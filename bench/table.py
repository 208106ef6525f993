"""The tables of bench/README.md and README.md, from results.json.

    python bench/table.py        write both; tests/test_bench.py holds them to it

results.json has groups: a workload at one size, all its sides measured in turn in one run. A later run replaces whole
groups, so that a ratio is always one of figures that were measured together.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workloads import FLOOR, INSIDE, OURS, WHOLE, WORKLOADS

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
BLOCK = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- /bench -->)", re.DOTALL)
"""What stands between the marks in a document."""

Group = dict[str, Any]
Figures = dict[str, Any]


# --- groups ---------------------------------------------------------------------------------------------------------


def load(path: Path = RESULTS) -> list[Group]:
    """All groups, in the order of the workloads, small before large."""
    order = [workload.name for workload in WORKLOADS]
    found: list[Group] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    known = [group for group in found if group["workload"] in order]
    return sorted(known, key=lambda group: (order.index(group["workload"]), group["rows"]))


def save(group: Group, path: Path = RESULTS) -> None:
    """Keep a group, in the place of an earlier one of this workload and size."""
    same = ("workload", "rows")
    others = [other for other in load(path) if any(other[key] != group[key] for key in same)]
    lines = ",\n".join(json.dumps(each) for each in [*others, group])
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def of(group: Group, side: str, way: str) -> Figures | None:
    """The figures of a side; None where it took no part."""
    return next((f for f in group["figures"] if f["side"] == side and f["way"] == way), None)


def ratio(group: Group, figures: Figures, key: str = "wall") -> float | None:
    """Ours / that side's; None for our own and for the floor."""
    ours = of(group, OURS, figures["way"])
    return None if ours is None or figures["side"] in {OURS, FLOOR} else ours[key] / figures[key]


def floors(group: Group, figures: Figures) -> float | None:
    """How many times the bare scan of its columns a side takes."""
    floor = of(group, FLOOR, figures["way"])
    return None if floor is None else figures["wall"] / floor["wall"]


def exponent(group: Group, figures: Figures, groups: Iterable[Group]) -> tuple[float, bool] | None:
    """How CPU time grows with rows since the next smaller size (1: in proportion), and whether one run measured both."""
    smaller = [g for g in groups if g["workload"] == group["workload"] and 0 < g["rows"] < group["rows"]]
    before = max(smaller, key=lambda g: int(g["rows"]), default=None)
    then = of(before, figures["side"], figures["way"]) if before else None
    if before is None or then is None:
        return None
    grown = math.log(figures["cpu"] / then["cpu"]) / math.log(group["rows"] / before["rows"])
    return grown, before["run"] == group["run"]


# --- as people read it ----------------------------------------------------------------------------------------------


def count(text: str) -> int:
    """``10M`` as a number."""
    scale = {"k": 1_000, "M": 1_000_000}.get(text[-1], 1)
    return int(text.rstrip("kM")) * scale


def named(rows: int) -> str:
    """A number as ``10M``; empty for none."""
    for scale, letter in ((1_000_000, "M"), (1_000, "k")):
        if rows and rows % scale == 0:
            return f"{rows // scale}{letter}"
    return str(rows or "")


def said(value: float | None, form: str = ".2f") -> str:
    return "" if value is None else format(value, form)


HEAD = ("workload", "rows", "way", "side", "s", "min", "CPU s", "MB", "ratio", "of min", "of CPU", "x floor")


def as_line(cells: Iterable[str]) -> str:
    """A line for the terminal."""
    return "{:18} {:>5} {:13} {:20} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6} {:>6} {:>7}".format(*cells)


def lines(group: Group) -> Iterator[str]:
    """All figures of a group, for the terminal."""
    for f in group["figures"]:
        times = (said(f[key], ".3f") for key in ("wall", "wall_min", "cpu"))
        ratios = (said(ratio(group, f, key)) for key in ("wall", "wall_min", "cpu"))
        where = (group["workload"], named(group["rows"]), f["way"], f["side"])
        yield as_line((*where, *times, said(f["peak_mb"], ".0f"), *ratios, said(floors(group, f), ".1f")))


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *rows))


def whole_table(groups: list[Group]) -> str:
    """Every side at every size: in process on the left, from start to exit on the right."""
    inside = ("s", "CPU s", "MB", "ratio", "of CPU", "x floor", "exponent")
    whole = ("whole s", "whole CPU s", "whole MB", "whole ratio")
    sides = ((group, side) for group in groups for side in dict.fromkeys(f["side"] for f in group["figures"]))
    return markdown(("workload", "rows", "side", *inside, *whole), (_cells(*each, groups) for each in sides))


def _cells(group: Group, side: str, groups: list[Group]) -> list[str]:
    cells = [group["workload"], named(group["rows"]), side]
    if f := of(group, side, INSIDE):
        cells += [*_measured(f), said(ratio(group, f)), said(ratio(group, f, "cpu")), said(floors(group, f), ".1f")]
        cells += [_grown(exponent(group, f, groups))]
    else:
        cells += [""] * 7
    f = of(group, side, WHOLE)
    return [*cells, *([*_measured(f), said(ratio(group, f))] if f else [""] * 4)]


def _measured(f: Figures) -> list[str]:
    return [said(f["wall"], ".3f"), said(f["cpu"], ".3f"), said(f["peak_mb"], ".0f")]


def _grown(found: tuple[float, bool] | None) -> str:
    """An exponent, with a star where two runs made it."""
    return "" if found is None else f"{found[0]:.2f}" + ("" if found[1] else " *")


def short_table(groups: list[Group]) -> str:
    """From start to exit: ours, DuckDB and the ratios."""
    head = ("", "rows", "userops s", "DuckDB s", "of DuckDB", "of chdb", "peak MB")
    return markdown(head, (_short(group) for group in groups if group["rows"] and of(group, OURS, WHOLE)))


def _short(group: Group) -> list[str]:
    """A line; of the sides of DuckDB the first, which answers all that we do."""
    names = [f["side"] for f in group["figures"]]
    duckdb = next((name for name in names if name.startswith("DuckDB")), "DuckDB")
    ours, *others = (of(group, side, WHOLE) for side in (OURS, duckdb, "chdb"))
    assert ours is not None
    seconds = [said(f["wall"]) if f else "" for f in (ours, others[0])]
    ratios = [said(ratio(group, f)) if f else "" for f in others]
    return [group["workload"], named(group["rows"]), *seconds, *ratios, said(ours["peak_mb"], ".0f")]


def origin(groups: list[Group]) -> str:
    """Where, when and with what all this was measured."""
    machines = "; ".join(dict.fromkeys(group["machine"] for group in groups))
    runs, loads, days = (_span({group[key] for group in groups}) for key in ("runs", "load", "run"))
    return f"{machines}. Runs of each: {runs}; load {loads}; {days}.\n"


def _span(values: set[Any]) -> str:
    """From the least to the greatest; of times the days."""
    low, high = (str(value).split("T")[0] for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


# --- documents ------------------------------------------------------------------------------------------------------


def documents(groups: list[Group]) -> dict[Path, str]:
    """Each document with what stands between its marks made anew."""
    long, short = f"{origin(groups)}\n{whole_table(groups)}", short_table(groups)
    return {
        path: _with(path, block) for path, block in ((HERE / "README.md", long), (HERE.parent / "README.md", short))
    }


def _with(path: Path, block: str) -> str:
    text, n = BLOCK.subn(lambda _: f"\n{block}\n", path.read_text(encoding="utf-8"))
    assert n == 1, f"{path} has no place for the table"
    return text


if __name__ == "__main__":
    for path, text in documents(load()).items():
        path.write_text(text, encoding="utf-8")
