#!/usr/bin/env bash
# `npm run soak [-- NAME]`: the long runs, of which `npm test` has a short sample each.
#   fuzz   every property and fuzz test with SLUICE_FUZZ_RUNS inputs (default 20000), damaged session descriptions with
#          SLUICE_SDP_FUZZ_RUNS (default 1000000, two to eight minutes)
#   kill   kill -9 of a router while it installs, removes and resizes, SLUICE_KILLS times (default 200), with nftables and eBPF
#   lab    the failure matrix of the lab, SLUICE_LAB_ROUNDS times over (default 5)
#   timer  session timers of 90 s, routed and direct, in a lab. Of it `npm test` has what needs no such time: test/pdp/liveness,
#          test/pdp/session-end.test.ts, test/sip/proxy/taken-back.test.ts, test/lab/session-timer-dead.test.ts
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/setup.sh

fuzz() {
  SLUICE_FUZZ_RUNS=${SLUICE_FUZZ_RUNS:-20000} SLUICE_SDP_FUZZ_RUNS=${SLUICE_SDP_FUZZ_RUNS:-1000000} \
    npx --no-install vitest run --project unit --testTimeout=3600000
}

kill_router() {
  SLUICE_KILLS=${SLUICE_KILLS:-200} npx --no-install vitest run --project kernel test/kernel/real/kill.test.ts \
    test/kernel/real/ebpf-kill.test.ts
}

lab() {
  local round
  for ((round = 1; round <= ${SLUICE_LAB_ROUNDS:-5}; round++)); do
    echo "soak: lab, round $round" >&2
    npx --no-install vitest run --project lab
  done
}

timer() {
  SLUICE_SOAK=timer npx --no-install vitest run --project lab test/lab/session-timer.test.ts
}

case ${1:-all} in
  fuzz) fuzz ;;
  kill) kill_router ;;
  lab) lab ;;
  timer) timer ;;
  all) fuzz && kill_router && lab && timer ;;
  *)
    echo "soak: no soak named '$1'; there are: fuzz, kill, lab, timer" >&2
    exit 2
    ;;
esac
