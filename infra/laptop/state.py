"""One run a state folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.laptop.options import LaptopError


@contextmanager
def exclusive(state: Path) -> Iterator[None]:
    """Hold the folder while the block runs.

    Raises:
        LaptopError: another run holds it.
    """
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LaptopError(
                f"Another run uses {state}: its addresses are in {state / 'addresses.txt'}. "
                "End it (Ctrl-C there, or `make stop`), or choose another folder by --state."
            ) from error
        yield
