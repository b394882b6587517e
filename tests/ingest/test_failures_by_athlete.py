"""One athlete's failure is noted by name and step, and the others go on."""

from include.garmin.document import TooManyRequests
from include.ingest.report import Report


def test_one_athletes_failure_is_named_and_the_others_go_on() -> None:
    def work(athlete: str) -> int:
        if athlete == "bob":
            raise ValueError("his file is broken")
        return len(athlete)

    report = Report()
    assert report.for_each(["ann", "bob", "cleo"], "curate", work) == {"ann": 3, "cleo": 4}
    [failure] = report.failures
    assert (failure.athlete_id, failure.step) == ("bob", "curate")
    assert failure.reason == "ValueError: his file is broken"


def test_nobody_is_asked_for_after_garmin_said_429() -> None:
    asked: list[str] = []

    def work(athlete: str) -> None:
        asked.append(athlete)
        if athlete == "bob":
            raise TooManyRequests(90)

    report = Report()
    report.for_each(["ann", "bob", "cleo"], "fetch", work)
    assert asked == ["ann", "bob"]
    assert [failure.athlete_id for failure in report.failures] == ["bob", "cleo"]
    assert "90 s" in report.failures[1].reason
