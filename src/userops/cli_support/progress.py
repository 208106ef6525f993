"""One line on a terminal's stderr about long work: rows, rate, what remains. It is gone when the work is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task
from rich.progress import Progress as Line
from rich.text import Text

LONG = 2.0
"""Seconds after which work is long."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The line; ``rows`` of inputs by their names, where somebody knows."""

    rows: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def watch(self, what: str) -> Iterator[Callable[[float], None]]:
        """Show a pass over ``what`` once it proves long; the function is told which share of it is done."""
        columns = (SpinnerColumn(style="dim"), BarColumn(24), _Words(self.rows.get(what)))
        line = Line(*columns, console=_Terminal(stderr=True), transient=True, refresh_per_second=4)
        task = line.add_task(what, total=1.0)
        shown = threading.Timer(LONG, line.start)
        shown.daemon = True
        shown.start()
        try:
            yield lambda share: line.update(task, completed=share)
        finally:
            shown.cancel()
            shown.join()
            if line.live.is_started:
                line.stop()


def told(what: str, rows: int | None, share: float, elapsed: float) -> str:
    """``orders.parquet: 12,500,000 of 50,000,000 rows, 3,100,000 a second, 12 s left``, or as much of it as is known."""
    if not share:
        return f"{what}: {f'{rows:,} rows, ' if rows else ''}{elapsed:.0f} s"
    left = f"{elapsed / share - elapsed:.0f} s left"
    if rows is None:
        return f"{what}: {share:.0%}, {left}"
    done = rows * share
    return f"{what}: {done:,.0f} of {rows:,} rows, {done / max(elapsed, 1e-3):,.0f} a second, {left}"


class _Words(ProgressColumn):
    """What :func:`told` says, anew with every refresh."""

    def __init__(self, rows: int | None) -> None:
        super().__init__()
        self.rows = rows

    def render(self, task: Task) -> Text:
        return Text(told(task.description, self.rows, task.completed, task.elapsed or 0.0))


class _Terminal(Console):
    """A terminal whose cursor stays in sight: who is ended by Ctrl-C cannot bring it back."""

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002 # it is shown, whatever is asked
        return False
