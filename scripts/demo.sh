#!/usr/bin/env bash
# Prepares the machine, then runs the demo: `npm run demo`, or `npm run demo -- pools` for the one of pools. Only the demo
# itself writes to stdout.
set -euo pipefail
script_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
"$script_dir/setup.sh"
cd "$script_dir/.."
program=dist/lab/demo-main.js
if [[ ${1-} == pools ]]; then
  shift
  # Draws as the benches do, and is built with them.
  npx --no-install tsc -p tsconfig.bench.json >&2
  program=dist/.bench/bench/pools-demo/main.js
fi
exec node "$program" "$@"
