"""How a job ends when it cannot do its work."""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

_FAILURE_BYTES = 1024


class JobError(Exception):
    """The job cannot go on; the message says why and what to do, and becomes the job's FailureReason."""


def say(line: str) -> None:
    """A line of the job's log."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(job: Callable[[], None], failure_file: Path) -> int:
    """Run a job; on an error write SageMaker's failure file (its first 1024 bytes are shown) and return 1."""
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
    failure_file.parent.mkdir(parents=True, exist_ok=True)
    failure_file.write_bytes(message.encode()[:_FAILURE_BYTES])
    return 1
