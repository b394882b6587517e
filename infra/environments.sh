#!/bin/sh
# Makes virtual environments from their locks: `sh infra/environments.sh [NAME …]`. Does nothing when they are up to date.
#   .venvs/airflow  Airflow, local AWS, checks and tests
#   .venvs/jobs     what SageMaker's XGBoost container holds; local AWS runs jobs and endpoints in it
# and, where they are named, those that resolve with neither:
#   .venvs/release  the SageMaker SDK's table of images, which a test holds ours against
#   .venvs/checkov  checkov, which looks through the CloudFormation templates
set -eu
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9
NEEDED_KIB=3000000

fail() {
    echo "$1" >&2
    exit 1
}

find_uv() {
    if uv --version >/dev/null 2>&1; then
        UV=uv
    elif .venvs/uv/bin/uv --version >/dev/null 2>&1; then
        UV=.venvs/uv/bin/uv
    else
        python=$(command -v python3.12 || command -v python3) ||
            fail "No Python and no uv found: install Python 3.12 (or uv, which brings it) and run the same command again."
        echo "environments: getting uv $UV_VERSION"
        "$python" -m venv .venvs/uv ||
            fail "$python cannot make virtual environments: install its venv package (Debian: python3-venv), or uv."
        .venvs/uv/bin/pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" >.venvs/uv.log 2>&1 ||
            fail "uv could not be downloaded: is there a network? (details: .venvs/uv.log)"
        UV=.venvs/uv/bin/uv
    fi
}

free_disk() {
    free=$(df -Pk . | awk 'NR == 2 {print $4}')
    [ "$free" -ge "$NEEDED_KIB" ] ||
        fail "The disk is nearly full: $((free / 1024)) MiB are free here, the environments need $((NEEDED_KIB / 1024)) MiB."
}

make_environment() {
    name=$1
    stamp=.venvs/$name/lock-sum
    sum=$(cksum <"locks/$name.txt")
    [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && return
    find_uv
    free_disk
    echo "environments: making .venvs/$name from locks/$name.txt"
    "$UV" venv --quiet --allow-existing --python 3.12 ".venvs/$name" 2>".venvs/$name.log" ||
        fail "No Python 3.12 found, and uv could not bring it: install Python 3.12. (details: .venvs/$name.log)"
    "$UV" pip sync --quiet --compile-bytecode --require-hashes --python ".venvs/$name" "locks/$name.txt" 2>".venvs/$name.log" ||
        fail "The packages of locks/$name.txt could not be installed: is there a network? (details: .venvs/$name.log)"
    echo "$sum" >"$stamp"
}

mkdir -p .venvs
for name in airflow jobs "$@"; do
    make_environment "$name"
done
