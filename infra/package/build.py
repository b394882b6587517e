"""Build a package from a checkout: the same sources give the same bytes."""

import re
from pathlib import Path

from include.deploy.release import ROOT, build_release, stack_template
from include.version import STAMP
from infra.deployment.environment import UnknownEnvironment, environment_names, read_environment
from infra.mwaa.layout import dags_folder
from infra.package import content
from infra.package.content import Package
from infra.package.requirements import airflow_version, mwaa_requirements
from infra.package.startup import NotExportable, startup_script

PYTHON_VERSION_FILE = ".python-version"


class NotPackaged(Exception):
    """The checkout cannot be packaged; the message is one line that says what to mend."""


def build_package(root: Path = ROOT) -> Package:
    """Build the package of the checkout at `root`, in memory.

    Raises:
        NotPackaged: a file is missing or wrong.
    """
    try:
        return _build(root)
    except (OSError, UnknownEnvironment, NotExportable, ValueError) as error:
        raise NotPackaged(str(error)) from error


def _build(root: Path) -> Package:
    release = build_release(root)
    requirements = (root / "requirements.txt").read_text(encoding="utf-8")
    files = {f"{content.DAGS}{name}": body for name, body in dags_folder(root).items()}
    files[f"{content.DAGS}include/{STAMP}"] = f"{release.version}\n".encode()
    files[content.REQUIREMENTS] = mwaa_requirements(requirements).encode()
    files |= {f"{content.STARTUP}{name}.sh": body for name, body in _startup_scripts(root).items()}
    files |= {f"{content.RELEASE}{name}": body for name, body in release.files.items()}
    files |= {f"{content.STACKS}{name}.yaml": body for name, body in _templates(root).items()}
    return Package(
        version=release.version,
        commit=release.sources,
        airflow_version=airflow_version(requirements),
        python_version=_python_version(root),
        files=dict(sorted(files.items())),
    )


def _startup_scripts(root: Path) -> dict[str, bytes]:
    # Environment files that git ignores count as well: whoever keeps theirs out of git deploys them all the same.
    folder = root / "infra/environments"
    environments = [read_environment(name, folder) for name in environment_names(folder)]
    return {environment.name: startup_script(environment).encode() for environment in environments}


def _templates(root: Path) -> dict[str, bytes]:
    names = [path.stem for path in sorted((root / "infra/stacks").glob("*.yaml"))]
    return {name: stack_template(name, root).encode() for name in names}


def _python_version(root: Path) -> str:
    found = re.match(r"\d+\.\d+", (root / PYTHON_VERSION_FILE).read_text())
    if not found:
        raise ValueError(f"{PYTHON_VERSION_FILE} names no Python version")
    return found[0]
