"""Faults inside the processes of a run, switched by files in the folder that CHAOS_SWITCHES names.

    full-disk       writing below the folder it names fails with ENOSPC, in workers
    out-of-memory   taken away by the first worker that opens an image, which is then killed as by the kernel
    memory-error    the same, but Python cannot allocate

An image file of the bytes DEADLY ends whoever decodes it; one of BREAKING raises what nobody foresaw.
Waits between retries are cut short, so that a store that is gone for good is given up in seconds; the number
of tries stays.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

DEADLY = b"kills the worker"
BREAKING = b"breaks the worker"


def _patch_image(module: ModuleType) -> None:
    decode = module.open_page  # type: ignore[attr-defined]

    def open_page(data: bytes, **options: Any) -> Any:
        if data == DEADLY:
            os._exit(139)
        if data == BREAKING:
            raise ZeroDivisionError("a bug on one line in a billion")
        if _take("out-of-memory"):
            os.kill(os.getpid(), signal.SIGKILL)
        if _take("memory-error"):
            raise MemoryError
        return decode(data, **options)

    module.open_page = open_page  # type: ignore[attr-defined]


def _patch_retry(module: ModuleType) -> None:
    module.RetryPolicy.__init__.__defaults__ = (8, 0.05, 0.5)  # type: ignore[attr-defined]


def _patch_policy(module: ModuleType) -> None:
    make = module.Policy.__init__  # type: ignore[attr-defined]
    make.__defaults__ = tuple(0.2 if value == 5.0 else value for value in make.__defaults__)


PATCHES: dict[str, Callable[[ModuleType], None]] = {
    "hwr_batch.image": _patch_image,
    "hwr_batch.storage.retry": _patch_retry,
    "hwr_batch.schedule.policy": _patch_policy,
}


class _Finder(MetaPathFinder):
    """Patches a module right after its own code has run."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        patch = PATCHES.pop(name, None)
        spec = find_spec(name) if patch else None
        if spec is None or spec.loader is None or patch is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            patch(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _take(switch: str) -> bool:
    """Whether this process is the one that found the switch on; it is off then."""
    try:
        (SWITCHES / switch).rename(SWITCHES / f"{switch}-taken")
    except OSError:
        return False
    return True


def _fill_disk() -> None:
    real = os.write

    def write(fd: int, data: Any) -> int:
        switch = SWITCHES / "full-disk"
        if switch.exists() and os.readlink(f"/proc/self/fd/{fd}").startswith(switch.read_text()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data)

    os.write = write


if "CHAOS_SWITCHES" in os.environ:
    SWITCHES = Path(os.environ["CHAOS_SWITCHES"])
    sys.meta_path.insert(0, _Finder())
    if "default_worker.py" in " ".join(sys.orig_argv):
        _fill_disk()
