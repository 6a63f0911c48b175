"""Storage on real emulators of S3 and GCS, whose answers a proxy spoils in chosen ways."""

from __future__ import annotations

import hashlib
import io
import random

import pyarrow as pa
import pytest
from object_stores import Store, gcs_store, s3_store

from corpusforge import objects, retries, storage
from corpusforge.errors import StorageError
from corpusforge.object_reader import ObjectReader
from corpusforge.writer import commit_parquet, row_groups

DATA = random.Random(7).randbytes(1_000_000)
READS = {"s3": "GET data", "gs": "GET alt=media data"}
LOOKS = {"s3": "HEAD data", "gs": "GET storage/v1/b data"}
WRITES = {"s3": "PUT", "gs": "POST uploadType"}


@pytest.fixture(scope="module", params=["s3", "gs"])
def emulator(request, tmp_path_factory):
    opened = s3_store() if request.param == "s3" else gcs_store(tmp_path_factory.mktemp("gcs"))
    with opened as store:
        yield store


@pytest.fixture
def store(emulator):
    emulator.forget()
    yield emulator
    emulator.forget()


@pytest.fixture(autouse=True)
def waits(monkeypatch) -> list[float]:
    """What would have been waited for."""
    found: list[float] = []
    monkeypatch.setattr(retries, "sleep", found.append)
    return found


@pytest.fixture
def location(store: Store) -> str:
    """An object of `DATA`; nothing of how it came there is to be seen."""
    place = f"{store.bucket()}/folder/data"
    store.put(place, DATA)
    return place


def read_from(location: str, offset: int) -> bytes:
    with storage.open_read(location) as stream:
        stream.seek(offset)
        return stream.read()


def test_a_commit_is_one_put_and_is_compared_with_what_the_store_holds(store):
    place = f"{store.bucket()}/deep/er/data"
    with storage.commit(place) as file:
        file.write(b"one ")
        file.write(memoryview(b"two"))
        assert store.requests(WRITES[store.kind]) == [], "nothing of an unfinished file is in the store"
    assert file.sha256 == hashlib.sha256(b"one two").hexdigest()
    assert len(store.requests(WRITES[store.kind])) == 1
    assert len(store.requests(READS[store.kind])) == 0, "the store's own digest is enough"
    assert storage.read_bytes(place) == b"one two"
    assert [storage.holds(place, size) for size in (6, 7)] == [False, True]
    assert [storage.exists(name) for name in (place, place + "x")] == [True, False]


def test_an_abandoned_commit_never_reaches_the_store(store, location):
    def fail() -> None:
        with storage.commit(location) as file:
            file.write(b"half" * 1_000_000)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert store.requests(location.split("/")[2]) == []
    assert storage.read_bytes(location) == DATA


def test_a_broken_parquet_file_never_reaches_the_store(store):
    place = f"{store.bucket()}/table.parquet"
    schema = pa.schema([("n", pa.int64())])
    batches = [pa.RecordBatch.from_pydict({"n": list(range(start, start + 50))}, schema) for start in (0, 50)]

    def fail() -> None:
        with commit_parquet(place, schema) as writer:
            writer.write(batches[0])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not storage.exists(place)
    with commit_parquet(place, schema) as writer:
        for batch in batches:
            writer.write(batch)
    assert [group.column("n").to_pylist() for group in row_groups(place)] == [
        list(range(50)),
        list(range(50, 100)),
    ]


def test_a_large_object_appears_when_its_parts_are_complete(store, monkeypatch):
    monkeypatch.setattr(objects, "PUT_BYTES", 1 << 20)
    monkeypatch.setattr(objects, "PART_BYTES", 5 << 20)
    place, data = f"{store.bucket()}/data", DATA * 11
    store.spoil("status", "PUT partNumber=2")
    storage.commit_bytes(place, data)
    if store.kind == "s3":
        parts = [one.path.partition("partNumber=")[2][0] for one in store.requests("PUT partNumber")]
        assert sorted(parts) == ["1", "2", "2", "3"], "one part was sent again, not all"
    assert store.requests(READS[store.kind]) == [], "the digest of the parts is enough"
    with storage.open_read(place) as stream:
        stream.seek(10_999_990)
        assert stream.read() == data[-10:]
        stream.seek(5_500_000)
        assert stream.read(1000) == data[5_500_000:5_501_000]


