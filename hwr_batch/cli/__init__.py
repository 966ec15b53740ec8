"""The command line: words for people, and the one place that turns an error into an exit code."""

from __future__ import annotations

import sys
import traceback

from hwr_batch.errors import ExitCode, HwrBatchError


def main() -> None:
    """Run a command and exit. The last line on stderr says what to do next."""
    from hwr_batch.cli.app import app  # so that `import hwr_batch.cli` stays cheap

    try:
        app()
    except HwrBatchError as error:
        _end(f"hwr-batch: {error}", error.exit_code)
    except KeyboardInterrupt:
        _end("hwr-batch: interrupted; run the same command again", ExitCode.INTERRUPTED)
    except Exception:  # noqa: BLE001 - the job's boundary: whatever comes this far is a bug
        traceback.print_exc()
        _end("hwr-batch: this is a bug; please report the lines above", ExitCode.BUG)


def _end(sentence: str, code: ExitCode) -> None:
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()
    sys.exit(int(code))
