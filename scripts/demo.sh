#!/usr/bin/env bash
# Prepares the machine, then runs the demo: `npm run demo`, or `npm run demo -- pools` and `npm run demo -- game` for those of
# pools and of a game in the browser. Only the demo itself writes to stdout.
set -euo pipefail
script_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
"$script_dir/setup.sh"
cd "$script_dir/.."
program=dist/lab/demo-main.js
case ${1-} in
  pools | game)
    program=dist/.bench/bench/$1-demo/main.js
    shift
    # They use what the benches do, and are built with them.
    npx --no-install tsc -p tsconfig.bench.json >&2
    ;;
esac
exec node "$program" "$@"
