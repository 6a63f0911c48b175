"""The process from which Spark forks its Python workers, with our package and the run's plan in it.

Spark starts one per executor (``spark.python.daemon.module``). All kernels are loaded, or compiled where the
cache is cold, once per executor and before its first task; a worker starts with them in milliseconds.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import sys
from pathlib import Path

import pandas  # noqa: F401 - what Spark itself imports in each worker before it maps batches
import pyspark.daemon
import pyspark.sql.pandas.serializers
import pyspark.sql.pandas.types

import corpusforge.engines.preload  # noqa: F401
from corpusforge.engines.shipping import load_plan
from corpusforge.errors import UsageError
from corpusforge.kernels.loading import load_all

PLAN_VARIABLE = "CORPUSFORGE_PLAN"
"""Environment variable that names the shipped plan."""


ARCHIVE = re.compile(r"^(pyspark.*\.zip|py4j.*\.zip|spark-core.*\.jar)$")
"""Files that Spark puts on its workers' path."""


def forget_archives() -> None:
    """Take Spark's own archives, which are imported by now, out of the places that imports look at.

    Spark's workers call `importlib.invalidate_caches` for every task, and Python 3.11 then reads the directory
    of every archive that it knows again: a tenth of a second of CPU for each task.
    """
    sys.path[:] = [path for path in sys.path if not _is_archive(path)]
    for path in list(sys.path_importer_cache):
        if _is_archive(path):
            del sys.path_importer_cache[path]


def _is_archive(path: str) -> bool:
    """Whether a path is, or lies in, an archive of Spark's."""
    return any(ARCHIVE.match(part) for part in Path(path).parts)


def main() -> None:
    """Load what workers need and serve Spark's requests for them."""
    location = os.environ.get(PLAN_VARIABLE)
    if location:
        # Where the plan cannot be seen, the first task says so, with a message that reaches the driver.
        with contextlib.suppress(UsageError):
            load_plan(location)
    load_all([module for name, module in sys.modules.items() if name.startswith("corpusforge.kernels.")])
    forget_archives()
    # Workers collect garbage after every task: what they share with this process is not theirs to look at.
    gc.freeze()
    pyspark.daemon.manager()


if __name__ == "__main__":
    main()
