"""The DAGs folder as MWAA needs it: `dags/`, `include/` and `plugins/` as packages below it.

MWAA's `PYTHONPATH` is its own and a startup script cannot add to it, but Airflow puts the DAGs folder on the path. So
what lies in `DagS3Path` is not the content of `dags/`: it is a folder that holds the three packages, and imports read
the same everywhere. The folder itself is no package: an `__init__.py` there would make `dags` mean the outer folder.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("dags", "include", "plugins")
IGNORE_FILE = ".airflowignore"
IGNORED = """# Imported by the DAGs, and no DAG files themselves.
/include/
/plugins/
"""


def lay_out(root: Path, target: Path) -> list[str]:
    """Copy the packages of the checkout at `root` into the folder `target`, which becomes a DAGs folder for MWAA.

    The same sources give the same files; what an earlier call left in `target` is replaced, other files stay. Caches
    and files that no package needs are left out.

    Returns:
        The paths written, relative to `target`, sorted.

    Raises:
        FileNotFoundError: `root` is no checkout: a package is missing.
    """
    files = {path.relative_to(root): path for name in PACKAGES for path in _files(root / name)}
    _make_empty(target)
    for relative, source in files.items():
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target / relative)
    return sorted([IGNORE_FILE, *(relative.as_posix() for relative in files)])


def link(root: Path, target: Path) -> None:
    """Make the same folder out of symbolic links: an edit in the checkout at `root` counts at once."""
    _make_empty(target)
    for name in PACKAGES:
        (target / name).symlink_to(root / name, target_is_directory=True)


def _make_empty(target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        place = target / name
        if place.is_symlink():
            place.unlink()
        elif place.exists():
            shutil.rmtree(place)
    (target / IGNORE_FILE).write_text(IGNORED)


def _files(package: Path) -> Iterator[Path]:
    if not (package / "__init__.py").is_file():
        raise FileNotFoundError(f"{package} is no package: run this in a checkout of the project")
    for path in sorted(package.rglob("*")):
        names = path.relative_to(package).parts
        is_left_out = any(name == "__pycache__" or (name.startswith(".") and name != IGNORE_FILE) for name in names)
        if path.is_file() and not is_left_out and path.suffix != ".pyc":
            yield path
