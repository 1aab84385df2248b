# shellcheck shell=bash
# What the steps of the actions share. Sourced, never run.
#
# Inputs come in variables, never in the text of a script: what a pull request can write is then never code.

set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

random() {
  od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# A remark of the job, `tell error|warning|notice TITLE MESSAGE`, with what GitHub would read as a command's end spelled out.
tell() {
  local level=$1 title=$2 text=$3
  text=${text//'%'/%25} text=${text//$'\r'/%0D} text=${text//$'\n'/%0A}
  title=${title//'%'/%25} title=${title//$'\r'/%0D} title=${title//$'\n'/%0A} title=${title//:/%3A} title=${title//,/%2C}
  printf '::%s title=%s::%s\n' "$level" "$title" "$text"
}

# An output of the step, `output NAME VALUE`; the delimiter cannot be guessed, so a value cannot begin another output.
output() {
  local end
  end="end-$(random)"
  printf '%s<<%s\n%s\n%s\n' "$1" "$end" "$2" "$end" >>"$GITHUB_OUTPUT"
}

# Ends the step as a mistake of whoever set it up: `refuse REASON`.
refuse() {
  tell error Snapdrift "$1"
  output exit-code 2
  exit 2
}

# Runs a command whose output may quote files and answers of anybody's: meanwhile nothing of it is a workflow command.
# What it prints is kept in $SNAPDRIFT_FOLDER/log too. Returns the command's exit code.
#
# A job that is cancelled gets SIGINT and, 7.5 s later, SIGTERM, and each only this shell: they are passed on, for what is
# in flight to come in and be kept. (As SIGTERM: what a shell starts beside itself ignores SIGINT.)
quoted() {
  local token code told asked shown pipe="$SNAPDRIFT_FOLDER/pipe"
  token=$(random)
  printf '::stop-commands::%s\n' "$token"
  rm -f "$pipe"
  mkfifo "$pipe"
  tee "$SNAPDRIFT_FOLDER/log" <"$pipe" &
  shown=$!
  "$@" >"$pipe" 2>&1 &
  asked=$!
  trap 'told=yes; kill -TERM "$asked" 2>/dev/null || true' INT TERM
  while :; do
    told='' code=0
    wait "$asked" || code=$?
    [[ -n "$told" ]] || break # it was the signal that ended the wait, not the command
  done
  trap - INT TERM
  wait "$shown" || true
  printf '\n::%s::\n' "$token"
  return "$code"
}

# The annotations that a command left, now that commands are read again.
annotate() {
  if [[ -s "$SNAPDRIFT_FOLDER/annotations" ]]; then
    cat "$SNAPDRIFT_FOLDER/annotations"
    rm -f "$SNAPDRIFT_FOLDER/annotations"
  fi
}

# Sets `suites` to the files that $SNAPDRIFT_SUITES names, patterns expanded; what matches nothing stays as it is, for
# Snapdrift to complain about.
find_suites() {
  local words=() word found
  suites=()
  read -r -d '' -a words <<<"$SNAPDRIFT_SUITES" || true
  ((${#words[@]})) || refuse "the input suites is empty; expected suite files, such as evals/*.yaml"
  for word in "${words[@]}"; do
    [[ "$word" != -* ]] || refuse "the input suites has $word; expected files: options go into the input options"
    while IFS= read -r found; do
      suites+=("$found")
    done < <(compgen -G "$word" || printf '%s\n' "$word")
  done
}

# Keeps git to repositories that have a `.git`: what is committed can look like a bare one, whose configuration git would
# obey, wherever this job or Snapdrift calls it.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.bareRepository GIT_CONFIG_VALUE_0=explicit

# Refuses to go on in such a folder: git before 2.38 does not know the setting.
guard_git() {
  local place
  place=$(pwd -P)
  while [[ ! -e "$place/.git" && "$place" != / ]]; do
    if [[ -e "$place/HEAD" || -L "$place/HEAD" ]] &&
      [[ -e "$place/commondir" || (-d "$place/objects" && -d "$place/refs") ]]; then
      refuse "found a bare git repository among the files, at $place; expected none: rename or remove its HEAD"
    fi
    place=$(dirname "$place")
  done
}

# Lets git reach the repository with the job's token, without a file that would keep it.
authorise_git() {
  [[ -n "${GITHUB_TOKEN:-}" ]] || return 0
  local basic
  basic=$(printf 'x-access-token:%s' "$GITHUB_TOKEN" | base64 | tr -d '\n')
  echo "::add-mask::$basic"
  export GIT_CONFIG_COUNT=2 GIT_TERMINAL_PROMPT=0
  export GIT_CONFIG_KEY_1="http.${GITHUB_SERVER_URL:-https://github.com}/.extraheader"
  export GIT_CONFIG_VALUE_1="AUTHORIZATION: basic $basic"
}

# Asks GitHub's API: `api METHOD PATH [FILE]`, FILE being the JSON to send. Prints the reply; fails on an error status.
# What failed for a while is asked again, but for a POST: it may have been done all the same, and would be done twice.
# The token goes in by standard input, so that no list of processes shows it.
api() {
  local method=$1 path=$2 retries=2
  local body=()
  [[ "$method" != POST ]] || retries=0
  [[ -z "${3:-}" ]] || body=(--data-binary "@$3" --header "Content-Type: application/json")
  printf 'Authorization: Bearer %s\n' "$GITHUB_TOKEN" |
    curl --silent --show-error --fail --max-time 30 --retry "$retries" --request "$method" \
      --header @- --header "Accept: application/vnd.github+json" --header "X-GitHub-Api-Version: 2022-11-28" \
      ${body[@]+"${body[@]}"} "${GITHUB_API_URL:?}$path"
}

# Goes through the pages of a list of the API until one has an entry of ours, `find_ours PATH`; prints what `github.py
# find` prints of it, nothing where there is none.
find_ours() {
  local path=$1 page entries found
  for page in {1..30}; do
    # Said outright: where a caller asks whether this failed, bash does not stop at a command that does.
    api GET "$path&per_page=100&page=$page" >"$SNAPDRIFT_FOLDER/page.json" || return 1
    found=$(python3 -I "$HERE/github.py" find "$MARKER" "$AUTHOR" <"$SNAPDRIFT_FOLDER/page.json") || return 1
    entries=${found%%$'\n'*}
    if [[ "$found" == *$'\n'* ]]; then
      printf '%s\n' "${found#*$'\n'}"
      return 0
    fi
    ((entries == 100)) || return 0
  done
}

# Where this job is to be seen.
job_url() {
  printf '%s/%s/actions/runs/%s' "$GITHUB_SERVER_URL" "$GITHUB_REPOSITORY" "$GITHUB_RUN_ID"
}
