"""Serves a site on this machine, as a host for it should."""

import errno
import http.server
import io
import os
import re
import sys
from pathlib import Path

# Threads need memory that they share, which browsers give to isolated pages alone.
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    # Asks again each time, so that another export is seen.
    "Cache-Control": "no-cache",
    "Accept-Ranges": "bytes",
}

_HOSTS = ("localhost", "127.0.0.1")


class SiteServer(http.server.ThreadingHTTPServer):
    """Serves a site's files to this machine alone.

    Args:
        folder: The site.
        port: The port; 0 for any that is free.

    Raises:
        OSError: If the port cannot be had.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int):
        self.folder = folder
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            in_use = getattr(error, "errno", None) == errno.EADDRINUSE
            reason = "it is in use" if in_use else str(error)
            raise OSError(
                f"Port {port} cannot be served at ({reason}): give another --port."
            ) from None

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://localhost:{self.server_port}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Tells of errors, but not of browsers that go away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Those of the system may lack them, or be wrong.
    extensions_map = {  # noqa: RUF012
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".tflite": "application/octet-stream",
        ".wasm": "application/wasm",
    }

    def __init__(self, request, address, server):
        super().__init__(request, address, server, directory=str(server.folder))

    def end_headers(self):
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_):
        """Keeps the terminal quiet."""

    def list_directory(self, _):
        self.send_error(404)

    def send_head(self):
        """Sends the headers of a file, or of the part of it that is asked for."""
        # A page of another site may have its name point here, and would read the model.
        host = re.sub(r":\d+$", "", self.headers.get("Host", ""))
        if host not in _HOSTS:
            self.send_error(403, "Open the page as localhost")
            return None
        path = Path(self.translate_path(self.path))
        asked = re.fullmatch(
            r"bytes=(\d{0,18})-(\d{0,18})", self.headers.get("Range", "")
        )
        # A condition on the file's version is not read: then all of it is right too.
        if not (asked and any(asked.groups()) and path.is_file()) or (
            "If-Range" in self.headers
        ):
            return super().send_head()
        size = path.stat().st_size
        first, last = asked.groups()
        if not first:
            begin, end = max(0, size - int(last)), size
        else:
            begin, end = int(first), min(size, int(last) + 1 if last else size)
        if begin >= end:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        with path.open("rb") as file:
            file.seek(begin, os.SEEK_SET)
            part = file.read(end - begin)
        self.send_response(206)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        return io.BytesIO(part)
