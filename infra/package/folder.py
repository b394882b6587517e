"""A package in a folder, `dist/` by default: written so that a half one never reads as whole."""

from pathlib import Path

from include.deploy.release import ROOT
from infra.package.content import Package
from infra.package.manifest import differences, from_json, manifest, to_json

DIST = ROOT / "dist"
MANIFEST = "manifest.json"
UNFINISHED = b"unfinished\n"
"""What the manifest holds while the files change."""
MAKE_IT = "make it with `make package`"
FILE_MODE, FOLDER_MODE = 0o644, 0o755
"""Whoever packs with a strict umask still makes files that the user of a container can read."""


class NoPackage(Exception):
    """A folder holds no whole package, or must not become one; the message is one line that says what to do."""


def write_package(package: Package, target: Path = DIST) -> Path:
    """Make the folder `target` hold `package` and nothing else; files that are as they should be are left alone.

    Killed at any moment, the folder reads as no package, and the next call finishes it.

    Returns:
        The path of the manifest.

    Raises:
        NoPackage: the folder holds something that is no package.
    """
    path = target / MANIFEST
    if target.exists() and not target.is_dir():
        raise NoPackage(f"{target} is a file: name a folder")
    if target.is_dir() and not path.is_file() and any(target.iterdir()):
        raise NoPackage(f"{target} holds other things than a package: name a folder that is empty or not there yet")
    target.mkdir(parents=True, exist_ok=True)
    path.write_bytes(UNFINISHED)
    _remove_surplus(target, package.files.keys() | {MANIFEST})
    for name, body in package.files.items():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_file() or place.read_bytes() != body:
            place.write_bytes(body)
    path.write_bytes(to_json(manifest(package)))
    for place in target.rglob("*"):
        place.chmod(FOLDER_MODE if place.is_dir() else FILE_MODE)
    return path


def read_package(target: Path = DIST) -> Package:
    """Read the package in the folder `target`, and see that every file is as the manifest says.

    Raises:
        NoPackage: there is none, it was not finished, or files were changed, added or lost since.
    """
    path = target / MANIFEST
    if not path.is_file():
        raise NoPackage(f"there is no package in {target}: {MAKE_IT}")
    text = path.read_bytes()
    if text == UNFINISHED:
        raise NoPackage(f"the package in {target} was not finished: {MAKE_IT}")
    try:
        document = from_json(text)
    except ValueError as error:
        raise NoPackage(f"{path} is no manifest of a package ({error}): {MAKE_IT}") from error
    places = sorted(place for place in target.rglob("*") if place.is_file() and place != path)
    files = {place.relative_to(target).as_posix(): place.read_bytes() for place in places}
    if names := differences(document, files):
        raise NoPackage(f"{len(names)} files in {target} are not as packaged, the first is {names[0]}: {MAKE_IT}")
    return Package(
        version=document.version,
        commit=document.commit,
        airflow_version=document.airflow_version,
        python_version=document.python_version,
        files=files,
    )


def _remove_surplus(target: Path, kept: set[str]) -> None:
    """Remove what is no file of the package; links go as well, since writing to one would change what it points to."""
    for place in sorted(target.rglob("*"), reverse=True):  # what lies in a folder comes before the folder
        if place.is_symlink() or (place.is_file() and place.relative_to(target).as_posix() not in kept):
            place.unlink()
        elif place.is_dir() and not any(place.iterdir()):
            place.rmdir()
