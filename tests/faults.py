"""An HTTP proxy that misbehaves on request, to stand in front of a real store.

    with FaultyProxy("http://127.0.0.1:9000") as proxy:
        proxy.inject(Fault("status", times=2))            # the next two requests get 503 SlowDown
        proxy.inject(Fault("drop", method="PUT"))         # the next PUT is cut before an answer
        ...                                               # talk to proxy.url
        assert [r.method for r in proxy.requests] == ["GET", "GET", "GET"]

The Host header goes on unchanged, so S3 signatures made for the proxy's address stay valid.
"""

from __future__ import annotations

import http.client
import http.server
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

Kind = Literal["status", "stall", "delay", "drop", "cut_request", "cut_answer"]

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "expect", "content-length"})


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the next `times` requests that match `method` (None: any) and `path` (a part of it).

    status       an S3 error document with `status` and `code`, nothing forwarded
    stall        no answer until the proxy is closed or `seconds` have passed, then the connection drops
    delay        forwarded after `seconds`
    drop         the connection is closed at once, nothing forwarded
    cut_request  half of the request's body is forwarded, then both connections are closed
    cut_answer   the head and half of the body of the answer come back, then the connection is closed
    """

    kind: Kind
    times: int = 1
    method: str | None = None
    path: str = ""
    status: int = 503
    code: str = "SlowDown"
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it reached the proxy; `fault` is what was done to it, None if nothing."""

    method: str
    path: str
    fault: Kind | None


class FaultyProxy:
    """A threaded proxy on a free loopback port in front of `upstream` (an http:// URL)."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self._lock = threading.Lock()
        self._faults: list[list[Fault | int]] = []
        self._closing = threading.Event()
        self.requests: list[Seen] = []
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def inject(self, *faults: Fault) -> None:
        """Queue faults; each request takes the first one that matches it."""
        with self._lock:
            self._faults.extend([fault, fault.times] for fault in faults)

    def clear(self) -> None:
        """Behave well from now on."""
        with self._lock:
            self._faults.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, counted down, and a note in `requests`."""
        with self._lock:
            fault = next(self._matching(method, path), None)
            self.requests.append(Seen(method, path, fault.kind if fault else None))
            return fault

    def _matching(self, method: str, path: str) -> Iterator[Fault]:
        for entry in self._faults:
            fault, left = entry
            assert isinstance(fault, Fault) and isinstance(left, int)
            if left > 0 and fault.method in {None, method} and fault.path in path:
                entry[1] = left - 1
                yield fault

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fault = proxy._take(self.command, self.path)
                try:
                    proxy._serve(self, fault)
                except OSError:  # the client or the store has gone away, which is the point
                    self.close_connection = True

            do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - names given by http.server

            def log_message(self, format: str, *args: object) -> None:
                return

        return Handler

    def _serve(self, request: http.server.BaseHTTPRequestHandler, fault: Fault | None) -> None:
        kind = fault.kind if fault else None
        if fault is not None and kind in {"stall", "delay"}:
            self._closing.wait(fault.seconds)
        if kind in {"stall", "drop"}:
            _hang_up(request)
            return
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length if kind != "cut_request" else length // 2)
        if fault is not None and kind == "status":
            _answer(request, fault.status, {"Content-Type": "application/xml"}, _error(fault), cut=False)
            return
        upstream = http.client.HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=60)
        try:
            _send_head(upstream, request)
            upstream.send(body)
            if kind == "cut_request":
                _hang_up(request)
                return
            answer = upstream.getresponse()
            content = answer.read()
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP}
            if request.command == "HEAD":
                headers["Content-Length"] = answer.getheader("Content-Length") or "0"
            _answer(request, answer.status, headers, content, cut=kind == "cut_answer")
        finally:
            upstream.close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed in the middle of a request is no news."""


def _send_head(upstream: http.client.HTTPConnection, request: http.server.BaseHTTPRequestHandler) -> None:
    upstream.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.items():
        if name.lower() not in _HOP_BY_HOP or name.lower() == "content-length":
            upstream.putheader(name, value)
    upstream.endheaders()


def _answer(
    request: http.server.BaseHTTPRequestHandler,
    status: int,
    headers: dict[str, str],
    content: bytes,
    *,
    cut: bool,
) -> None:
    request.send_response_only(status)
    for name, value in headers.items():
        request.send_header(name, value)
    if "Content-Length" not in headers:
        request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(content[: len(content) // 2] if cut else content)
    if cut:
        _hang_up(request)


def _hang_up(request: http.server.BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.wfile.flush()
    request.connection.shutdown(socket.SHUT_RDWR)


def _error(fault: Fault) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{fault.code}</Code>'
        f"<Message>Please reduce your request rate.</Message></Error>"
    ).encode()
