# shellcheck shell=bash
# Shared by the scripts of this folder: steps with their seconds, logs, roots.
# Sourced, never run. Callers set `set -euo pipefail` first.

HONE_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
DEPS="$HONE_ROOT/.deps"
PROGRAM="$(basename "$0")"
TAIL_LINES=30

# The versions are written once, in cmake/HoneDependencies.cmake.
cmake_version_of() {
  sed -n "s/^set(HONE_$1_VERSION \([0-9.]*\))$/\1/p" \
    "$HONE_ROOT/cmake/HoneDependencies.cmake"
}
TORCH_VERSION="$(cmake_version_of TORCH)"
OPENVINO_VERSION="$(cmake_version_of OPENVINO)"
ONNXRUNTIME_VERSION="$(cmake_version_of ONNXRUNTIME)"

# root_of VARIABLE DEFAULT: an installation's folder, from the root directory on.
root_of() { realpath -m -s "${!1:-$2}"; }
TORCH_ROOT="$(root_of HONE_TORCH_ROOT "$DEPS/torch-$TORCH_VERSION/torch")"
OPENVINO_ROOT="$(root_of HONE_OPENVINO_ROOT \
  "$DEPS/openvino-$OPENVINO_VERSION/openvino")"

cd "$HONE_ROOT" || exit
mkdir -p build/logs
# For the scripts that this one runs.
[[ -z ${HONE_TORCH_ROOT:-} ]] || export HONE_TORCH_ROOT="$TORCH_ROOT"
[[ -z ${HONE_OPENVINO_ROOT:-} ]] || export HONE_OPENVINO_ROOT="$OPENVINO_ROOT"

# One line for each thing done: `begin NAME`, then `finish`, or `die` for its
# end and the script's, with one clear line about why.
BEGUN=""
begin() {
  BEGUN=$SECONDS
  printf '%s: %s ... ' "$PROGRAM" "$1"
}

finish() {
  printf 'done, %d s\n' $((SECONDS - BEGUN))
  BEGUN=""
}

die() {
  if [[ -n $BEGUN ]]; then printf 'FAILED, %d s\n' $((SECONDS - BEGUN)); fi
  printf 'scripts/%s: %s\n' "$PROGRAM" "$*" >&2
  exit 1
}

say() { printf '%s: %s\n' "$PROGRAM" "$*"; }

# step NAME COMMAND...: one line with the seconds it took. What the command
# says goes to build/logs/NAME.log; its end is shown when the command fails.
step() {
  local name="$1" log status=0
  shift
  log="build/logs/$PROGRAM-${name//[^A-Za-z0-9.]/-}.log"
  begin "$name"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if ((status != 0)); then
    printf '\n'
    tail -n "$TAIL_LINES" "$log" >&2
    die "$name ended with status $status; all it said is in $log"
  fi
  finish
}

# Two compilers that see LibTorch need some 3 GB.
jobs_that_fit() {
  local gigabytes cores
  gigabytes=$(awk '/^MemAvailable:/ {print int($2 / 1500000)}' /proc/meminfo)
  cores=$(nproc)
  echo $((gigabytes < 1 ? 1 : gigabytes < cores ? gigabytes : cores))
}

# configure PRESET. The Python is the one that the test wheels were made for.
configure() {
  step "configure $1" cmake --preset "$1" \
    -DHONE_TORCH_ROOT="$TORCH_ROOT" -DHONE_OPENVINO_ROOT="$OPENVINO_ROOT" \
    -DHONE_TEST_PYTHON="$DEPS/test-python" \
    -DPython3_EXECUTABLE="$(python3 -c 'import sys; print(sys.executable)')"
}

# build PRESET [TARGET...]: everything unless targets are named.
build() {
  local preset="$1"
  shift
  step "build $preset${*:+ $*}" cmake --build --preset "$preset" \
    --parallel "$(jobs_that_fit)" ${@:+--target "$@"}
}

# run_tests FOLDER: two at a time; says what failed and how many there were.
run_tests() {
  local status=0 log="build/logs/$PROGRAM-ctest.log"
  begin "tests of $1"
  ctest --test-dir "$1" --output-on-failure -j2 >"$log" 2>&1 </dev/null ||
    status=$?
  if ((status == 0)); then
    finish
    grep -E 'tests passed|\*\*\*Skipped' "$log"
  else
    printf '\n'
    grep -vE ' Passed |^ *Start +[0-9]+:' "$log" | tail -n 400 >&2
    die "some tests of $1 failed; all they said is in $log"
  fi
}
