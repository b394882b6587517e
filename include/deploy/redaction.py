"""Documents that hold many athletes, without one of them. Every function is None where the athlete is not in it."""

import csv
import io
import json
import re
from collections.abc import Mapping
from typing import Any

from include.features.schema import RECORD_ID

ERASED = "(erased)"
NOTE = "the rows of an athlete were erased after this version was made"


class NotReadable(Exception):
    """A document is not of the form that is expected, so that nobody can say who is in it."""


def parquet_without(body: bytes, athlete_id: str) -> bytes | None:
    """A file of the offline store; b"" when no row is left.

    Raises:
        NotReadable: no Parquet file, or one without athletes.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(body))
        athletes = file.read([RECORD_ID])[RECORD_ID]
    except (pa.ArrowException, KeyError) as error:
        raise NotReadable(f"no Parquet file of athletes: {error}") from error
    is_other = pc.not_equal(athletes, athlete_id)
    if pc.all(is_other).as_py():
        return None
    kept = file.read().filter(is_other)
    if not kept.num_rows:
        return b""
    sink = io.BytesIO()
    pq.write_table(kept, sink, compression=file.metadata.row_group(0).column(0).compression)
    return sink.getvalue()


def csv_without(body: bytes, athlete_id: str) -> bytes | None:
    """A file of a dataset version; the lines of the others stay as they are, to the byte.

    Raises:
        NotReadable: the first column is not the athlete.
    """
    header, *lines = body.splitlines(keepends=True) or [b""]
    columns = next(csv.reader([header.decode(errors="replace")]), [])
    if columns[:1] != [RECORD_ID]:
        raise NotReadable(f"no CSV file whose first column is {RECORD_ID}")
    own = (f'"{athlete_id}",'.encode(), f"{athlete_id},".encode())
    kept = [line for line in lines if not line.startswith(own)]
    return None if len(kept) == len(lines) else header + b"".join(kept)


def manifest_without(body: bytes, athlete_id: str, files: Mapping[str, tuple[int, str]]) -> bytes | None:
    """The manifest of a dataset version; b"" when it holds no other athlete.

    Args:
        files: rows and SHA-256, as they are now, of the files that it lists itself: versions without parts do.
    """
    manifest = _document(body)
    athletes = manifest.get("athletes", [])
    if athlete_id not in athletes:
        return None
    if set(athletes) == {athlete_id}:
        return b""
    manifest["athletes"] = [name for name in athletes if name != athlete_id]
    _update_files(manifest.get("files", {}), athlete_id, files)
    manifest["notes"] = [*manifest.get("notes", []), NOTE]
    return _manifest(manifest)


def part_without(body: bytes, athlete_id: str, files: Mapping[str, tuple[int, str]]) -> bytes | None:
    """The manifest of a part of a dataset version, which stays although it may hold nobody any more.

    Args:
        files: rows and SHA-256 of each file as it is now.
    """
    part = _document(body)
    if athlete_id not in part["athletes"]:
        return None
    part["athletes"] = [name for name in part["athletes"] if name != athlete_id]
    _update_files(part["files"], athlete_id, files)
    return _manifest(part)


def _update_files(entries: dict[str, Any], athlete_id: str, files: Mapping[str, tuple[int, str]]) -> None:
    for name, entry in entries.items():
        entry["athletes"].pop(athlete_id, None)
        if name in files:
            entry["rows"], entry["sha256"] = files[name]


def evaluation_without(body: bytes, athlete_id: str) -> bytes | None:
    """The evaluation of a model; b"" when it was judged on no other athlete."""
    evaluation = _document(body)
    athletes = evaluation.get("athletes") or {}
    others = {name: skills for name, skills in athletes.items() if name != athlete_id}
    cleaned = {**_without(evaluation, athlete_id), "athletes": others}
    if cleaned == {**evaluation, "athletes": athletes}:
        return None
    if athletes and not others:
        return b""
    return (json.dumps(cleaned, indent=1) + "\n").encode()


def athletes_without(body: bytes, athlete_id: str) -> bytes | None:
    """The list of athletes (`config/athletes.json`)."""
    listed = _document(body)
    entries = listed.get("athletes", [])
    kept = [entry for entry in entries if athlete_id not in (entry, _get(entry, "athlete_id"))]
    return None if len(kept) == len(entries) else json.dumps({**listed, "athletes": kept}, indent=1).encode()


def api_keys_without(body: bytes, athlete_id: str) -> bytes | None:
    """Which athletes each API key reads (`config/api-keys.json`); a key that read this one alone reads none."""
    keys = _document(body)
    if not all(isinstance(names, list) for names in keys.values()):
        raise NotReadable("not a list of athletes for each key")
    kept = {key: [name for name in names if name != athlete_id] for key, names in keys.items()}
    return None if kept == keys else json.dumps(kept, indent=1).encode()


def _document(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise NotReadable(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise NotReadable("not a JSON object")
    return value


def _manifest(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def _get(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _without(value: Any, athlete_id: str) -> Any:
    """Cases of the athlete are left out; where a sentence names the athlete, it says ERASED."""
    if isinstance(value, dict):
        return {name: _without(part, athlete_id) for name, part in value.items()}
    if isinstance(value, list):
        return [_without(part, athlete_id) for part in value if _get(part, "athlete") != athlete_id]
    if isinstance(value, str):
        return re.sub(rf"\bathlete {re.escape(athlete_id)}(?![\w-])", f"athlete {ERASED}", value)
    return value
