#!/usr/bin/env bash
# Says how far the job may go: `full`, or `fork` for code that nobody of this repository has looked at. Refuses events
# under which such code would run beside secrets.

source "$(dirname "$0")/lib.sh"

ALLOWED=${1:-any}

# Those are let through that come from this repository's own branches and people, or without its secrets. Any other may
# be set off by a stranger and still run beside the secrets, with a checkout of whatever the job names.
case "$GITHUB_EVENT_NAME" in
  pull_request | push | merge_group | schedule | workflow_dispatch | release) ;;
  pull_request_target)
    refuse "pull_request_target runs a fork's suites with this repository's token and secrets; use pull_request"
    ;;
  workflow_run)
    [[ "${RUN_HEAD_REPOSITORY:-}" == "$GITHUB_REPOSITORY" ]] ||
      refuse "workflow_run after the run of a fork has this repository's token and secrets; use pull_request"
    ;;
  *)
    refuse "found the event $GITHUB_EVENT_NAME, under which a stranger's code may run beside this repository's token and \
secrets; expected pull_request, push, merge_group, schedule, workflow_dispatch, release or workflow_run. To run a fork's \
change, push it to a branch after reading it"
    ;;
esac
if [[ "$ALLOWED" == trusted && "$GITHUB_EVENT_NAME" == pull_request ]]; then
  refuse "found the event $GITHUB_EVENT_NAME; expected schedule or workflow_dispatch: watching asks a model every time"
fi

guard_git
mode=full reason=
if [[ "$GITHUB_EVENT_NAME" == pull_request && "${HEAD_REPOSITORY:-}" != "$GITHUB_REPOSITORY" ]]; then
  mode=fork reason="the pull request comes from a fork (${HEAD_REPOSITORY:-one that is gone}), which gets no key"
elif [[ "$GITHUB_EVENT_NAME" == pull_request && "${GITHUB_ACTOR:-}" == "dependabot[bot]" ]]; then
  mode=fork reason="Dependabot's pull requests get no secrets, and so no key"
fi
output mode "$mode"
output reason "$reason"
output folder "$(mktemp -d "$RUNNER_TEMP/snapdrift.XXXXXX")"
