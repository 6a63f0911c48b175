"""Objects in stores behind fsspec: read by ranges, written in one put and verified, found by name.

One request at a time is tried again (`corpusforge.retries`); the clients' own retries are switched off for these,
so that attempts are counted once. Where one call of a client makes many requests (a listing, an upload in parts), the
client's own retries of single requests stay on below ours. No answer is kept: what exists is asked of the store.
"""

from __future__ import annotations

import base64
import binascii
import glob
import hashlib
import importlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from corpusforge import retries
from corpusforge.retries import ShortAnswerError

PUT_BYTES = 32 << 20
"""Largest object that is sent in one request; a larger one goes up in parts, and appears when they are complete."""

PART_BYTES = 16 << 20
"""Size of a part (S3 allows 10,000 of them: larger objects get larger parts)."""

PARTS_AT_ONCE = 2

REMOVED_AT_ONCE = 1000
"""Objects that one call removes: what S3 takes in a request."""

FLAT = frozenset(
    {"s3", "s3a", "gs", "gcs", "memory", "abfs", "abfss", "az", "oss", "cos", "oci", "r2", "tos"}
)
"""Protocols whose puts are atomic and know no folders; others (SFTP, HDFS, SMB) are written and then renamed."""


def protocol_of(location: str) -> str:
    """The protocol of a URL, the outermost one of a chained URL (``zip://a::s3://b``)."""
    return location.partition("://")[0].rpartition("::")[2]


def filesystem(location: str, patient: bool = False) -> tuple[Any, str]:
    """The fsspec file system of a URL and the path in it; credentials come from the client's own default chain.

    `patient`: with the client's own retries, for calls of many requests.
    """
    import fsspec  # with asyncio, a tenth of a second that runs on local disks do not need

    protocol = protocol_of(location)
    options: dict[str, Any] = {}
    if protocol in ("s3", "s3a"):
        options = {"use_listings_cache": False}
        if not patient:
            configured = fsspec.config.conf.get(protocol, {}).get("config_kwargs", {})
            options["config_kwargs"] = {
                **configured,
                "retries": {"total_max_attempts": 1, "mode": "standard"},
            }
    elif protocol in ("gs", "gcs"):
        options = {"use_listings_cache": False}
        if not patient:
            options["single_attempts"] = (
                True  # ignored by the client, but makes it another one than the patient
            )
    if protocol in ("gs", "gcs") and os.environ.get("STORAGE_EMULATOR_HOST"):
        found, path = _emulated(location, options)
    else:
        found, path = fsspec.core.url_to_fs(location, **options)
    if not patient:
        _once(found)
    return found, path


def _emulated(location: str, options: dict[str, Any]) -> tuple[Any, str]:
    """The client of GCS for an emulator: nobody to log in to, and plain HTTP only.

    The client that gcsfs registers asks for the kind of a bucket over gRPC and TLS, and waits for an answer that an
    emulator never gives; its base does not.
    """
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    client = importlib.import_module("gcsfs.core").GCSFileSystem(token="anon", **options)
    return client, str(client._strip_protocol(location))


def _once(client: Any) -> None:
    """Switch off the retries of a client that has an attribute or a wrapper for them."""
    if "retries" not in vars(client) and hasattr(type(client), "retries"):
        client.retries = 1
        plain = (
            getattr(type(client)._request, "__wrapped__", None) if hasattr(type(client), "_request") else None
        )
        if plain is not None:
            client._request = plain.__get__(client)


def info(location: str) -> dict[str, Any]:
    """What the store says of an object or folder: `size`, `type` and more. Raises `FileNotFoundError`."""
    client, path = filesystem(location)
    return dict(retries.run("look at", location, lambda: client.info(path)))


def exists(location: str) -> bool:
    """Whether an object is there, or objects below that name."""
    try:
        info(location)
    except FileNotFoundError:
        return False
    return True


