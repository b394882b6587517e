import pytest

from include.garmin.export.layout import family_of, in_order, is_in_export


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("DI_CONNECT/DI-Connect-Fitness/ann_0_summarizedActivities.json", "activities"),
        ("DI_CONNECT/DI-Connect-Fitness/summarizedActivities.json", "activities"),
        ("di_connect/di-connect-fitness/ANN_0_SUMMARIZEDACTIVITIES.JSON", "activities"),
        ("0a1b_1/DI_CONNECT/DI-Connect-User/UDSFile_2020-01-01_2020-04-09.json", "days"),
        ("DI_CONNECT/DI-Connect-Aggregator/UDSFile_2020-01-01_2020-04-09.json", "days"),
        ("DI_CONNECT/DI-Connect-Wellness/2020-01-01_2020-04-09_1_sleepData.json", "sleep"),
        ("DI_CONNECT/DI-Connect-Wellness/2020-01-01_2020-04-09_1_healthStatusData.json", "health_status"),
        ("DI_CONNECT/DI-Connect-Wellness/1_userBioMetrics.json", "weight"),
        ("DI_CONNECT/DI-Connect-Metrics/MetricsMaxMetData_20200101_20200409_1.json", "max_met"),
        ("DI_CONNECT/DI-Connect-Metrics/ActivityVo2Max_20200101_20200409_1.json", "activity_vo2max"),
    ],
)
def test_members_that_are_read(path: str, family: str) -> None:
    found = family_of(path)
    assert found is not None
    assert found.name == family


@pytest.mark.parametrize(
    "path",
    [
        "DI_CONNECT/DI-Connect-User/user_profile.json",
        "DI_CONNECT/DI-Connect-Wellness/1_userBioMetricProfileData.json",
        "DI_CONNECT/DI-Connect-Uploaded-Files/UploadedFiles_0-_Part1.zip",
        "DI_CONNECT/DI-Connect-Fitness-Uploaded-Files/ann_1.fit",
        "DI_CONNECT/1_sleepData.json",
        "DI_CONNECT/a/b/1_sleepData.json",
        "DI_CONNECT/../1_sleepData.json",
        "../DI_CONNECT/DI-Connect-Wellness/1_sleepData.json",
        "./DI_CONNECT/DI-Connect-Wellness/1_sleepData.json",
        "/DI_CONNECT/DI-Connect-Wellness/1_sleepData.json",
        "a/b/DI_CONNECT/DI-Connect-Wellness/1_sleepData.json",
        "__MACOSX/DI_CONNECT/DI-Connect-Wellness/1_sleepData.json",
        "DI_CONNECT/DI-Connect-Wellness/._1_sleepData.json",
        "OTHER/DI-Connect-Wellness/1_sleepData.json",
        "",
    ],
)
def test_members_that_are_not_opened(path: str) -> None:
    assert family_of(path) is None


def test_a_folder_deeper_is_still_an_export() -> None:
    assert is_in_export("DI_CONNECT/x.json")
    assert is_in_export("0a1b_1/DI_CONNECT/x.json")
    assert not is_in_export("a/b/DI_CONNECT/x.json")


def test_parts_are_read_in_the_order_of_their_numbers() -> None:
    parts = ["a_10_x.json", "a_9_x.json", "a_1000_x.json", "a_x.json", "²_1.json"]
    assert sorted(parts, key=in_order) == ["a_9_x.json", "a_10_x.json", "a_1000_x.json", "a_x.json", "²_1.json"]
