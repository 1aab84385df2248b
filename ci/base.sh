#!/usr/bin/env bash
# Takes every snapdrift.toml and pyproject.toml from the base branch: those of a fork say nothing here.

source "$(dirname "$0")/lib.sh"

cd "$(git rev-parse --show-toplevel)"
authorise_git
depth=() # a depth would cut off the history of a whole clone, and with it the merge base
[[ "$(git rev-parse --is-shallow-repository)" == false ]] || depth=(--depth=1)
git fetch --quiet --no-tags ${depth[@]+"${depth[@]}"} origin "refs/heads/$GITHUB_BASE_REF"
base=$(git rev-parse FETCH_HEAD)
while IFS= read -r -d '' path; do
  case "${path##*/}" in
    snapdrift.toml | pyproject.toml) ;;
    *) continue ;;
  esac
  if git cat-file -e "$base:$path" 2>/dev/null; then
    git checkout --quiet "$base" -- "$path"
  else
    rm -f -- "$path"
  fi
done < <(git ls-files -z && git ls-tree -r -z --name-only "$base")
