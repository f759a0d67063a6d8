"""Published reports can be read on this machine, and nothing else can."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.services.background import find_service
from flows.services.report_server import ReportHandler, publication_name, publish
from flows.services.server import REPORTS, down, ensure_report_server, publish_reports

SECRET = "the secret"
PARTS = ["..", ".", "%2e%2e", "%2E.", "up", "cases", "odd", "secret.txt", "out.txt", "", "%2f", "\\", "~"]
Get = Callable[..., tuple[int, str]]


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    outbox = tmp_path / "outbox" / "demo"
    (outbox / "cases").mkdir(parents=True)
    (outbox / "report.html").write_text("<p>report</p>")
    (outbox / "cases" / "index.html").write_text("<p>cases</p>")
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "outbox" / "secret.txt").write_text(SECRET)
    (outbox / "out.txt").symlink_to(tmp_path / "secret.txt")
    (outbox / "up").symlink_to(tmp_path)
    (outbox / "odd").mkdir()
    (outbox / "odd" / "index.html").symlink_to(tmp_path / "secret.txt")
    return outbox


@pytest.fixture
def folder(tmp_path: Path, outbox: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    publish(folder, outbox)
    (folder / "0123456789ab").mkdir()  # a folder that is no link was not published
    (folder / "0123456789ab" / "secret.txt").write_text(SECRET)
    (folder / "secret.txt").write_text(SECRET)
    (folder / "top").symlink_to(tmp_path)  # nor is a link with another kind of name
    return folder


@pytest.fixture
def get(folder: Path) -> Iterator[Get]:
    """Ask for a path exactly as it is spelt; ``(status, body)``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(ReportHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def ask(path: str, method: str = "GET", host: str = "127.0.0.1:4280") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    yield ask
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_published_file_is_served(get: Get, outbox: Path) -> None:
    assert get(f"/{publication_name(outbox)}/report.html") == (200, "<p>report</p>")


def test_a_folder_shows_its_index_page(get: Get, outbox: Path) -> None:
    assert get(f"/{publication_name(outbox)}/cases/") == (200, "<p>cases</p>")
    assert get(f"/{publication_name(outbox)}/cases")[0] == 301


def test_a_folder_without_an_index_page_is_not_listed(get: Get, outbox: Path) -> None:
    assert get(f"/{publication_name(outbox)}/")[0] == 404
    assert get(f"/{publication_name(outbox)}")[0] in (301, 404)


def test_the_root_greets_and_lists_nothing(get: Get) -> None:
    assert get("/") == (200, "lesionflow reports\n")


@pytest.mark.parametrize(
    "inside",
    [
        "out.txt",
        "up/secret.txt",
        "odd/",
        "../secret.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "cases/../../secret.txt",
        "../../../../../../../../etc/passwd",
        "/etc/passwd",
        "report.html/",
        "report.html%00",
    ],
)
def test_no_path_and_no_link_leads_out_of_the_outbox(inside: str, get: Get, outbox: Path) -> None:
    status, body = get(f"/{publication_name(outbox)}/{inside}")
    assert status == 404
    assert SECRET not in body


@pytest.mark.parametrize(
    "path", ["/secret.txt", "/0123456789ab/secret.txt", "/top/secret.txt", "/../secret.txt", "//x"]
)
def test_what_was_not_published_is_not_served(path: str, get: Get) -> None:
    assert get(path)[0] == 404


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.sampled_from(PARTS), max_size=7))
def test_no_mixture_of_dots_and_slashes_reaches_the_secret(parts: list[str], get: Get, outbox: Path) -> None:
    status, body = get("/".join(["", publication_name(outbox), *parts]))
    assert SECRET not in body
    assert status in (200, 301, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(method: str, get: Get, outbox: Path) -> None:
    assert get(f"/{publication_name(outbox)}/report.html", method=method)[0] == 501


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_foreign_host_name_is_refused(method: str, get: Get, outbox: Path) -> None:
    path = f"/{publication_name(outbox)}/report.html"
    assert get(path, method=method, host="evil.example:4280")[0] == 403
    assert get(path, method=method, host="localhost:4280")[0] == 200


def test_publishing_twice_gives_the_same_name_and_one_link(folder: Path, outbox: Path) -> None:
    before = set(folder.iterdir())
    assert publish(folder, outbox) == publish(folder, outbox.parent / "." / outbox.name) == publication_name(outbox)
    assert set(folder.iterdir()) == before


def test_an_outbox_that_does_not_exist_cannot_be_published(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        publish(folder, folder / "none")


def test_the_report_server_is_started_once_serves_and_goes_down(
    tmp_path: Path, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LESIONFLOW_STATE_DIR", str(tmp_path / "state"))
    try:
        url = publish_reports(outbox)
        assert url == f"{ensure_report_server()}/{publication_name(outbox)}/"
        assert httpx.get(f"{url}report.html").text == "<p>report</p>"
        record = find_service(REPORTS)
        assert record is not None
    finally:
        done = down()
    assert done == [
        "no prefect-server of ours was running",
        f"report-server ended (pid {record.process.pid}, port {record.port})",
    ]
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
