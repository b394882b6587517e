import random

import fitdecode
import pytest

from include.garmin.fit_frames import Definition, FitError, Message, as_file, crc16, fit_files, messages
from tests.garmin import fit_files as written
from tests.garmin.fit_files import ENUM, RECORD, SESSION, STRING, UINT8, UINT16, UINT32, FitFile, activity_file

EVERYTHING = frozenset(range(65_536))


def _data(body: bytes) -> bytes:
    (file,) = fit_files(body)
    assert file.problem is None
    return file.data


def _decoded(body: bytes) -> list[tuple[str, object]]:
    with fitdecode.FitReader(body, processor=None, check_crc=fitdecode.CrcCheck.DISABLED) as reader:
        frames = [frame for frame in reader if frame.frame_type == fitdecode.FIT_FRAME_DATA]
    return [
        (
            frame.name,
            [
                (each.name_or_num, each.value)
                for each in frame.fields
                if each.field_def is None or not each.field_def.is_dev
            ],
        )
        for frame in frames
    ]


@pytest.mark.parametrize("length", [0, 1, 2, 3, 255, 1000])
def test_the_crc_is_that_of_the_protocol(length: int) -> None:
    data = random.Random(length).randbytes(length)
    assert crc16(data) == written.crc16(data)


@pytest.mark.parametrize(
    "options", [{}, {"endian": ">"}, {"sessions": 3, "max_met": (520, 1)}, {"developer_fields": True}]
)
def test_wanted_messages_decode_as_they_do_in_the_whole_file(options: dict[str, object]) -> None:
    body = activity_file(records=30, **options)  # type: ignore[arg-type]
    wanted = [message for message in messages(_data(body), EVERYTHING) if message.number in (0, SESSION, 34)]
    every = _decoded(body)
    assert _decoded(as_file(wanted)) == [each for each in every if each[0] in ("file_id", "session", "activity")]


def test_what_is_not_wanted_is_passed_over_by_its_length() -> None:
    data = _data(activity_file(records=40))
    assert [message.number for message in messages(data, frozenset({SESSION}))] == [SESSION]
    assert len(list(messages(data, frozenset({RECORD})))) == 40


def test_messages_with_a_compressed_time_are_read_and_passed_over() -> None:
    fit = FitFile()
    fit.message(RECORD, {3: (UINT8, 140)})  # its local number is 4, which a compressed header cannot name
    fit.body += bytes([0x41, 0, 0]) + (RECORD).to_bytes(2, "little") + bytes([1, 3, 1, UINT8])
    fit.body += bytes([0x80 | 1 << 5 | 7, 151, 0x80 | 1 << 5 | 9, 152])
    fit.message(SESSION, {2: (UINT32, 1_115_096_400)})
    found = list(messages(_data(fit.finish()), frozenset({RECORD, SESSION})))
    assert [each.integers() for each in found] == [{3: 140}, {3: 151}, {3: 152}, {2: 1_115_096_400}]


def test_fields_that_apps_define_are_left_out() -> None:
    fit = FitFile()
    fit.message(SESSION, {2: (UINT32, 1_115_096_400)}, ((0, b"\x07\x08", 0),))
    (message,) = messages(_data(fit.finish()), frozenset({SESSION}))
    assert (message.integers(), len(message.payload)) == ({2: 1_115_096_400}, 4)


def test_only_single_whole_numbers_that_were_measured_are_told() -> None:
    values = {0: (ENUM, 0xFF), 1: (STRING, "ab"), 2: (UINT16, 460), 3: (UINT32, 0xFFFFFFFF), 4: (UINT8, 0)}
    fit = FitFile(endian=">")
    fit.message(229, values)
    (message,) = messages(_data(fit.finish()), frozenset({229}))
    assert message.integers() == {2: 460, 4: 0}
    of_bytes = Message(Definition(229, False, ((1, 3, UINT16), (2, 1, UINT8))), b"\1\2\3\4")
    assert of_bytes.integers() == {2: 4}


def test_a_definition_of_nothing_is_no_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.garmin.fit_frames.MAX_MESSAGES", 1000)
    empty = bytes([0x40, 0, 0, 18, 0, 0])
    assert len(list(messages(empty + b"\0" * 900, frozenset({SESSION})))) == 900
    with pytest.raises(FitError, match="more than 1000 messages"):
        list(messages(empty + b"\0" * 2000, frozenset()))
