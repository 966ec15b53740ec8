"""How the published demo reads: one image, padded to the published width, one request, then the next."""

from __future__ import annotations

import time

import openvino as ov

from hwr_batch.bench.process import peak_bytes
from hwr_batch.bench.published import network_input, read_line, text_of
from hwr_batch.bench.setting import Measured, Setting
from hwr_batch.engine.source import open_network


def read(setting: Setting) -> Measured:
    """OpenVINO's default LATENCY settings, but f32: its own default is bf16 where the CPU has it."""
    bundle, core = setting.bundle, ov.Core()
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(open_network(core, bundle), "CPU", options).create_infer_request()
    request.infer({0: network_input(read_line(setting.lines[0].path, bundle.card), bundle.card)})
    texts = []
    begun = time.perf_counter()
    for line in setting.lines:
        pixels = read_line(line.path, bundle.card)
        request.infer({0: network_input(pixels, bundle.card)})
        texts.append(text_of(request.get_output_tensor(0).data, 0, bundle.card, bundle.charset))
    return Measured(time.perf_counter() - begun, len(texts), peak_bytes(), tuple(texts))
