"""Airflow with a home of its own, made before anything imports it."""

import os
import tempfile

_HOME = tempfile.mkdtemp(prefix="airflow-tests-")
os.environ.update(
    AIRFLOW_HOME=_HOME,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="True",
    AWS_DEFAULT_REGION="us-east-1",
)
