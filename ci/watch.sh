#!/usr/bin/env bash
# One night of watching, and when nights last reported. Ends with 0: the last step ends the job.

source "$(dirname "$0")/lib.sh"

find_suites
folder=$SNAPDRIFT_FOLDER
[[ -n "${OPENAI_API_KEY:-}" ]] || unset OPENAI_API_KEY

code=0
if [[ "$SNAPDRIFT_ASK" == true ]]; then
  options=(--summary "$folder/night.md" --verdict "$folder/night.json" --annotations "$folder/annotations")
  [[ -z "${SNAPDRIFT_GATE:-}" ]] || options+=(--gate "$SNAPDRIFT_GATE")
  [[ "${SNAPDRIFT_STANDIN:-}" != true ]] || options+=(--standin)
  [[ -z "${SNAPDRIFT_CASES:-}" ]] || options+=(--cases "$SNAPDRIFT_CASES")
  [[ -z "${SNAPDRIFT_MAX_USD:-}" ]] || options+=(--max-usd "$SNAPDRIFT_MAX_USD")
  [[ -z "${SNAPDRIFT_DEADLINE:-}" ]] || options+=(--deadline "$SNAPDRIFT_DEADLINE")
  quoted "$SNAPDRIFT_BIN" watch "${options[@]}" -- "${suites[@]}" || code=$?
  annotate
fi
late=0
options=(--overdue "$SNAPDRIFT_OVERDUE" --summary "$folder/reported.md" --annotations "$folder/annotations")
[[ -z "${SNAPDRIFT_GATE:-}" ]] || options+=(--gate "$SNAPDRIFT_GATE")
quoted "$SNAPDRIFT_BIN" watch "${options[@]}" -- "${suites[@]}" || late=$?
annotate
for text in "$folder/night.md" "$folder/reported.md"; do
  [[ ! -s "$text" ]] || cat "$text" >>"$GITHUB_STEP_SUMMARY"
done
output exit-code "$((code != 0 ? code : late))"
output late "$late"
if [[ -s "$folder/night.json" ]]; then
  python3 -I "$HERE/facts.py" "$code" "$folder/night.json" "${suites[@]}" >"$folder/facts"
  while IFS='=' read -r name value; do
    [[ "$name" != reports ]] || value=${value//:/$'\n'}
    output "$name" "$value"
  done <"$folder/facts"
fi
