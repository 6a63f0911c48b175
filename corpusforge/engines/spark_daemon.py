"""The process from which Spark forks its Python workers, with our package and the run's plan in it.

Spark starts one per executor (``spark.python.daemon.module``). All kernels are loaded, or compiled where the
cache is cold, once per executor and before its first task; a worker starts with them in milliseconds.
"""

from __future__ import annotations

import contextlib
import gc
import os

import pyspark.daemon

import corpusforge.engines.preload  # noqa: F401
from corpusforge.engines.shipping import load_plan
from corpusforge.errors import UsageError

PLAN_VARIABLE = "CORPUSFORGE_PLAN"
"""Environment variable that names the shipped plan."""


def main() -> None:
    """Load what workers need and serve Spark's requests for them."""
    location = os.environ.get(PLAN_VARIABLE)
    if location:
        # Where the plan cannot be seen, the first task says so, with a message that reaches the driver.
        with contextlib.suppress(UsageError):
            load_plan(location)
    # Workers collect garbage after every task: what they share with this process is not theirs to look at.
    gc.freeze()
    pyspark.daemon.manager()


if __name__ == "__main__":
    main()
