"""Names of stored things. Pure: nothing here looks at a disk or a network.

A local thing is named by an absolute plain path (`/data/a#1 ?.png`, taken literally) or a `file://`
URI (percent-decoded, RFC 8089); `normalize` turns the second into the first. Names in object stores
are literal after the bucket: `#`, `?`, `%` and spaces are ordinary characters there. Only http(s) has
percent-encoding, queries and fragments.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlsplit

from hwr_batch.errors import ConfigError

HTTP = frozenset({"http", "https"})
AZURE = frozenset({"abfs", "abfss"})  # `container@account…` in the authority is no credential
SCHEMES = HTTP | AZURE | {"file", "memory", "s3", "gs"}

_ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_QUERY = re.compile(r"\?[\w.\-%]+=.*", re.DOTALL)  # `?name=value…`; a bare `?` is part of a name
_URL_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_PRINTED = 300  # characters of a URI that fit in a sentence; a manifest cell may hold megabytes


def has_scheme(name: str) -> bool:
    """Whether `name` is an absolute URI rather than a path."""
    return _SCHEME.match(name) is not None or name.lower().startswith("file:/")


def scheme(uri: str) -> str:
    """The canonical lower-case scheme; `file` for a plain path."""
    match = _SCHEME.match(uri)
    if match is None:
        return "file"
    return _ALIASES.get(match[1].lower(), match[1].lower())


def is_local(uri: str) -> bool:
    return scheme(uri) == "file"


def local_path(uri: str) -> Path:
    """The path of a local URI. ValueError for a remote URI and for `file://` on another host."""
    if not is_local(uri):
        raise ValueError(f"{redact(uri)} is not local")
    if not has_scheme(uri):
        return Path(uri)
    rest = uri[len("file:") :]
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host.lower() not in {"", "localhost"}:
            raise ValueError(f"{redact(uri)} names another host; local files are file:///path")
        rest = slash + path
    return Path(os.fsdecode(unquote_to_bytes(rest)))


def split(uri: str) -> tuple[str, str, str]:
    """Scheme, authority (bucket, container or host) and the rest without its leading slash."""
    authority, _, path = uri[uri.index("://") + 3 :].partition("/")
    return scheme(uri), authority, path


def normalize(path_or_uri: str, cwd: Path) -> str:
    """The canonical name of what a person typed: an absolute path, or a URI with a known spelling.

    Raises ConfigError where a URI carries credentials: they would end up in plans and logs.
    """
    if is_local(path_or_uri):
        try:
            return str(cwd / local_path(path_or_uri))
        except ValueError as exc:
            raise ConfigError(str(exc)) from exc
    refuse_credentials(path_or_uri)
    return scheme(path_or_uri) + path_or_uri[path_or_uri.index("://") :]


def refuse_credentials(uri: str) -> None:
    """Raise ConfigError where the authority of a remote URI holds a user name or password."""
    kind, authority, _ = split(uri)
    user, at, _ = authority.rpartition("@")
    if at and (kind not in AZURE or ":" in user):
        raise ConfigError(
            f"{redact(uri)} carries a credential; leave it out and give it by the environment, "
            "an instance identity or a mounted file"
        )


def join(base: str, name: str) -> str:
    """`name` (a relative path, taken literally) inside the folder `base`.

    Under http(s) the name is percent-encoded, but `%xx` in it is kept: web pages list encoded names.
    """
    if is_local(base):
        return f"{str(local_path(base)).rstrip('/')}/{name}"
    if scheme(base) in HTTP:
        return f"{_without_query(base).rstrip('/')}/{quote_illegal(name, safe='/')}"
    return f"{base.rstrip('/')}/{name}"


def parent(uri: str) -> str:
    """The folder that holds `uri`; a bucket or the root is its own parent."""
    if is_local(uri):
        return str(local_path(uri).parent)
    kind, authority, path = split(_without_query(uri) if scheme(uri) in HTTP else uri)
    folder = posixpath.dirname(path.rstrip("/"))
    return f"{kind}://{authority}/{folder}" if folder else f"{kind}://{authority}"


def quote_illegal(text: str, safe: str) -> str:
    """Percent-encode what a URL may not hold, leaving `safe` and existing `%xx` alone."""
    return "".join(
        part if re.fullmatch("%[0-9A-Fa-f]{2}", part) else quote(part, safe=safe)
        for part in re.split("(%[0-9A-Fa-f]{2})", text)
    )


def redact(uri: str) -> str:
    """`uri` for a sentence: no user information, no query values, one line, not too long."""
    if not is_local(uri):
        head, _, rest = uri.partition("://")
        authority, slash, path = rest.partition("/")
        user, at, host = authority.rpartition("@")
        if at and (scheme(uri) not in AZURE or ":" in user):
            authority = f"***@{host}"
        query = re.compile(r"[?#].*", re.DOTALL) if scheme(uri) in HTTP else _QUERY
        uri = (
            f"{head}://{authority}{slash}{query.sub('?…', path)}" if slash else f"{head}://{_bare(authority)}"
        )
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in uri[: _PRINTED + 1])
    return line if len(line) <= _PRINTED else line[:_PRINTED] + "…"


def unsigned(uri: str) -> str:
    """`uri` as it may be kept in a file: of http(s) without the query, which may be a signature."""
    return _without_query(uri) if scheme(uri) in HTTP else uri


def redact_text(text: str) -> str:
    """Somebody else's error message for a sentence: every URI in it redacted, on one line."""
    line = " ".join(_URL_IN_TEXT.sub(lambda match: redact(match[0]), text).split())
    return line if len(line) <= _PRINTED else line[:_PRINTED] + "…"


def origin(uri: str) -> str:
    """What must be equal for two URIs to be 'the same place': scheme and bucket, or scheme, host, port."""
    kind, authority, _ = split(uri)
    if kind not in HTTP:
        return f"{kind}://{authority}"
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port or (443 if kind == "https" else 80)
    except ValueError as exc:
        raise ConfigError(f"{redact(uri)} has no valid host and port") from exc
    return f"{kind}://{host}:{port}"


def _bare(authority: str) -> str:
    return re.split(r"[?#]", authority, maxsplit=1)[0]


def _without_query(uri: str) -> str:
    return re.split(r"[?#]", uri, maxsplit=1)[0]
