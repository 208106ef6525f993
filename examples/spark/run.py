"""userops on a real Spark cluster: two workers on this machine, one of them lost on the way, answers as without Spark.

    python run.py [FOLDER]

Makes a simulated shop, starts a master, two workers and a Connect server on loopback, and compares byte for byte.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from local_cluster import LocalCluster, why_not

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("rfm", "orders.parquet"),
    ("retention", "events.parquet"),
    ("growth", "events.parquet"),
    ("funnel", "events.parquet", "--steps", "view_item,add_to_cart,purchase"),
    ("ltv", "orders.parquet"),
)
PATIENCE = 120
"""Seconds in which the work has to reach the workers."""


def command(folder: Path, words: Sequence[str], *more: str) -> list[str]:
    """A command line; the files of ``folder`` by their whole paths, which is how the workers find them."""
    files = [str(folder / word) if word.endswith(".parquet") else word for word in words]
    return [sys.executable, "-m", "userops", *files, "--json", "-q", *more]


def answer(words: Sequence[str]) -> bytes:
    """What a command prints; it has to end well."""
    return subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout


def on_spark(folder: Path, words: Sequence[str], url: str) -> list[str]:
    """The same command line, for the workers."""
    return command(folder, words, "--engine", "spark", "--spark-url", url)


def with_a_worker_lost(cluster: LocalCluster, words: Sequence[str]) -> bytes:
    """What a command prints although a worker is killed in the middle of it."""
    begun = cluster.tasks_begun()
    with subprocess.Popen(words, stdout=subprocess.PIPE) as run:
        until = time.monotonic() + PATIENCE
        while cluster.tasks_begun() < begun + 4 and run.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        cluster.kill_worker()
        out, _ = run.communicate()
    if run.returncode:
        raise SystemExit(f"ended with {run.returncode} once a worker was lost")
    return out


def main(folder: Path) -> int:
    if missing := why_not():
        print(missing)
        return 1
    shop = folder / "shop"
    answer([sys.executable, "-m", "userops", "demo", "--out", str(shop), "--customers", "3000", "-q"])
    here = {words: answer(command(shop, words)) for words in COMMANDS}
    print("starting a master, two workers and a Connect server")
    with LocalCluster(folder / "cluster") as cluster:
        same = True
        for words, expected in here.items():
            clock = time.monotonic()
            equal = answer(on_spark(shop, words, cluster.url)) == expected
            print(f"{words[0]:10} {'same bytes' if equal else 'DIFFERS'}, {time.monotonic() - clock:.0f} s")
            same &= equal
        words = COMMANDS[3]
        equal = with_a_worker_lost(cluster, on_spark(shop, words, cluster.url)) == here[words]
        print(f"{words[0]:10} {'same bytes' if equal else 'DIFFERS'}, with a worker lost on the way")
    return 0 if same and equal else 1


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")  # of PySpark, about its own packages
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1]).resolve()))
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(main(Path(scratch)))
