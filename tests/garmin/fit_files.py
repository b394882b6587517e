"""FIT files for tests, written field by field: header, definitions, data messages, CRC.

Numbers of messages, fields and base types are those of the FIT protocol; values are given as stored (scaled,
offset, seconds since 1989-12-31).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

FIT_EPOCH_S = 631065600
ENUM, UINT8, UINT16, SINT32, UINT32, STRING, UINT32Z = 0x00, 0x02, 0x84, 0x85, 0x86, 0x07, 0x8C
_FORMATS = {ENUM: "B", UINT8: "B", UINT16: "H", SINT32: "i", UINT32: "I", UINT32Z: "I"}
RUNNING, CYCLING, TRANSITION, FITNESS_EQUIPMENT, SWIMMING, TRAINING, WALKING, HIKING, GENERIC = (
    1, 2, 3, 4, 5, 10, 11, 17, 0,
)  # fmt: skip
TREADMILL, STRENGTH_TRAINING, HAND_CYCLING, E_BIKE_FITNESS, TRAIL = 1, 20, 12, 28, 3
ACTIVITY_FILE, SETTINGS_FILE, METRICS_FILE = 4, 2, 44
FILE_ID, SESSION, RECORD, DEVICE_INFO, ACTIVITY = 0, 18, 20, 23, 34
USER_METRICS, PHYSIOLOGICAL_METRICS, TIMESTAMP_CORRELATION, MAX_MET_DATA = 79, 140, 162, 229

Values = dict[int, tuple[int, object]]
"""Field number -> (base type, value)."""


def fit_time(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp()) - FIT_EPOCH_S


def crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


@dataclass
class FitFile:
    """One FIT file; a message whose fields change shape is defined again, as watches do."""

    endian: str = "<"
    body: bytearray = field(default_factory=bytearray)
    defined: dict[int, tuple[object, ...]] = field(default_factory=dict)

    def message(self, number: int, values: Values, developer_fields: tuple[tuple[int, bytes, int], ...] = ()) -> None:
        """`developer_fields` are (field number, value, developer data index)."""
        local = number % 16
        shape = (number, tuple((n, base, _size(base, value)) for n, (base, value) in values.items()), developer_fields)
        if self.defined.get(local) != shape:
            self.defined[local] = shape
            header = 0x40 | local | (0x20 if developer_fields else 0)
            self.body += bytes([header, 0, self.endian == ">"])
            self.body += struct.pack(f"{self.endian}HB", number, len(values))
            for number_, (base, value) in values.items():
                self.body += bytes([number_, _size(base, value), base])
            if developer_fields:
                self.body += bytes([len(developer_fields)])
                for number_, data, index in developer_fields:
                    self.body += bytes([number_, len(data), index])
        self.body.append(local)
        for base, value in values.values():
            self.body += _bytes(self.endian, base, value)
        for _, data, _ in developer_fields:
            self.body += data

    def finish(self, claimed_bytes: int | None = None, header_bytes: int = 14, *, header_crc: bool = True) -> bytes:
        claimed = len(self.body) if claimed_bytes is None else claimed_bytes
        header = struct.pack("<BBHI4s", header_bytes, 0x20, 2132, claimed, b".FIT")
        if header_bytes > len(header):
            header += struct.pack("<H", crc16(header) if header_crc else 0)
        return header + self.body + struct.pack("<H", crc16(header + self.body))


def activity_file(
    *,
    start: datetime = datetime(2025, 5, 2, 5, 0, 0),
    utc_offset_s: int | None = 7200,
    sport: int | None = RUNNING,
    sub_sport: int = 0,
    seconds: int = 3600,
    records: int = 0,
    sessions: int = 1,
    sports: Sequence[int] | None = None,
    met_max_before: int | None = None,
    vo2max_raw: int | None = 918_618,
    max_met: tuple[int, int] | None = None,
    max_met_raw: tuple[int, int] | None = None,
    session: Values | None = None,
    file_type: int = ACTIVITY_FILE,
    developer_fields: bool = False,
    endian: str = "<",
) -> bytes:
    """The file of an activity of `seconds` s that began at `start` (UTC), as a Garmin watch writes it.

    `session` replaces fields of the session message; `sports` gives one session each; `max_met` is (vo2_max × 10,
    sport) of a max_met_data message and `max_met_raw` its fields 1 and 11; `met_max_before` is field 0 of message 79.
    """
    every = list(sports) if sports is not None else [sport] * sessions
    fit, end = FitFile(endian), fit_time(start) + seconds
    fit.message(
        FILE_ID,
        {
            0: (ENUM, file_type),
            1: (UINT16, 1),
            2: (UINT16, 3990),
            3: (UINT32Z, 3412345678),
            4: (UINT32, fit_time(start)),
        },
    )
    if developer_fields:
        fit.message(207, {0: (UINT8, 7), 3: (UINT8, 0)})
        fit.message(206, {0: (UINT8, 0), 1: (UINT8, 0), 2: (UINT8, UINT8), 3: (STRING, "doughnuts earned")})
    if met_max_before is not None:
        fit.message(USER_METRICS, {253: (UINT32, fit_time(start)), 0: (UINT16, met_max_before), 3: (UINT16, 680)})
    for second in range(records):
        fit.message(RECORD, _record(fit_time(start) + second, second), ((0, b"\x07", 0),) if developer_fields else ())
    if vo2max_raw is not None:
        fit.message(
            PHYSIOLOGICAL_METRICS, {253: (UINT32, end), 4: (UINT8, 34), 7: (SINT32, vo2max_raw), 9: (UINT16, 1260)}
        )
    if max_met is not None:
        raw: Values = {1: (UINT32, max_met_raw[0]), 11: (UINT32, max_met_raw[1])} if max_met_raw else {}
        fit.message(MAX_MET_DATA, {0: (UINT32, end), 2: (UINT16, max_met[0]), 5: (ENUM, max_met[1])} | raw)
    for number, each in enumerate(every):
        fit.message(SESSION, _session(fit_time(start) + number * seconds, seconds, each, sub_sport) | (session or {}))
    if utc_offset_s is not None:
        fit.message(
            ACTIVITY,
            {253: (UINT32, end), 0: (UINT32, seconds * 1000), 1: (UINT16, len(every)), 5: (UINT32, end + utc_offset_s)},
        )
    return fit.finish()


def met_raw(vo2max: float) -> int:
    """A VO2max as message 229 stores it in fields 1 and 11."""
    return round(vo2max / 3.5 * 65_536)


def metrics_file(
    *updates: tuple[datetime, float | None, float | None],
    sport: int | None = RUNNING,
    utc_offset_s: int | None = None,
    file_type: int = METRICS_FILE,
    endian: str = "<",
) -> bytes:
    """A METRICS file of updates (moment in UTC, the day's VO2max, the activity's), None for what is not told.

    `utc_offset_s` adds the message that tells the wall clock.
    """
    fit = FitFile(endian)
    created = fit_time(updates[0][0]) if updates else 0
    fit.message(FILE_ID, {0: (ENUM, file_type), 1: (UINT16, 1), 2: (UINT16, 3990), 4: (UINT32, created)})
    if utc_offset_s is not None:
        fit.message(TIMESTAMP_CORRELATION, {253: (UINT32, created), 3: (UINT32, created + utc_offset_s)})
    fit.message(DEVICE_INFO, {253: (UINT32, created), 0: (UINT8, 0)})
    for moment, day, activity in updates:
        values: Values = {0: (UINT32, fit_time(moment))}
        if day is not None:
            values |= {1: (UINT32, met_raw(day)), 2: (UINT16, round(day) * 10)}
        if sport is not None:
            values |= {5: (ENUM, sport), 6: (ENUM, 0)}
        if activity is not None:
            values[11] = (UINT32, met_raw(activity))
        fit.message(MAX_MET_DATA, values)
    return fit.finish()


def _session(start_s: int, seconds: int, sport: int | None, sub_sport: int) -> Values:
    values: Values = {
        253: (UINT32, start_s + seconds),
        2: (UINT32, start_s),
        5: (ENUM, sport),
        6: (ENUM, sub_sport),
        7: (UINT32, (seconds + 60) * 1000),
        8: (UINT32, seconds * 1000),
        9: (UINT32, 10_000_50),
        11: (UINT16, 640),
        14: (UINT16, 2778),
        16: (UINT8, 151),
        17: (UINT8, 172),
        20: (UINT16, 243),
        22: (UINT16, 118),
        24: (UINT8, 34),
        137: (UINT8, 11),
        168: (SINT32, 6_553_600 + 32_768),
    }
    return values if sport is not None else {number: value for number, value in values.items() if number not in (5, 6)}


def _record(at_s: int, second: int) -> Values:
    """One second with the fields that a running watch writes."""
    return {
        253: (UINT32, at_s),
        0: (SINT32, 600_000_000 + second),
        1: (SINT32, 100_000_000 + second),
        2: (UINT16, 2600 + second % 50),
        5: (UINT32, second * 278),
        6: (UINT16, 2778),
        3: (UINT8, 130 + second % 40),
        4: (UINT8, 85),
        7: (UINT16, 240),
        13: (UINT8, 18),
        39: (UINT16, 84),
        40: (UINT16, 3400),
        41: (UINT16, 2450),
        53: (UINT8, 0),
        73: (UINT32, 2778),
        78: (UINT32, 2600),
        83: (UINT16, 790),
        85: (UINT16, 11_000),
    }


def _size(base: int, value: object) -> int:
    return len(str(value)) + 1 if base == STRING else struct.calcsize(_FORMATS[base])


def _bytes(endian: str, base: int, value: object) -> bytes:
    if base == STRING:
        return str(value).encode() + b"\0"
    return struct.pack(f"{endian}{_FORMATS[base]}", value)
