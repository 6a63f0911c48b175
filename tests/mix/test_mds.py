from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.mix.mds import MdsWriter, decode_array, encode_array, read_index

COLUMNS = {"tokens": "ndarray:int32", "boundaries": "ndarray:int32", "source": "str"}


def sample(number: int, length: int = 300) -> dict[str, Any]:
    return {
        "tokens": np.arange(length, dtype=np.int32) + number,
        "boundaries": np.array([0, length // 2, length], np.int32),
        "source": f"source {number}",
    }


def write(directory: Path, count: int, size_limit: int = 1 << 26) -> None:
    writer = MdsWriter(directory, COLUMNS, size_limit)
    for number in range(count):
        writer.write(sample(number))
    writer.finish()


def test_golden_bytes(tmp_path: Path) -> None:
    """A shard of one sample and its index, byte for byte as the format's description says."""
    writer = MdsWriter(tmp_path, {"tokens": "ndarray:uint16", "source": "str"})
    writer.write({"tokens": np.array([1, 2, 0xABCD], np.uint32), "source": "c4"})
    files = writer.finish()
    header = (
        b'{"column_encodings": ["str", "ndarray:uint16"], "column_names": ["source", "tokens"], '
        b'"column_sizes": [null, null], "compression": null, "format": "mds", "hashes": ["sha256"], '
        b'"size_limit": 67108864, "version": 2}'
    )
    body = struct.pack("<II", 2, 8) + b"c4" + bytes.fromhex("04 03 0100 0200 cdab")
    start = 12 + len(header)
    shard = struct.pack("<III", 1, start, start + len(body)) + header + body
    assert (tmp_path / "shard.00000.mds").read_bytes() == shard
    digest = hashlib.sha256(shard).hexdigest()
    index = b"%s, %s, %s" % (
        b'{"shards": [' + header[: header.index(b', "size_limit"')],
        b'"raw_data": {"basename": "shard.00000.mds", "bytes": %d, "hashes": {"sha256": "%s"}}'
        % (len(shard), digest.encode()),
        b'"samples": 1, "size_limit": 67108864, "version": 2, "zip_data": null}], "version": 2}',
    )
    assert (tmp_path / "index.json").read_bytes() == index
    assert [file.name for file in files] == ["shard.00000.mds", "index.json"]
    assert (files[0].bytes, files[0].sha256, files[0].samples) == (len(shard), digest, 1)


@pytest.mark.parametrize(
    ("length", "head"), [(1, "0401"), (255, "04ff"), (256, "050001"), (2048, "050008"), (65536, "0600000100")]
)
def test_the_shape_is_stored_in_the_fewest_bytes(length: int, head: str) -> None:
    encoded = encode_array(np.zeros(length, np.int32), "int32")
    assert encoded == bytes.fromhex(head) + bytes(4 * length)


@given(
    st.lists(st.integers(0, 65535), min_size=1, max_size=400), st.sampled_from(["uint16", "int32", "uint32"])
)
@settings(max_examples=50, deadline=None)
def test_arrays_come_back(values: list[int], value_type: str) -> None:
    encoded = encode_array(np.array(values, np.uint32), value_type)
    assert decode_array(memoryview(encoded), value_type).tolist() == values


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit uint16"):
        encode_array(np.array([65536], np.uint32), "uint16")
    with pytest.raises(ValueError, match="do not fit int32"):
        encode_array(np.array([2**31], np.uint32), "int32")
    with pytest.raises(ValueError, match="at least one value"):
        encode_array(np.zeros(0, np.int32), "int32")
    with pytest.raises(ValueError, match="declares 3 values and has 2"):
        decode_array(memoryview(bytes.fromhex("0403 0100 0200")), "uint16")
    with pytest.raises(ValueError, match="one-dimensional"):
        decode_array(memoryview(b""), "uint16")


def test_shards_keep_the_limit_and_samples_their_order(tmp_path: Path) -> None:
    write(tmp_path, 20, size_limit=5000)
    shards = read_index(tmp_path, verify=True)
    assert len(shards) > 3
    assert all(path.stat().st_size <= 5000 for path in tmp_path.glob("*.mds"))
    read = [shard.sample(index) for shard in shards for index in range(shard.samples)]
    for number, found in enumerate(read):
        expected = sample(number)
        assert found["source"] == expected["source"]
        assert np.array_equal(found["tokens"], expected["tokens"])
        assert np.array_equal(found["boundaries"], expected["boundaries"])


def test_equal_samples_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, 20, 5000)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


def test_a_sample_larger_than_the_limit_gets_a_shard_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, 3, size_limit=10)
    assert [shard.samples for shard in read_index(tmp_path)] == [1, 1, 1]


