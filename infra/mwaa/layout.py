"""The DAGs folder as MWAA needs it: `dags/`, `include/` and `plugins/` as packages below it.

MWAA's `PYTHONPATH` is its own and a startup script cannot add to it, but Airflow puts the DAGs folder on the path. So
what lies in `DagS3Path` is not the content of `dags/`: it is a folder that holds the three packages, and imports read
the same everywhere. The folder itself is no package: an `__init__.py` there would make `dags` mean the outer folder.
"""

import shutil
from pathlib import Path

from include.deploy.sources import source_files

PACKAGES = ("dags", "include", "plugins")
IGNORE_FILE = ".airflowignore"
IGNORED = """# Imported by the DAGs, and no DAG files themselves.
/include/
/plugins/
"""


def dags_folder(root: Path) -> dict[str, bytes]:
    """The files of the DAGs folder, by their path in it, made of the checkout at `root`.

    Raises:
        FileNotFoundError: `root` is no checkout: a package is missing.
    """
    files = source_files(root, PACKAGES)
    if missing := [name for name in PACKAGES if f"{name}/__init__.py" not in files]:
        raise FileNotFoundError(f"{root / missing[0]} is no package: run this in a checkout of the project")
    return {IGNORE_FILE: IGNORED.encode(), **files}


def link(root: Path, target: Path) -> None:
    """Make the same folder out of symbolic links: an edit in the checkout at `root` counts at once.

    What an earlier call left in `target` is replaced, other files stay.
    """
    target.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        place = target / name
        if place.is_symlink():
            place.unlink()
        elif place.exists():
            shutil.rmtree(place)
        place.symlink_to(root / name, target_is_directory=True)
    (target / IGNORE_FILE).write_text(IGNORED)
