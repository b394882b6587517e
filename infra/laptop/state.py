"""One run a state folder."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from infra.laptop.options import LaptopError

RELEASED_WITHIN_S = 2.0
"""The system closes the files of a killed process a moment after it counts as dead: its threads end one by one."""


@contextmanager
def exclusive(state: Path) -> Iterator[None]:
    """Hold the folder while the block runs.

    Raises:
        LaptopError: another run holds it.
    """
    with (state / "lock").open("w") as lock:
        deadline = time.monotonic() + RELEASED_WITHIN_S
        while not _is_locked(lock):
            if time.monotonic() > deadline:
                raise LaptopError(
                    f"Another run uses {state}: its addresses are in {state / 'addresses.txt'}. "
                    "End it (Ctrl-C there, or `make stop`), or choose another folder by --state."
                )
            time.sleep(0.05)
        yield


def _is_locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
