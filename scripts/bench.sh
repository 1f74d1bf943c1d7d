#!/usr/bin/env bash
# `npm run bench [-- NAME]`: one JSON line per figure on stdout. A benchmark is a file in bench/, or several whose names
# begin alike: `kernel` runs kernel-*.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh
npx --no-install tsc -p tsconfig.bench.json >&2
ran=0
for source in bench/*.bench.ts; do
  name=$(basename "$source" .bench.ts)
  if (($# == 0)) || [[ $name == "$1" || $name == "$1"-* ]]; then
    # A network of its own: nothing that is measured touches the machine's.
    unshare --net node "dist/.bench/bench/$name.bench.js"
    ran=1
  fi
done
if ((!ran)); then
  echo "bench: no benchmark named '${1-}' in bench/" >&2
  exit 2
fi