@pytest.mark.parametrize("fault", ["status", "reset", "lost", "damaged"])
def test_a_write_that_goes_wrong_is_repeated_until_the_bytes_are_right(store, fault):
    place = f"{store.bucket()}/data"
    store.spoil(fault, WRITES[store.kind])
    storage.commit_bytes(place, DATA)
    assert len(store.requests(WRITES[store.kind])) == 2
    assert storage.read_bytes(place) == DATA


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_stores_are_asked_again_and_waits_double(store, location, waits, status):
    store.spoil("status", READS[store.kind], times=3, status=status)
    assert storage.read_bytes(location) == DATA
    assert waits == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("fault", ["reset", "breaks", "short", "drops"])
def test_a_read_that_goes_wrong_ends_with_all_bytes(store, location, fault):
    store.spoil(fault, READS[store.kind], times=2, after=100_000)
    assert storage.read_bytes(location) == DATA


def test_a_short_answer_is_gone_on_with_from_where_it_ended(store, location):
    store.spoil("short", READS[store.kind], after=1000)
    assert read_from(location, 10) == DATA[10:]
    ranges = [one.range for one in store.requests(READS[store.kind])]
    assert ranges == ["bytes=10-999999", "bytes=999000-999999"]


def test_answers_that_stay_short_are_an_error_and_not_an_end_of_file(store, location, waits):
    store.spoil("short", READS[store.kind], times=99, after=10_000_000)
    with pytest.raises(StorageError, match="0 of 999990 bytes from offset 10") as caught:
        read_from(location, 10)
    assert not isinstance(caught.value, OSError), "or a reader of archives would take it for damage"
    assert location in str(caught.value)
    assert "8 attempts" in str(caught.value)
    assert waits == list(retries.DELAYS)


@pytest.mark.parametrize("work", ["read", "write", "look"])
def test_attempts_are_bounded_and_the_error_tells_all(store, location, work, waits):
    words = {"read": READS, "write": WRITES, "look": LOOKS}[work][store.kind]
    store.spoil("status", words, times=999)
    with pytest.raises(StorageError, match=r"gave up after 8 attempts; the last answer was .*503") as caught:
        {
            "read": lambda: storage.read_bytes(location),
            "write": lambda: storage.commit_bytes(location, b"new"),
            "look": lambda: storage.exists(location),
        }[work]()
    assert location in str(caught.value)
    assert waits == list(retries.DELAYS)
    store.faults.clear()
    assert storage.read_bytes(location) == DATA, "what was there is still there, and whole"


def test_what_is_missing_or_forbidden_is_asked_for_once(store, location, waits):
    with pytest.raises(FileNotFoundError, match=r"folder/data\.none"):
        storage.read_bytes(location + ".none")
    store.spoil("status", "", times=999, status=403)
    for work in (
        storage.read_bytes,
        storage.exists,
        storage.size,
        lambda place: storage.commit_bytes(place, b""),
    ):
        store.seen.clear()
        with pytest.raises(PermissionError, match="Permission denied") as caught:
            work(location)
        assert caught.value.filename == location
    assert waits == []


def test_what_vanishes_while_it_is_read_is_no_end_of_file(store, location):
    with storage.open_read(location) as stream:
        assert stream.read(10) == DATA[:10]
        storage.remove_tree(location)
        stream.seek(999_000)
        with pytest.raises(StorageError, match="cannot go on reading"):
            stream.read(10)


