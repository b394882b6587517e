"""S3 inputs down to a container's folders, its outputs up again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.localaws.sagemaker import storage
from infra.localaws.sagemaker.storage import S3Uri


class InputError(Exception):
    """The input cannot be had: the job fails as by a client error, the text says why."""


@dataclass(frozen=True)
class S3Input:
    """One input channel."""

    name: str
    source: S3Uri
    data_type: str
    """`S3Prefix` or `ManifestFile`."""
    sharded: bool

    @classmethod
    def of(cls, name: str, source: Mapping[str, Any]) -> "S3Input":
        """From an API S3 data source; the defaults are AWS's.

        Raises:
            InputError: for what local AWS does not carry out (other data types, other modes).
        """
        data_type = source.get("S3DataType", "S3Prefix")
        if data_type not in ("S3Prefix", "ManifestFile"):
            raise InputError(f"S3DataType {data_type} of input '{name}' is not carried out by local AWS")
        uri = S3Uri.parse(source["S3Uri"])
        return cls(name, uri, data_type, source.get("S3DataDistributionType") == "ShardedByS3Key")


def download(source: S3Input, folder: Path, host_index: int, host_count: int) -> int:
    """Bring a channel's objects (or this host's share of them) into `folder`; returns how many.

    Raises:
        InputError: no object lies there, or one leaves the folder by its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    objects = _from_manifest(source) if source.data_type == "ManifestFile" else _from_prefix(source)
    if not objects:
        raise InputError(
            f"No S3 objects found under S3 URL \"{source.source}\" given in input data source '{source.name}'. "
            "Ensure that the bucket exists and that objects lie under that prefix"
        )
    mine = objects[host_index::host_count] if source.sharded else objects
    for key, relative in mine:
        target = (folder / relative).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise InputError(f"the key '{key}' of input '{source.name}' leaves its folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.write_bytes(storage.read(S3Uri(source.source.bucket, key)))
        except KeyError as error:
            raise InputError(f"s3://{source.source.bucket}/{key} does not exist (NoSuchKey)") from error
    return len(mine)


def _from_prefix(source: S3Input) -> list[tuple[str, str]]:
    """Keys and their paths in the folder: relative to the last slash of the prefix, a whole key by its file name."""
    prefix = source.source.key
    found = []
    for key in storage.keys_under(source.source):
        relative = key[len(prefix) :].lstrip("/") if prefix.endswith("/") or key[len(prefix) :].startswith("/") else ""
        relative = relative or key[prefix.rfind("/") + 1 :]
        if relative and not key.endswith("/"):
            found.append((key, relative))
    return found


def _from_manifest(source: S3Input) -> list[tuple[str, str]]:
    try:
        manifest = json.loads(storage.read(source.source))
        prefix = S3Uri.parse(manifest[0]["prefix"])
    except KeyError as error:
        raise InputError(f"the manifest {source.source} of input '{source.name}' does not exist") from error
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(f"the manifest {source.source} of input '{source.name}' is not a manifest: {error}") from error
    if prefix.bucket != source.source.bucket:
        raise InputError(f"the manifest {source.source} names objects of another bucket, {prefix.bucket}")
    return [(f"{prefix.key}{name}", name) for name in manifest[1:]]


def upload(folder: Path, target: S3Uri) -> int:
    """Put every file of `folder` under `target`; returns how many. A missing folder is an empty one."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder.is_dir() else []
    for path in files:
        storage.write(target.child(path.relative_to(folder).as_posix()), path.read_bytes())
    return len(files)
