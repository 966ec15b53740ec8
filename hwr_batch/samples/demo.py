"""`make demo`: the real job over the bundled lines, and a look at what came out.

Runs the same commands a user types, so that what it shows is what they get.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pyarrow.dataset as ds
from rich.console import Console
from rich.table import Table

BROKEN_SHARE = "0.1"  # two of the files are broken on purpose


def main(output: str) -> int:
    """Returns the exit code of the first command that fails, else 0."""
    manifest = str(files("hwr_batch") / "samples" / "manifest.csv")
    recognize = ["recognize", manifest, output, "--model", "english-open", "--actors", "2"]
    commands = [[*recognize, "--max-error-rate", BROKEN_SHARE], ["evaluate", output], ["verify", output]]
    for position, arguments in enumerate(commands):
        sys.stdout.write(f"$ hwr-batch {' '.join(arguments)}\n")
        sys.stdout.flush()
        code = subprocess.run([sys.executable, "-m", "hwr_batch", *arguments], check=False).returncode
        if code:
            return code
        if position == 0:
            _show(output)
    sys.stdout.write(
        f"\nThe results are {output}/part-*.parquet.\n"
        "Next: hwr-batch recognize YOUR-MANIFEST.csv YOUR-OUTPUT, or open the page "
        f"{output}/_report.html\n"
    )
    return 0


def _show(output: str) -> None:
    table = Table(title="what was read")
    for heading in ("image", "text", "score", "status"):
        table.add_column(heading, overflow="fold")
    wanted = ["image", "text", "score", "status", "error"]
    for row in ds.dataset(output, format="parquet").to_table(columns=wanted).to_pylist():
        score = "" if row["score"] is None else f"{row['score']:.3f}"
        table.add_row(row["image"], row["text"] or row["error"], score, row["status"])
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main(str(Path(sys.argv[1]))))
