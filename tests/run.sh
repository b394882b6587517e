#!/bin/sh
# Every fast test: one run in the Airflow environment, one in the jobs environment, coverage of include/ over both.
set -eu
cd "$(dirname "$0")/.."
rm -f .coverage .coverage.*
.venvs/jobs/bin/python -m pytest tests/forecast tests/jobs -q --cov --cov-report= "$@"
.venvs/airflow/bin/python -m pytest tests -q -n 2 --dist loadfile --cov --cov-report= -m "not e2e" \
    --ignore=tests/forecast --ignore=tests/jobs "$@"
.venvs/airflow/bin/coverage combine --quiet
.venvs/airflow/bin/coverage report
