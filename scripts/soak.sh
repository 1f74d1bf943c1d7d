#!/usr/bin/env bash
# `npm run soak [-- NAME]`: the long runs, of which `npm test` has a short sample each.
#   fuzz   every property and fuzz test with SLUICE_FUZZ_RUNS inputs (default 20000)
#   lab    the failure matrix of the lab, SLUICE_LAB_ROUNDS times over (default 5)
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh

fuzz() {
  SLUICE_FUZZ_RUNS=${SLUICE_FUZZ_RUNS:-20000} npx --no-install vitest run --project unit --testTimeout=3600000
}

lab() {
  local round
  for ((round = 1; round <= ${SLUICE_LAB_ROUNDS:-5}; round++)); do
    echo "soak: lab, round $round" >&2
    npx --no-install vitest run --project lab
  done
}

case ${1:-all} in
  fuzz) fuzz ;;
  lab) lab ;;
  all) fuzz && lab ;;
  *)
    echo "soak: no soak named '$1'; there are: fuzz, lab" >&2
    exit 2
    ;;
esac
