#!/usr/bin/env bash
# Ends the action with what was decided: the first step that failed, else the run, else that it was skipped.

source "$(dirname "$0")/lib.sh"

if [[ "$SNAPDRIFT_MODE" == fork && "$CHECK_CODE$PLAN_CODE" == 00 ]]; then
  tell notice "Snapdrift skipped" "The suites were checked and planned, and not run: $SNAPDRIFT_REASON."
  output decision skipped
  output exit-code 0
  exit 0
fi
code=${RUN_CODE:-}
for earlier in "$CHECK_CODE" "$PLAN_CODE"; do
  [[ -z "$earlier" || "$earlier" == 0 ]] || code=$earlier
done
# A step before these failed, or this one was cancelled: nothing was concluded.
code=${code:-2}
decision=${RUN_DECISION:-}
output decision "${decision:-error}"
output exit-code "$code"
[[ "$code" == 0 ]] || echo "Snapdrift: ${decision:-error}, exit $code"
exit "$code"
