"""Which images a manifest may name. Manifests are untrusted: their writer chooses what the job reads.

    local manifest    files whose real path (every link followed) lies under the manifest's folder
    remote manifest   the manifest's own scheme and bucket, or scheme, host and port
    both              what the person who starts the job adds: `--allow-root` folders, `--allow-url` prefixes

What a name leads to later, a redirect or an address behind a domain name, is refused by
`hwr_batch.storage.http` when it happens.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from hwr_batch.config import AccessOptions
from hwr_batch.errors import ConfigError, LineError, Status
from hwr_batch.storage import uri
from hwr_batch.storage.address import refusal

# A host and a port, nothing else: user information, a backslash or a non-ASCII look-alike is read
# differently by different parsers, which is how a checked host becomes another one.
_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """`base`: the manifest's folder; `roots`: real paths of readable folders; `prefixes`: of URIs."""

    base: str
    roots: tuple[str, ...]
    prefixes: tuple[str, ...]

    @classmethod
    def for_manifest(cls, manifest_uri: str, options: AccessOptions) -> AccessPolicy:
        """The policy for one manifest (a normalized URI). ConfigError for an `--allow-url` that is none."""
        base = uri.parent(manifest_uri)
        roots = [os.path.realpath(folder) for folder in options.allow_roots]
        prefixes = [_prefix(url) for url in options.allow_urls]
        if uri.is_local(base):
            roots.append(os.path.realpath(base))
        else:
            prefixes.append(uri.origin(manifest_uri))
        return cls(base, tuple(roots), tuple(prefixes))

    def resolve(self, image: str) -> str:
        """The absolute name to read for a manifest's `image` cell.

        Raises LineError: ACCESS_DENIED where the rules above say so, IMAGE_MISSING for what cannot
        name a file.
        """
        if not image or "\0" in image:
            raise LineError(Status.IMAGE_MISSING, "the image cell names no file")
        if not uri.is_local(image):
            return self._remote(image)
        if uri.has_scheme(image) or image.startswith("/") or uri.is_local(self.base):
            return self._local(image)
        return self._remote(self._beside_manifest(image))

    def _local(self, image: str) -> str:
        try:
            path = os.path.realpath(Path(self._folder()) / uri.local_path(image))
        except ValueError as exc:
            raise _denied(f"{uri.redact(image)} is not a local file") from exc
        if not any(path == root or path.startswith(root.rstrip("/") + "/") for root in self.roots):
            raise _denied(
                f"{uri.redact(image)} lies outside the manifest's folder; allow it with --allow-root"
            )
        return path

    def _folder(self) -> str:
        """What a relative path is relative to; a remote manifest has only absolute local paths."""
        return self.base if uri.is_local(self.base) else "/"

    def _beside_manifest(self, image: str) -> str:
        """A relative path against a remote manifest; `..` may climb to the bucket or host, not further."""
        kind, authority, folder = uri.split(self.base)
        depth = [part for part in folder.split("/") if part]
        for part in posixpath.normpath(image).split("/"):
            if part == "..":
                if not depth:
                    raise _denied(f"{uri.redact(image)} climbs out of the manifest's bucket or host")
                depth.pop()
            else:
                depth.append(part if kind not in uri.HTTP else uri.quote_illegal(part, safe=""))
        return "/".join([f"{kind}://{authority}", *depth])

    def _remote(self, image: str) -> str:
        target = _checked(image)
        if not any(_covers(prefix, target) for prefix in self.prefixes):
            place = uri.redact(uri.origin(target))
            raise _denied(
                f"{uri.redact(image)} is not where the manifest lies; allow {place} with --allow-url"
            )
        return target


def _checked(image: str) -> str:
    """A remote URI with a canonical scheme that names one place for every parser."""
    kind, authority, path = uri.split(image)
    if kind not in uri.SCHEMES:
        raise _denied(
            f"{uri.redact(image)}: the scheme {uri.redact(kind)!r} is not one that images are read from"
        )
    if any(part.partition(";")[0] == ".." for part in _segments(path, decode=kind in uri.HTTP)):
        raise _denied(f"{uri.redact(image)} contains '..'")
    if kind in uri.HTTP:
        _check_host(image, authority)
    elif "@" in authority and kind not in uri.AZURE:
        raise _denied(f"{uri.redact(image)} carries a credential")
    return f"{kind}://{authority}/{path}"


def _check_host(image: str, authority: str) -> None:
    match = _AUTHORITY.fullmatch(authority)
    if match is None or int((match[2] or ":0")[1:]) > 65535:
        raise _denied(f"{uri.redact(image)}: write the host as name or name:port, in ASCII, without a user")
    if why := refusal(match[1].strip("[]")):
        raise _denied(f"{uri.redact(image)} {why}")


def _segments(path: str, *, decode: bool) -> Iterator[str]:
    """The parts of a path as a server may see them, in each spelling it may understand."""
    path = re.split(r"[?#]", path, maxsplit=1)[0] if decode else path
    yield from path.split("/")
    if decode:
        yield from re.split(r"[/\\]", unquote(path))


def _prefix(url: str) -> str:
    """An `--allow-url` as `_covers` compares it: canonical origin, then the path."""
    if uri.is_local(url) or uri.scheme(url) not in uri.SCHEMES:
        raise ConfigError(
            f"--allow-url {uri.redact(url)}: give a prefix such as s3://bucket/folder or https://host/folder "
            "(local folders go to --allow-root)"
        )
    uri.refuse_credentials(url)
    return uri.origin(url) + _path(url).rstrip("/")


def _covers(prefix: str, target: str) -> bool:
    """Whether `target` is `prefix` or lies below it; `…/scans` does not cover `…/scans-secret`."""
    name = uri.origin(target) + _path(target)
    return name == prefix or name.startswith(prefix + "/")


def _path(url: str) -> str:
    _, _, path = uri.split(url)
    return f"/{path}" if path else ""


def _denied(sentence: str) -> LineError:
    return LineError(Status.ACCESS_DENIED, sentence)
