"""Shipping a plan: one file in the run directory that every worker process reads once.

It holds the plan and the sources of the plugins that its steps come from, so a worker on another machine needs
the package, and access to the run directory and the inputs, and nothing else.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import socket
import sys
import tempfile
from pathlib import Path

from corpusforge import registry, storage
from corpusforge.errors import UsageError
from corpusforge.layout import RunLayout
from corpusforge.plan import Plan


def absolute_root(root: str) -> str:
    """The run directory as every process of this machine names it, whatever its working folder."""
    return root if "://" in root else os.path.abspath(root)  # noqa: PTH100 - keeps symbolic links as they are


def ship_plan(plan: Plan, root: str) -> str:
    """Write the plan below the run directory, named by its hash; gives the location."""
    plugins = [(Path(plugin).name, Path(plugin).read_bytes()) for plugin in plan.plugins]
    blob = pickle.dumps({"plugins": plugins, "plan": pickle.dumps(plan)})
    location = RunLayout(root).file("stages", f"plan-{hashlib.sha256(blob).hexdigest()[:16]}.pickle")
    storage.commit_bytes(location, blob)
    return location


@functools.cache
def load_plan(location: str) -> Plan:
    """Read a shipped plan, once per process.

    Raises `UsageError` where the run directory cannot be seen, or the package of a step is not installed.
    """
    try:
        blob = pickle.loads(storage.read_bytes(location))
    except OSError as error:
        raise UsageError(
            f"the worker on host {socket.gethostname()} does not see {location} ({error.strerror or error}): "
            "the run directory must lie on storage that the driver and all workers share under one name"
        ) from error
    for name, source in blob["plugins"]:
        _load_plugin(name, source)
    try:
        plan: Plan = pickle.loads(blob["plan"])
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the worker on host {socket.gethostname()} has no module {error.name!r}: install the package with this "
            "step on every worker, as on the driver, or give the step as a file with --plugin, which travels"
        ) from error
    return plan


def _load_plugin(name: str, source: bytes) -> None:
    """Load a plugin from its source, as the module that the driver knows."""
    module = f"corpusforge_plugin_{Path(name).stem}_{hashlib.sha256(source).hexdigest()[:12]}"
    if module in sys.modules:
        return
    with tempfile.TemporaryDirectory(prefix="corpusforge-plugin-") as folder:
        path = Path(folder) / name
        path.write_bytes(source)
        registry.load_plugin(path)
