"""A full disk is said before it breaks a database in mid-write."""

import shutil
from pathlib import Path

from infra.laptop.options import LaptopError

NEEDED_MIB = 500
"""What twelve athletes, their models, logs and Airflow's database take, with room to spare."""


def require_space(folder: Path, needed_mib: int = NEEDED_MIB) -> None:
    """Check that `folder` (made where missing) has space left.

    Raises:
        LaptopError: when less than `needed_mib` MiB are free, or the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise LaptopError(
            f"{folder} cannot be written ({error.strerror}): choose another folder by --state."
        ) from error
    free_mib = shutil.disk_usage(folder).free // 2**20
    if free_mib < needed_mib:
        raise LaptopError(
            f"The disk of {folder} is nearly full: {free_mib} MiB are free, {needed_mib} MiB are needed. "
            "Make room, or choose another folder by --state."
        )
