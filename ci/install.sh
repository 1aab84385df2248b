#!/usr/bin/env bash
# Installs Snapdrift into an environment of its own, or finds the one that the job has installed.

source "$(dirname "$0")/lib.sh"

if [[ "$SNAPDRIFT_INSTALL" != true ]]; then
  bin=$(command -v snapdrift) || refuse "install is $SNAPDRIFT_INSTALL and there is no snapdrift on the PATH"
  output bin "$bin"
  exit 0
fi

venv=$SNAPDRIFT_FOLDER/venv
what=("$(dirname "$HERE")")
[[ -z "${SNAPDRIFT_VERSION:-}" ]] || what=("snapdrift==$SNAPDRIFT_VERSION")
if [[ -n "${SNAPDRIFT_REQUIREMENTS:-}" && "$SNAPDRIFT_MODE" == full ]]; then
  what+=(--requirement "$SNAPDRIFT_REQUIREMENTS")
fi
# Isolated: a pip.py of the checkout is not what is meant.
python3 -I -m venv "$venv"
"$venv/bin/python" -I -m pip install --quiet --disable-pip-version-check "${what[@]}"
"$venv/bin/snapdrift" --version
output bin "$venv/bin/snapdrift"
