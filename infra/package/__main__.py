"""Write the package that MWAA, docker compose and the laptop are deployed from: `python -m infra.package`."""

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from include.deploy.release import ROOT
from infra.package.build import NotPackaged, build_package
from infra.package.content import Package
from infra.package.folder import DIST, NoPackage, read_package, write_package
from infra.package.wheels import NoWheels, download_wheels, with_wheels

LOCK = ROOT / "locks/airflow.txt"
OWN_UV = str(ROOT / ".venvs/uv/bin/uv")
"""Where `make environments` puts uv when the machine has none."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and write the package, or check one; 0, or 1 with one line that says what failed."""
    options = _parser().parse_args(arguments)
    try:
        if options.check:
            package = read_package(options.output)
        else:
            package = build_package()
            package = replace(package, commit=package.commit or options.commit)
            if options.wheels:
                print("package: downloading the wheels for MWAA …", flush=True)
                package = with_wheels(package, download_wheels(package, LOCK, shutil.which("uv") or OWN_UV))
            write_package(package, options.output)
    except (NotPackaged, NoPackage, NoWheels, OSError) as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    print(_summary(package, options.output))
    return 0


def _summary(package: Package, folder: Path) -> str:
    size_mib = sum(map(len, package.files.values())) / 2**20
    origin = f"commit {package.commit}" if package.commit else "no git checkout"
    return f"package {package.version} ({origin}) in {folder}: {len(package.files)} files, {size_mib:.1f} MiB"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.package",
        description="Write the package of this checkout: DAGs folder, requirements and startup scripts of MWAA, the "
        "release of jobs, Lambdas and stacks, and the stack templates. The same sources give the same bytes.",
    )
    parser.add_argument("--output", type=Path, default=DIST, metavar="FOLDER", help="where to write (default: dist)")
    parser.add_argument(
        "--wheels",
        action="store_true",
        help="for an environment without the internet: put the wheels of all requirements into mwaa/plugins.zip (about "
        "110 MB), from which MWAA then installs",
    )
    parser.add_argument(
        "--commit", default="", metavar="ID", help="the commit of these files, where they came without git"
    )
    parser.add_argument("--check", action="store_true", help="write nothing: check that the package there is whole")
    return parser


if __name__ == "__main__":
    sys.exit(main())
