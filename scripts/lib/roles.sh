# shellcheck shell=bash disable=SC2154
# The roles of the lab, each a process of its own in its namespace. Uses: prefix, SLUICE_LAB, repo_dir, configs.

# In the order of starting: who is asked comes before who asks.
readonly lab_roles=(ch pol1 pol2 r1 r2 sip1 sip2)
readonly role_patience=15

role_name() {
  case $1 in
    ch) printf clearinghouse ;;
    pol1 | pol2) printf pdp ;;
    r1 | r2) printf router ;;
    sip1 | sip2) printf proxy ;;
    *) die "no role runs on '$1'; there are: ${lab_roles[*]}" ;;
  esac
}

check_roles_can_start() {
  local host
  need_tools node nft tc
  [[ -f $repo_dir/dist/cli/main.js ]] || die "Sluice is not built; run scripts/setup.sh"
  for host in "${lab_roles[@]}"; do
    [[ -f $configs/$host.yaml ]] || die "$configs/$host.yaml is missing; --configs DIR names the folder"
  done
}

# The clearinghouse signs tokens with this key; the policy servers trust the certificate.
make_clearinghouse_key() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 30 \
    -subj "/O=Sluice lab/CN=ch.lab" -keyout "$SLUICE_LAB/ch.key" -out "$SLUICE_LAB/ch.crt" 2>"$SLUICE_LAB/log/openssl.log" ||
    fail "openssl could not make the clearinghouse's key: $(tail -n 1 "$SLUICE_LAB/log/openssl.log")"
  chmod 600 "$SLUICE_LAB/ch.key"
}

# Only routers may change the kernel; every other role gets no capability at all.
role_launch() {
  local host=$1 role
  role=$(role_name "$host")
  local -a command=(node "$repo_dir/dist/cli/main.js" run "$role" -c "$configs/$host.yaml")
  [[ $role == router ]] || command=(setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "${command[@]}")
  rm -f "$SLUICE_LAB/run/$host.sock"
  (
    cd "$SLUICE_LAB" || exit 1
    # Signalling first: a machine that is busy with load must not be late in answering.
    exec setsid nice -n -10 ip netns exec "$prefix-$host" "${command[@]}"
  ) </dev/null >>"$SLUICE_LAB/log/$host.log" 2>&1 &
  printf '%s\n' "$!" >"$SLUICE_LAB/pid/$host"
  printf '%s\n' "$configs" >"$SLUICE_LAB/pid/$host.configs"
}

# The role's process id while it runs in our namespace; empty when it does not.
role_pid() {
  local pid
  pid=$(cat "$SLUICE_LAB/pid/$1" 2>/dev/null) || return 0
  if ip netns pids "$prefix-$1" 2>/dev/null | grep -qx "$pid"; then printf '%s' "$pid"; fi
}

# A process that ended but was not waited for is in no namespace any more.
role_is_gone() { [[ -z $(role_pid "$1") ]]; }
role_has_socket() { [[ -S $SLUICE_LAB/run/$1.sock ]] || ! kill -0 "$(<"$SLUICE_LAB/pid/$1")" 2>/dev/null; }

# A role that listens on its control socket has done everything that can fail at the start.
role_await() {
  local host=$1
  if wait_until "$role_patience" role_has_socket "$host" && [[ -S $SLUICE_LAB/run/$host.sock ]]; then return 0; fi
  say "--- the end of $host's log:"
  tail -n 15 "$SLUICE_LAB/log/$host.log" >&2 || true
  fail "$host did not start within $role_patience s"
}

roles_up() {
  local host
  for host in "${lab_roles[@]}"; do
    # Policy servers before the routers and proxies that dial them.
    if [[ $host == r1 ]]; then for_each_role role_await ch pol1 pol2; fi
    role_launch "$host"
  done
  for_each_role role_await r1 r2 sip1 sip2
  wait_until 5 roles_are_connected || say "lab '$prefix': not every role has reached its policy server yet"
}

# Routers and proxies have their policy server, and the routers have been told their pools.
roles_are_connected() {
  sluice_show peers | jq -e '[.items[] | select(.role | test("^(r|sip)[12]$"))] | length >= 4 and all(.state == "open")' &&
    sluice_show pools | jq -e '[.items[].role] | contains(["r1", "r2"])'
} >/dev/null 2>&1

sluice_show() { node "$repo_dir/dist/cli/main.js" show "$1" --run-dir "$SLUICE_LAB/run" -o json; }

for_each_role() {
  local action=$1 host
  shift
  for host in "$@"; do "$action" "$host"; done
}

roles_status() {
  local host pid all=0
  for host in "${lab_roles[@]}"; do
    pid=$(role_pid "$host")
    if [[ -n $pid ]]; then
      printf '%-24s running  pid %s\n' "$host ($(role_name "$host"))" "$pid"
    else
      printf '%-24s stopped\n' "$host ($(role_name "$host"))"
      all=1
    fi
  done
  return "$all"
}

role_start_verb() {
  local host=${1-}
  (($#)) || usage
  role_name "$host" >/dev/null
  [[ -z $(role_pid "$host") ]] || die "$host is running already"
  configs=$(cat "$SLUICE_LAB/pid/$host.configs" 2>/dev/null || printf '%s' "$repo_dir/configs/lab")
  [[ ${2-} == --configs ]] && configs=${3:?}
  role_launch "$host"
  role_await "$host"
}

role_stop_verb() {
  local host=${1-} signal=${2:-TERM} pid
  (($#)) || usage
  role_name "$host" >/dev/null
  pid=$(role_pid "$host")
  [[ -n $pid ]] || die "$host is not running"
  kill -s "$signal" "$pid"
  # STOP leaves a process that is there and does not answer: nothing to wait for.
  [[ $signal == STOP || $signal == CONT ]] || wait_until "$role_patience" role_is_gone "$host" || fail "$host does not end on $signal"
}
