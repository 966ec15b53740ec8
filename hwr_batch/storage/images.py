"""The bytes of one image file, or the status its line gets. A broken store is not a broken line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from hwr_batch.config import Limits
from hwr_batch.errors import LineError, Status
from hwr_batch.storage.access import AccessPolicy
from hwr_batch.storage.faults import RefusedError, TooLargeError
from hwr_batch.storage.members import Member, member_of
from hwr_batch.storage.store import Store
from hwr_batch.storage.uri import redact


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Reads images for one manifest: through `store`, where `policy` allows it, up to `limits`.

    `policy` is None where the person who runs the command names the images, and no manifest does.
    """

    store: Store
    policy: AccessPolicy | None
    limits: Limits

    def fetch(self, image: str) -> bytes:
        """The file named by a manifest's `image` cell, or a member of a tar archive; at least one byte.

        Raises LineError (IMAGE_MISSING, ACCESS_DENIED, IMAGE_TOO_LARGE, or IMAGE_UNREADABLE for
        folders and empty files) for what is wrong with this image, StorageError where the store
        gave no answer after every retry.
        """
        member = member_of(image)
        try:
            if member is not None:
                data = self._member(member)
            else:
                data = self.store.read(self._resolve(image), max_bytes=self.limits.image_bytes)
        except (OSError, TooLargeError) as exc:
            _fail(redact(image), exc)
        if not data:
            raise LineError(Status.IMAGE_UNREADABLE, f"{redact(image)} is empty")
        return data

    def _resolve(self, image: str) -> str:
        return image if self.policy is None else self.policy.resolve(image)

    def _member(self, member: Member) -> bytes:
        target = self._resolve(member.archive)
        if member.size > self.limits.image_bytes:
            raise TooLargeError(member.size, self.limits.image_bytes)
        data = self.store.read_range(target, member.offset, member.offset + member.size)
        if len(data) < member.size:
            raise LineError(
                Status.IMAGE_UNREADABLE, f"{redact(member.archive)} ends before the member that the row names"
            )
        return data


def _fail(name: str, exc: OSError | TooLargeError) -> NoReturn:
    """Raise the LineError that `exc` means; errors without a meaning for a line go on as they are."""
    if isinstance(exc, TooLargeError):
        sentence = f"{name} has {exc.size} bytes, more than --max-image-bytes {exc.limit}"
        raise LineError(Status.IMAGE_TOO_LARGE, sentence) from exc
    if isinstance(exc, (FileNotFoundError, NotADirectoryError)):
        raise LineError(Status.IMAGE_MISSING, f"{name} does not exist") from exc
    if isinstance(exc, IsADirectoryError):
        raise LineError(
            Status.IMAGE_UNREADABLE, f"{name} is a folder or a device, not an image file"
        ) from exc
    if isinstance(exc, RefusedError):
        raise LineError(Status.ACCESS_DENIED, str(exc)) from exc
    if isinstance(exc, PermissionError):
        raise LineError(Status.ACCESS_DENIED, f"{name}: the store refuses to hand it out") from exc
    raise exc
