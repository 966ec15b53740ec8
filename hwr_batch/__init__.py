"""hwr-batch: batch handwriting recognition on Ray and OpenVINO."""

__version__ = "0.1.0"
