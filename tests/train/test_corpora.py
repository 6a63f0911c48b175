from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpusforge.errors import UsageError
from corpusforge.train.corpora import index, open_corpus, sample_order


def lines(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_all_formats_give_the_same_documents(tmp_path: Path) -> None:
    rows = [{"id": f"d{n}", "text": f"text {n} é"} for n in range(40)]
    data = lines(*rows)
    files = {
        "a/x.jsonl": data,
        "b/x.jsonl.gz": gzip.compress(data),
        "c/x.jsonl.zst": zstandard.ZstdCompressor().compress(data),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)
    (tmp_path / "d").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d" / "x.parquet")
    digests = {index(open_corpus(str(tmp_path / name))).digest for name in "abcd"}
    assert len(digests) == 1


def test_parts_of_a_run(finished_run: Path) -> None:
    counts = {part: len(index(open_corpus(f"{finished_run}:{part}"))) for part in ("kept", "dropped", "raw")}
    assert counts["kept"] > 0
    assert counts["dropped"] > 0
    assert counts["raw"] == counts["kept"] + counts["dropped"]
    assert index(open_corpus(str(finished_run))).digest == index(open_corpus(f"{finished_run}:kept")).digest


def test_copies_have_identities_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(lines(*[{"text": "same"}] * 3, {"text": "other"}))
    found = index(open_corpus(str(tmp_path)))
    assert len(np.unique(found.ids, axis=0)) == 4
    assert len(np.unique(found.texts, axis=0)) == 2


def test_bad_lines_cost_themselves(tmp_path: Path) -> None:
    good = lines({"text": "good"})
    bad = b'{"text": 5}\n{"text": " "}\nnonsense\n[]\n\xff\xfe\n' + b"[" * 100_000 + b"\n"
    (tmp_path / "x.jsonl").write_bytes(good + bad + good.replace(b"good", b"better"))
    found = index(open_corpus(str(tmp_path)))
    assert (len(found), found.skipped) == (2, 6)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(lines(*[{"text": "x" * 50}] * 50))[:-30])
    with pytest.raises(UsageError, match=r"x\.jsonl\.gz"):
        index(open_corpus(str(tmp_path)))
    (tmp_path / "x.jsonl.gz").unlink()
    packed = zstandard.ZstdCompressor().compress(lines(*[{"text": "x" * 50}] * 50))
    (tmp_path / "x.jsonl.zst").write_bytes(packed[:-1])
    with pytest.raises(UsageError, match=r"x\.jsonl\.zst: a Zstandard frame is cut off"):
        index(open_corpus(str(tmp_path)))
    (tmp_path / "x.jsonl.zst").unlink()
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"x\.parquet"):
        index(open_corpus(str(tmp_path)))
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "x.parquet")
    with pytest.raises(UsageError, match="no column 'text'"):
        index(open_corpus(str(tmp_path)))


def test_what_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no corpus at"):
        open_corpus(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="no finished run directory"):
        open_corpus(f"{tmp_path}:dropped")
    with pytest.raises(UsageError, match="has no part 'droped': the parts of a run are kept, dropped, raw"):
        open_corpus(f"{tmp_path}:droped")
    with pytest.raises(UsageError, match="holds no "):
        open_corpus(str(tmp_path))
    (tmp_path / "x.jsonl").write_bytes(b"\n")
    with pytest.raises(UsageError, match="no document with text"):
        index(open_corpus(str(tmp_path)))


def test_order_is_a_function_of_seed_and_id_alone(tmp_path: Path) -> None:
    rows = [{"id": f"d{n}", "text": f"text {n}"} for n in range(200)]
    (tmp_path / "x.jsonl").write_bytes(lines(*rows))
    (tmp_path / "y.jsonl").write_bytes(lines(*rows[::-2]))
    whole, half = (index(open_corpus(str(tmp_path / name))).ids for name in ("x.jsonl", "y.jsonl"))

    def drawn(ids: np.ndarray, **draw: int) -> list[bytes]:
        return [ids[row].tobytes() for row in sample_order(ids, **draw)]

    inside = {row.tobytes() for row in half}
    assert [key for key in drawn(whole, seed=3) if key in inside] == drawn(half, seed=3)
    others = [drawn(whole, seed=4), drawn(whole, seed=3, epoch=1), drawn(whole, seed=3, salt=1)]
    assert all(other != drawn(whole, seed=3) for other in others)
    assert all(sorted(other) == sorted(drawn(whole, seed=3)) for other in others)
