"""Whole runs of the local engine whose inputs and output lie in object stores, beside the same run on local disks."""

from __future__ import annotations

import hashlib
import io
import json
import types
from pathlib import Path

import pytest
from object_stores import Store, gcs_store, s3_store
from rich.console import Console
from runs import COMPARED, command, digests, kill_group_when, run_cli
from typer.testing import CliRunner

from corpusforge import books, storage
from corpusforge.cli import app
from corpusforge.errors import UsageError
from corpusforge.layout import RunLayout
from corpusforge.places import place
from corpusforge.recipe import load_text
from corpusforge.report.status import status
from corpusforge.report.tune import tune
from corpusforge.report.tune_command import plain_values

RECIPE = """\
name: remote
shard_bytes: 60000
batch_documents: 32
partitions: 2
error_budget: 0.5
sources:
  commoncrawl: {}
steps:
  - extract
  - exact_dedup
  - tokenize: {vocabulary_size: 500, sample_bytes: 100000}
  - pack: {sequence_length: 128}
  - mix: {formats: [mds, megatron]}
"""
"""Every kind of file: sidecars, errors, exchanges, tables, folds, files of single tasks, both kinds of shards."""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "remote.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def local_run(sample, recipe, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("local") / "run"
    done = run_cli(command(recipe, f"{sample}/warc/*.warc.gz", output, "--workers", "2", "--limit", "2"))
    assert done.returncode == 0, done.stderr
    return output


def with_inputs(store: Store, sample: Path) -> str:
    """A new bucket with the sample's archives; gives its URL."""
    bucket = store.bucket()
    for path in sorted((sample / "warc").glob("*.warc.gz")):
        storage.commit_bytes(f"{bucket}/warc/{path.name}", path.read_bytes())
    store.forget()
    return bucket


def remote_command(recipe: Path, bucket: str, workers: int) -> list[str]:
    arguments = command(
        recipe, f"{bucket}/warc/*.warc.gz", Path("output"), "--workers", str(workers), "--limit", "2"
    )
    return [f"{bucket}/run" if argument == "output" else argument for argument in arguments]


def remote_digests(root: str) -> dict[str, str]:
    """What `digests` gives of a local run."""
    found = {}
    for name in COMPARED:
        listed = storage.list_input(f"{root}/{name}", ())
        folder = [] if len(listed) == 1 and listed[0][1] == f"{root}/{name}" else [name]
        for path, url, _ in listed:
            found["/".join([*folder, path])] = hashlib.sha256(storage.read_bytes(url)).hexdigest()
    return found


def spoil_some(store: Store, reads: str, writes: str) -> None:
    """Every way in which a store fails, spread over the run."""
    for kind in ("status", "reset", "breaks", "short"):
        store.spoil(kind, reads, every=3)
    for kind in ("status", "lost", "damaged"):
        store.spoil(kind, writes, every=5)
    store.spoil("status", writes, status=429, every=7)


def invoke(*arguments: str) -> str:
    """Run a command in this process; gives what it printed."""
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.slow
def test_a_run_in_s3_is_killed_goes_on_through_failures_and_gives_the_same_bytes(sample, recipe, local_run):
    with s3_store() as store:
        bucket = with_inputs(store, sample)
        root, arguments = f"{bucket}/run", remote_command(recipe, bucket, 2)
        killed = kill_group_when(
            arguments, lambda: bool(store.requests("PUT exact_dedup 00000.json")), timeout=280
        )
        assert killed
        written = store.requests("PUT stages")
        manifests = [one.path for one in written if one.path.endswith("00000.json") and one.status == 200]
        assert manifests
        assert not storage.exists(f"{root}/manifest.json")
        shown = Console(file=io.StringIO(), width=200)
        assert not status(place(root), shown).complete
        store.forget()
        spoil_some(store, "GET parquet", "PUT stages")

        done = run_cli(arguments)

        assert done.returncode == 0, done.stderr
        assert [fault.kind for fault in store.faults if fault.times] == [], "all faults were met"
        assert " done before)" in done.stderr
        again = {one.path for one in store.requests("PUT") if one.status == 200}
        assert not again & set(manifests), "a committed task is never redone"
        store.forget()
        assert remote_digests(root) == digests(local_run)
        _commands_read_a_stored_run(root, local_run)
        _nothing_secret_is_stored(store, root)
        store.forget()
        done = run_cli(arguments)
        assert done.returncode == 0, done.stderr
        assert "is complete: nothing to do" in done.stdout
        assert [one.path for one in store.requests("PUT") if "/stages/0" in one.path] == []
        assert not storage.exists(f"{root}/.lock"), "the driver gave the directory back"
        invoke("clean", root)
        assert not [path for path, _, _ in storage.files_below(f"{root}/stages") if path.endswith(".runs")]
        assert remote_digests(root) == digests(local_run)


