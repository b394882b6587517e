import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.garmin import fit_frames
from include.garmin.fit import FitError, read_session, read_sessions
from tests.garmin.fit_files import (
    CYCLING,
    ENUM,
    RUNNING,
    SESSION,
    SETTINGS_FILE,
    SINT32,
    SWIMMING,
    TRAIL,
    TREADMILL,
    UINT8,
    UINT16,
    UINT32,
    FitFile,
    activity_file,
    met_raw,
    metrics_file,
)

A_RUN = activity_file(records=20)


def test_a_run_is_read_in_si_units() -> None:
    session = read_session(activity_file())
    assert (session.sport, session.sub_sport, session.sessions) == ("running", "generic", 1)
    assert session.started_at_utc == datetime(2025, 5, 2, 5, 0, tzinfo=UTC)
    assert session.start_local == datetime(2025, 5, 2, 7, 0)
    assert (session.timer_s, session.elapsed_s, session.distance_m, session.ascent_m) == (3600, 3660, 10_000.5, 118)
    assert (session.avg_speed_mps, session.avg_power_w, session.energy_kcal) == (2.778, 243, 640)
    assert (session.avg_hr_bpm, session.max_hr_bpm) == (151, 172)
    assert (session.aerobic_te, session.anaerobic_te, session.training_load) == (3.4, 1.1, 100.5)
    assert (session.device_id, session.device) == ("3412345678", "fr255_music")


def test_big_endian_files_say_the_same() -> None:
    assert read_session(activity_file(endian=">")) == read_session(activity_file())


@pytest.mark.parametrize(("raw", "vo2max"), [(865_718, 46.23), (753_282, 40.23), (918_618, 49.06)])
def test_vo2max_of_the_unpublished_message_is_a_maximal_met(raw: int, vo2max: float) -> None:
    session = read_session(activity_file(vo2max_raw=raw))
    assert (session.vo2max, session.vo2max_sport) == (vo2max, None)


@pytest.mark.parametrize("raw", [0, -1, 0x7FFFFFFF, 1000, None])
def test_what_is_no_vo2max_is_none(raw: int | None) -> None:
    assert read_session(activity_file(vo2max_raw=raw)).vo2max is None


def test_vo2max_of_the_published_message_goes_first_and_names_its_sport() -> None:
    session = read_session(activity_file(max_met=(524, CYCLING)))
    assert (session.vo2max, session.vo2max_sport) == (52.4, "cycling")


def test_fields_of_tenths_go_before_the_whole_number_of_the_published_message() -> None:
    session = read_session(activity_file(max_met=(520, RUNNING), max_met_raw=(met_raw(52.31), met_raw(51.96))))
    assert (session.vo2max, session.day_vo2max, session.vo2max_sport) == (51.96, 52.31, "running")
    assert read_session(activity_file(max_met=(520, RUNNING))).day_vo2max == 52.0


def test_what_was_estimated_before_the_activity_is_kept_as_stored_and_is_no_vo2max() -> None:
    session = read_session(activity_file(vo2max_raw=None, met_max_before=14_200))
    assert (session.vo2max, session.met_max_before) == (None, 14_200)
    assert read_session(activity_file(met_max_before=14_200)).met_max_before is None


def test_sessions_of_several_sports_are_one_multisport_activity_without_vo2max() -> None:
    session = read_session(activity_file(sports=(SWIMMING, CYCLING, RUNNING)))
    assert (session.sport, session.sub_sport, session.sessions) == ("multisport", None, 3)
    assert (session.timer_s, session.distance_m, session.training_load) == (10_800, 30_001.5, 301.5)
    assert (session.max_hr_bpm, session.aerobic_te, session.avg_hr_bpm) == (172, 3.4, None)
    assert session.vo2max is None
    assert session.started_at_utc == datetime(2025, 5, 2, 5, 0, tzinfo=UTC)


