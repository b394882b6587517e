"""Tarballs as SageMaker makes and takes them."""

import io
import tarfile
from pathlib import Path


class BadArchive(Exception):
    """Not a gzipped tar, or one with members that would leave the folder."""


def unpack(body: bytes, folder: Path) -> None:
    """Extract a `.tar.gz` into `folder`; no member may leave it, be a device, or keep odd permissions.

    Raises:
        BadArchive: what was wrong, in words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadArchive(f"{type(error).__name__}: {error}") from error


def pack(folder: Path) -> bytes:
    """The content of `folder` (its entries at the top level) as `.tar.gz`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for entry in sorted(folder.iterdir()):
            archive.add(entry, arcname=entry.name)
    return buffer.getvalue()
