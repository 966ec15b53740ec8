"""Downloads from a host that misbehaves: what is kept, what is asked for again, what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import ssl
from pathlib import Path

import pytest
import requests
import urllib3

from hwr_batch.errors import ConfigError, ExitCode, ModelError
from hwr_batch.zoo.cache import Transport
from hwr_batch.zoo.download import download
from hwr_batch.zoo.entry import ModelFile, Published

from .file_server import Answer, Drop, FileHost, IgnoreRange

BODY = bytes(range(256)) * 1000
FILE = ModelFile("net.bin", len(BODY), "sha384", hashlib.sha384(BODY).hexdigest(), Published("net.bin"))


@pytest.fixture(autouse=True)
def published(host: FileHost) -> None:
    host.files["net.bin"] = BODY


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    return tmp_path / "net.bin.partial"


def fetch(host: FileHost, partial: Path, transport: Transport) -> bytes:
    return download(FILE, f"{host.origin}/net.bin", partial, transport)


def test_a_good_file(host: FileHost, partial: Path, transport: Transport) -> None:
    assert fetch(host, partial, transport) == BODY
    assert host.seen == [("net.bin", None)]


def test_a_dropped_connection_is_resumed_from_what_came(
    host: FileHost, partial: Path, transport: Transport
) -> None:
    host.faults.append(Drop(after=100_000))
    assert fetch(host, partial, transport) == BODY
    (_, first), (_, second) = host.seen
    assert first is None
    assert second is not None
    resumed_at = int(second.removeprefix("bytes=").removesuffix("-"))
    assert 100_000 - 16 * 1024 < resumed_at <= 100_000


def test_what_came_is_kept_for_the_next_run(host: FileHost, partial: Path, transport: Transport) -> None:
    host.faults.extend([Drop(100_000), Answer(503), Drop(50_000)])
    with pytest.raises(ModelError, match="in 3 attempts"):
        fetch(host, partial, transport)
    kept = partial.read_bytes()
    assert len(kept) > 130_000
    assert BODY.startswith(kept)
    host.seen.clear()
    assert fetch(host, partial, transport) == BODY
    assert host.seen == [("net.bin", f"bytes={len(kept)}-")]


def test_a_host_without_ranges_sends_it_all_again(
    host: FileHost, partial: Path, transport: Transport
) -> None:
    host.faults.extend([Drop(100_000), IgnoreRange()])
    assert fetch(host, partial, transport) == BODY


def test_a_whole_partial_is_not_fetched_again(host: FileHost, partial: Path, transport: Transport) -> None:
    partial.write_bytes(BODY)
    assert fetch(host, partial, transport) == BODY
    assert host.seen == []


@pytest.mark.parametrize(
    "left", [b"x" * 1000, b"x" * len(BODY), b"x" * (len(BODY) + 1)], ids=["shorter", "as long", "longer"]
)
def test_a_damaged_partial_is_given_up(
    left: bytes, host: FileHost, partial: Path, transport: Transport
) -> None:
    partial.write_bytes(left)
    assert fetch(host, partial, transport) == BODY


def test_a_wrong_digest_is_refused_and_nothing_is_kept(
    host: FileHost, partial: Path, transport: Transport
) -> None:
    host.files["net.bin"] = b"y" * len(BODY)
    with pytest.raises(ModelError, match=r"is not the published net\.bin: its SHA384 does not match"):
        fetch(host, partial, transport)
    assert not partial.exists()


def test_a_truncated_body_is_refused_after_every_attempt(
    host: FileHost, partial: Path, transport: Transport
) -> None:
    host.files["net.bin"] = BODY[:-1]
    with pytest.raises(ModelError, match="in 3 attempts") as refused:
        fetch(host, partial, transport)
    assert refused.value.exit_code is ExitCode.BAD_MODEL


def test_a_body_without_an_end_is_cut_off(host: FileHost, partial: Path, transport: Transport) -> None:
    host.files["net.bin"] = BODY + b"z" * 500_000
    with pytest.raises(ModelError, match=f"is longer than {len(BODY)} bytes"):
        fetch(host, partial, transport)
    assert not partial.exists()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_host_is_asked_again(status: int, host: FileHost, partial: Path, transport: Transport) -> None:
    host.faults.extend([Answer(status), Answer(status)])
    assert fetch(host, partial, transport) == BODY
    assert len(host.seen) == 3


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_not_asked_again(
    status: int, host: FileHost, partial: Path, transport: Transport
) -> None:
    host.faults.append(Answer(status))
    with pytest.raises(ModelError, match=f"answered {status}"):
        fetch(host, partial, transport)
    assert len(host.seen) == 1


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9/net.bin", "the host refused the connection"),
        ("http://nowhere.invalid/net.bin", "its host name is unknown here"),
    ],
)
def test_an_unreachable_host_names_the_two_ways_out(
    url: str, why: str, partial: Path, transport: Transport
) -> None:
    with pytest.raises(ModelError) as refused:
        download(FILE, url, partial, transport)
    sentence = str(refused.value)
    assert url in sentence
    assert why in sentence
    assert "HWR_BATCH_CACHE" in sentence
    assert "--model a folder" in sentence
    assert "\n" not in sentence


def test_a_password_in_the_origin_stays_out_of_messages(
    host: FileHost, partial: Path, transport: Transport
) -> None:
    url = f"{host.origin}/none.bin".replace("://", "://user:s3cret@") + "?sig=t0ken"
    with pytest.raises(ModelError) as refused:
        download(FILE, url, partial, transport)
    assert "s3cret" not in str(refused.value)
    assert "t0ken" not in str(refused.value)


def wrapped(bottom: ssl.SSLError) -> requests.exceptions.SSLError:
    """As requests raises it: the cause lies three exceptions deep."""
    reason = urllib3.exceptions.SSLError(bottom)
    return requests.exceptions.SSLError(urllib3.exceptions.MaxRetryError(None, "/", reason))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bottom", "says", "attempts"),
    [
        (ssl.SSLCertVerificationError(1, "self-signed"), "cannot be verified; set REQUESTS_CA_BUNDLE", 1),
        (ssl.SSLError(1, "bad record mac"), r"in 3 attempts \(the encrypted connection broke\)", 3),
    ],
)
def test_a_bad_certificate_is_final_and_a_broken_connection_is_not(
    bottom: ssl.SSLError,
    says: str,
    attempts: int,
    partial: Path,
    transport: Transport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def refuse(url: str, **_: object) -> requests.Response:
        asked.append(url)
        raise wrapped(bottom)

    monkeypatch.setattr("hwr_batch.zoo.download.requests.get", refuse)
    with pytest.raises(ModelError, match=says):
        download(FILE, "https://127.0.0.1/net.bin", partial, transport)
    assert len(asked) == attempts


def test_a_slow_host_is_cut_off(
    host: FileHost, partial: Path, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwr_batch.zoo.download._GRACE_S", -1000.0)
    with pytest.raises(ModelError, match="sends too slowly"):
        fetch(host, partial, transport)
    assert partial.stat().st_size > 0


def test_the_origin_must_be_a_web_address(transport: Transport) -> None:
    with pytest.raises(ConfigError, match="must be an http"):
        dataclasses.replace(transport, origin="file:///models")
