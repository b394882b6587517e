from datetime import date
from pathlib import Path

import pytest

from include.garmin import SourceError, open_source
from include.garmin.open import is_live, with_absolute_path

TODAY = date(2026, 3, 1)


@pytest.mark.parametrize("spec", ["", "garmin", "Synthetic", "synthetics:athletes=2", "s3:bucket", ":", "folder2:/x"])
def test_a_spec_of_no_form_is_refused_and_all_forms_are_told(spec: str) -> None:
    with pytest.raises(SourceError, match=r"(?s)unknown source .*synthetic.*folder:PATH.*export:.*garminconnect"):
        open_source(spec, TODAY)


@pytest.mark.parametrize("spec", ["folder:", "export:", "garminexport:"])
def test_a_source_of_files_needs_a_path(spec: str) -> None:
    with pytest.raises(SourceError, match="needs a path"):
        open_source(spec, TODAY)


@pytest.mark.parametrize("spec", ["personalapi", "garminconnect", "garminexport"])
def test_a_live_source_is_opened_by_a_deployment(spec: str) -> None:
    assert is_live(spec)
    with pytest.raises(SourceError, match="Parameter Store"):
        open_source(spec, TODAY)


def test_paths_are_made_absolute_and_buckets_left_alone() -> None:
    assert with_absolute_path("folder:here") == f"folder:{Path('here').absolute()}"
    assert with_absolute_path("export:a/b.zip") == f"export:{Path('a/b.zip').absolute()}"
    for spec in ("export:s3://bucket/a.zip", "synthetic:athletes=2", "personalapi", "garminconnect", "garminexport"):
        assert with_absolute_path(spec) == spec


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("athlete=3", "unknown option 'athlete'"),
        ("athletes", "'athletes' .* is a whole number 1 to 1000, not ''"),
        ("athletes=0", "1 to 1000, not '0'"),
        ("athletes=1001", "1 to 1000"),
        ("athletes=-1", "1 to 1000"),
        ("athletes=1.5", "1 to 1000"),
        ("athletes=٣", "1 to 1000"),
        ("years=16", "1 to 15"),
        ("seed=2147483648", "0 to 2147483647"),
        ("seed=" + "9" * 5000, "0 to 2147483647"),
        ("seed=1,seed=2", "'seed' .* given twice"),
    ],
)
def test_an_option_that_cannot_be_meant_is_named(options: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        open_source(f"synthetic:{options}", TODAY)


def test_synthetic_alone_means_twelve_athletes() -> None:
    expected = [f"athlete-{number:02d}" for number in range(1, 13)]
    assert open_source("synthetic", TODAY).athletes() == expected
    assert open_source("synthetic:", TODAY).athletes() == expected


def test_options_may_come_in_any_order_with_spaces_and_a_comma_at_the_end() -> None:
    source = open_source("synthetic: seed=1 , athletes=2,", TODAY)
    assert source.athletes() == ["athlete-01", "athlete-02"]


def test_another_seed_is_another_athlete() -> None:
    one, other = (open_source(f"synthetic:athletes=1,years=1,seed={seed}", TODAY) for seed in (1, 2))
    bodies = [[document.body for document in source.fetch("athlete-01", None, None)] for source in (one, other)]
    assert bodies[0] != bodies[1]


def test_synthetic_athletes_need_a_today_after_their_first_year() -> None:
    with pytest.raises(SourceError, match="synthetic athletes live from 2009-01-07 on; today is 2008-06-01"):
        open_source("synthetic", date(2008, 6, 1))


def test_a_folder_needs_a_path() -> None:
    with pytest.raises(SourceError, match="needs a path: folder:PATH"):
        open_source("folder:", TODAY)


def test_a_folder_may_be_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "export" / "ann").mkdir(parents=True)
    (tmp_path / "export" / "ann" / "activities.json").write_text("[]")
    assert open_source("folder:~/export", TODAY).athletes() == ["ann"]


def test_the_home_of_nobody_is_a_clear_error() -> None:
    with pytest.raises(SourceError, match="is not a folder"):
        open_source("folder:~nobody-of-this-name/export", TODAY)
