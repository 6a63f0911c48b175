"""Tar archives as streams: what Python's own writes is read, and headers are bounded."""

from __future__ import annotations

import contextlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusforge.sources.tar import MAXIMUM_HEADER, TarError, is_tar, pax_fields, tar_members

LONG = "folder/" * 40 + "näme.tex"


def packed(files: dict[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    return {member.name: member.read() for member in tar_members(io.BytesIO(data))}


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_of_every_format(kind):
    files = {"a.tex": b"x" * 1000, "empty": b"", "b": b"y" * 512}
    if kind != tarfile.USTAR_FORMAT:
        files[LONG] = b"long"
    data = packed(files, kind)
    assert is_tar(data[:512])
    assert read(data) == files


def test_a_member_that_is_not_read_is_passed_over():
    data = packed({"a": b"x" * 100_000, "b": b"y"})
    assert [member.name for member in tar_members(io.BytesIO(data))] == ["a", "b"]


def test_links_and_folders_have_no_content():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (("f", tarfile.DIRTYPE), ("s", tarfile.SYMTYPE), ("l", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "../../etc/passwd"
            archive.addfile(info)
    found = list(tar_members(io.BytesIO(buffer.getvalue())))
    assert [(member.is_file, member.is_folder, member.size) for member in found] == [
        (False, True, 0),
        (False, False, 0),
        (False, False, 0),
    ]


def test_a_cut_archive_is_told():
    data = packed({"a": b"x" * 10_000, "b": b"y" * 10_000})
    for end in (700, 5000, 10_000, 11_000, 15_000):  # in headers and in contents
        with pytest.raises(TarError):
            read(data[:end])


def test_a_header_that_claims_much_is_refused():
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, MAXIMUM_HEADER + 1
    with pytest.raises(TarError, match="header"):
        read(info.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 2048)


def test_a_chain_of_headers_is_refused():
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2
    block = info.tobuf(tarfile.USTAR_FORMAT) + b"y\0" + b"\0" * 510
    with pytest.raises(TarError, match="header"):
        read(block * 1000)


@given(st.integers(0, 1023), st.binary(min_size=1, max_size=40))
def test_never_raises_anything_else(position, junk):
    data = packed({"a": b"x" * 100, LONG: b"y"})
    hurt = data[:position] + junk + data[position + len(junk) :]
    is_tar(hurt)
    with contextlib.suppress(TarError):
        read(hurt)


def test_extended_headers():
    assert pax_fields(b"11 path=ab\n13 comment=x\n") == {"path": "ab", "comment": "x"}
    assert pax_fields(b"99 path=ab\n") == {}
    assert pax_fields(b"0 x\n") == {}
