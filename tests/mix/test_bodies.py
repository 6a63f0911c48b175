"""A run that writes every shard format: all hold the same documents, and the manifest lists every file."""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
import pyarrow.parquet as pq
from runs import run_cli

from corpusforge.mix.loader import PackedRows
from corpusforge.mix.megatron import MegatronReader

RECIPE = """\
name: formats
error_budget: 1
sources: {c4: {}}
steps:
  - extract
  - tokenize: {vocabulary_size: 300}
  - pack: {sequence_length: 32}
  - mix: {formats: [mds, parquet, megatron, datatrove, llmc, nanogpt, olmo]}
"""


def test_all_streams_hold_the_documents_of_the_run(tmp_path):
    (tmp_path / "formats.yaml").write_text(RECIPE)
    lines = [json.dumps({"text": f"the cat sat on mat {number}" * (1 + number % 5)}) for number in range(40)]
    (tmp_path / "web.jsonl").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "corpusforge.cli", "run", str(tmp_path / "formats.yaml")]
    done = run_cli(
        [*command, "--input", f"c4={tmp_path}/web.jsonl", "--output", str(tmp_path / "run"), "--workers", "1"]
    )
    assert done.returncode == 0, done.stderr
    shards = tmp_path / "run" / "shards"
    manifest = json.loads((shards / "manifest.json").read_text())
    for name, facts in manifest["files"].items():
        data = (tmp_path / "run" / name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (facts["bytes"], facts["sha256"]), name
    folders = {name.split("/")[1] for name in manifest["files"]}
    assert folders >= {"packed", "parquet", "documents", "datatrove", "llmc", "nanogpt", "olmo"}
    packed = PackedRows([path.parent for path in sorted(shards.glob("packed/*/index.json"))])
    rows = pq.read_table(shards / "parquet").to_pylist()
    assert len(rows) == len(packed) == manifest["rows"]
    for index, row in enumerate(rows):
        stored = packed.row(index)
        assert row["input_ids"] == stored.tokens.tolist()
        assert row["boundaries"] == stored.boundaries.tolist()
        assert row["source"] == stored.columns["source"] == "c4"
    reader = MegatronReader(shards / "documents" / "00000_00000")
    tokens = np.concatenate([reader.document(index) for index in range(len(reader))])
    assert len(reader) == 40
    for name in ("datatrove/00000.ds", "nanogpt/00000.bin", "olmo/00000.npy"):
        assert np.array_equal(np.fromfile(shards / name, "<u2"), tokens), name
    ends = np.fromfile(shards / "datatrove/00000.ds.index", "<u8")
    assert ends.tolist() == np.cumsum(reader.lengths).tolist()
    turned = np.fromfile(shards / "llmc/00000.bin", "<u2")[512:]
    assert sorted(turned.tolist()) == sorted(tokens.tolist())
    assert turned[0] == manifest["tokenizer"]["end_id"]
    metadata = (shards / "datatrove/00000.ds.metadata").read_text().split("\n")
    assert metadata[0] == f"sha256:{manifest['tokenizer']['sha256']}|2"
