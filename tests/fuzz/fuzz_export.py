"""Account exports: the zip around them and the JSON in them."""

import io
import json
import zipfile
import zlib
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from include.curate import curate
from include.curate.parse import Parsed, parse_document
from include.garmin.document import RawDocument, SourceError, StoredDocument
from include.garmin.export import ExportSource
from include.garmin.export.archive import zip_members
from include.garmin.export.items import NotItems, items
from include.garmin.raw import why_unreadable
from tests.fuzz.target import Target, spoilt
from tests.garmin.export.builder import Account, members

CURATED_ONE_IN = 20
_ENVELOPE = "summarizedActivitiesExport"
_MEMBERS = {path: json.dumps(value).encode() for path, value in members(Account(days=12, activities=5))}
_ACTIVITIES = next(body for path, body in _MEMBERS.items() if path.endswith("summarizedActivities.json"))
_OTHERS = [body for path, body in _MEMBERS.items() if not path.endswith("summarizedActivities.json")]
_TEXTS = (
    b'"',
    b"\\",
    b"\\u12",
    b"\t",
    b"\xff",
    b"[" * 200,
    b"{" * 200,
    b'{"a":' * 200,
    b"9" * 5000,
    b"NaN",
    b"1e999",
    b"\\ud800",
)
_FETCHED = datetime(2026, 1, 1, tzinfo=UTC)


def _zip(contents: dict[str, bytes], method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for path, body in contents.items():
            archive.writestr(path, body)
    return file.getvalue()


_SOUND_ZIPS = tuple(_zip(_MEMBERS, method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))


def _json(random: Random) -> bytes:
    """A spoilt member: a few bytes anywhere, or something that JSON parsers stumble over put into it."""
    body = random.choice([_ACTIVITIES, _ACTIVITIES, *_OTHERS])
    if random.random() < 0.5:
        return spoilt(random, [body])
    at = random.randrange(len(body))
    return body[:at] + random.choice(_TEXTS) + body[at + random.randrange(3) :]


def _read_items(body: bytes) -> None:
    for envelope in (None, _ENVELOPE):
        damage: list[NotItems] = []
        try:
            for item in items(io.BytesIO(body), envelope, damage.append):
                assert why_unreadable(item.body) is None, "an item that raw would not take"
        except NotItems as error:
            damage.append(error)
        assert all("\n" not in str(error) for error in damage)


def _read_member(body: bytes) -> None:
    """Through the source into tables, as an ingest does it."""
    path = next(path for path in _MEMBERS if path.endswith("summarizedActivities.json"))
    _import(_zip({path: body}, zipfile.ZIP_STORED))


def _read_zip(body: bytes) -> None:
    try:
        with zip_members(io.BytesIO(body), "fuzzed.zip") as found:
            assert len(found) <= 4 * len(_MEMBERS)
    except SourceError as error:
        assert str(error).startswith("fuzzed.zip: ")
    _import(body)


def _import(body: bytes) -> None:
    documents: list[RawDocument] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ann.zip"
        path.write_bytes(body)
        try:
            documents.extend(ExportSource(str(path)).fetch("ann", None, None))
        except SourceError as error:
            assert "\n" not in str(error)
    kept = [each.body for each in documents if each.unreadable is None]
    assert all(why_unreadable(each) is None for each in kept)
    _into_tables(body, kept)


def _into_tables(seed: bytes, bodies: list[bytes]) -> None:
    """Parse every document; make tables of every CURATED_ONE_IN-th input, for that takes ten times as long."""
    for body in bodies:
        parse_document(body, Parsed())
    if zlib.crc32(seed) % CURATED_ONE_IN == 0:
        stored = (
            StoredDocument("export", date(2024, 1, 1), f"fuzzed-{n}", body, "ann", _FETCHED, f"raw/{n}")
            for n, body in enumerate(bodies)
        )
        curate(stored)


def _document(random: Random) -> bytes:
    """A document as raw may hold it: mostly JSON, of which parts have another type than they should."""
    body = _json(random)
    return (
        body
        if random.random() < 0.3
        else json.dumps(_retyped(random, json.loads(random.choice([_ACTIVITIES, *_OTHERS])))).encode()
    )


def _retyped(random: Random, value: object) -> object:
    if random.random() < 0.02:
        return random.choice(
            [None, True, -1, 1e300, 2**70, "", "x" * 50, [], {}, [[]], {"date": "Aug 1"}, "2026-13-01"]
        )
    if isinstance(value, dict):
        return {name: _retyped(random, inner) for name, inner in value.items()}
    return [_retyped(random, inner) for inner in value] if isinstance(value, list) else value


def _read_document(body: bytes) -> None:
    _into_tables(body, [body])


TARGETS = [
    Target("export items", _json, _read_items),
    Target("export member", _json, _read_member),
    Target("export zip", lambda random: spoilt(random, _SOUND_ZIPS), _read_zip),
    Target("document", _document, _read_document),
]
