"""A process that makes runs on one engine, one after the other, so that what an engine starts is started once.

Run as ``python engine_driver.py ENGINE WORKERS name=value…``. A line on its standard input is a run (JSON: recipe,
settings, inputs, output), a line on its standard output what came of it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback

from corpusforge import recipe as recipes
from corpusforge.engines.base import Progress
from corpusforge.plan import Stage
from corpusforge.run import run_recipe


def start_spark(workers: int, options: dict[str, str]) -> None:
    """One Spark application for all runs: the engine takes the one that it finds."""
    from corpusforge.engines import spark_session

    spark_session.require_spark()
    spark_session.find_java()
    spark_session.start_session(spark_session.parse_spark_options(options), workers, {"OMP_NUM_THREADS": "1"})


class Dies(Progress):
    """Kills the process and its group, as a loss of the machine would, inside the stage of that number."""

    def __init__(self, stage: int) -> None:
        self._stage = stage

    def task_done(self, stage: Stage, task: int) -> None:
        if stage.index == self._stage:
            os.killpg(0, signal.SIGKILL)


def main(engine: str, workers: int, options: dict[str, str]) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no answer
    if engine == "spark":
        start_spark(workers, options)
    for line in sys.stdin:
        order = json.loads(line)
        started = time.monotonic()
        answer = {"error": ""}
        try:
            recipe = recipes.load(order["recipe"], order["settings"])
            run_recipe(
                recipe,
                order["inputs"],
                order["output"],
                engine=engine,
                engine_options=options,
                workers=workers,
                progress=Dies(order.get("die_in_stage", -1)),
            )
        except Exception:
            answer["error"] = traceback.format_exc()
        answers.write(json.dumps({**answer, "seconds": time.monotonic() - started}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), dict(word.split("=", 1) for word in sys.argv[3:]))
