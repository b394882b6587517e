"""S3: moto's behaviour with fast hot paths, bodies on disk, and every change durable before its answer.

`get_bytes`, `put_bytes` and `list_keys` are for the other services of this process.
"""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from infra.localaws.world import ACCOUNT_ID, Environ, StateError, World

if TYPE_CHECKING:
    from moto.s3.models import FakeBucket, S3Backend

    from infra.localaws.s3.journal import Journal
    from infra.localaws.s3.restore import BucketBook


def install(world: World) -> None:
    """Open the journal of the state folder, restore S3 from it, and serve."""
    from moto.s3.models import FakeBucket, S3Backend

    from infra.localaws.s3 import console, objects, owner, routes
    from infra.localaws.s3.multipart import complete_multipart_upload
    from infra.localaws.s3.policy import get_permission
    from infra.localaws.s3.restore import BucketBook
    from infra.localaws.snapshot import by_reference

    folder = world.config.state_dir / "s3"
    journal = _opened(folder)
    objects.use_journal(journal)
    FakeBucket.get_permission = get_permission  # type: ignore[method-assign]
    S3Backend.complete_multipart_upload = complete_multipart_upload  # type: ignore[method-assign]
    book = BucketBook(journal)
    _restored(book, folder)
    objects.changes().before_flush = book.flush_unknown
    by_reference(FakeBucket, restored_bucket, lambda bucket: (bucket.name,))
    by_reference(S3Backend, _backend, lambda _backend: ())

    def commit(environ: Environ) -> None:
        _touch_addressed(environ)
        book.flush()
        objects.changes().flush()

    world.on_commit(commit)
    world.on_close(journal.close)
    world.route(owner.is_refused, owner.refuse)
    world.route(routes.wanted, routes.serve)
    world.route(console.wanted, console.serve)


def _opened(folder: Path) -> "Journal":
    from infra.localaws.s3.journal import Journal

    try:
        return Journal(folder)
    except sqlite3.DatabaseError as error:
        raise _unusable(folder, error) from None


def _restored(book: "BucketBook", folder: Path) -> None:
    try:
        book.restore()
    except Exception as error:
        raise _unusable(folder, error) from None


def _unusable(folder: Path, error: Exception) -> StateError:
    path = folder / "journal.sqlite"
    return StateError(
        f"the kept S3 objects in {path} cannot be read ({type(error).__name__}: {error}): "
        f"delete {folder} (its objects are lost) or start with another --state"
    )


def _touch_addressed(environ: Environ) -> None:
    """Note the object that a request named: tags, ACL and locks change in place."""
    from infra.localaws.s3.objects import changes

    bucket_name, _, key = unquote(environ.get("RAW_URI", "").partition("?")[0]).lstrip("/").partition("/")
    host = environ.get("HTTP_HOST", "").split(".")[0]
    for name, key_name in ((bucket_name, key), (host, f"{bucket_name}/{key}" if key else bucket_name)):
        bucket = _backend().buckets.get(name)
        if bucket is not None:
            changes().touch(bucket.keys.getlist(key_name, []))


def _backend() -> "S3Backend":
    from moto.s3.models import s3_backends

    return s3_backends[ACCOUNT_ID]["aws"]


def restored_bucket(name: str) -> "FakeBucket | None":
    """What a snapshot's reference to a bucket stands for; None where it was deleted since."""
    return _backend().buckets.get(name)


def _bucket(name: str) -> "FakeBucket":
    bucket = _backend().buckets.get(name)
    if bucket is None:
        raise KeyError(f"no bucket {name!r}")
    return bucket


def get_bytes(bucket: str, key: str) -> bytes:
    """The body of the current version.

    Raises:
        KeyError: no such bucket or key, or it is deleted.
    """
    from infra.localaws.s3.objects import StoredKey

    for _ in range(8):
        found = _bucket(bucket).keys.get(key)
        if not isinstance(found, StoredKey):
            raise KeyError(f"no object s3://{bucket}/{key}")
        try:
            return found.value
        except FileNotFoundError:
            continue  # replaced a moment ago
    raise KeyError(f"no object s3://{bucket}/{key}")


def put_bytes(bucket: str, key: str, body: bytes, content_type: str = "binary/octet-stream") -> str:
    """Store an object, durable on return.

    Returns:
        Its version id (`null` in a bucket without versions).

    Raises:
        KeyError: no such bucket.
    """
    from infra.localaws.s3.objects import StoredKey, changes

    stored = _backend().put_object(_bucket(bucket).name, key, body)
    assert isinstance(stored, StoredKey)
    stored.set_metadata({"Content-Type": content_type})
    changes().added(stored)
    changes().flush()
    return stored.version_id


def has_key(bucket: str, key: str) -> bool:
    """Whether a bucket has a current version of a key; True for a bucket that is not there, which S3 says to all."""
    from infra.localaws.s3.objects import StoredKey

    found = _backend().buckets.get(bucket)
    return found is None or isinstance(found.keys.get(key), StoredKey)


def list_keys(bucket: str, prefix: str = "") -> list[str]:
    """Every current key with the prefix, sorted.

    Raises:
        KeyError: no such bucket.
    """
    from infra.localaws.s3.listing import list_page

    page = list_page(_bucket(bucket), prefix, "", "", limit=2**62)
    return [key.name for key in page.keys]
