"""Results → the formats that archives work with.

page, alto   the source layout files with texts, scores and positions in them, or new ones
hocr, txt    one file per page, in reading order
jsonl, csv   one row per line, every column
"""

from hwr_batch.export.request import Detail, ExportOptions, ExportSummary, Format
from hwr_batch.export.run import export

__all__ = ["Detail", "ExportOptions", "ExportSummary", "Format", "export"]
