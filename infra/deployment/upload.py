"""Upload what changed to the folder of the bucket that MWAA reads, in an order that keeps the DAGs importable."""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from include.deploy.following import Progress

DAGS_PREFIX = "airflow/dags/"
REQUIREMENTS_KEY = "airflow/requirements.txt"
STARTUP_KEY = "airflow/startup.sh"
PLUGINS_KEY = "airflow/plugins.zip"
AT_ONCE = 8
DELETED_AT_ONCE = 1000
SHA256 = "sha256"
"""The metadata of an object that holds the hash of its content: with KMS its ETag is none."""
IGNORE_FILE = ".airflowignore"


@dataclass(frozen=True)
class FolderPlan:
    """How a folder becomes what it should be."""

    put: tuple[str, ...]
    """Paths of files that are new or changed, in the order of their uploads."""
    added: int
    unchanged: int
    surplus: tuple[str, ...]
    """Paths of files that are to go, last of all."""

    @property
    def is_empty(self) -> bool:
        """Whether the folder is as it should be."""
        return not self.put and not self.surplus

    def text(self) -> str:
        """The plan in a few words."""
        if self.is_empty:
            return f"no change ({self.unchanged} files)"
        changed = len(self.put) - self.added
        return f"{self.added} new, {changed} changed, {len(self.surplus)} gone, {self.unchanged} as they are"


def plan_folder(
    wanted: Mapping[str, bytes], present: Mapping[str, str], is_same: Callable[[str, bytes], bool]
) -> FolderPlan:
    """Compare the files of a folder with what is there.

    Args:
        wanted: content by path.
        present: MD5 by path, in hex, or what stands in its place.
        is_same: asked where the MD5 differs: whether the file there has this content all the same.
    """
    put = [
        path
        for path, body in wanted.items()
        if path not in present or (present[path] != _md5(body) and not is_same(path, body))
    ]
    return FolderPlan(
        put=tuple(sorted(put, key=lambda path: (rank(path), path))),
        added=sum(path not in present for path in put),
        unchanged=len(wanted) - len(put),
        surplus=tuple(sorted(present.keys() - wanted.keys(), key=lambda path: (-rank(path), path))),
    )


def rank(path: str) -> int:
    """The group in which a file of the DAGs folder is uploaded: what is imported comes before what imports it."""
    if Path(path).name == IGNORE_FILE:
        return 0
    top = path.partition("/")[0]
    return {"include": 1, "plugins": 2}.get(top, 3)


def plan_objects(s3: Any, bucket: str, prefix: str, wanted: Mapping[str, bytes]) -> FolderPlan:
    """Compare files with the objects below a prefix of a bucket."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    present = {
        item["Key"].removeprefix(prefix): item["ETag"].strip('"') for page in pages for item in page.get("Contents", [])
    }
    return plan_folder(wanted, present, lambda path, body: _version(s3, bucket, f"{prefix}{path}", body) is not None)


def upload_objects(
    s3: Any, bucket: str, prefix: str, wanted: Mapping[str, bytes], plan: FolderPlan, on_progress: Progress
) -> None:
    """Carry out a plan below a prefix: group by group, and what is surplus last.

    Stopped half-way it is finished by another plan: every object is whole, the old one or the new one.
    """

    def put(path: str) -> None:
        body = wanted[path]
        s3.put_object(Bucket=bucket, Key=f"{prefix}{path}", Body=body, Metadata={SHA256: _sha256(body)})

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for group in sorted({rank(path) for path in plan.put}):
            paths = [path for path in plan.put if rank(path) == group]
            list(pool.map(put, paths))
            on_progress(f"s3://{bucket}/{prefix}: {len(paths)} files up to {paths[-1]}")
    for surplus in batched(plan.surplus, DELETED_AT_ONCE):
        objects = [{"Key": f"{prefix}{path}"} for path in surplus]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if errors := answer.get("Errors"):
            raise OSError(f"s3://{bucket}/{errors[0]['Key']} could not be deleted: {errors[0].get('Message')}")
        on_progress(f"s3://{bucket}/{prefix}: {len(surplus)} files deleted")


def held_version(s3: Any, bucket: str, key: str, body: bytes) -> str | None:
    """The version id of the object if it has this content already."""
    return _version(s3, bucket, key, body)


def put_versioned(s3: Any, bucket: str, key: str, body: bytes) -> str:
    """The version id of an object with this content; it is uploaded where its bytes differ alone."""
    held = _version(s3, bucket, key, body)
    if held is not None:
        return held
    done = s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={SHA256: _sha256(body)})
    return str(done.get("VersionId", "null"))


def sync_folder(folder: Path, wanted: Mapping[str, bytes]) -> FolderPlan:
    """Make a folder on this machine hold these files, in the same order; what was done."""
    plan = plan_files(folder, wanted)
    for path in plan.put:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        whole = place.with_name(f".{place.name}.new")
        whole.write_bytes(wanted[path])
        whole.replace(place)
    for path in plan.surplus:
        (folder / path).unlink()
    return plan


def plan_files(folder: Path, wanted: Mapping[str, bytes]) -> FolderPlan:
    """Compare files with those of a folder; compiled modules do not count."""
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    present = {path.relative_to(folder).as_posix(): _md5(path.read_bytes()) for path in paths}
    return plan_folder(wanted, present, lambda _path, _body: False)


def _version(s3: Any, bucket: str, key: str, body: bytes) -> str | None:
    try:
        found = s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
            return None
        raise
    is_same = found["ETag"].strip('"') == _md5(body) or found.get("Metadata", {}).get(SHA256) == _sha256(body)
    return str(found.get("VersionId", "null")) if is_same else None


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
