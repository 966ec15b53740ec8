"""Bytes in and out: ranged reads, lists, atomic puts, retries, and who may be read.

    uri         names of things: local paths and URIs, and how to print them without a secret
    store       the one door to every kind of storage, with retries
    access      which images an untrusted manifest may name
    images      one image's bytes, or the status its line gets

fsspec and its drivers are imported only when a remote URI is first touched.
"""

from hwr_batch.storage.access import AccessPolicy
from hwr_batch.storage.faults import RefusedError, TooLargeError
from hwr_batch.storage.images import ImageSource
from hwr_batch.storage.members import Member, member_of
from hwr_batch.storage.retry import RetryPolicy, StoreTimeouts
from hwr_batch.storage.store import Store
from hwr_batch.storage.uri import is_local, join, local_path, normalize, parent, redact, scheme, unsigned

__all__ = [
    "AccessPolicy",
    "ImageSource",
    "Member",
    "RefusedError",
    "RetryPolicy",
    "Store",
    "StoreTimeouts",
    "TooLargeError",
    "is_local",
    "join",
    "local_path",
    "member_of",
    "normalize",
    "parent",
    "redact",
    "scheme",
    "unsigned",
]
