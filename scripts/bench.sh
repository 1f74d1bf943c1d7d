#!/usr/bin/env bash
# `npm run bench [-- NAME]`: one JSON line per figure on stdout. There is one benchmark per file in bench/.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh
shopt -s nullglob
ran=0
for file in dist/bench/*.js; do
  name=$(basename "$file" .js)
  if [[ $# -eq 0 || $1 == "$name" ]]; then
    node "$file"
    ran=1
  fi
done
if [[ $ran -eq 0 ]]; then
  echo "bench: no benchmark named '${1:-}' in bench/" >&2
  exit 2
fi
