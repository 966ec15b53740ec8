"""Errors travel between processes whole: Ray pickles what a worker raises."""

from __future__ import annotations

import pickle

import pytest

from hwr_batch import errors
from hwr_batch.errors import HwrBatchError, LineError, Status

RAISED = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HwrBatchError)
]


@pytest.mark.parametrize("kind", RAISED)
def test_an_error_of_the_job_survives_pickling(kind: type[HwrBatchError]) -> None:
    again = pickle.loads(pickle.dumps(kind("what happened: what to do")))
    assert type(again) is kind
    assert str(again) == "what happened: what to do"
    assert again.exit_code == kind.exit_code


def test_a_line_error_survives_pickling_although_it_never_leaves_its_process() -> None:
    again = pickle.loads(pickle.dumps(LineError(Status.IMAGE_MISSING, "there is no such image")))
    assert (again.status, again.sentence) == (Status.IMAGE_MISSING, "there is no such image")
    assert str(again) == "there is no such image"
