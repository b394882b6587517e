"""Build and publish a release: the code that jobs, Lambdas and stacks run, named by the hash of its content."""

import hashlib
import io
import json
import re
import subprocess
import zipfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from include import lake
from include.deploy.sources import source_files

ROOT = Path(__file__).parents[2]
VERSIONED = ("dags", "include", "plugins", "infra/stacks")
"""Folders whose content is the version: all that runs is made of them, and of the requirements."""
REQUIREMENTS = "requirements.txt"
STACKS = ("data", "features", "ml", "serving", "endpoint")
JOB_PACKAGES = ("features", "forecast", "jobs")
LAMBDA_FILES = (
    "include/features/__init__.py",
    "include/features/schema.py",
    "include/forecast/__init__.py",
    "include/forecast/race_time.py",
)
FORMAT = 2
"""Raised when the same sources are packed differently."""
MARKER = "release-manifest.json"
BODY_PLACEHOLDER = "      Body: {}\n"
DEPLOYMENT = "ApiDeployment"


@dataclass(frozen=True)
class Release:
    """Everything of one release, in memory: names below its prefix and their bytes."""

    version: str
    files: dict[str, bytes]
    sources: str
    """The commit it was built from, with `-dirty` where files were changed; empty outside a git checkout."""

    @property
    def prefix(self) -> str:
        return lake.code_prefix(self.version)


@dataclass(frozen=True)
class Published:
    """What `publish` did."""

    version: str
    uploaded: int
    """Objects written; 0 where this version was there already."""


def build_release(root: Path = ROOT) -> Release:
    """Pack the checkout at `root`; the same sources give the same bytes on every machine.

    Raises:
        FileNotFoundError: a file that a release must hold is missing.
    """
    jobs = _tree(root, (f"include/{package}" for package in JOB_PACKAGES), suffixes=(".py", "/population.json"))
    jobs["include/__init__.py"] = (root / "include/__init__.py").read_bytes()
    files = {f"jobs/{name}": body for name, body in jobs.items()}
    files |= {f"stacks/{name}.yaml": stack_template(name, root).encode() for name in STACKS}
    files["lambda.zip"] = pack_zip(lambda_sources(root))
    return Release(source_version(root), files, commit(root))


def source_version(root: Path = ROOT) -> str:
    """The version of the checkout at `root`: a hash of the sources of all that runs.

    DAGs, jobs, Lambdas and stacks have it in common, so one word says what runs in all of these places.
    """
    files = source_files(root, VERSIONED) | {REQUIREMENTS: (root / REQUIREMENTS).read_bytes()}
    digest = hashlib.sha256(f"format {FORMAT}\n".encode())
    for name, body in sorted(files.items()):
        digest.update(f"{name} {hashlib.sha256(body).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def commit(root: Path = ROOT) -> str:
    """The commit that is checked out at `root`, with `-dirty` where files were changed; empty outside a checkout."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def publish(s3: Any, bucket: str, release: Release) -> Published:
    """Upload a release under its own prefix and make it the current one; a version that is there is not sent again."""
    uploaded = upload(s3, bucket, release)
    make_current(s3, bucket, release)
    return Published(release.version, uploaded)


def upload(s3: Any, bucket: str, release: Release) -> int:
    """Upload a release under its own prefix, where nothing runs it yet; the number of objects written."""
    if is_uploaded(s3, bucket, release):
        return 0
    put = [(f"{release.prefix}{name}", body) for name, body in sorted(release.files.items())]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: s3.put_object(Bucket=bucket, Key=item[0], Body=item[1]), put))
    listing = {name: hashlib.sha256(body).hexdigest() for name, body in sorted(release.files.items())}
    # The marker comes last: a release that was uploaded in part is uploaded again.
    marker = f"{release.prefix}{MARKER}"
    s3.put_object(Bucket=bucket, Key=marker, Body=_json({"version": release.version, "files": listing}))
    return len(put) + 1


def is_uploaded(s3: Any, bucket: str, release: Release) -> bool:
    """Whether the whole release is in the bucket."""
    return _exists(s3, bucket, f"{release.prefix}{MARKER}")


def make_current(s3: Any, bucket: str, release: Release) -> None:
    """Let DAGs, and the next deployments of the serving stack, use this release."""
    current = _json({"version": release.version, "git_commit": release.sources})
    if _read(s3, bucket, lake.RELEASE_KEY) != current:
        s3.put_object(Bucket=bucket, Key=lake.RELEASE_KEY, Body=current)


def current_release(s3: Any, bucket: str) -> str | None:
    """The version that is released now, or None before the first release."""
    body = _read(s3, bucket, lake.RELEASE_KEY)
    return None if body is None else str(json.loads(body)["version"])


def lambda_sources(root: Path = ROOT) -> dict[str, bytes]:
    """What lambda.zip holds, by path."""
    files = _tree(root, ["include/serving"], suffixes=(".py", ".html", ".css", ".js"))
    files |= {name: (root / name).read_bytes() for name in ("include/__init__.py", *LAMBDA_FILES)}
    files["include/serving/openapi.json"] = _json(public_specification(specification(root)))
    return files


def specification(root: Path = ROOT) -> dict[str, Any]:
    """The REST API as API Gateway reads it."""
    loaded: dict[str, Any] = yaml.safe_load((root / "include/serving/openapi.yaml").read_text())
    return loaded


def public_specification(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The REST API for its users: without what only API Gateway needs."""

    def strip(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: strip(value) for key, value in node.items() if not str(key).startswith("x-amazon-")}
        return [strip(item) for item in node] if isinstance(node, list) else node

    stripped: dict[str, Any] = strip(dict(spec))
    return {**stripped, "servers": [{"url": "./"}]}


def stack_template(name: str, root: Path = ROOT) -> str:
    """The template of a stack, whole: `serving` gets the API's specification as its body.

    API Gateway publishes a change of the API only by a new deployment, so that resource is named after the body.
    """
    text = (root / f"infra/stacks/{name}.yaml").read_text()
    if name != "serving":
        return text
    if text.count(BODY_PLACEHOLDER) != 1:
        raise ValueError(f"infra/stacks/serving.yaml must hold the line {BODY_PLACEHOLDER.strip()!r} once")
    body = json.dumps(specification(root), sort_keys=True)
    digest = hashlib.sha256(body.encode()).hexdigest()[:10]
    text = text.replace(BODY_PLACEHOLDER, f"      Body: {body}\n")
    return re.sub(rf"\b{DEPLOYMENT}\b", f"{DEPLOYMENT}{digest}", text)


def pack_zip(files: Mapping[str, bytes]) -> bytes:
    """A .zip of `files`, the same bytes every time and on every machine."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, body in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            # Compressed bytes differ from one zlib to another, and so would the hash of the archive.
            archive.writestr(entry, body, compress_type=zipfile.ZIP_STORED)
    return packed.getvalue()


def _tree(root: Path, folders: Iterable[str], suffixes: tuple[str, ...]) -> dict[str, bytes]:
    """The packed files below `folders` that end so, by path relative to `root`."""
    return {path: body for path, body in source_files(root, folders).items() if path.endswith(suffixes)}


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
            return False
        raise
    return True


def _read(s3: Any, bucket: str, key: str) -> bytes | None:
    try:
        return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
            return None
        raise


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
