"""Manifest files to rows: `open_manifest(uri, store)`, then `scan` once to plan and `read` per shard.

Tables stand here (`tables` lists the formats); whatever else lists lines becomes a table first.
"""

from hwr_batch.manifest.columns import schema_from_text, schema_to_text
from hwr_batch.manifest.contract import Manifest, ManifestStore, Scan, ShardRows
from hwr_batch.manifest.rows import row_from_cells
from hwr_batch.manifest.tables import open_manifest

__all__ = [
    "Manifest",
    "ManifestStore",
    "Scan",
    "ShardRows",
    "open_manifest",
    "row_from_cells",
    "schema_from_text",
    "schema_to_text",
]
