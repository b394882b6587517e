"""The requirements of the MWAA environment, made from those of the project."""

import re

AIRFLOW = re.compile(r"^apache-airflow==(?P<version>\S+)$", re.MULTILINE)
OPTS_OUT = re.compile(r"-c |--constraint ")
"""MWAA forces its own constraints unless a line holds one of these, even in a comment."""


def mwaa_requirements(requirements: str) -> str:
    """The lines that MWAA installs, in their order: without comments, Airflow and its providers.

    Those come with MWAA's image. Named here they could only be wrong: pip would look for them without a network, or put
    another Airflow in the place of MWAA's.

    Raises:
        ValueError: a line keeps MWAA from applying its constraints.
    """
    lines = [line.strip() for line in requirements.splitlines()]
    wanted = [line for line in lines if line and not line.startswith(("#", "apache-airflow"))]
    for line in wanted:
        if OPTS_OUT.search(line):
            raise ValueError(f"requirements.txt: {line!r} would keep MWAA from applying its own constraints")
    return "".join(f"{line}\n" for line in wanted)


def airflow_version(requirements: str) -> str:
    """The version of Airflow that the project is made for.

    Raises:
        ValueError: it is not pinned.
    """
    found = AIRFLOW.search(requirements)
    if not found:
        raise ValueError("requirements.txt must pin apache-airflow==VERSION: MWAA runs exactly one")
    return found["version"]
