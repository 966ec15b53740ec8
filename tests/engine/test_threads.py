"""The properties that keep OpenVINO to its cores, and the instruction set it will use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hwr_batch.config import Precision
from hwr_batch.engine import EngineOptions, threads
from hwr_batch.errors import ConfigError
from hwr_batch.zoo.card import ModelBundle


def test_properties_say_everything() -> None:
    said = threads.properties(EngineOptions(several_on_host=True), 3)
    assert said["INFERENCE_NUM_THREADS"] == said["NUM_STREAMS"] == 3
    assert said["INFERENCE_PRECISION_HINT"] == "f32"  # never OpenVINO's own default
    assert said["ENABLE_CPU_PINNING"] is False
    assert said["CACHE_DIR"] == ""
    assert (
        threads.properties(EngineOptions(precision=Precision.BF16), 1)["INFERENCE_PRECISION_HINT"] == "bf16"
    )
    assert threads.properties(EngineOptions(precision=Precision.INT8), 1)["INFERENCE_PRECISION_HINT"] == "f32"


def test_streams_keep_to_a_core_only_where_nothing_else_would_keep_to_the_same(
    bundles: dict[str, ModelBundle],
) -> None:
    """A network that is split runs as several compiled models, each of which would pin from core 0."""
    alone, beside = EngineOptions(), EngineOptions(several_on_host=True)
    recurrent, convolutional = bundles["english"].card, bundles["chinese"].card
    assert threads.properties(alone, 2, convolutional)["ENABLE_CPU_PINNING"] is True
    assert threads.properties(alone, 2, recurrent)["ENABLE_CPU_PINNING"] is False
    assert threads.properties(beside, 2, convolutional)["ENABLE_CPU_PINNING"] is False


@pytest.mark.parametrize(
    ("width", "precision", "kept"),
    [
        (2000, Precision.F32, 1500),
        (2000, Precision.BF16, 1500),
        (0, Precision.F32, 600),
        (0, Precision.BF16, 3000),
    ],
)
def test_kernels_kept_for_a_network_of_any_width_depend_on_what_one_costs(
    width: int, precision: Precision, kept: int, bundles: dict[str, ModelBundle]
) -> None:
    card = replace(bundles["chinese"].card, width=width)
    said = threads.properties(EngineOptions(precision), 2, card)
    assert said["CPU_RUNTIME_CACHE_CAPACITY"] == kept


@pytest.mark.parametrize(
    ("flags", "isa"),
    [
        ("fpu avx2 avx512f avx512_vnni avx512_bf16 amx_bf16", "amx_bf16"),
        ("fpu avx2", "avx2"),
        ("fpu", "unknown"),
    ],
)
def test_instruction_set(flags: str, isa: str, tmp_path: Path) -> None:
    text = f"processor\t: 0\nflags\t\t: {flags}\n"
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text(text)
    assert threads.instruction_set(tmp_path) == isa


def test_instruction_set_of_an_unknown_machine(tmp_path: Path) -> None:
    assert threads.instruction_set(tmp_path) == "unknown"


@pytest.mark.parametrize(
    "changed", [{"threads": -1}, {"top_k": -1}, {"batches": {16: 16, 0: 1}}, {"window": 0}, {"ahead": 0}]
)
def test_options_out_of_range(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"engine option {next(iter(changed))} must be at least"):
        EngineOptions(**changed)
