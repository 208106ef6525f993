"""Where a run works and what it may take: ``--memory-limit``, ``--engine``, and the line of progress."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from userops.cli_support.exits import Exit
from userops.cli_support.guard import leave
from userops.errors import InputError, UsageError

if TYPE_CHECKING:
    from userops.cli_support.diagnostics import Talk
    from userops.cli_support.running import Run

_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}

ON_SPARK = ("rfm", "retention", "activity", "growth", "lifecycle", "survival", "ltv", "churn", "funnel", "paths")
"""The commands that are reduce and finish, and nothing else."""

ADDRESS_SPACE = 1_500_000_000
"""Bytes of address space without which Polars' threads do not start, or hang."""

_A_LOOK = 0.02
"""Seconds between two looks at the memory in use."""


def settle(run: Run, command: str) -> None:
    """Have the run work where its options say; UsageError where they cannot be met."""
    if "engine" not in run.takes:  # it reads no rows
        return
    require_address_space()
    common, memory = run.common, None
    if common.memory_limit is not None:
        memory = parse_size(common.memory_limit, "--memory-limit")
        _few_threads(memory)

    from userops import partition

    if memory is not None:
        partition.fitting(0, partition.TYPICAL, memory)  # the program itself
        run.stack.enter_context(_held_to(memory, run.talk))
    if common.engine == "spark":
        run.facts["cluster"] = _cluster(run, command)
    place = partition.Place(memory, run.facts.get("cluster"), run.talk.detail)
    if sys.stderr.isatty() and not (common.quiet or run.talk.as_json):
        from userops.cli_support.progress import Progress

        run.facts["progress"] = Progress()
        place = replace(place, watch=run.facts["progress"].watch)
    run.stack.enter_context(partition.working_in(place))


def require_address_space() -> None:
    """InputError where a limit on the address space is too tight: threads that cannot start may hang for ever."""
    try:
        import resource
    except ImportError:  # not every system has such limits
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < ADDRESS_SPACE:
        raise InputError.little_address_space(limit, ADDRESS_SPACE)


def parse_size(text: str, option: str) -> int:
    """Bytes, from ``800MB``, ``1.5GB`` or ``2GiB``; UsageError for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?\s*", text, re.IGNORECASE)
    if not found:
        raise UsageError.bad_value(option, text, "a size such as 800MB or 1.5GB")
    return int(float(found[1]) * _UNITS[found[2].casefold()])


def _cluster(run: Run, command: str) -> object:
    common = run.common
    if command not in ON_SPARK:
        raise UsageError.not_on_engine("spark", command, f"it runs {', '.join(ON_SPARK)}")
    for option, given in (("--rejects", common.rejects), ("--identities", common.identities)):
        if given is not None:
            raise UsageError.conflict("--engine spark", option, "leave one of them out")
    if common.spark_url is None:
        raise UsageError.engine_needs("spark", "--spark-url", "name the Connect server: --spark-url sc://host:15002")

    from userops.cluster import Cluster

    return run.stack.enter_context(Cluster.connected(common.spark_url, command, run.talk.detail))


def _few_threads(memory: int) -> None:
    """Every thread holds a part of the file; Polars asks once, when it is loaded."""
    fitting = max(2, memory // 400_000_000)
    if (os.cpu_count() or 1) > fitting:
        os.environ.setdefault("POLARS_MAX_THREADS", str(fitting))


@contextmanager
def _held_to(memory: int, talk: Talk) -> Iterator[None]:
    """End this process with one line should it take more in the block; only where the system tells what it takes."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(_A_LOOK):
            if _resident() > memory:
                talk.error(InputError.memory_limit_met(memory), Exit.INPUT)
                leave(Exit.INPUT)

    threading.Thread(target=look, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _resident() -> int:
    """Bytes of memory that this process takes; 0 where that is not known."""
    with suppress(OSError, ValueError, IndexError), open("/proc/self/statm", encoding="ascii") as told:
        return int(told.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    return 0
