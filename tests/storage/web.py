"""A web server on loopback whose answers a test writes down."""

from __future__ import annotations

import http.server
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `ranges`: whether Range is honoured; `declare`: whether the length is told, and
    `short`: how many bytes of the body are held back."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    declare: bool = True
    short: int = 0


class Web:
    """`replies[path]`: answers in turn, the last one for ever; `asked`: the paths that were asked for;
    `sent`: body bytes written."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[str] = []
        self.sent = 0
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                web.asked.append(self.path)
                queue = web.replies.get(self.path.partition("?")[0], [Reply(status=404)])
                reply = queue.pop(0) if len(queue) > 1 else queue[0]
                web._send(self, reply)

            def log_message(self, format: str, *args: object) -> None:
                return

        return Handler

    def _send(self, request: http.server.BaseHTTPRequestHandler, reply: Reply) -> None:
        status, body, extra = reply.status, reply.body, dict(reply.headers)
        wanted = request.headers.get("Range")
        if wanted and reply.ranges and status == 200:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            extra["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            status = 206 if int(first) < len(body) else 416
            body = body[int(first) : int(last) + 1]
        request.send_response_only(status)
        for name, value in extra.items():
            request.send_header(name, value)
        if reply.declare:
            request.send_header("Content-Length", str(len(body)))
        else:
            request.send_header("Connection", "close")
        request.end_headers()
        try:
            for start in range(0, len(body) - reply.short, 65536):
                self.sent += request.wfile.write(body[start : min(start + 65536, len(body) - reply.short)])
        except OSError:  # the client has heard enough
            pass
        request.close_connection = not reply.declare or reply.short > 0
