#!/usr/bin/env bash
# Runs the suites. Ends with 0 whatever was decided, so that the report goes up and the state goes out; the last step
# of the action ends the job with what is left here as the output `exit-code`.

source "$(dirname "$0")/lib.sh"

find_suites
folder=$SNAPDRIFT_FOLDER
options=(--summary "$folder/summary.md" --verdict "$folder/verdict.json" --annotations "$folder/annotations")
[[ -z "${SNAPDRIFT_GATE:-}" ]] || options+=(--gate "$SNAPDRIFT_GATE")
[[ "${SNAPDRIFT_STANDIN:-}" != true ]] || options+=(--standin)
[[ -z "${SNAPDRIFT_MAX_USD:-}" ]] || options+=(--max-usd "$SNAPDRIFT_MAX_USD")
[[ -z "${SNAPDRIFT_DEADLINE:-}" ]] || options+=(--deadline "$SNAPDRIFT_DEADLINE")
[[ -z "${SNAPDRIFT_CHANGED:-}" ]] || options+=(--changed "$SNAPDRIFT_CHANGED")
[[ -z "${SNAPDRIFT_BASELINE_REF:-}" ]] || options+=(--baseline-ref "$SNAPDRIFT_BASELINE_REF")
[[ "${SNAPDRIFT_UPLOAD:-}" != true ]] || options+=(--report-url "$(job_url)#artifacts")
if [[ -n "${SNAPDRIFT_OPTIONS:-}" ]]; then
  read -r -d '' -a words <<<"$SNAPDRIFT_OPTIONS" || true
  options+=("${words[@]}")
fi
# An empty key is none: it would be sent, and refused, in place of a message that says which variable to set.
[[ -n "${OPENAI_API_KEY:-}" ]] || unset OPENAI_API_KEY

code=0
quoted "$SNAPDRIFT_BIN" run "${options[@]}" -- "${suites[@]}" || code=$?
annotate
if [[ -s "$folder/summary.md" ]]; then
  cat "$folder/summary.md" >>"$GITHUB_STEP_SUMMARY"
  output summary "$folder/summary.md"
  output verdict "$folder/verdict.json"
fi
output exit-code "$code"
python3 -I "$HERE/facts.py" "$code" "$folder/verdict.json" "${suites[@]}" >"$folder/facts"
while IFS='=' read -r name value; do
  [[ "$name" != reports ]] || value=${value//:/$'\n'}
  output "$name" "$value"
done <"$folder/facts"
