"""FIT files."""

from random import Random

from include.garmin.fit import FitError, read_session
from tests.fuzz.target import Target, spoilt
from tests.garmin.fit_files import FitFile, activity_file

_SOUND = (activity_file(records=20), activity_file(sessions=2, max_met=(520, 1)), activity_file(endian=">"))
_FRAME = slice(14, -2)


def _make(random: Random) -> bytes:
    """A spoilt file; mostly with a frame that fits it, since else its CRC alone is looked at."""
    if random.random() < 0.2:
        return spoilt(random, _SOUND)
    return FitFile(body=bytearray(spoilt(random, [sound[_FRAME] for sound in _SOUND]))).finish()


def _read(body: bytes) -> None:
    try:
        read_session(body)
    except FitError as error:
        assert "\n" not in str(error)


TARGETS = [Target("fit activity", _make, _read)]
