"""The manifest of a package: its version, what it is for, and hash and size of each file."""

import hashlib
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from infra.package.content import Package

FORMAT = 1


class Entry(BaseModel):
    """One file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    bytes: int


class Manifest(BaseModel):
    """`manifest.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    version: str
    commit: str
    airflow_version: str
    python_version: str
    files: dict[str, Entry]


def manifest(package: Package) -> Manifest:
    """The manifest of a package."""
    return Manifest(
        version=package.version,
        commit=package.commit,
        airflow_version=package.airflow_version,
        python_version=package.python_version,
        files={name: entry(body) for name, body in sorted(package.files.items())},
    )


def entry(body: bytes) -> Entry:
    """Hash and size of a file's content."""
    return Entry(sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))


def to_json(document: Manifest) -> bytes:
    """The manifest as it is written."""
    return document.model_dump_json(indent=1).encode() + b"\n"


def from_json(text: bytes) -> Manifest:
    """The manifest that was written.

    Raises:
        ValueError: it is none.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error


def differences(document: Manifest, files: Mapping[str, bytes]) -> list[str]:
    """Names of files that are missing, changed or too many."""
    found = {name: entry(body) for name, body in files.items()}
    names = document.files.keys() | found.keys()
    return sorted(name for name in names if document.files.get(name) != found.get(name))