def _commands_read_a_stored_run(root: str, local_run: Path) -> None:
    assert "exact_dedup" in invoke("report", root)
    assert storage.read_bytes(f"{root}/report.html").startswith(b"<!")
    assert "complete and its ledger is closed" in invoke("status", root)
    identity = _some_id(local_run)
    for text in ([], ["--text"]):
        told = invoke("why", root, identity, *text)
        assert told == invoke("why", str(local_run), identity, *text)
    assert identity in told
    before, after = (
        load_text(local_run.joinpath("recipe.yaml").read_text(), "recipe.yaml", chosen)
        for chosen in ([], ["extract.min_characters=500"])
    )
    told = plain_values(tune(place(root), before, after))
    assert told == plain_values(tune(local_run, before, after))
    assert told["newly_dropped"] > 0
    done = CliRunner().invoke(app, ["why", root, "ffffffffffff"])
    assert isinstance(done.exception, UsageError)


def _some_id(run: Path) -> str:
    from corpusforge.writer import row_groups

    batch = next(iter(row_groups(str(sorted((run / "documents").glob("*.parquet"))[0]), ["id"])))
    return str(batch.column("id")[0].as_py().hex())


def _nothing_secret_is_stored(store: Store, root: str) -> None:
    secrets = [store.environment[name].encode() for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")]
    found = storage.list_input(root, ())
    assert len(found) > 50
    for _, url, _ in found:
        data = storage.read_bytes(url)
        assert not any(secret in data for secret in secrets), url


@pytest.mark.slow
def test_a_run_in_gcs_gives_the_same_bytes_through_failures(sample, recipe, local_run, tmp_path):
    with gcs_store(tmp_path) as store:
        bucket = with_inputs(store, sample)
        spoil_some(store, "GET alt=media parquet", "POST uploadType")
        done = run_cli(remote_command(recipe, bucket, 1))
        assert done.returncode == 0, done.stderr
        assert [fault.kind for fault in store.faults if fault.times] == [], "all faults were met"
        store.forget()
        assert remote_digests(f"{bucket}/run") == digests(local_run)
        log = storage.read_bytes(f"{bucket}/run/log.jsonl").decode().splitlines()
        events = [json.loads(line) for line in log]
        ended = [entry["stage"] for entry in events if entry["event"] == "stage_finished"]
        assert sorted(ended) == sorted({entry["stage"] for entry in events})


def test_a_store_that_refuses_ends_the_run_with_its_answer(sample, recipe):
    with s3_store() as store:
        bucket = with_inputs(store, sample)
        store.spoil("status", "PUT", times=999, status=403)
        done = run_cli(remote_command(recipe, bucket, 1))
        assert done.returncode == 1
        assert "Permission denied" in done.stderr
        assert f"{bucket}/run" in done.stderr
        assert "Traceback" not in done.stderr
        assert len(store.requests("PUT")) == 1, "what is forbidden is not asked for again"


@pytest.mark.parametrize("output", ["memory://run", "https://example.org/run"])
def test_an_output_that_processes_cannot_share_is_refused(sample, recipe, output):
    arguments = ["run", str(recipe), "--input", f"commoncrawl={sample}/warc/*.warc.gz", "--output", output]
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, UsageError)
    assert output.partition(":")[0] in str(done.exception)


def test_what_is_recorded_of_addresses_holds_no_secret(sample):
    file = types.SimpleNamespace(url="https://h/b/1.warc.gz?X-Amz-Signature=hunter2")
    plan = types.SimpleNamespace(collected=(), earlier=(), shards=[types.SimpleNamespace(files=[file])])
    recorded = books._environment(RunLayout("ftp://me:hunter2@host/run"), plan)  # type: ignore[arg-type]
    assert "hunter2" not in str(recorded)
    assert recorded["root"] == "ftp://***@host/run"


def test_a_signed_address_is_one_input_and_its_signature_no_part_of_its_name(sample):
    with s3_store() as store:
        import boto3

        bucket = with_inputs(store, sample)
        first = sorted((sample / "warc").glob("*.warc.gz"))[0]
        key = {"Bucket": bucket.removeprefix("s3://"), "Key": f"warc/{first.name}"}
        signed = boto3.client("s3").generate_presigned_url("get_object", Params=key)
        assert "Signature=" in signed
        ((path, url, size),) = storage.list_input(signed, (".warc.gz",))
        assert (path, url, size) == (first.name, signed, first.stat().st_size)
        assert storage.read_bytes(url) == first.read_bytes()
        store.spoil("status", "", times=99, status=404)
        with pytest.raises(UsageError, match="matches no file") as caught:
            storage.list_input(signed, (".warc.gz",))
        assert "Signature=***" in str(caught.value)
