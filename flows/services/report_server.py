"""Serves published reports over HTTP to this machine: ``python -m flows.services.report_server FOLDER --port P``.

The dashboard cannot show files, since browsers block ``file://`` links there. *Published* means: a symbolic link in
FOLDER, named by 12 hexadecimal digits, leads to a folder; its files are readable under ``/<name>/``. Nothing else is:
no listings, no writing, no way out of that folder, and no other machine (127.0.0.1, with a check of the Host header so
that a foreign web page cannot reach it under a name of its own).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

GREETING = b"lesionflow reports\n"
NOTHING = Path(os.devnull) / "nothing"
"""A path at which no file can be."""

_NAME = re.compile(r"[0-9a-f]{12}")


def publication_name(outbox: Path) -> str:
    """Name under which a folder is published: the same for the same folder, and it does not tell its path."""
    return hashlib.sha256(str(outbox.resolve()).encode()).hexdigest()[:12]


def publish(folder: Path, outbox: Path) -> str:
    """Let ``folder`` lead to an existing outbox; returns the name of the link."""
    name = publication_name(outbox)
    draft = folder / f".{name}.{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(outbox.resolve(strict=True), target_is_directory=True)
    draft.replace(folder / name)
    return name


def find_published(folder: Path, url_path: str) -> Path | None:
    """The file or folder that a request means, ``None`` when nothing of that kind is published."""
    name, _, inside = unquote(urlsplit(url_path).path).lstrip("/").partition("/")
    if not _NAME.fullmatch(name) or "\0" in inside or not (folder / name).is_symlink():
        return None
    try:
        outbox = (folder / name).resolve(strict=True)
        wanted = (outbox / inside).resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return wanted if wanted.is_relative_to(outbox) else None


class ReportHandler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD for what is published, and 404 for everything else."""

    server_version = "lesionflow"
    sys_version = ""

    def do_GET(self) -> None:
        """Send a file, or the greeting by which a running server is known."""
        if self.path == "/":
            self._greet()
        elif self._comes_from_here():
            super().do_GET()

    def do_HEAD(self) -> None:
        """Send what GET would, without the body."""
        if self._comes_from_here():
            super().do_HEAD()

    def translate_path(self, path: str) -> str:
        """File of a request; a name that cannot exist stands for none."""
        url_path = urlsplit(path).path
        # A folder with a slash means its index page, which may be a link that leads out of it like any other file.
        wanted = f"{url_path}index.html" if url_path.endswith("/") else url_path
        return str(find_published(Path(self.directory), wanted) or NOTHING)

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        """Refuse: nobody needs to know what else a folder holds."""
        del path
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        """Let browsers keep no copy: a report changes when its study is run again."""
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is given by http.server
        """Keep no record of who read what."""

    def _greet(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(GREETING)))
        self.end_headers()
        self.wfile.write(GREETING)

    def _comes_from_here(self) -> bool:
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host in ("127.0.0.1", "localhost"):
            return True
        self.send_error(HTTPStatus.FORBIDDEN, "reports are for this machine only")
        return False


def serve(folder: Path, port: int) -> None:
    """Serve the folder until the process is ended."""
    with ThreadingHTTPServer(("127.0.0.1", port), partial(ReportHandler, directory=str(folder))) as server:
        server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve published reports on 127.0.0.1.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    serve(arguments.folder, arguments.port)
