"""Environment files: what they give to processes and stacks, and what is said of wrong ones."""

from pathlib import Path

import pytest

from infra.deployment.environment import UnknownEnvironment, environment_names, read_environment

MWAA = 'home = "mwaa"\naccount_id = "111122223333"\nregion = "eu-west-1"\n'


def written(folder: Path, text: str, name: str = "prod") -> Path:
    (folder / f"{name}.toml").write_text(text)
    return folder


@pytest.mark.parametrize("name", environment_names())
def test_every_environment_of_the_repository_can_be_read(name: str) -> None:
    assert read_environment(name).name == name


def test_variables_are_the_settings_of_the_environment(tmp_path: Path) -> None:
    text = MWAA + '[settings]\nsource = "garminconnect"\njob_poll_s = 30\n'
    found = read_environment("prod", written(tmp_path, text))
    assert found.variables() == {
        "GFF_ACCOUNT_ID": "111122223333",
        "GFF_JOB_POLL_S": "30",
        "GFF_PROJECT": "garmin-forecast",
        "GFF_REGION": "eu-west-1",
        "GFF_SOURCE": "garminconnect",
    }


def test_parameters_are_text_as_cloudformation_wants_it(tmp_path: Path) -> None:
    text = MWAA + '[stacks.serving]\nEndpointMode = "serverless"\nTracingEnabled = true\nDailyQuota = 500\n'
    found = read_environment("prod", written(tmp_path, text))
    assert found.parameters("serving") == {
        "EndpointMode": "serverless",
        "TracingEnabled": "true",
        "DailyQuota": "500",
    }
    assert found.parameters("mwaa") == {}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("home = ", "prod.toml"),
        ('home = "cloud"\n', "home"),
        ('home = "mwaa"\n', "account_id"),
        ('home = "mwaa"\naccount_id = "12"\nregion = "eu-west-1"\n', "account_id"),
        (MWAA + "[settings]\nsauce = 1\n", "no setting sauce"),
        (MWAA + '[settings]\nregion = "eu-west-1"\n', "at the top"),
        (MWAA + '[stacks.endpoint]\nMode = "x"\n', "endpoint"),
        (MWAA + "colour = 1\n", "colour"),
        (MWAA + 'name = "other"\n', "name"),
    ],
)
def test_a_wrong_file_is_told_in_a_line(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(UnknownEnvironment, match=part) as caught:
        read_environment("prod", written(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["prod", "../prod", "", "Prod"])
def test_an_unknown_environment_names_those_that_there_are(tmp_path: Path, name: str) -> None:
    written(tmp_path, MWAA, "staging")
    with pytest.raises(UnknownEnvironment, match="staging"):
        read_environment(name, tmp_path)
