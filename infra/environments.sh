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
# Where python.org's installer and Homebrew put Python on a Mac; neither need be on the PATH.
OTHER_PYTHONS="/Library/Frameworks/Python.framework/Versions/3.12/bin/python3.12
/opt/homebrew/bin/python3.12 /usr/local/bin/python3.12"

fail() {
    echo "$1" >&2
    exit 1
}

require_platform() {
    system=$(uname -s) machine=$(uname -m)
    case $system-$machine in
    Linux-x86_64 | Linux-aarch64 | Linux-arm64 | Darwin-x86_64 | Darwin-arm64) ;;
    *) fail "The packages have no wheels for $system on $machine: this needs macOS or Linux on 64-bit Arm or x86 (Windows: use WSL)." ;;
    esac
    if [ "$system" = Linux ] && ldd --version 2>&1 | grep -qi musl; then
        fail "The packages have no wheels for Linux with musl (Alpine): this needs a Linux with glibc 2.28 or newer, as Debian or Ubuntu have."
    fi
}

# Prints the first Python of the names given that runs: on a Mac, /usr/bin/python3 may only offer to install one.
find_python() {
    for python in "$@"; do
        if "$python" -c '' >/dev/null 2>&1; then
            command -v "$python"
            return
        fi
    done
    return 1
}

find_uv() {
    if uv --version >/dev/null 2>&1; then
        UV=uv
    elif .venvs/uv/bin/uv --version >/dev/null 2>&1; then
        UV=.venvs/uv/bin/uv
    else
        python=$(find_python python3.12 $OTHER_PYTHONS python3) ||
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

install_packages() {
    log=.venvs/$1.log
    # Wheels alone: a package that would be compiled here is a package that no lock was checked with.
    "$UV" pip sync --quiet --compile-bytecode --require-hashes --only-binary :all: --python ".venvs/$1" "locks/$1.txt" \
        2>"$log" && return
    if grep -q 'no usable wheels\|no wheels with a matching' "$log"; then
        fail "A package of locks/$1.txt has no wheel for this machine ($system $machine): macOS 13 or glibc 2.28 is the oldest that has. (details: $log)"
    fi
    fail "The packages of locks/$1.txt could not be installed: is there a network? (details: $log)"
}

# XGBoost's wheel for macOS brings no OpenMP; without this line the first training job would say so, minutes later.
require_openmp() {
    [ "$system" != Darwin ] || .venvs/jobs/bin/python -c 'import xgboost' >.venvs/jobs.log 2>&1 ||
        fail "XGBoost does not load: on a Mac it needs OpenMP, so run: brew install libomp (details: .venvs/jobs.log)"
}

make_environment() {
    name=$1
    stamp=.venvs/$name/lock-sum
    sum=$(cksum <"locks/$name.txt")
    [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && return
    require_platform
    find_uv
    free_disk
    echo "environments: making .venvs/$name from locks/$name.txt"
    python=$(find_python python3.12 $OTHER_PYTHONS) || python=3.12
    "$UV" venv --quiet --allow-existing --python "$python" ".venvs/$name" 2>".venvs/$name.log" ||
        fail "No Python 3.12 found, and uv could not bring it: install Python 3.12. (details: .venvs/$name.log)"
    install_packages "$name"
    [ "$name" != jobs ] || require_openmp
    echo "$sum" >"$stamp"
}

mkdir -p .venvs
for name in airflow jobs "$@"; do
    make_environment "$name"
done
