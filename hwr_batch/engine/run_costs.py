"""How many lines share a run of the recurrent part on this CPU, and what such a run costs.

oneDNN's LSTM (brgemm) reads all weights once per frame and batch: the more lines, the more work for each of
them. Measured on layers of 512 inputs over 250 frames, one run per core, GFLOP/s of two cores together, on an
Intel Xeon (held to AVX2 by ONEDNN_MAX_CPU_ISA):

    lines            4     8    12    16    24    32    64
    f32, AVX-512    93   154   186   186   206   202   212    (matrix products 227 to 263)
    f32, AVX2       74    86   107   100         112
    bf16, AMX      252   416   496   631   535   565   588

A smaller second batch takes what is left over. Each costs memory: 50 MB for the weights once more, and 2.5 MB
per line and core for what lies between the layers.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwr_batch.config import Padding, Precision
from hwr_batch.engine.threads import instruction_set

Costs = Mapping[int, float]  # by batch; in lines of the largest one

_AVX512: Costs = {32: 32.0, 4: 8.7}
_AVX2: Costs = {16: 16.0, 4: 5.4}  # larger ones gained nothing on an AMD Zen 3
_AMX_BF16: Costs = {16: 16.0, 4: 10.0}
# Only lines of one width share a batch, so that many stay half empty. Measured in f32; bf16 by the table.
_TRIMMED: Costs = {24: 24.0, 8: 10.5}
_TRIMMED_BF16: Costs = {16: 16.0, 8: 12.1}


def run_costs(precision: Precision, padding: Padding) -> Costs:
    """The batches to compile, and what a run of each costs."""
    if precision is Precision.BF16:
        return _TRIMMED_BF16 if padding is Padding.TRIM else _AMX_BF16
    if padding is Padding.TRIM:
        return _TRIMMED
    return _AVX512 if instruction_set().startswith(("avx512", "amx")) else _AVX2
