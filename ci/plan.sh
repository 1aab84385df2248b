#!/usr/bin/env bash
# Says what the run will ask and cost. Nothing is sent.

source "$(dirname "$0")/lib.sh"

find_suites
options=(--annotations "$SNAPDRIFT_FOLDER/annotations")
[[ -z "${SNAPDRIFT_GATE:-}" ]] || options+=(--gate "$SNAPDRIFT_GATE")
[[ -z "${SNAPDRIFT_CHANGED:-}" ]] || options+=(--changed "$SNAPDRIFT_CHANGED")
[[ -z "${SNAPDRIFT_BASELINE_REF:-}" ]] || options+=(--baseline-ref "$SNAPDRIFT_BASELINE_REF")
[[ "$SNAPDRIFT_MODE" == full ]] || options+=(--no-code)
code=0
quoted "$SNAPDRIFT_BIN" plan "${options[@]}" -- "${suites[@]}" || code=$?
annotate
if ((code == 0)) && [[ "$SNAPDRIFT_MODE" == fork ]]; then
  {
    printf '### Snapdrift: skipped\n\nThe suites are right; they were not run, because %s. What a run would take:\n\n' \
      "$SNAPDRIFT_REASON"
    sed 's/^/    /' "$SNAPDRIFT_FOLDER/log" # indented: whatever it quotes, Markdown shows it as it is
  } >>"$GITHUB_STEP_SUMMARY"
fi
output exit-code "$code"
exit "$code"
