"""The package of this checkout, built once, and copies of the checkout to build others from."""

import shutil
from pathlib import Path

import pytest

from infra.package import Package, build_package, write_package

ROOT = Path(__file__).parents[2]
PACKAGED_FROM = ("dags", "include", "infra", "plugins")
"""Folders that a package is built from, the code that builds it among them."""


@pytest.fixture(scope="session")
def package() -> Package:
    return build_package()


@pytest.fixture(scope="session")
def dist(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `make package` writes it; tests that change it make their own."""
    target = tmp_path_factory.mktemp("package") / "dist"
    write_package(package, target)
    return target


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the checkout in another place, without git."""
    root = tmp_path / "another place"
    for folder in PACKAGED_FROM:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.txt", ".python-version"):
        shutil.copy(ROOT / name, root)
    return root
