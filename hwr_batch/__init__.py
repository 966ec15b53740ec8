"""hwr-batch: batch handwriting recognition on Ray and OpenVINO."""

import sys

# `import openvino` reports itself to an analytics host, from a process that it forks off the importing one.
# Not from ours: where that package cannot be imported, OpenVINO takes a stand-in that is silent.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

__version__ = "0.1.0"
