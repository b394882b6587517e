#!/bin/sh
# Every fast test: one run in the Airflow environment, one in the jobs environment, coverage of include/ over both.
set -eu
cd "$(dirname "$0")/.."
rm -f .coverage .coverage.*
cover="--cov --cov-report= --cov-fail-under=0"
COVERAGE_FILE=.coverage.jobs .venvs/jobs/bin/python -m pytest tests/forecast tests/jobs -q $cover "$@"
COVERAGE_FILE=.coverage.airflow .venvs/airflow/bin/python -m pytest tests -q -n 2 --dist loadfile -m "not e2e and not compose" \
    --ignore=tests/forecast --ignore=tests/jobs $cover "$@"
.venvs/airflow/bin/coverage combine --quiet .coverage.jobs .coverage.airflow
.venvs/airflow/bin/coverage report
