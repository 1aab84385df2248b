#!/usr/bin/env bash
# One issue for aliases that moved or changed, and one for nights that are not heard of: opened when there is none, brought
# up to date while it is open. What is news is also said in a comment, for those who follow it.

source "$(dirname "$0")/lib.sh"

KEY=${SNAPDRIFT_KEY//[^A-Za-z0-9._\/-]/-}
AUTHOR=$SNAPDRIFT_AUTHOR
export KEY AUTHOR

issues="/repos/$GITHUB_REPOSITORY/issues"
state=$(python3 -I "$HERE/github.py" issue "$SNAPDRIFT_FOLDER" "$WATCH_LATE" "$SNAPDRIFT_OVERDUE")
case "$state" in
  unknown) exit 0 ;;
  quiet) kind=snapdrift-silence news=over ;; # a silence that has ended is said in its issue, if there is one
  *) read -r kind news <<<"$state" ;;
esac
MARKER=$kind:$KEY
found=$(find_ours "$issues?state=open&sort=created&creator=${AUTHOR//\[bot\]/%5Bbot%5D}") ||
  refuse "the issues cannot be read; watching needs \`permissions: {issues: write}\`"
read -r number digest <<<"$found" || true
if [[ -z "$number" ]]; then
  [[ "$state" != quiet ]] || exit 0
  api POST "$issues" "$SNAPDRIFT_FOLDER/issue.json" >/dev/null ||
    refuse "the issue cannot be opened; watching needs \`permissions: {issues: write}\`"
  tell notice "Snapdrift watch" "an issue was opened"
  exit 0
fi
api PATCH "$issues/$number" "$SNAPDRIFT_FOLDER/issue.json" >/dev/null || refuse "the issue $number cannot be written"
if [[ "$news" != "$digest" ]]; then
  api POST "$issues/$number/comments" "$SNAPDRIFT_FOLDER/news.json" >/dev/null ||
    refuse "issue $number takes no comment"
fi
