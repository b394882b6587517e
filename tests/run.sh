#!/bin/sh
# Every fast test: one run in the Airflow environment, one in the jobs environment beside it, coverage of include/ over
# both. The jobs' tests use one core, and those of Airflow wait often; what the jobs' tests said is shown at the end.
set -eu
cd "$(dirname "$0")/.."
rm -f .coverage .coverage.*
cover="--cov --cov-report= --cov-fail-under=0"
said=$(mktemp)
COVERAGE_FILE=.coverage.jobs .venvs/jobs/bin/python -m pytest tests/forecast tests/jobs -q $cover "$@" >"$said" 2>&1 &
jobs=$!
trap 'kill $jobs 2>/dev/null || true; rm -f "$said"' EXIT
trap 'exit 130' INT TERM # a background job of a script does not see Ctrl-C
failed=0
COVERAGE_FILE=.coverage.airflow .venvs/airflow/bin/python -m pytest tests -q -n 2 --dist loadfile -m "not e2e and not compose" \
    --ignore=tests/forecast --ignore=tests/jobs $cover "$@" || failed=$?
wait $jobs || failed=$?
cat "$said"
[ "$failed" = 0 ] || exit "$failed"
.venvs/airflow/bin/coverage combine --quiet .coverage.jobs .coverage.airflow
.venvs/airflow/bin/coverage report
