#!/usr/bin/env bash
# One comment on the pull request, made once and brought up to date ever after. Found by a marker that no reader sees,
# in comments of the token's own author: a marker that somebody else writes is not ours.

source "$(dirname "$0")/lib.sh"

MARKER="snapdrift:${SNAPDRIFT_KEY//[^A-Za-z0-9._\/-]/-}"
AUTHOR=$SNAPDRIFT_AUTHOR
export MARKER AUTHOR

python3 -I "$HERE/github.py" comment "$SNAPDRIFT_FOLDER" >"$SNAPDRIFT_FOLDER/comment.json"
issue="/repos/$GITHUB_REPOSITORY/issues"
if ! found=$(find_ours "$issue/$PULL_REQUEST/comments?sort=created"); then
  tell warning Snapdrift "the pull request's comments cannot be read; a comment needs \`permissions: {pull-requests: write}\`"
  exit 0
fi
read -r id by <<<"$found" || true
if [[ -z "$id" ]]; then
  ask=(POST "$issue/$PULL_REQUEST/comments")
elif ! python3 -I "$HERE/github.py" newer "${by:-0.0}" "$GITHUB_RUN_NUMBER.$GITHUB_RUN_ATTEMPT"; then
  echo "a later job has commented already"
  exit 0
else
  ask=(PATCH "$issue/comments/$id")
fi
if ! api "${ask[@]}" "$SNAPDRIFT_FOLDER/comment.json" >/dev/null; then
  tell warning Snapdrift "the comment cannot be written; it needs \`permissions: {pull-requests: write}\`"
fi
