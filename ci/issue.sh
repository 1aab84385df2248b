#!/usr/bin/env bash
# One issue for what watching has found: opened when an alias moved or changed, or when no night has reported for too
# long; brought up to date while it is open. What is news is also said in a comment, for those who follow it.

source "$(dirname "$0")/lib.sh"

MARKER="snapdrift-watch:${SNAPDRIFT_KEY//[^A-Za-z0-9._\/-]/-}"
AUTHOR=$SNAPDRIFT_AUTHOR
export MARKER AUTHOR

issues="/repos/$GITHUB_REPOSITORY/issues"
state=$(python3 -I "$HERE/github.py" issue "$SNAPDRIFT_FOLDER" "$WATCH_LATE" "$SNAPDRIFT_OVERDUE")
found=$(find_ours "$issues?state=open&sort=created&creator=${AUTHOR//\[bot\]/%5Bbot%5D}") ||
  refuse "the issues cannot be read; watching needs \`permissions: {issues: write}\`"
read -r number digest <<<"$found" || true
if [[ "$state" == quiet && -z "$number" ]]; then
  exit 0
fi
if [[ -z "$number" ]]; then
  api POST "$issues" "$SNAPDRIFT_FOLDER/issue.json" >/dev/null ||
    refuse "the issue cannot be opened; watching needs \`permissions: {issues: write}\`"
  tell notice "Snapdrift watch" "an issue was opened"
  exit 0
fi
api PATCH "$issues/$number" "$SNAPDRIFT_FOLDER/issue.json" >/dev/null || refuse "the issue $number cannot be written"
if [[ "$state" != quiet && "$state" != "$digest" ]]; then
  api POST "$issues/$number/comments" "$SNAPDRIFT_FOLDER/news.json" >/dev/null ||
    refuse "issue $number takes no comment"
fi
