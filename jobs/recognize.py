"""`hwr-batch recognize` for Ray jobs: `ray job submit --working-dir . -- python jobs/recognize.py …`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the working directory Ray unpacked

from hwr_batch.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "recognize")
    main()
