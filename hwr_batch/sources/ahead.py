"""Reading ahead: a function over an iterator in threads, results in order, only so many under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

THREADS = 8  # object stores answer in tens of milliseconds, so several at once


def ahead(function: Callable[[T], R], items: Iterable[T], *, window: int = 2 * THREADS) -> Iterator[R]:
    """`function(item)` for each item, in order. `window`: results begun or waiting at most.

    What `function` raises is raised where its result would have come.
    """
    upcoming = iter(items)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="manifest") as threads:
        pending: deque[Future[R]] = deque()
        try:
            while True:
                for item in islice(upcoming, window - len(pending)):
                    pending.append(threads.submit(function, item))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for task in pending:
                task.cancel()
