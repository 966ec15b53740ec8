"""http(s): read-only, no redirects, no forbidden addresses, no more bytes than allowed."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from hwr_batch.errors import ConfigError, StorageError
from hwr_batch.storage import RefusedError, Store, TooLargeError
from hwr_batch.storage.address import refusal

from .web import Reply, Web

DATA = bytes(range(256)) * 16


def test_read_and_its_requests(store: Store, web: Web) -> None:
    web.replies["/a%20b.png"] = [Reply(DATA)]
    assert store.read(f"{web.url}/a%20b.png") == DATA
    assert store.read(f"{web.url}/a b.png?size=full") == DATA
    assert web.asked == ["/a%20b.png", "/a%20b.png?size=full"]
    assert store.exists(f"{web.url}/a b.png")
    assert not store.exists(f"{web.url}/other")


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("declare", [True, False])
def test_ranges_whether_or_not_the_server_has_them(
    store: Store, web: Web, ranges: bool, declare: bool
) -> None:
    web.replies["/x"] = [Reply(DATA, ranges=ranges, declare=declare)]
    assert store.read_range(f"{web.url}/x", 100, 200) == DATA[100:200]
    assert store.size(f"{web.url}/x") == len(DATA)
    with store.open(f"{web.url}/x", block=1000) as file:
        assert (file.seek(3000), file.read(10), file.read()) == (3000, DATA[3000:3010], DATA[3010:])


@pytest.mark.parametrize("declare", [True, False])
def test_a_limit_stops_the_transfer(store: Store, web: Web, declare: bool) -> None:
    web.replies["/bomb"] = [Reply(bytes(50 << 20), declare=declare)]
    with pytest.raises(TooLargeError):
        store.read(f"{web.url}/bomb", max_bytes=1 << 20)
    assert web.sent < 30 << 20  # what was in the sockets' buffers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused(store: Store, web: Web, status: int) -> None:
    web.replies["/x"] = [Reply(status=status, headers={"Location": "/secret"})]
    web.replies["/secret"] = [Reply(b"secret")]
    with pytest.raises(RefusedError, match="redirects are not followed"):
        store.read(f"{web.url}/x")
    assert web.asked == ["/x"]


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, PermissionError), (403, PermissionError), (404, FileNotFoundError), (410, FileNotFoundError)],
)
def test_answers_stand(store: Store, web: Web, status: int, error: type[Exception]) -> None:
    web.replies["/x"] = [Reply(status=status)]
    with pytest.raises(error):
        store.read(f"{web.url}/x")
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(status=503), "throttled"),
        (Reply(status=429, headers={"Retry-After": "3600"}), "throttled"),  # capped by the policy
        (Reply(status=500), "server_error"),
        (Reply(DATA, short=100), "connection"),
    ],
)
def test_what_may_pass_is_asked_again(store: Store, web: Web, reply: Reply, cause: str) -> None:
    web.replies["/x"] = [reply, reply, Reply(DATA)]
    assert store.read(f"{web.url}/x") == DATA
    assert store.retries == {cause: 2}


def test_a_server_that_is_gone(store: Store) -> None:
    with Web() as web:
        url = f"{web.url}/x?token=s3cret"
    with pytest.raises(StorageError) as caught:
        store.read(url)
    assert "s3cret" not in str(caught.value)


def test_writing_is_a_wrong_configuration(store: Store) -> None:
    for call in (
        lambda: store.put("https://host/x", b""),
        lambda: store.remove("https://host/x"),
    ):
        with pytest.raises(ConfigError, match="can only be read"):
            call()
    with pytest.raises(ConfigError, match="cannot be listed"):
        list(store.list("https://host/x"))


REFUSED = [
    "169.254.169.254",
    "169.254.170.2",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "[::]",
    "224.0.0.1",
    "2852039166",
    "0xa9fea9fe",
    "169.254.43518",
    "127.1",
]


@pytest.mark.parametrize("host", REFUSED)
def test_forbidden_addresses_are_refused_unasked(store: Store, host: str) -> None:
    with pytest.raises(RefusedError):
        store.read(f"http://{host}/latest/meta-data/")
    assert store.retries == {}


@pytest.mark.parametrize(
    "host", ["example.org", "10.0.0.7", "192.168.1.1", "127.0.0.1", "::1", "2001:db8::1"]
)
def test_hosts_and_private_networks_are_allowed(host: str) -> None:
    assert refusal(host) is None


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("169.254.169.254", "link-local or metadata"),
        ("127.0.0.1", "leads to this machine"),
        ("0.0.0.0", "no host"),
    ],
)
def test_a_name_that_leads_to_a_forbidden_address(
    store: Store, web: Web, monkeypatch: pytest.MonkeyPatch, address: str, why: str
) -> None:
    def resolve(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(RefusedError, match=why):
        store.read(f"http://images.example.org:{web.port}/x")
    assert (web.asked, store.retries) == ([], {})


def test_localhost_may_be_named(store: Store, web: Web) -> None:
    web.replies["/x"] = [Reply(DATA)]
    assert store.read(f"http://localhost:{web.port}/x") == DATA


def test_what_is_no_url(store: Store) -> None:
    for uri in ("http://host:99999/x", "http://[::1/x", "http:///x"):
        with pytest.raises(RefusedError):
            store.read(uri)