def test_two_attempts_at_once_leave_the_same_bytes(store):
    place = f"{store.bucket()}/data"
    with storage.commit(place) as first:
        first.write(DATA)
        with storage.commit(place) as second:
            second.write(DATA)
        assert storage.read_bytes(place) == DATA
    assert storage.read_bytes(place) == DATA


def test_reading_anywhere_is_what_a_file_gives(store, location):
    generator = random.Random(3)
    with storage.open_read(location) as stream:
        whole = io.BytesIO(DATA)
        for _ in range(40):
            offset, length = generator.randrange(1_000_100), generator.choice([0, 1, 7, 5000, 400_000])
            assert stream.seek(offset) == whole.seek(offset)
            assert stream.read(length) == whole.read(length)
            assert stream.tell() == whole.tell()
        stream.seek(-8, io.SEEK_END)
        assert stream.read() == DATA[-8:]
        with pytest.raises((ValueError, OSError)):
            stream.seek(-1)


def test_a_known_size_is_not_asked_for(store, location):
    with storage.open_read(location, 1000) as stream:
        assert stream.read() == DATA[:1000]
    assert [one.range for one in store.seen] == ["bytes=0-999"]


def test_blocks_grow_while_reading_goes_on_and_shrink_at_a_jump(store, location):
    with storage.open_read(location) as stream:
        while stream.read(50_000):
            pass
        stream.seek(10)
        stream.read(1)
    ranges = [tuple(map(int, one.range[6:].split("-"))) for one in store.requests(READS[store.kind])]
    assert [end - start + 1 for start, end in ranges] == [262144, 524288, 213568, 262144]


def test_inputs_are_listed_with_paths_below_their_root(store):
    bucket = store.bucket()
    for name in ("in/b/2.warc.gz", "in/a/1.warc.gz", "in/a/notes.txt", "in/é 1.warc.gz"):
        storage.commit_bytes(f"{bucket}/{name}", name.encode())
    store.spoil("status", "prefix=", times=2)
    listed = storage.list_input(f"{bucket}/in", (".warc.gz",))
    assert [path for path, _, _ in listed] == ["a/1.warc.gz", "b/2.warc.gz", "é 1.warc.gz"]
    assert [storage.read_bytes(url).decode() for _, url, _ in listed] == [
        f"in/{path}" for path, _, _ in listed
    ]
    assert [size for _, _, size in listed] == [14, 14, 15]
    globbed = storage.list_input(f"{bucket}/in/*/*.txt", ())
    assert [(path, url) for path, url, _ in globbed] == [("a/notes.txt", f"{bucket}/in/a/notes.txt")]
    single = storage.list_input(f"{bucket}/in/a/1.warc.gz", ())
    assert single == [("1.warc.gz", f"{bucket}/in/a/1.warc.gz", 14)]


def test_a_tree_is_removed_and_nothing_beside_it(store):
    bucket = store.bucket()
    for name in ("a/1", "a/b/2", "ab"):
        storage.commit_bytes(f"{bucket}/{name}", b"x")
    storage.remove_tree(f"{bucket}/a")
    assert [storage.exists(f"{bucket}/{name}") for name in ("a/1", "a/b/2", "ab", "a")] == [
        False,
        False,
        True,
        False,
    ]
    storage.remove_tree(f"{bucket}/a")


def test_a_log_grows_line_by_line(store):
    place = f"{store.bucket()}/log.jsonl"
    storage.append(place, b"one\n")
    storage.append(place, b"two\n")
    assert storage.read_bytes(place) == b"one\ntwo\n"


def test_a_store_that_ignores_ranges_is_found_out(monkeypatch):
    storage.commit_bytes("memory://corpusforge-ranges/data", DATA)
    reader = ObjectReader("memory://corpusforge-ranges/data", len(DATA))
    monkeypatch.setattr(type(reader._client), "cat_file", lambda self, path, start=None, end=None: DATA)
    reader.seek(500_000)
    with pytest.raises(StorageError, match="more than the range"):
        reader.read(10)
