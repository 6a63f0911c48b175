"""What a submitted job asks of Spark is what Spark does: the request's own files, archive, properties and arguments."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from corpusforge.recipe import load_text
from corpusforge.submit import bundle as bundles
from corpusforge.submit.command import Run
from corpusforge.submit.dataproc import CODE_FOLDER, Target, job_request

RECIPE = """\
name: small
shard_bytes: 1000
partitions: 2
error_budget: 0.5
sources: {commoncrawl: {}}
steps: [extract, exact_dedup]
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_spark_submit_runs_the_request_with_executors_of_their_own(sample: Path, tmp_path: Path) -> None:
    """Executors are processes with working folders of their own; they import the package from the archive."""
    pyspark = pytest.importorskip("pyspark", reason="the extra spark is not installed")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("no Java")
    run = Run(
        load_text(RECIPE, "small.yaml"),
        {"commoncrawl": [f"file://{sample}/warc/sample-00000.warc.gz"]},
        f"file://{tmp_path}/out",
    )
    bundle = bundles.make_bundle(run.recipe, "recipe", [], f"file://{tmp_path}/staging", "job", False)
    assert all(sent for _, sent in bundles.upload(bundle))
    # Driver and executor compile the shipped kernels, for once only: not to optimize them takes a third less.
    target = Target("p", "r", "c", properties={"spark.executorEnv.NUMBA_OPT": "0"})
    workload = job_request(target, bundle, "job", "id", run.arguments())["job"]["pyspark_job"]
    home = Path(pyspark.__file__).parent
    # local-cluster is Spark's own way to start a master and executors as processes of one machine.
    command = [str(home / "bin" / "spark-submit"), "--master", "local-cluster[1,1,1024]"]
    for name, value in workload["properties"].items():
        command += ["--conf", f"{name}={value}"]
    command += [
        "--archives",
        ",".join(workload["archive_uris"]),
        workload["main_python_file_uri"],
        *workload["args"],
    ]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    before = set((home / "work").glob("app-*"))
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1700, check=False
    )
    applications = set((home / "work").glob("app-*")) - before
    compiled = [
        path for folder in applications for path in folder.glob(f"*/{CODE_FOLDER}/corpusforge/**/*.nbi")
    ]
    for folder in applications:
        shutil.rmtree(folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads((tmp_path / "staging" / "jobs" / "job" / "result.json").read_bytes()) == {
        "exit_status": 0
    }
    assert json.loads((tmp_path / "out" / "ledger.json").read_bytes())["closed"] is True
    assert compiled, "no executor compiled kernels of the shipped archive: they imported another package"
