"""How a job ends when it cannot do its work."""

import sys
import traceback
from collections.abc import Callable

from include.jobs.container import ml_dir

REASON_FILES = ("failure", "message")
"""Below `output/`: SageMaker shows the first as FailureReason of training, the second as ExitMessage of processing."""
REASON_BYTES = 1024
"""How much of either file SageMaker shows."""


class JobError(Exception):
    """The job cannot go on; the message says why and what to do, and becomes the reason that SageMaker shows."""


def say(line: str) -> None:
    """Write a line of the job's log."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(job: Callable[[], None]) -> int:
    """Run a job; where it fails, leave the reason for SageMaker to show. Returns the exit code."""
    try:
        job()
    except JobError as error:
        message = str(error)
    except Exception as error:
        traceback.print_exc()
        message = f"{type(error).__name__}: {error}"
    else:
        return 0
    sys.stderr.write(f"failed: {message}\n")
    output = ml_dir() / "output"
    output.mkdir(parents=True, exist_ok=True)
    reason = message.encode()[:REASON_BYTES].decode(errors="ignore")  # no half character: SageMaker wants UTF-8
    for name in REASON_FILES:
        (output / name).write_text(reason)
    return 1
