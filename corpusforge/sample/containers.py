"""Archives whose bytes depend on nothing but their content: no times, no owners, no operating system."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpusforge.sample.draw import Draw
from corpusforge.sample.warc import gzip_member

Members = Sequence[tuple[str, bytes]]
"""Names and contents of an archive's files, in order."""

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass
class Folder:
    """A folder of the sample that one source is written into; notes every file and record.

    `name` is the folder's name below `directory`. `facts` hold one mapping per record: `file`, `record` (a name or
    number inside it), `kind`, and what else there is to tell.
    """

    directory: Path
    name: str
    seed: int
    files: list[tuple[str, int]] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)

    def draw(self, *labels: int | str) -> Draw:
        """A stream of choices of this folder's own."""
        return Draw(self.seed, self.name, *labels)

    def write(self, name: str, data: bytes) -> None:
        """Write a file; `name` may hold folders."""
        path = self.directory / self.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.files.append((f"{self.name}/{name}", len(data)))

    def note(self, file: str, record: str | int, kind: str, **more: Any) -> None:
        """Note what a record is."""
        self.facts.append(
            {"source": self.name, "file": f"{self.name}/{file}", "record": record, "kind": kind, **more}
        )


def tar_of(members: Members) -> bytes:
    """A tar archive (ustar) of files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def tar_gz_of(members: Members) -> bytes:
    """The same, compressed."""
    return gzip_member(tar_of(members))


def zip_of(members: Members) -> bytes:
    """A zip archive; the first member is stored as it is, as EPUB asks for its `mimetype`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (name, data) in enumerate(members):
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_STORED if number == 0 else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()


def cut(data: bytes) -> bytes:
    """The first two thirds: a download that broke off."""
    return data[: len(data) * 2 // 3]
