"""MosaicML Streaming's shard format, MDS version 2: writer and reader. Only numpy is needed.

A directory holds `index.json` and `shard.00000.mds`, ... A shard is uint32 n; uint32[n + 1] absolute offsets
of the samples; the column declarations as JSON; the samples. A sample is the uint32 sizes of its columns of
variable size, then the columns' bytes, columns sorted by name. All integers are little-endian (layout read
from streaming/base/format/mds and streaming/base/format/base/writer.py of mosaicml-streaming).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corpusforge import storage
from corpusforge.atomic_file import WrittenFile, write_atomically

SIZE_LIMIT = 1 << 26
"""Bytes per shard, the default of mosaicml-streaming."""

INDEX_NAME = "index.json"

_SHAPE_TYPES = ("<u1", "<u2", "<u4", "<u8")
_VALUE_TYPES = frozenset(
    ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "uint64", "int64", "float64")
)
_OFFSET_LIMIT = 1 << 32


def encode_array(values: npt.NDArray[Any], value_type: str) -> bytes:
    """One-dimensional array of an "ndarray:<value_type>" column: shape byte, length, values.

    The byte is ndim << 2 | k, where the length is stored in 2^k bytes. Raises `ValueError` for another shape,
    for an empty array (the format has none) and for values that do not fit the type.
    """
    if values.ndim != 1 or values.size == 0:
        raise ValueError(
            f"an MDS array column needs one dimension and at least one value, not {values.shape}"
        )
    stored = values.astype(np.dtype(value_type).newbyteorder("<"))
    if stored.dtype != values.dtype and not np.array_equal(stored, values):
        raise ValueError(f"values do not fit {value_type}")
    length = len(values)
    kind = 0 if length < 1 << 8 else 1 if length < 1 << 16 else 2 if length < 1 << 32 else 3
    return bytes([1 << 2 | kind]) + np.array([length], _SHAPE_TYPES[kind]).tobytes() + stored.tobytes()


def decode_array(data: memoryview, value_type: str) -> npt.NDArray[Any]:
    """View what `encode_array` wrote. Raises `ValueError` when the bytes do not say what they are."""
    if not data or data[0] >> 2 != 1:
        raise ValueError("not a one-dimensional MDS array")
    width = 1 << (data[0] & 3)
    length = int.from_bytes(data[1 : 1 + width], "little")
    values = np.frombuffer(data[1 + width :], np.dtype(value_type).newbyteorder("<"))
    if len(values) != length:
        raise ValueError(f"an MDS array declares {length} values and has {len(values)}")
    return values


def _array_type(encoding: str) -> str | None:
    """Value type of an array column with a variable shape, None for other encodings."""
    name, _, value_type = encoding.partition(":")
    return value_type if name == "ndarray" and value_type in _VALUE_TYPES else None


def _encode(value: Any, encoding: str) -> bytes:
    array_type = _array_type(encoding)
    if array_type is not None:
        return encode_array(value, array_type)
    if encoding == "str":
        return str(value).encode()
    if encoding == "int":
        return int(value).to_bytes(8, "little", signed=True)
    return bytes(value)


def _decode(data: memoryview, encoding: str) -> Any:
    array_type = _array_type(encoding)
    if array_type is not None:
        return decode_array(data, array_type)
    if encoding == "str":
        return str(data, "utf-8")
    if encoding == "int":
        return int.from_bytes(data, "little", signed=True)
    return bytes(data)


class MdsWriter:
    """Writes samples to a directory, a local one or a URL, in shards of at most `size_limit` bytes (one sample may
    pass it).

    `columns` maps names to encodings: "ndarray:<type>" (one dimension), "str", "int", "bytes". The shards are
    committed one by one, `index.json` last, so a directory without an index is not a data set. At most one
    shard is in memory. Equal samples give equal bytes.
    """

    def __init__(
        self, directory: Path | str, columns: Mapping[str, str], size_limit: int = SIZE_LIMIT
    ) -> None:
        for name, encoding in columns.items():
            if _array_type(encoding) is None and encoding not in ("str", "int", "bytes"):
                raise ValueError(f"column {name!r} has the unknown encoding {encoding!r}")
        if not 1 <= size_limit < _OFFSET_LIMIT:
            raise ValueError(f"the size limit of a shard must lie in [1, 2^32), it is {size_limit}")
        self.directory = str(directory)
        self._columns = sorted(columns.items())
        self._configuration: dict[str, Any] = {
            "version": 2,
            "format": "mds",
            "compression": None,
            "hashes": ["sha256"],
            "size_limit": size_limit,
            "column_names": [name for name, _ in self._columns],
            "column_encodings": [encoding for _, encoding in self._columns],
            "column_sizes": [8 if encoding == "int" else None for _, encoding in self._columns],
        }
        self._header = json.dumps(self._configuration, sort_keys=True).encode()
        self._limit = size_limit
        self._samples: list[bytes] = []
        self._size = self._empty_size
        self._shards: list[dict[str, Any]] = []
        self._files: list[WrittenFile] = []

    @property
    def _empty_size(self) -> int:
        return 8 + len(self._header)

    def write(self, sample: Mapping[str, Any]) -> None:
        """Append a sample with exactly the declared columns.

        Raises `ValueError` for a value that does not fit its column.
        """
        if len(sample) != len(self._columns):
            raise ValueError(f"a sample has the columns {sorted(sample)}, declared are {self._columns}")
        parts = [_encode(sample[name], encoding) for name, encoding in self._columns]
        sizes = [len(part) for part, (_, encoding) in zip(parts, self._columns) if encoding != "int"]
        encoded = np.array(sizes, "<u4").tobytes() + b"".join(parts)
        if self._samples and self._size + len(encoded) + 4 > self._limit:
            self._flush()
        if self._size + len(encoded) + 4 >= _OFFSET_LIMIT:
            raise ValueError(f"a sample of {len(encoded)} bytes does not fit an MDS shard")
        self._samples.append(encoded)
        self._size += len(encoded) + 4

    def finish(self) -> list[WrittenFile]:
        """Commit the last shard and the index; give all files in order, the index last."""
        if self._samples:
            self._flush()
        index = json.dumps({"version": 2, "shards": self._shards}, sort_keys=True).encode()
        self._files.append(write_atomically(storage.join(self.directory, INDEX_NAME), index))
        return self._files

    def _flush(self) -> None:
        count = len(self._samples)
        offsets = np.zeros(count + 1, np.int64)
        np.cumsum([len(sample) for sample in self._samples], out=offsets[1:])
        offsets += 4 + 4 * (count + 1) + len(self._header)
        head = np.array([count], "<u4").tobytes() + offsets.astype("<u4").tobytes() + self._header
        name = f"shard.{len(self._shards):05}.mds"
        written = write_atomically(storage.join(self.directory, name), head + b"".join(self._samples), count)
        raw_data = {"basename": name, "bytes": written.bytes, "hashes": {"sha256": written.sha256}}
        self._shards.append({"samples": count, "raw_data": raw_data, "zip_data": None, **self._configuration})
        self._files.append(written)
        self._samples = []
        self._size = self._empty_size


class MdsShard:
    """One memory-mapped shard. `samples` is the count, `sample(i)` the columns of one."""

    def __init__(self, path: Path, columns: Mapping[str, str], samples: int) -> None:
        """Map the file. Raises `ValueError` when its header does not fit its size or the index."""
        self.path = path
        self.samples = samples
        self._columns = sorted(columns.items())
        data = np.memmap(path, np.uint8, "r")
        if len(data) < 4 or int(data[:4].view("<u4")[0]) != samples or len(data) < 4 + 4 * (samples + 1):
            raise ValueError(f"{path} does not start like an MDS shard of {samples} samples")
        self._offsets = data[4 : 4 + 4 * (samples + 1)].view("<u4").astype(np.int64)
        if int(self._offsets[-1]) != len(data) or bool((np.diff(self._offsets) < 0).any()):
            raise ValueError(f"{path} is damaged: its offsets do not fit its {len(data)} bytes")
        if int(self._offsets[0]) < 4 + 4 * (samples + 1):
            raise ValueError(f"{path} is damaged: its first sample lies inside the header")
        self._data = memoryview(data.data)

    def sample(self, index: int) -> dict[str, Any]:
        """Columns of a sample by name; arrays are views of the file.

        Raises `ValueError` when the sample is damaged.
        """
        data = self._data[int(self._offsets[index]) : int(self._offsets[index + 1])]
        variable = sum(encoding != "int" for _, encoding in self._columns)
        sizes = iter(np.frombuffer(data[: 4 * variable], "<u4").tolist())
        place = 4 * variable
        result = {}
        for name, encoding in self._columns:
            size = 8 if encoding == "int" else next(sizes, -1)
            if size < 0 or place + size > len(data):
                raise ValueError(f"{self.path}: sample {index} is shorter than its columns")
            result[name] = _decode(data[place : place + size], encoding)
            place += size
        if place != len(data):
            raise ValueError(f"{self.path}: sample {index} is longer than its columns")
        return result


def read_index(directory: Path, verify: bool = False) -> list[MdsShard]:
    """Open the shards of an MDS directory; `verify` compares their SHA-256 with the index.

    Raises `ValueError` for unknown versions and encodings, compression, damage, and where no hash is given.
    """
    index = json.loads((directory / INDEX_NAME).read_bytes())
    if index.get("version") != 2:
        raise ValueError(f"{directory}: MDS version {index.get('version')!r} is not known")
    shards = []
    for entry in index["shards"]:
        if entry["format"] != "mds" or entry["compression"] or entry["zip_data"]:
            raise ValueError(f"{directory}: only uncompressed MDS shards are read")
        columns = dict(zip(entry["column_names"], entry["column_encodings"], strict=True))
        for name, encoding in columns.items():
            if _array_type(encoding) is None and encoding not in ("str", "int", "bytes"):
                raise ValueError(f"{directory}: column {name!r} has the unknown encoding {encoding!r}")
        basename = entry["raw_data"]["basename"]
        if Path(basename).is_absolute() or ".." in Path(basename).parts:
            raise ValueError(f"{directory}: the shard {basename!r} does not lie below its index")
        if verify:
            _verify(directory / basename, entry["raw_data"]["hashes"])
        shards.append(MdsShard(directory / basename, columns, int(entry["samples"])))
    return shards


def _verify(path: Path, hashes: Mapping[str, str]) -> None:
    known = sorted(set(hashes) & hashlib.algorithms_guaranteed)
    if not known:
        raise ValueError(f"{path}: the index gives no hash to verify")
    with path.open("rb") as file:
        for algorithm in known:
            file.seek(0)
            if hashlib.file_digest(file, algorithm).hexdigest() != hashes[algorithm]:
                raise ValueError(f"{path} is damaged: its {algorithm} is not the one in the index")