def test_sessions_of_one_sport_are_one_activity_of_it() -> None:
    session = read_session(activity_file(sessions=2, seconds=1800))
    assert (session.sport, session.sub_sport, session.sessions) == ("running", "generic", 2)
    assert (session.timer_s, session.elapsed_s, session.distance_m) == (3600, 3660, 20_001.0)
    assert (session.avg_hr_bpm, session.max_hr_bpm, session.vo2max) == (151, 172, 49.06)


def test_averages_of_sessions_are_by_the_time_that_each_took() -> None:
    long_part, short_part = ({8: (UINT32, 3_000_000), 16: (UINT8, 150)}, {8: (UINT32, 1_000_000), 16: (UINT8, 130)})
    fit_file = FitFile(body=bytearray(activity_file(sessions=0)[14:-2]))
    for part in (short_part, long_part):
        sport_and_start = {2: (UINT32, 1_115_096_400), 5: (ENUM, RUNNING), 6: (ENUM, TRAIL)}
        fit_file.message(SESSION, sport_and_start | part)
    session = read_session(fit_file.finish())
    assert (session.avg_hr_bpm, session.sub_sport, session.avg_power_w) == (145.0, "trail", None)


def test_sub_sport_tells_a_treadmill() -> None:
    assert read_session(activity_file(sub_sport=TREADMILL)).sub_sport == "treadmill"


def test_a_sport_that_the_profile_does_not_know_is_its_number() -> None:
    assert read_session(activity_file(sport=211)).sport == "211"


def test_what_was_not_measured_is_none() -> None:
    session = read_session(activity_file(session={16: (UINT8, 0xFF), 20: (UINT16, 0xFFFF), 168: (SINT32, 0x7FFFFFFF)}))
    assert (session.avg_hr_bpm, session.avg_power_w, session.training_load) == (None, None, None)


@pytest.mark.parametrize(
    ("offset_s", "hour"), [(-10_800, 2), (20_700, 10), (7203, 7), (None, None), (20 * 3600, None), (-40_000_000, None)]
)
def test_local_time_is_told_only_by_a_possible_offset(offset_s: int | None, hour: int | None) -> None:
    start_local = read_session(activity_file(utc_offset_s=offset_s)).start_local
    assert (start_local.hour if start_local else None) == hour


def test_developer_fields_are_passed_over() -> None:
    assert read_session(activity_file(records=5, developer_fields=True)) == read_session(activity_file())


def test_json_leaves_out_what_is_unknown() -> None:
    value = read_session(activity_file(vo2max_raw=None, utc_offset_s=None)).as_json()
    assert value["started_at_utc"] == "2025-05-02T05:00:00"
    assert not {"vo2max", "start_local", "vo2max_sport"} & value.keys()


def _with_byte(body: bytes, at: int, value: int) -> bytes:
    return body[:at] + bytes([value]) + body[at + 1 :]


def _records_alone() -> bytes:
    fit_file = FitFile()
    fit_file.message(0, {0: (ENUM, 4)})
    return fit_file.finish()


def _session_without_clock() -> bytes:
    return activity_file(session={2: (UINT32, 1000)})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not a FIT file"),
        (b"PK\x03\x04" + A_RUN, "a zip archive, not a FIT file: unpack it"),
        (b"<?xml version='1.0'?><gpx></gpx>", "not a FIT file"),
        (A_RUN[:-1], "truncated"),
        (A_RUN[:200], "truncated"),
        (A_RUN[:13], "truncated"),
        (_with_byte(A_RUN, 400, A_RUN[400] ^ 1), "CRC"),
        (_with_byte(A_RUN, 4, 0xFF), "truncated|wrong CRC"),
        (A_RUN[:-2] + b"\0\0", "wrong CRC"),
        (FitFile(body=bytearray(A_RUN[14:-2])).finish(claimed_bytes=1 << 31), "truncated"),
        (FitFile(body=bytearray(A_RUN[14:-2])).finish(claimed_bytes=0), "the recording was broken off"),
        (FitFile(body=bytearray(A_RUN[14:-2] + b"\x0f")).finish(), "a message that was not defined"),
        (FitFile(body=bytearray(A_RUN[14:-3])).finish(), "its data end within a message"),
        (FitFile(body=bytearray(A_RUN[14:-2] + b"\x41\0\0\x12\0\x05\x01")).finish(), "end within a definition"),
        (activity_file(file_type=SETTINGS_FILE), "a FIT file of type settings, not of an activity"),
        (_records_alone(), "holds no session with a start time"),
        (_session_without_clock(), "holds no session with a start time"),
    ],
)
def test_what_is_no_sound_activity_file_is_refused_in_one_line(body: bytes, why: str) -> None:
    with pytest.raises(FitError, match=why) as refused:
        read_session(body)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "rest", [b"\0" * 512, b"\xff" * 199, b".FIT" * 50, A_RUN[:200], b"\x0e" + b"x" * 7 + b".FIT", b"\0" * 3]
)
def test_bytes_after_the_end_of_a_sound_file_are_passed_over(rest: bytes) -> None:
    assert read_sessions(A_RUN + rest) == [read_session(A_RUN)]


