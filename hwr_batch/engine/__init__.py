"""Running the network: the only room that imports OpenVINO. See `load`."""

from hwr_batch.engine.engine import Engine, load
from hwr_batch.engine.options import EngineOptions

__all__ = ["Engine", "EngineOptions", "load"]
