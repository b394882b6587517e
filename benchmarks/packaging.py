"""What it costs to package the project, and whether another checkout gives the same bytes."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import Result
from infra.package import read_package

ROOT = Path(__file__).parents[1]
PACKAGED_FROM = ("dags", "include", "infra", "plugins")
FILES = ("requirements.txt", ".python-version")


class OtherBytes(Exception):
    """The same sources gave another package."""


def measure(work: Path) -> list[Result]:
    """`make package` from nothing, beside the archives that people send to MWAA by hand.

    Raises:
        OtherBytes: a copied checkout gives another package.
    """
    target, again, copied = work / "package", work / "package-again", work / "copied-checkout"
    for place in (target, again, copied):
        shutil.rmtree(place, ignore_errors=True)
    seconds = _package(ROOT, target)
    _package(_copy(copied), again)
    if read_package(target).files != read_package(again).files:
        raise OtherBytes("the package of a copied checkout has other bytes")
    packed = [name for name in PACKAGED_FROM if name != "infra"]
    zip_s = _timed([sys.executable, "-m", "zipfile", "-c", str(work / "dags.zip"), *packed])
    archive_s = _timed(["git", "archive", "--format=zip", f"--output={work / 'tree.zip'}", "HEAD"])
    versus = (
        f"{zip_s:.2f} s: a zip of {', '.join(packed)} (caches in it, other bytes each time, no Lambdas, no check); "
        f"{archive_s:.2f} s: git archive of the whole tree"
    )
    return [Result("package_s", seconds, "s", 20, versus)]


def _copy(target: Path) -> Path:
    """The checkout as it is now, in another place and with other times."""
    for folder in PACKAGED_FROM:
        shutil.copytree(ROOT / folder, target / folder, copy_function=shutil.copyfile)
    for name in FILES:
        shutil.copyfile(ROOT / name, target / name)
    return target


def _package(root: Path, target: Path) -> float:
    # In the checkout's own folder: Python looks for the code there first, and only then where the variable says.
    return _timed([sys.executable, "-m", "infra.package", "--output", str(target)], root)


def _timed(command: Sequence[str], folder: Path = ROOT) -> float:
    started = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(folder)}
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
