#!/usr/bin/env bash
# Takes in the state that earlier jobs have left: their answers are reused, and the attempts are counted.

source "$(dirname "$0")/lib.sh"

authorise_git
"$SNAPDRIFT_BIN" state pull --from "$SNAPDRIFT_STATE" || refuse "the state cannot be pulled from $SNAPDRIFT_STATE"
