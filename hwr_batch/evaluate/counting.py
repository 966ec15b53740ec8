"""How good OUTPUT is, measured against its references, in one pass of bounded memory."""

from __future__ import annotations

import heapq
from collections import Counter

from hwr_batch.errors import ConfigError, Status
from hwr_batch.evaluate.confusions import ConfusionCounter
from hwr_batch.evaluate.edits import LineEdits, compare
from hwr_batch.evaluate.evaluation import EvaluateOptions, Evaluation, FailedLine, WorstLine
from hwr_batch.evaluate.figures import Tally
from hwr_batch.evaluate.referenced import REFERENCE, referenced_batches, refuse_foreign
from hwr_batch.evaluate.truth import TruthTable
from hwr_batch.results.reading import PartStore

MOST_GROUPS = 10_000  # with their bootstrap sums at most 320 MB
NO_GROUP = "(none)"
"""The group of lines whose `--by` column is null."""


def evaluate(
    output: str,
    store: PartStore,
    options: EvaluateOptions | None = None,
    *,
    truth: TruthTable | None = None,
) -> Evaluation:
    """Compare every result row of OUTPUT with its reference.

    `truth` (`hwr_batch.evaluate.read_truth`) replaces the references the results carry. Raises
    `ConfigError` where no row has a reference or `options.by` is no column or has too many values.
    """
    options = options or EvaluateOptions()
    columns = ["line_id", "text", "status", "error"] + ([options.by] if options.by else [])
    count = _Count(options)
    for batch in referenced_batches(output, store, columns, truth):
        groups = batch[options.by] if options.by else [None] * len(batch["line_id"])
        rows = zip(
            batch["line_id"],
            batch["text"],
            batch["status"],
            batch["error"],
            batch[REFERENCE],
            groups,
            strict=True,
        )
        for row in rows:
            count.add(*row)
    if truth is not None:
        refuse_foreign(truth, output, count.a_line)
    if count.lines == 0:
        raise ConfigError(
            f"none of the {count.rows} rows of {output} has a reference text; name a manifest that has "
            "one for these lines with --truth"
        )
    return count.evaluation(truth)


class _Count:
    """What is known of the rows so far."""

    def __init__(self, options: EvaluateOptions) -> None:
        self._options = options
        self._all = Tally()
        self._groups: dict[str, Tally] = {}
        self._confusions = ConfusionCounter()
        self._worst: list[tuple[int, int, WorstLine]] = []
        self._failed: Counter[str] = Counter()
        self._failed_named: list[FailedLine] = []
        self._without = 0
        self._blank = 0
        self.rows = 0
        self.lines = 0
        self.a_line: str | None = None

    def add(
        self,
        line_id: str,
        text: str | None,
        status: str,
        error: str | None,
        reference: str | None,
        group: object,
    ) -> None:
        """Count one row."""
        self.rows += 1
        self.a_line = line_id
        expected = self._expected(reference)
        if status != Status.OK:
            self._name_failure(FailedLine(line_id, status, error, counted=expected is not None))
        if expected is None:
            return
        self.lines += 1
        # A text on a failed row, or none on a good one, would break the results' contract: a row is
        # read exactly where it has a text.
        read = None if text is None else self._options.normalisation.apply(text)
        edits = compare(expected, read)
        self._all.add(edits)
        if self._options.by is not None:
            self._group(group).add(edits)
        if read is not None and not edits.exact:
            self._confusions.add(edits.pairs)
            self._keep_worst(line_id, expected, read, edits)

    def evaluation(self, truth: TruthTable | None) -> Evaluation:
        options = self._options
        return Evaluation(
            figures=self._all.figures(replicates=options.replicates),
            groups={
                name: tally.figures(replicates=options.replicates)
                for name, tally in sorted(self._groups.items())
            },
            confusions=self._confusions.most_common(options.confusions),
            confusions_forgotten=self._confusions.forgotten,
            worst=tuple(line for _, _, line in sorted(self._worst, key=lambda kept: (-kept[0], -kept[1]))),
            failed=dict(sorted(self._failed.items())),
            failed_named=tuple(self._failed_named),
            rows=self.rows,
            without_reference=self._without,
            blank_reference=self._blank,
            by=options.by,
            truth=truth.name if truth else None,
            truth_unused=truth.lines - truth.found if truth else 0,
            normalisation=options.normalisation,
            replicates=options.replicates,
        )

    def _expected(self, reference: str | None) -> str | None:
        """The reference as it is compared, None where this row is left out."""
        if reference is None:
            self._without += 1
            return None
        expected = self._options.normalisation.apply(reference)
        if not expected and not self._options.blank_is_reference:
            self._blank += 1
            return None
        return expected

    def _name_failure(self, line: FailedLine) -> None:
        self._failed[line.status] += 1
        if len(self._failed_named) < self._options.named_failures:
            self._failed_named.append(line)

    def _group(self, value: object) -> Tally:
        name = NO_GROUP if value is None else str(value)
        tally = self._groups.get(name)
        if tally is None:
            if len(self._groups) == MOST_GROUPS:
                raise ConfigError(
                    f"column {self._options.by!r} has more than {MOST_GROUPS} different values; "
                    "group by a coarser one"
                )
            tally = self._groups[name] = Tally()
        return tally

    def _keep_worst(self, line_id: str, reference: str, read: str, edits: LineEdits) -> None:
        """Keep the lines with most edits; among equals the earlier row stays."""
        if len(self._worst) == self._options.worst and (not self._worst or edits.edits <= self._worst[0][0]):
            return
        kept = (edits.edits, -self.rows, WorstLine(line_id, reference, read, edits.edits, edits.cer))
        if len(self._worst) < self._options.worst:
            heapq.heappush(self._worst, kept)
        else:
            heapq.heapreplace(self._worst, kept)
