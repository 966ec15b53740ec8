"""The properties that make OpenVINO keep to the cores it was given.

OpenVINO's CPU plugin runs on TBB: it does not read OMP_NUM_THREADS, it ignores the cgroup's CPU quota, and
several instances on one host would all pin their threads from core 0. So every count is set here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwr_batch.config import Precision
from hwr_batch.engine.options import EngineOptions
from hwr_batch.zoo.card import Context, ModelCard

_ISAS = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2", "sse4_2")  # best first, /proc names

# Kernels that OpenVINO keeps for shapes it has met, per stream. Its default of 5000 let a network with
# hundreds of distinct widths grow from 240 to 840 MB and on; 0 costs it a fifth of its speed. The published
# networks need fewer than this for all their widths.
_CACHED_PRIMITIVES = 1500
# A network that takes any width meets hundreds of them: over 1,000 lines 841 MB with 1500, 679 with 600,
# which costs a tenth of its speed.
_CACHED_PRIMITIVES_OF_ANY_WIDTH = 600
# In bf16 a kernel takes longer to make than it saves: 512 lines of 77 widths, read again, came at 54 lines/s
# with 600 and at 108 with 3000, for 220 MB more.
_CACHED_BF16_PRIMITIVES_OF_ANY_WIDTH = 3000


def properties(options: EngineOptions, streams: int, card: ModelCard | None = None) -> dict[str, Any]:
    """Compile properties: one thread per stream, so that an answer does not depend on their number.

    bf16 is OpenVINO's default where the CPU has it, so the precision is always said. INT8 files carry
    their own quantisation; what is left of them runs in f32. No model cache: its folder has races.
    """
    return {
        "INFERENCE_NUM_THREADS": streams,
        "NUM_STREAMS": streams,
        "INFERENCE_PRECISION_HINT": "bf16" if options.precision is Precision.BF16 else "f32",
        "ENABLE_CPU_PINNING": pinned(options, card),
        "CACHE_DIR": "",
        "CPU_RUNTIME_CACHE_CAPACITY": _cached_primitives(options, card),
    }


def _cached_primitives(options: EngineOptions, card: ModelCard | None) -> int:
    if card is None or card.width:
        return _CACHED_PRIMITIVES
    if options.precision is Precision.BF16:
        return _CACHED_BF16_PRIMITIVES_OF_ANY_WIDTH
    return _CACHED_PRIMITIVES_OF_ANY_WIDTH


def pinned(options: EngineOptions, card: ModelCard | None = None) -> bool:
    """Whether each stream keeps to one core.

    Not beside other engines, whose streams would keep to the same ones. Nor where the network is split into
    several compiled models, for the same reason: unpinned, a job of 640 lines was 6 % faster (5 of 6 pairs).
    """
    return not options.several_on_host and not (card is not None and card.context is Context.RECURRENT)


def instruction_set(root: Path = Path("/")) -> str:
    """The widest vector instructions that OpenVINO's CPU kernels choose by, such as "avx512_bf16"."""
    try:
        text = (root / "proc/cpuinfo").read_text()
    except OSError:
        return "unknown"
    flags = next((set(line.split()) for line in text.splitlines() if line.startswith("flags")), set())
    return next((isa for isa in _ISAS if isa in flags), "unknown")
