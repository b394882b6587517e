import io
import time

import pytest

from infra.deployment.progress import HEARTBEAT_S, Progress


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_stage_tells_its_begin_its_end_and_where_to_look() -> None:
    clock, out = Clock(), io.StringIO()
    progress = Progress(out, clock)
    with progress.stage("Airflow", "/logs"):
        clock.now_s += 3
    progress.close()
    assert out.getvalue().splitlines() == ["   0.0 s  Airflow … (see /logs)", "   3.0 s  Airflow: done after 3.0 s"]


def test_a_long_stage_is_never_silent_for_longer_than_the_heartbeat() -> None:
    clock, out = Clock(), io.StringIO()
    progress = Progress(out, clock)
    progress._ended.set()  # the clock is turned by hand here
    progress._ticker.join()
    with progress.stage("train") as detail:
        detail("3 of 9 tasks")
        silent_s, longest_s, seen = 0.0, 0.0, len(out.getvalue())
        for _ in range(400):
            clock.now_s += 0.1
            progress.tell_silent_stages()
            silent_s = 0.0 if len(out.getvalue()) > seen else silent_s + 0.1
            longest_s, seen = max(longest_s, silent_s), len(out.getvalue())
    assert longest_s <= HEARTBEAT_S
    assert "train: 3 of 9 tasks (5 s)" in out.getvalue()


def test_a_failed_stage_is_told_and_named() -> None:
    progress = Progress(io.StringIO(), Clock())
    with pytest.raises(ZeroDivisionError), progress.stage("deploy"):
        _ = 1 / 0
    progress.close()
    assert progress.failed == "deploy"
    assert "deploy: failed" in progress.out.getvalue()


def test_a_terminal_gets_a_live_line_that_lines_replace() -> None:
    out = Terminal()
    progress = Progress(out)
    with progress.stage("build"):
        time.sleep(0.6)
        progress.say("between")
    progress.close()
    assert "\r\x1b[2K" in out.getvalue()
    assert "between\n" in out.getvalue()
    assert out.getvalue().endswith("\n")


def test_plain_output_holds_no_control_characters() -> None:
    out = io.StringIO()
    progress = Progress(out)
    with progress.stage("build"):
        time.sleep(0.6)
    progress.close()
    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()


def test_the_breakdown_is_in_the_order_of_begin() -> None:
    clock = Clock()
    progress = Progress(io.StringIO(), clock)
    with progress.stage("outer"):
        clock.now_s += 1
        with progress.stage("inner"):
            clock.now_s += 2
    progress.close()
    rows = [line.split() for line in progress.breakdown().splitlines()[1:]]
    assert rows == [["outer", "0.0", "3.0"], ["inner", "1.0", "2.0"]]
