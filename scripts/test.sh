#!/usr/bin/env bash
# `npm test`: sets up what is missing, then runs every test and prints one summary.
# Arguments go to vitest: `npm test -- test/cops` runs a part.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh
exec npx --no-install vitest run "$@"
