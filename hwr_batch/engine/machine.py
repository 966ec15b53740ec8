"""What OpenVINO finds on this machine, for `doctor`."""

from __future__ import annotations

import openvino as ov

from hwr_batch.engine.threads import instruction_set


def processor() -> str:
    """The CPU's name as OpenVINO reports it."""
    return str(ov.Core().get_property("CPU", "FULL_DEVICE_NAME"))


def has_bf16() -> bool:
    """Whether the CPU plugin lists bf16 among its optimisations (OpenVINO: OPTIMIZATION_CAPABILITIES)."""
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


__all__ = ["has_bf16", "instruction_set", "processor"]
