#!/usr/bin/env bash
# Prepares the machine, then runs the demo. Only the demo itself writes to stdout.
set -euo pipefail
script_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
"$script_dir/setup.sh"
exec node "$script_dir/../dist/lab/demo-main.js" "$@"
