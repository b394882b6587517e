"""What MWAA installs: the project's requirements without Airflow, under MWAA's own constraints."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from infra.package import Package
from infra.package.requirements import airflow_version, mwaa_requirements
from tests.package.conftest import ROOT


def pins(path: Path) -> dict[str, str]:
    """Versions by name, of a constraints file or a lock."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", path.read_text(), re.MULTILINE))


def test_airflow_and_its_providers_are_left_to_the_image(package: Package) -> None:
    lines = package.requirements.decode().splitlines()
    assert {Requirement(line).name for line in lines} >= {"garminconnect", "great-expectations", "pydantic-settings"}
    assert not [line for line in lines if "airflow" in line]


def test_every_requirement_agrees_with_the_constraints_of_mwaa(package: Package) -> None:
    constraints = pins(ROOT / "infra/mwaa/constraints-3.2.1-python3.12.txt")
    assert package.airflow_version == "3.2.1"
    for line in package.requirements.decode().splitlines():
        wanted = Requirement(line)
        assert wanted.name not in constraints or wanted.specifier.contains(constraints[wanted.name]), line


def test_comments_go_since_mwaa_reads_them() -> None:
    assert mwaa_requirements("# no -c here\n\napache-airflow==3.2.1\npandas\n") == "pandas\n"


@pytest.mark.parametrize("line", ["-c constraints.txt", "--constraint x.txt", "pandas  # -c x"])
def test_a_line_that_lifts_the_constraints_of_mwaa_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="would keep MWAA from applying its own constraints"):
        mwaa_requirements(f"{line}\n")


def test_the_version_of_airflow_is_read_from_its_pin() -> None:
    assert airflow_version("apache-airflow-providers-amazon==9.25.0\napache-airflow==3.2.1\n") == "3.2.1"
    with pytest.raises(ValueError, match="must pin"):
        airflow_version("apache-airflow>=3\n")
