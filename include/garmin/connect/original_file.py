"""The file that a watch wrote of an activity, as Garmin hands it out: a zip that holds it."""

import io
import json
import zipfile
import zlib

from include.garmin.connect.personal_client import NO_DATA
from include.garmin.document import RawDocument
from include.garmin.fit import MAX_FIT_BYTES, FitError, read_session


def session_document(archive: RawDocument, activity_id: int) -> RawDocument:
    """What raw keeps of a FIT file: its session, as for the files of a folder.

    An activity without a FIT file (entered by hand, or brought in as GPX or TCX) has the body NO_DATA, and is not asked
    for again. What cannot be decoded is marked as unreadable, with the reason.
    """
    slot = (archive.kind, archive.last_day, archive.name)
    if archive.body == NO_DATA:
        return archive
    try:
        fit = _fit_file(archive.body)
        if fit is None:
            return RawDocument(*slot, NO_DATA)
        session = read_session(fit)
    except (FitError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        reason = f"original file of activity {activity_id}: {error}"
        return RawDocument(*slot, reason.encode("utf-8", "replace"), unreadable=reason)
    value = {"activityId": activity_id, "fitSession": session.as_json()}
    return RawDocument(*slot, json.dumps(value, sort_keys=True).encode())


def _fit_file(archive: bytes) -> bytes | None:
    """The first FIT file of a zip; None where it holds none.

    Raises:
        FitError: it is larger than any FIT file.
        zipfile.BadZipFile, zlib.error, …: no zip, or a broken one.
    """
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        member = next((each for each in opened.infolist() if each.filename.lower().endswith(".fit")), None)
        if member is None:
            return None
        with opened.open(member) as file:
            body = file.read(MAX_FIT_BYTES + 1)
    if len(body) > MAX_FIT_BYTES:
        raise FitError(f"larger than {MAX_FIT_BYTES} bytes")
    return body
