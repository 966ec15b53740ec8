"""How good are the results: accuracy against references, with intervals, groups and confusions."""

from hwr_batch.evaluate.confusions import Confusion
from hwr_batch.evaluate.counting import evaluate
from hwr_batch.evaluate.edits import LineEdits, compare
from hwr_batch.evaluate.evaluation import EvaluateOptions, Evaluation, FailedLine, WorstLine
from hwr_batch.evaluate.figures import Figures, Intervals
from hwr_batch.evaluate.normalise import Normalisation
from hwr_batch.evaluate.truth import TruthTable, read_truth

__all__ = [
    "Confusion",
    "EvaluateOptions",
    "Evaluation",
    "FailedLine",
    "Figures",
    "Intervals",
    "LineEdits",
    "Normalisation",
    "TruthTable",
    "WorstLine",
    "compare",
    "evaluate",
    "read_truth",
]
