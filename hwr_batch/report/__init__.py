"""One self-contained HTML page on a run: what came out, how sure it is, how good it is."""

from hwr_batch.report.build import REPORT, ReportOptions, Written, write_report

__all__ = ["REPORT", "ReportOptions", "Written", "write_report"]
