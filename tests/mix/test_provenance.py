"""The way back from a row: every row of a finished run, its documents and the bytes that it holds of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from corpusforge.apportion import Apportionment
from corpusforge.errors import UsageError
from corpusforge.mix.loader import PackedRows
from corpusforge.mix.provenance import Known, Provenance, SentencePieces, nearby_ordinals, piece_bounds
from corpusforge.report.show_batch_command import rows_of_step
from corpusforge.tokenize.sentencepiece_bpe import TokenizerParameters, train


def reader_of(run: Path) -> PackedRows:
    return PackedRows([path.parent for path in sorted((run / "shards/packed").glob("*/index.json"))])


@pytest.mark.slow
def test_every_row_of_a_run_is_followed_back_to_its_bytes(finished_run):
    tokenizer = SentencePieceProcessor(model_file=str(finished_run / "shards/tokenizer.model"))
    provenance = Provenance(finished_run, SentencePieces(tokenizer))
    reader = reader_of(finished_run)
    texts = {
        row["id"].hex(): row["text"].encode()
        for row in pq.read_table(finished_run / "documents", columns=["id", "text"]).to_pylist()
    }
    seen: dict[str, list[tuple[int, int]]] = {}
    for index in range(len(reader)):
        row = reader.row(index)
        segments = provenance.segments(index, row.tokens)
        known = Known(row.columns["source"], row.boundaries.tolist())
        assert provenance.segments(index, row.tokens, known) == segments
        assert [item.first for item in segments] + [segments[-1].last] == row.boundaries.tolist()
        for item in segments:
            assert item.start is not None
            assert item.end is not None
            assert texts[item.document][item.start : item.end].decode("utf-8", "replace") == item.text
            assert tokenizer.decode(row.tokens[item.first : item.last].tolist()).strip() in item.text
            seen.setdefault(item.document, []).append((item.start, item.end))
    for document, spans in seen.items():
        spans.sort()
        assert all(before[1] == after[0] for before, after in zip(spans, spans[1:])), (
            "no byte twice, none left out"
        )
        assert (spans[0][0], spans[-1][1]) == (0, len(texts[document]))


@pytest.mark.slow
def test_a_step_shows_what_the_loader_gives(finished_run):
    shown = rows_of_step(finished_run, 2, 3, 5)
    assert [entry["row"] for entry in shown] == reader_of(finished_run).order(2, 3, 5).tolist()
    assert shown == json.loads(json.dumps(shown))
    with pytest.raises(UsageError, match="no order"):
        rows_of_step(finished_run, -1, 3, 5)


@pytest.mark.slow
def test_showing_a_batch_needs_neither_numba_nor_pandas(finished_run):
    # Importing either takes longer than the rest of the command.
    code = (
        "import sys; from pathlib import Path; from corpusforge.report.show_batch_command import rows_of_step; "
        f"assert rows_of_step(Path({str(finished_run)!r}), 0, 1, 0)[0]['segments']; "
        "heavy = {'numba', 'pandas', 'corpusforge.recipe', 'corpusforge.plan'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@given(st.lists(st.integers(1, 200), min_size=1, max_size=7), st.integers(0, 5000))
@settings(max_examples=100, deadline=None)
def test_nearby_ordinals_hold_the_right_one(weights, row):
    names = {f"s{number}": weight for number, weight in enumerate(weights)}
    apportionment = Apportionment(names)
    at = np.array([row])
    source = apportionment.sources[int(apportionment.source(at)[0])]
    found = nearby_ordinals(names, source, row)
    assert int(apportionment.ordinal(at)[0]) in found
    assert len(found) <= 2
    assert min(found) >= 0


@pytest.mark.slow
def test_a_run_that_lost_its_stages_says_so(finished_run, tmp_path):
    shutil.copytree(finished_run / "shards", tmp_path / "run/shards")
    with pytest.raises(UsageError, match="stages are gone"):
        rows_of_step(tmp_path / "run", 0, 1, 0)


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(UsageError, match="holds no packed rows"):
        rows_of_step(tmp_path, 0, 1, 0)
    with pytest.raises(UsageError, match=r"holds no shards/manifest\.json"):
        Provenance(tmp_path)
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards/manifest.json").write_text("{}")
    with pytest.raises(UsageError, match="earlier version"):
        Provenance(tmp_path)


@pytest.mark.parametrize("prefix", [True, False])
def test_bytes_of_pieces_with_and_without_a_space_before_the_text(prefix):
    model = train(
        ["the cat sat on the mat"] * 20, TokenizerParameters(vocabulary_size=300, add_dummy_prefix=prefix)
    )
    tokenizer = SentencePieceProcessor(model_proto=model)
    text = "the cät\n 日 sat".encode()
    ids = [*tokenizer.encode(text), tokenizer.eos_id()]
    bounds = piece_bounds(tokenizer, ids, len(text))
    assert bounds is not None
    assert bounds[0] == 0
    assert bounds[-1] == bounds[-2] == len(text)
    assert bounds == sorted(bounds)
    whole = b"".join(text[start:end] for start, end in zip(bounds, bounds[1:]))
    assert whole == text
    assert piece_bounds(tokenizer, ids, len(text) + 5) is None, "a text that the tokenizer changed"
