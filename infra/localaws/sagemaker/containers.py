"""Which image is which interpreter, and what every container of it finds in its environment."""

import os
from pathlib import Path

from infra.localaws.world import Config, World

XGBOOST_REPOSITORY = "sagemaker-xgboost"


class UnknownImage(Exception):
    """The image has no interpreter on this machine; the text says so to the user."""


def repository_of(image: str) -> str:
    """The repository name within an image URI, e.g. `sagemaker-xgboost` of `…/sagemaker-xgboost:3.2-0`."""
    return image.split("@", maxsplit=1)[0].rsplit("/", 1)[-1].split(":", maxsplit=1)[0]


def interpreter_for(image: str, config: Config) -> Path:
    """The Python that stands in for `image`.

    Raises:
        UnknownImage: for any image but sagemaker-xgboost.
    """
    if repository_of(image) != XGBOOST_REPOSITORY:
        raise UnknownImage(
            f"local AWS runs no Docker: it stands in for images named {XGBOOST_REPOSITORY} only, not for '{image}'"
        )
    return config.jobs_python


def base_environment(world: World, python: Path, scratch: Path, threads: int) -> dict[str, str]:
    """What a container's process inherits: AWS variables, a PATH that starts with its Python, its own scratch.

    Nothing of the server's own environment is passed on, so no secret of the user's shell reaches a job.
    """
    return {
        **world.child_environment(),
        "PATH": os.pathsep.join([str(python.parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": str(threads),
    }


def threads_per_process(processes: int) -> int:
    """This machine's cores, shared evenly."""
    return max(1, (os.cpu_count() or 1) // processes)
