#!/usr/bin/env bash
# Leaves the state for the next job, whatever was decided: what was paid for is kept, of a run that was cut off too. The
# next job of the same commit goes on with that.

source "$(dirname "$0")/lib.sh"

authorise_git
if ! "$SNAPDRIFT_BIN" state push --to "$SNAPDRIFT_STATE" --keep "$SNAPDRIFT_KEEP"; then
  # What was decided stands: a job that may not write (`contents: read`) is no regression.
  tell warning "Snapdrift" "the state was not pushed to $SNAPDRIFT_STATE: the next job pays again for what this one asked. \
A branch needs \`permissions: {contents: write}\`"
fi
