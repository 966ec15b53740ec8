"""Scores that mean something: from a line's features to the probability that it is right.

What a worker needs stands here and needs numpy only; fitting is `hwr_batch.calibrate.fit`.
"""

from hwr_batch.calibrate.calibration import Acceptance, Calibration, Judgement
from hwr_batch.calibrate.features import LineFeatures

__all__ = ["Acceptance", "Calibration", "Judgement", "LineFeatures"]
