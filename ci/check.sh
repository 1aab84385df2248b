#!/usr/bin/env bash
# Validates the suites; every mistake is shown at its line.

source "$(dirname "$0")/lib.sh"

find_suites
options=(--annotations "$SNAPDRIFT_FOLDER/annotations")
[[ -z "${SNAPDRIFT_GATE:-}" ]] || options+=(--gate "$SNAPDRIFT_GATE")
[[ -z "${SNAPDRIFT_CHANGED:-}" ]] || options+=(--changed "$SNAPDRIFT_CHANGED")
[[ -z "${SNAPDRIFT_BASELINE_REF:-}" ]] || options+=(--baseline-ref "$SNAPDRIFT_BASELINE_REF")
[[ "$SNAPDRIFT_MODE" == full ]] || options+=(--no-code)
code=0
quoted "$SNAPDRIFT_BIN" check "${options[@]}" -- "${suites[@]}" || code=$?
annotate
output exit-code "$code"
exit "$code"
