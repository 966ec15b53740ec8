"""How long to wait for a store, and how often to ask again. The drivers' own retries are off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_base, wait_random_exponential

from hwr_batch.errors import ConfigError, StorageError
from hwr_batch.storage.faults import TransientError, cause, reason

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Back-off with full jitter: before retry n, 0 to min(longest, first * 2**n) seconds.

    The defaults wait about 25 s in all on average. Full jitter because thousands of actors meet the
    same throttled bucket at once (AWS Architecture Blog, "Exponential Backoff and Jitter", 2015).
    """

    attempts: int = 8
    first_wait_s: float = 0.5
    longest_wait_s: float = 20.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigError(f"retry attempts must be at least 1, not {self.attempts}")
        if not 0 <= self.first_wait_s <= self.longest_wait_s:
            raise ConfigError("retry waits must satisfy 0 <= first_wait_s <= longest_wait_s")


@dataclass(frozen=True, slots=True)
class StoreTimeouts:
    """Seconds: to connect; between two arrivals of data; and for one whole request.

    `request_s` ends a server that sends a byte now and then. A put gets one more second for every
    `put_bytes_per_s` it carries, so that a large part on a slow link is not cut off.
    """

    connect_s: float = 10.0
    read_s: float = 60.0
    request_s: float = 300.0
    put_bytes_per_s: float = 1e6

    def __post_init__(self) -> None:
        if min(self.connect_s, self.read_s, self.request_s, self.put_bytes_per_s) <= 0:
            raise ConfigError("store timeouts must be positive")

    def for_put(self, size: int) -> float:
        """Seconds that a put of `size` bytes may take."""
        return self.request_s + size / self.put_bytes_per_s


def persist(call: Callable[[], T], *, what: str, policy: RetryPolicy, on_retry: Callable[[str], None]) -> T:
    """`call()`, again after each failure that may pass; `on_retry(cause)` before each repetition.

    Raises StorageError when the attempts are used up, whatever else `call` raises at once. `what`
    names the operation and the redacted URI.
    """

    def announce(state: RetryCallState) -> None:
        on_retry(cause(_failure(state)) or "")

    retrying = Retrying(
        stop=stop_after_attempt(policy.attempts),
        wait=_Wait(policy),
        retry=retry_if_exception(lambda exc: cause(exc) is not None),
        before_sleep=announce,
    )
    try:
        return retrying(call)
    except RetryError as exc:
        failure = exc.last_attempt.exception()
        raise StorageError(
            f"{what} failed {policy.attempts} times, last with: {reason(failure or exc)}. "
            "Check the store and the network, then run again to resume"
        ) from failure


class _Wait(wait_base):
    """The policy's back-off, or longer where the server says when to come back."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._longest = policy.longest_wait_s
        self._backoff = wait_random_exponential(multiplier=policy.first_wait_s, max=policy.longest_wait_s)

    def __call__(self, retry_state: RetryCallState) -> float:
        failure = _failure(retry_state)
        asked = failure.wait_s if isinstance(failure, TransientError) else None
        return max(self._backoff(retry_state), min(asked or 0.0, self._longest))


def _failure(state: RetryCallState) -> BaseException:
    failure = state.outcome.exception() if state.outcome else None
    if failure is None:
        raise AssertionError("a retry without a failure")
    return failure
