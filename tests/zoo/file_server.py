"""A file host on loopback that can misbehave: the next requests take the next faults, then all is well."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Drop:
    """Announce the whole body, send `after` bytes of it, close the connection."""

    after: int


@dataclass(frozen=True)
class Answer:
    """A status without a body."""

    status: int


@dataclass(frozen=True)
class IgnoreRange:
    """Answer 200 with the whole file whatever was asked for."""


@dataclass
class FileHost:
    """`files`: path → body. `seen`: (path, Range header or None) of every request."""

    origin: str
    files: dict[str, bytes] = field(default_factory=dict)
    faults: deque[Drop | Answer | IgnoreRange] = field(default_factory=deque)
    seen: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def serve() -> Iterator[FileHost]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    host = FileHost(f"http://127.0.0.1:{server.server_address[1]}/zoo")
    server.host = host  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host: FileHost = self.server.host  # type: ignore[attr-defined]
        path = self.path.removeprefix("/zoo/")
        wanted = self.headers.get("Range")
        host.seen.append((path, wanted))
        fault = host.faults.popleft() if host.faults else None
        body = host.files.get(path)
        if isinstance(fault, Answer) or body is None:
            self._head(fault.status if isinstance(fault, Answer) else 404, {"Content-Length": "0"})
            return
        if wanted and not isinstance(fault, IgnoreRange):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            if int(first) >= len(body):
                self._head(416, {"Content-Length": "0"})
                return
            rest = body[int(first) : int(last) + 1 if last else len(body)]
            span = f"bytes {first}-{int(first) + len(rest) - 1}/{len(body)}"
            self._head(206, {"Content-Length": str(len(rest)), "Content-Range": span})
        else:
            rest = body
            self._head(200, {"Content-Length": str(len(rest))})
        self.wfile.write(rest[: fault.after] if isinstance(fault, Drop) else rest)
        self.close_connection = True

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass
