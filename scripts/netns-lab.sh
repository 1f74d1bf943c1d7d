#!/usr/bin/env bash
# The lab: two to four access networks, their routers, a bottleneck between them, and the servers, as
# network namespaces on one machine. Run without arguments for the list of verbs.
set -euo pipefail

script_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
source "$script_dir/lib/common.sh"
# shellcheck source=scripts/lib/topology.sh
source "$script_dir/lib/topology.sh"
# shellcheck source=scripts/lib/link-rate.sh
source "$script_dir/lib/link-rate.sh"
# shellcheck source=scripts/lib/network.sh
source "$script_dir/lib/network.sh"
# shellcheck source=scripts/lib/roles.sh
source "$script_dir/lib/roles.sh"
# shellcheck source=scripts/lib/call.sh
source "$script_dir/lib/call.sh"

usage() {
  cat >&2 <<'TEXT'
usage: netns-lab.sh [--prefix NAME] VERB
  up [options]                      build the network, start the roles
     --no-roles                     the network only
     --configs DIR                  the roles' configurations, as in configs/lab
     --transit                      a transit router T between the edge routers
     --portals                      a portal for each access network: web1, web2 …
     --sites N                      2 to 4 access networks (default 2); more than two are joined by T
     --links RATE                   rate of the core links, such as 20Mbit/s (default: what the routers' files say)
  down                              end every process of the lab and take everything away
  status                            list namespaces and roles; exit 0 only if all are there
  exec HOST COMMAND…                run COMMAND in a host's namespace
  start ROLE [--configs DIR]        start one role again (ch pol1 pol2 r1 r2 sip1 sip2; t if there is a t.yaml; web1 web2)
  stop ROLE [SIGNAL]                end one role (default TERM; KILL for the unkind way)
  call [options]                    one call, from UAC to UAS; `call --help` lists the options
  demo [options]                    the whole demo; `demo --help` lists the options
Hosts: uac sip1 pol1 r1 r2 sip2 pol2 uas ch, load1 and load2 (for floods), and the switches swa swb; with --transit t.
Further sites: ua3 sip3 pol3 load3 r3 swc, and ua4 sip4 pol4 load4 r4 swd.
NAME (default sluice, or $SLUICE_LAB_PREFIX) lets several labs run side by side.
TEXT
  exit 2
}

# Options of the script itself may stand before or after the verb, up to the first word it does not know.
prefix=${SLUICE_LAB_PREFIX:-sluice}
if [[ ${1-} == --prefix ]]; then
  (($# >= 2)) || usage
  prefix=$2
  shift 2
fi
verb=${1-}
shift || true
if [[ ${1-} == --prefix && $verb != exec ]]; then
  (($# >= 2)) || usage
  prefix=$2
  shift 2
fi
[[ $prefix =~ ^[a-z][a-z0-9-]{0,30}$ ]] || die "prefix '$prefix' must be lower-case letters, digits and '-'"

export SLUICE_LAB_PREFIX=$prefix
export SLUICE_LAB=/run/sluice-lab/$prefix

require_lab() { [[ -d $SLUICE_LAB ]] || die "lab '$prefix' is not up; run: netns-lab.sh --prefix $prefix up"; }

lab_exists() { [[ -d $SLUICE_LAB ]] || namespaces_left | grep -q .; }

up_options() {
  roles=1
  while (($#)); do
    case $1 in
      --no-roles) roles=0 && shift && continue ;;
      --transit) transit=1 && shift && continue ;;
      --portals) portals=1 && shift && continue ;;
    esac
    (($# >= 2)) || usage
    case $1 in
      --configs) configs=$(realpath -m -- "$2") ;;
      --sites) sites=$2 ;;
      --links) link_rate=$(link_rate_of "$2") ;;
      *) usage ;;
    esac
    shift 2
  done
  [[ $sites =~ ^[2-4]$ ]] || die "--sites takes 2, 3 or 4, not '$sites'"
  if ((sites > 2)); then transit=1; fi
  plan_network
}

lab_up() {
  need_tools ip sysctl setpriv openssl flock jq
  if [[ -n $link_rate ]]; then need_tools tc; fi
  lab_exists && die "lab '$prefix' is there already; run: netns-lab.sh --prefix $prefix down"
  if ((roles)); then check_roles_can_start; fi
  mkdir -p "$SLUICE_LAB"/{log,pid,run,calls}
  # A lab that did not come up leaves nothing behind either.
  trap 'trap - EXIT; lab_down' EXIT
  topology_save
  network_up
  link_rates_set
  make_clearinghouse_key
  if ((portals)); then make_portal_keys; fi
  if ((roles)); then roles_up; fi
  trap - EXIT
  say "lab '$prefix' is up; state and logs in $SLUICE_LAB"
}

lab_down() {
  network_down
  rm -rf "$SLUICE_LAB"
  # Gone with the last lab; another lab's directory keeps it.
  rm -f /run/sluice-lab/.lock
  rmdir /run/sluice-lab 2>/dev/null || true
}

lab_status() {
  local namespace missing=0
  while read -r namespace; do
    if is_namespace "$namespace"; then
      printf '%-24s up\n' "$namespace"
    else
      printf '%-24s missing\n' "$namespace"
      missing=1
    fi
  done < <(lab_namespaces)
  roles_status || missing=1
  return "$missing"
}

lab_exec() {
  local host=${1-}
  (($# >= 2)) || usage
  is_namespace "$prefix-$host" || die "no host '$host' in lab '$prefix'"
  shift
  exec ip netns exec "$prefix-$host" "$@"
}

lab_demo() {
  [[ -f $repo_dir/dist/lab/demo-main.js ]] || die "not built; run scripts/setup.sh"
  exec node "$repo_dir/dist/lab/demo-main.js" "$@"
}

# A wrong call is refused before anything else is asked for.
case $verb in
  up) up_options "$@" ;;
  down | status | exec | start | stop | call | demo) ;;
  *) usage ;;
esac
need_root
# `down` asks nothing of what a crash may have left half written.
[[ $verb == up || $verb == down ]] || topology_load

case $verb in
  up)
    mkdir -p /run/sluice-lab
    lab_up
    ;;
  down) lab_down ;;
  status) lab_status ;;
  exec) lab_exec "$@" ;;
  start) require_lab && role_start_verb "$@" ;;
  stop) require_lab && role_stop_verb "$@" ;;
  call) require_lab && lab_call "$@" ;;
  demo) lab_demo "$@" ;;
esac
