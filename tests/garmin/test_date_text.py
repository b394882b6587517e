from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.garmin.date_text import moment_in_words
from include.garmin.dates import read_day


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Aug 18, 2020 12:00:00 AM", datetime(2020, 8, 18)),
        ("Aug 18, 2020, 12:00:00 AM", datetime(2020, 8, 18)),
        ("Aug 8, 2020, 12:00:00\u202fAM", datetime(2020, 8, 8)),
        ("Aug 08, 2020 1:02:03\u00a0pm", datetime(2020, 8, 8, 13, 2, 3)),
        ("August 18, 2020 at 12:00:00 PM", datetime(2020, 8, 18, 12)),
        ("Sep 1, 2019 23:59:59", datetime(2019, 9, 1, 23, 59, 59)),
    ],
)
def test_a_date_in_words_is_read_in_every_form_that_java_gave_it(text: str, moment: datetime) -> None:
    assert moment_in_words(text) == moment
    assert read_day({"date": text}) == read_day(text) == moment.date()


@pytest.mark.parametrize(
    "text", ["", "Aug 32, 2020 12:00:00 AM", "Foo 1, 2020 12:00:00 AM", "Aug 1, 2020 13:00:00 PM", "Aug 1, 2020", "tue"]
)
def test_what_is_no_date_in_words_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        moment_in_words(text)
    assert read_day(text) is None


@given(st.text(max_size=60))
def test_any_text_tells_a_day_or_none(text: str) -> None:
    assert isinstance(read_day(text), date | None)