def version_of(details: dict[str, Any]) -> str:
    """What changes whenever an object does, as far as its store tells; empty where it does not."""
    for name in ("generation", "ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "created"):
        if details.get(name):
            return f"{name}={details[name]}"
    return ""


def put(location: str, file: BinaryIO, size: int, md5: str) -> None:
    """Write an object from a file of `size` bytes whose MD5 is `md5`, and verify what the store holds then.

    Size and digest are compared with what the store reports; where it reports no digest of the bytes (other stores
    than S3 and GCS, and S3 with keys of one's own), the object is read again. Every attempt writes and verifies.
    An attempt of somebody else at the same object with the same bytes changes nothing.
    """

    def attempt() -> None:
        file.seek(0)
        _send(location, file, size)
        details = dict(filesystem(location)[0].info(filesystem(location)[1]))
        if details["size"] != size:
            raise ShortAnswerError(f"{size} bytes were written, {details['size']} are stored")
        if not _same_bytes(location, details, file, size, md5):
            raise ShortAnswerError(f"what is stored differs from what was written (MD5 {md5})")

    retries.run("write", location, attempt)


def create(location: str, data: bytes) -> None:
    """Write a small object where there is none, in one step where the store has one for it (S3, GCS).

    Raises `FileExistsError` when there is one: also when an earlier attempt of this call wrote it, and the answer
    was lost.
    """

    def attempt() -> None:
        client, path = filesystem(location)
        if protocol_of(location) not in FLAT:
            client.makedirs(path.rpartition("/")[0] or "/", exist_ok=True)
        try:
            client.pipe_file(path, data, mode="create")
        except Exception as error:
            status = retries.status_of(error)
            if status == 412 or (error.__cause__ is not None and retries.status_of(error.__cause__) == 412):
                raise FileExistsError(location) from error
            if status != 501:
                raise
            # A store that knows no conditional put: two who come at the same moment may both succeed.
            if client.exists(path):
                raise FileExistsError(location) from error
            client.pipe_file(path, data)

    retries.run("write", location, attempt)


def _send(location: str, file: BinaryIO, size: int) -> None:
    client, path = filesystem(location, patient=size > PUT_BYTES)
    if protocol_of(location) not in FLAT:
        _send_to_folder(client, path, file)
    elif size <= PUT_BYTES:
        client.pipe_file(path, file.read())
    elif hasattr(client, "call_s3"):
        client.put_file(_name_of(file), path, chunksize=_part_bytes(size), max_concurrency=PARTS_AT_ONCE)
    else:
        client.put_file(_name_of(file), path)


def _send_to_folder(client: Any, path: str, file: BinaryIO) -> None:
    """Write under another name and rename, where a store has folders and names appear when a file is opened."""
    parent, _, name = path.rpartition("/")
    temporary = f"{parent}/.{name}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    client.makedirs(parent or "/", exist_ok=True)
    try:
        with client.open(temporary, "wb") as target:
            while block := file.read(1 << 20):
                target.write(block)
        client.mv(temporary, path)
    except BaseException:
        if client.exists(temporary):
            client.rm(temporary)
        raise


def _name_of(file: BinaryIO) -> str:
    """A path of an open temporary file that has no name of its own."""
    return f"/dev/fd/{file.fileno()}"


def _part_bytes(size: int) -> int:
    return max(PART_BYTES, -(-size // 10_000))


def _same_bytes(location: str, details: dict[str, Any], file: BinaryIO, size: int, md5: str) -> bool:
    if details.get("md5Hash"):
        try:
            return base64.b64decode(str(details["md5Hash"])).hex() == md5
        except binascii.Error:
            return False
    tag = str(details.get("ETag") or "").strip('"')
    if protocol_of(location) in ("s3", "s3a") and tag == md5:
        return True
    if (
        protocol_of(location) in ("s3", "s3a")
        and "-" in tag
        and tag == _tag_of_parts(file, _part_bytes(size))
    ):
        return True
    # No digest that can be compared (an S3 object under a key of one's own has a random tag).
    client, path = filesystem(location)
    digest = hashlib.md5(usedforsecurity=False)
    for start in range(0, size, PART_BYTES):
        digest.update(client.cat_file(path, start=start, end=min(start + PART_BYTES, size)))
    return digest.hexdigest() == md5


def _tag_of_parts(file: BinaryIO, part_bytes: int) -> str:
    """The tag that S3 gives an object that came in parts: MD5 of the parts' MD5s, a dash, their number."""
    file.seek(0)
    digests = []
    while part := file.read(part_bytes):
        digests.append(hashlib.md5(part, usedforsecurity=False).digest())
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"


def remove_tree(location: str) -> None:
    """Remove an object, or all objects below a name; nothing happens when there are none."""
    client, path = filesystem(location, patient=True)

    def attempt() -> None:
        try:
            client.rm(path, recursive=True)
        except FileNotFoundError:
            return

    retries.run("remove", location, attempt)


def remove_objects(locations: Sequence[str]) -> None:
    """Remove objects of one store by name, `REMOVED_AT_ONCE` in a call; those that are gone already are no error."""
    for start in range(0, len(locations), REMOVED_AT_ONCE):
        some = locations[start : start + REMOVED_AT_ONCE]
        client = filesystem(some[0], patient=True)[0]
        paths = [str(client._strip_protocol(location)) for location in some]

        def attempt(client: Any = client, paths: list[str] = paths) -> None:
            try:
                client.rm(paths)
            except FileNotFoundError:
                for path in paths:
                    if client.exists(path):
                        client.rm(path)

        retries.run("remove", some[0], attempt)


def list_objects(pattern: str, suffixes: tuple[str, ...]) -> list[tuple[str, str, dict[str, Any]]]:
    """Expand a URL of an object or folder, or a glob, to (path below the root, location, details), unsorted.

    The root is the part of the pattern before a wildcard; in a folder only names with one of `suffixes` count. An
    address of the web is one file, whatever its query holds. Empty when there is nothing.
    """
    if protocol_of(pattern) in ("http", "https"):
        details = _details(pattern)
        name = pattern.partition("?")[0].rstrip("/").rpartition("/")[2]
        return [(name, pattern, details)] if details is not None else []
    client, path = filesystem(pattern, patient=True)
    if glob.has_magic(path):
        root = "/".join(_before_wildcard(path.split("/")))
        found = retries.run("list", pattern, lambda: client.glob(path, detail=True))
    else:
        details = _details(pattern)
        if details is not None and details["type"] == "file":
            return [(path.rstrip("/").rpartition("/")[2], pattern, details)]
        root = path.rstrip("/")
        everything = retries.run("list", pattern, lambda: client.find(path, detail=True))
        found = {name: facts for name, facts in everything.items() if name.endswith(suffixes or ("",))}
    prefix = pattern.rstrip("/").removesuffix(path.rstrip("/"))
    whole = pattern.rstrip("/").endswith(path.rstrip("/"))
    return [
        (
            name[len(root) :].lstrip("/"),
            prefix + name if whole else client.unstrip_protocol(name),
            dict(facts),
        )
        for name, facts in found.items()
        if facts["type"] == "file" and not (facts["size"] == 0 and name.endswith("/"))
    ]


def _details(location: str) -> dict[str, Any] | None:
    try:
        return info(location)
    except FileNotFoundError:
        return None


def _before_wildcard(parts: list[str]) -> Iterator[str]:
    for part in parts:
        if glob.has_magic(part):
            return
        yield part
