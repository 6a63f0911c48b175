"""The list role: shards from names and sizes alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge import storage
from corpusforge.errors import UsageError
from corpusforge.listing import _grouped, list_shards
from corpusforge.recipe import load_text
from corpusforge.sources.base import SourceFile

RECIPE = "shard_bytes: 25\nsources: {commoncrawl: {}}\nsteps: [extract]\n"


def shards(*patterns: Path | str, recipe: str = RECIPE) -> list[list[str]]:
    found = list_shards(load_text(recipe, "r.yaml"), {"commoncrawl": [str(item) for item in patterns]})
    assert [shard.index for shard in found] == list(range(len(found)))
    return [[file.path for file in shard.files] for shard in found]


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x" * 10)
    return folder


sizes = st.lists(st.integers(0, 40), max_size=12)


@given(before=sizes, more=sizes, shard_bytes=st.integers(1, 50))
def test_every_file_is_in_one_shard_and_appending_never_renumbers(before, more, shard_bytes):
    files = [SourceFile(str(index), str(index), size) for index, size in enumerate(before + more)]
    whole = _grouped(files, shard_bytes)
    assert [file for group in whole for file in group] == files
    assert all(sum(file.size for file in group) >= shard_bytes for group in whole[:-1])
    assert all(sum(file.size for file in group[:-1]) < shard_bytes for group in whole)
    short = _grouped(files[: len(before)], shard_bytes)
    assert whole[: max(0, len(short) - 1)] == short[:-1]
    if short:
        assert whole[len(short) - 1][: len(short[-1])] == short[-1]


def test_files_by_name_in_shards_of_about_the_size(tmp_path):
    folder = fill(tmp_path / "in", *(f"{index}.warc" for index in range(7)))
    assert shards(folder) == [["0.warc", "1.warc", "2.warc"], ["3.warc", "4.warc", "5.warc"], ["6.warc"]]


def test_a_file_that_several_patterns_name_counts_once(tmp_path):
    folder = fill(tmp_path / "in", "a.warc", "b.warc")
    assert shards(f"{folder}/a*", folder) == [["a.warc", "b.warc"]]


def test_two_files_of_one_path_are_an_error(tmp_path):
    one, two = fill(tmp_path / "one", "a.warc"), fill(tmp_path / "two", "a.warc")
    with pytest.raises(UsageError, match=r"same path 'a\.warc' below their roots"):
        shards(one, two)


def test_sources_and_inputs_must_agree(tmp_path):
    loaded = load_text(RECIPE, "r.yaml")
    with pytest.raises(UsageError, match=r"no source 'comoncrawl'; did you mean 'commoncrawl'"):
        list_shards(loaded, {"comoncrawl": [str(tmp_path)]})
    with pytest.raises(UsageError, match="no input for source 'commoncrawl'"):
        list_shards(loaded, {})


def test_a_hundred_thousand_files_are_grouped_in_a_moment(monkeypatch):
    listed = [(f"{index:06d}.warc", f"/in/{index:06d}.warc", 10) for index in range(100_000)]
    monkeypatch.setattr(storage, "list_input", lambda pattern, suffixes: listed)
    begun = time.process_time()
    found = list_shards(load_text(RECIPE, "r.yaml"), {"commoncrawl": ["/in"]})
    assert len(found) == 33_334
    assert time.process_time() - begun < 5
