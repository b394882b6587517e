"""The package step of a pipeline: `python -m infra.delivery.package` writes the release that is deployed later.

A release is what CloudFormation, jobs and functions read below `code/VERSION/` in the bucket. It is written with the
hash of each file, so that what is approved and what is deployed are seen to be the same.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from include.deploy.release import ROOT, Release, build_release

FILES = "release"
MANIFEST = "release.json"


class NotPackaged(Exception):
    """There is no release in a folder, or it was changed since; the message is one line."""


def write_release(release: Release, folder: Path) -> None:
    """Write a release into a folder that has none yet.

    Raises:
        NotPackaged: the folder holds a release already, perhaps another one.
    """
    if (folder / FILES).exists():
        raise NotPackaged(f"{folder} holds a release already: delete it first")
    for name, body in release.files.items():
        place = folder / FILES / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)
    manifest = {"version": release.version, "commit": release.sources, "sha256": _hashes(release.files)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def read_release(folder: Path) -> Release:
    """Read what `write_release` wrote.

    Raises:
        NotPackaged: it is not there, or a file is missing, changed or too many.
    """
    if not (folder / MANIFEST).is_file():
        raise NotPackaged(f"{folder} holds no release: run python -m infra.delivery.package first")
    manifest = json.loads((folder / MANIFEST).read_text())
    places = [place for place in sorted((folder / FILES).rglob("*")) if place.is_file()]
    files = {place.relative_to(folder / FILES).as_posix(): place.read_bytes() for place in places}
    found, packaged = _hashes(files), manifest["sha256"]
    if differing := sorted(name for name in found.keys() | packaged.keys() if found.get(name) != packaged.get(name)):
        raise NotPackaged(f"{folder} is not as it was packaged: {differing[0]} is missing, changed or new")
    return Release(manifest["version"], files, manifest["commit"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and write the release; 0, or 1 with one line that says what failed."""
    parser = argparse.ArgumentParser(prog="python -m infra.delivery.package", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("dist"), help="where it is written (%(default)s)")
    options = parser.parse_args(arguments)
    built = build_release(ROOT)
    # A pipeline hands on files without git, and names the commit beside them.
    commit = built.sources or os.environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION", "")
    try:
        write_release(Release(built.version, built.files, commit), options.output)
    except (NotPackaged, OSError) as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    print(f"release {built.version}: {len(built.files)} files in {options.output}")
    return 0


def _hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}


if __name__ == "__main__":
    sys.exit(main())
