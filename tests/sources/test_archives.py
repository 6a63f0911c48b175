"""Members of archives against the standard library's readers, and limits."""

from __future__ import annotations

import contextlib
import io
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.sources.archives import ArchiveError, Limits, MemberError, TarReader, ZipReader

LIMITS = Limits(1 << 20, 1000)
FILES = st.dictionaries(
    st.text(
        st.characters(codec="utf-8", exclude_characters="\0/\\", exclude_categories=["Cc"]),
        min_size=1,
        max_size=150,
    ).filter(lambda name: name not in (".", "..")),
    st.binary(max_size=1500),
    max_size=5,
)


@given(FILES, st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]), st.booleans())
def test_tar_members_are_what_was_written(files, format_, skip):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=format_, pax_headers={"comment": "c0ffee"}) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo("top/" + name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    reader = TarReader(io.BytesIO(sink.getvalue()), LIMITS)
    found = {member.name: b"" if skip else member.read(2000) for member in reader.members()}
    assert found == {"top/" + name: b"" if skip else data for name, data in files.items()}
    if format_ == tarfile.PAX_FORMAT:
        assert reader.comment == "c0ffee"


@given(st.binary(max_size=3000))
def test_any_bytes_are_members_or_an_error(data):
    for reader in (TarReader, ZipReader):
        passed = 0
        with contextlib.suppress(ArchiveError, MemberError):
            for member in reader(io.BytesIO(data), LIMITS).members():
                passed += len(member.read(100))
        assert passed <= LIMITS.total_bytes


def test_limits():
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for number in range(5):
            entry = tarfile.TarInfo(f"{number}.py")
            entry.size = 600
            archive.addfile(entry, io.BytesIO(b"x" * 600))
    with pytest.raises(ArchiveError, match="more than 3 members"):
        list(TarReader(io.BytesIO(sink.getvalue()), Limits(1 << 20, 3)).members())
    with pytest.raises(ArchiveError, match="bytes unpacked"):
        list(TarReader(io.BytesIO(sink.getvalue()), Limits(2000, 10)).members())
    members = TarReader(io.BytesIO(sink.getvalue()), LIMITS).members()
    with pytest.raises(MemberError):
        next(members).read(599)
    assert next(members).read(600) == b"x" * 600


def test_zip_members():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.py", b"x = 1\n")
        archive.writestr("a/c/", b"")
        link = zipfile.ZipInfo("a/link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    members = list(ZipReader(io.BytesIO(sink.getvalue()), LIMITS).members())
    assert [(member.name, member.kind) for member in members] == [("a/b.py", "file"), ("a/link", "link")]
    assert members[0].read(100) == b"x = 1\n"
    with pytest.raises(MemberError):
        members[0].read(3)