def test_every_activity_of_a_chain_is_read_in_any_order() -> None:
    later = activity_file(start=datetime(2025, 5, 2, 9, 0), vo2max_raw=None)
    settings_file, metrics = activity_file(file_type=SETTINGS_FILE), metrics_file((datetime(2025, 5, 2), 50.0, None))
    starts = [session.started_at_utc.hour for session in read_sessions(settings_file + later + metrics + A_RUN)]
    assert starts == [9, 5]
    assert [session.vo2max for session in read_sessions(A_RUN + b"\0\0" + later)] == [49.06, None]


def test_a_broken_file_of_a_chain_costs_the_others_nothing() -> None:
    broken = A_RUN[:-2] + b"\0\0"
    assert read_sessions(broken + activity_file()) == [read_session(A_RUN)]
    assert read_sessions(A_RUN + A_RUN) == [read_session(A_RUN)]
    with pytest.raises(FitError, match="wrong CRC"):
        read_sessions(broken + activity_file(file_type=SETTINGS_FILE))


def test_a_chain_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_frames, "MAX_CHAINED", 2)
    bodies = [activity_file(start=datetime(2025, 5, day)) for day in (1, 2, 3)]
    assert len(read_sessions(b"".join(bodies))) == 2


@pytest.mark.parametrize(("header_bytes", "header_crc"), [(12, False), (14, True), (14, False)])
def test_headers_of_either_length_with_or_without_a_crc_are_read(header_bytes: int, header_crc: bool) -> None:
    fit_file = FitFile(body=bytearray(A_RUN[14:-2]))
    assert read_session(fit_file.finish(header_bytes=header_bytes, header_crc=header_crc)) == read_session(A_RUN)


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_frames, "MAX_FIT_BYTES", 100)
    with pytest.raises(FitError, match="larger than 100 bytes"):
        read_session(A_RUN)


def test_messages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_frames, "MAX_MESSAGES", 15)
    with pytest.raises(FitError, match="more than 15 messages"):
        read_session(A_RUN)


def test_sessions_are_bounded() -> None:
    with pytest.raises(FitError, match="more than 1000 messages about sessions"):
        read_session(activity_file(sessions=1001))


def test_memory_does_not_grow_with_the_records() -> None:
    read_session(A_RUN)
    body = activity_file(records=400)
    tracemalloc.start()
    try:
        read_session(body)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def _read_or_refuse(body: bytes) -> None:
    try:
        session = read_session(body)
    except FitError as error:
        assert "\n" not in str(error)
    else:
        assert session.started_at_utc.tzinfo is UTC


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_are_refused(tail: bytes) -> None:
    _read_or_refuse(tail)
    _read_or_refuse(FitFile(body=bytearray(tail)).finish())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(14, len(A_RUN) - 3), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_mutated_file_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    body = bytearray(A_RUN)
    for at, value in changes:
        body[at] = value
    _read_or_refuse(FitFile(body=body[14:-2]).finish())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, len(A_RUN) - 1))
def test_a_cut_file_is_refused(length: int) -> None:
    with pytest.raises(FitError):
        read_session(A_RUN[:length])
