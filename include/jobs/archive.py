"""Model artifacts as SageMaker packs them (`model.tar.gz`), the same bytes for the same files."""

import gzip
import io
import tarfile
from pathlib import Path

from include.jobs.errors import JobError


def unpack(archive: Path, directory: Path) -> None:
    """Unpack a model artifact.

    Raises:
        JobError: it is missing, no gzipped tar, or holds a member that would leave the directory.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(directory, filter="data")
    except (OSError, EOFError, tarfile.TarError) as error:
        raise JobError(f"{archive.name} is no readable model artifact: {error}") from error


def pack(directory: Path, archive: Path) -> None:
    """Pack a directory: sorted names, no times, no owners."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(str(path.relative_to(directory)))
            content = path.read_bytes()
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    archive.write_bytes(gzip.compress(body.getvalue(), compresslevel=6, mtime=0))
