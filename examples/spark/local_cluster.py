"""A real Spark cluster on loopback, from the PyPI package pyspark: a master, two workers, a Connect server.

    with LocalCluster(Path("scratch")) as cluster:
        subprocess.run(["userops", "rfm", "orders.parquet", "--engine", "spark", "--spark-url", cluster.url])

Needs Java 17 or later, and the packages pyspark[connect] and userops in this Python, which is also that of the workers.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Self

LOOPBACK = "127.0.0.1"
PATIENCE = 180
"""Seconds in which a server has to answer."""


def why_not() -> str | None:
    """What is missing here for a cluster; None where nothing is."""
    if shutil.which("java") is None:
        return "Java is not here"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pyspark
            import pyspark.sql.connect.session  # it needs packages of its own
    except ImportError as error:
        return f"pyspark[connect] is not here: {error}"
    if not (Path(pyspark.__file__).parent / "bin" / "spark-class").exists():
        return "pyspark is here as a thin client only"
    return None


class LocalCluster:
    """The processes of a cluster, all ended on leaving; ``folder`` takes their logs and scratch files."""

    def __init__(self, folder: Path, *, workers: int = 2) -> None:
        import pyspark

        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.home = folder, Path(pyspark.__file__).parent
        self.master, self.connect = _free_port(), _free_port()
        self.workers: list[subprocess.Popen[bytes]] = []
        self.servers: list[subprocess.Popen[bytes]] = []
        self.count = workers

    @property
    def url(self) -> str:
        """What ``--spark-url`` takes."""
        return f"sc://{LOOPBACK}:{self.connect}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        master = f"spark://{LOOPBACK}:{self.master}"
        deploy = "org.apache.spark.deploy"
        self.servers.append(
            self._run(
                "master",
                "spark-class",
                f"{deploy}.master.Master",
                "--host",
                LOOPBACK,
                "--port",
                self.master,
                "--webui-port",
                _free_port(),
            )
        )
        _answers(self.master, self.servers[-1])
        for number in range(self.count):
            self.workers.append(
                self._run(
                    f"worker-{number}",
                    "spark-class",
                    f"{deploy}.worker.Worker",
                    "--host",
                    LOOPBACK,
                    "--cores",
                    1,
                    "--memory",
                    "2g",
                    "--webui-port",
                    _free_port(),
                    master,
                )
            )
        settings = {
            "spark.executor.memory": "1g",
            "spark.ui.enabled": "false",
            "spark.driver.host": LOOPBACK,
            "spark.driver.bindAddress": LOOPBACK,
            "spark.connect.grpc.binding.address": LOOPBACK,
            "spark.connect.grpc.binding.port": self.connect,
            "spark.sql.shuffle.partitions": 8,
            "spark.sql.adaptive.coalescePartitions.enabled": "false",  # little data, yet several tasks
        }
        options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        server = "org.apache.spark.sql.connect.service.SparkConnectServer"
        self.servers.append(
            self._run(
                "connect",
                "spark-submit",
                "--class",
                server,
                "--master",
                master,
                "--driver-memory",
                "1g",
                *options,
                "spark-internal",
            )
        )
        _answers(self.connect, self.servers[-1])

    def _run(self, name: str, program: str, *arguments: object) -> subprocess.Popen[bytes]:
        """A program of Spark's, at the head of a group of processes."""
        environment = {
            **os.environ,
            "SPARK_HOME": str(self.home),
            "SPARK_LOCAL_IP": LOOPBACK,
            "SPARK_LOCAL_DIRS": str(self.folder / "scratch"),
            "SPARK_WORKER_DIR": str(self.folder / "work"),
            "SPARK_NO_DAEMONIZE": "1",
            "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
            "PYSPARK_PYTHON": sys.executable,
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            words = [str(self.home / "bin" / program), *(str(argument) for argument in arguments)]
            return subprocess.Popen(
                words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )

    def tasks_begun(self) -> int:
        """How many tasks went to workers so far, as the server tells."""
        return (self.folder / "connect.log").read_text(errors="replace").count("Starting task")

    def kill_worker(self, number: int = 0) -> None:
        """End one worker and all it started, without a word: as when a machine is lost."""
        _end(self.workers[number], signal.SIGKILL)

    def __exit__(self, *_: object) -> None:
        for process in reversed([*self.servers, *self.workers]):
            _end(process, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port


def _answers(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens; RuntimeError where nobody ever does."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with suppress(OSError):
            socket.create_connection((LOOPBACK, port), timeout=1).close()
            return
        time.sleep(0.5)
    raise RuntimeError(f"nobody listens at {LOOPBACK}:{port}; see the logs")