def test_integers_and_bytes(tmp_path: Path) -> None:
    writer = MdsWriter(tmp_path, {"n": "int", "raw": "bytes"})
    writer.write({"n": -5, "raw": b"\0\1"})
    writer.finish()
    (shard,) = read_index(tmp_path)
    assert shard.sample(0) == {"n": -5, "raw": b"\0\1"}


def test_damage_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, 3)
    path = tmp_path / "shard.00000.mds"
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    with pytest.raises(ValueError, match="offsets do not fit"):
        read_index(tmp_path)
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert len(read_index(tmp_path)) == 1
    with pytest.raises(ValueError, match="its sha256 is not"):
        read_index(tmp_path, verify=True)
    path.write_bytes(struct.pack("<I", 2**32 - 1) + good[4:])
    with pytest.raises(ValueError, match="does not start like"):
        read_index(tmp_path)
    first = struct.unpack("<I", good[4:8])[0]
    path.write_bytes(good[:first] + struct.pack("<I", 2**31) + good[first + 4 :])
    with pytest.raises(ValueError, match="shorter than its columns"):
        read_index(tmp_path)[0].sample(0)


def test_an_index_is_not_believed_blindly(tmp_path: Path) -> None:
    write(tmp_path, 1)
    path = tmp_path / "index.json"
    good = json.loads(path.read_bytes())

    def change(**entries: Any) -> None:
        path.write_text(json.dumps({"version": 2, "shards": [{**good["shards"][0], **entries}]}))

    change(raw_data={"basename": "../shard.00000.mds", "hashes": {}})
    with pytest.raises(ValueError, match="does not lie below"):
        read_index(tmp_path)
    change(column_encodings=["pkl", "str", "str"])
    with pytest.raises(ValueError, match="unknown encoding 'pkl'"):
        read_index(tmp_path)
    change(compression="zstd")
    with pytest.raises(ValueError, match="uncompressed"):
        read_index(tmp_path)
    path.write_text('{"version": 1, "shards": []}')
    with pytest.raises(ValueError, match="version 1"):
        read_index(tmp_path)


def test_one_index_over_several_folders(tmp_path: Path) -> None:
    shards = []
    for name in ("00000", "00001"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, 2)
        (shard,) = json.loads((tmp_path / name / "index.json").read_bytes())["shards"]
        shard["raw_data"]["basename"] = f"{name}/{shard['raw_data']['basename']}"
        shards.append(shard)
    (tmp_path / "index.json").write_text(json.dumps({"version": 2, "shards": shards}))
    assert [shard.sample(1)["source"] for shard in read_index(tmp_path, verify=True)] == ["source 1"] * 2


def test_declarations_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown encoding"):
        MdsWriter(tmp_path, {"a": "ndarray:complex64"})
    with pytest.raises(ValueError, match="size limit"):
        MdsWriter(tmp_path, {"a": "str"}, 0)
    with pytest.raises(ValueError, match="declared are"):
        MdsWriter(tmp_path, {"a": "str"}).write({"a": "x", "b": "y"})


def test_mosaicml_streaming_reads_it(tmp_path: Path) -> None:
    streaming = pytest.importorskip(
        "streaming", reason="mosaicml-streaming lives in an environment of its own"
    )
    write(tmp_path, 20, 5000)
    dataset = streaming.StreamingDataset(local=str(tmp_path), shuffle=False, batch_size=1)
    assert len(dataset) == 20
    for number in range(20):
        found, expected = dataset[number], sample(number)
        assert found["source"] == expected["source"]
        assert np.array_equal(found["tokens"], expected["tokens"])
