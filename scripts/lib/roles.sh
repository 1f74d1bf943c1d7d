# shellcheck shell=bash disable=SC2154
# The roles of the lab, each a process of its own in its namespace. Uses: prefix, SLUICE_LAB, repo_dir, configs.

readonly role_patience=40

# Hosts with a role, in the order of starting: who is asked comes before who asks. A transit router has one once it has
# a configuration; until then it forwards as it comes.
planned_roles() {
  local kind
  local -a numbers
  mapfile -t numbers < <(chosen_sites | cut -d ' ' -f 2)
  printf 'ch\n'
  printf 'pol%s\n' "${numbers[@]}"
  if ((transit)) && [[ -f $configs/t.yaml || -f $SLUICE_LAB/pid/t ]]; then printf 't\n'; fi
  for kind in r sip; do printf "$kind%s\n" "${numbers[@]}"; done
  if ((portals)); then printf 'web%s\n' "${numbers[@]}"; fi
}

role_name() {
  local role=''
  case $1 in
    ch) role=clearinghouse ;;
    pol?) role=pdp ;;
    r? | t) role=router ;;
    sip?) role=proxy ;;
    web?) role=portal ;;
  esac
  if [[ -z $role ]] || ! has_host "$1"; then die "no role runs on '$1'; there are: $(planned_roles | xargs)"; fi
  printf '%s' "$role"
}

check_roles_can_start() {
  local host
  need_tools node nft tc
  [[ -f $repo_dir/dist/cli/main.js ]] || die "Sluice is not built; run scripts/setup.sh"
  while read -r host; do need_config "$host"; done < <(planned_roles)
}

need_config() {
  configs_are_derived || [[ -f $configs/$1.yaml ]] || die "$configs/$1.yaml is missing; --configs DIR names the folder"
}

# The checked-in files are those of two sites and the usual links.
configs_are_derived() { ((sites > 2)) || [[ -n $link_rate ]]; }

# configs_derive HOST…: what the roles of a lab with more sites, or with other links, are started from.
configs_derive() {
  configs_are_derived || return 0
  chosen_sites |
    node "$repo_dir/scripts/lab/derive-configs.mjs" "$configs" "$SLUICE_LAB/configs" "$link_rate" "$@" || exit "$?"
}

config_file() {
  if configs_are_derived; then printf '%s' "$SLUICE_LAB/configs/$1.yaml"; else printf '%s' "$configs/$1.yaml"; fi
}

# The clearinghouse signs tokens with this key; the policy servers trust the certificate.
make_clearinghouse_key() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 30 \
    -subj "/O=Sluice lab/CN=ch.lab" -keyout "$SLUICE_LAB/ch.key" -out "$SLUICE_LAB/ch.crt" 2>"$SLUICE_LAB/log/openssl.log" ||
    fail "openssl could not make the clearinghouse's key: $(tail -n 1 "$SLUICE_LAB/log/openssl.log")"
  chmod 600 "$SLUICE_LAB/ch.key"
}

# Portals and proxies show browsers a certificate of the lab's own authority; what they hand out to each other is signed
# with a secret that the two of a site share.
make_portal_keys() {
  local site number network host address
  local tls=$SLUICE_LAB/tls
  mkdir -p "$tls"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 30 \
    -subj "/O=Sluice lab/CN=authority.lab" -keyout "$tls/ca.key" -out "$tls/ca.crt" 2>>"$SLUICE_LAB/log/openssl.log" ||
    fail "openssl could not make the lab's authority: $(tail -n 1 "$SLUICE_LAB/log/openssl.log")"
  while read -r site number network _; do
    for host in "web$number 10.$network.0.8" "sip$number 10.$network.0.5"; do
      read -r host address <<<"$host"
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 30 \
        -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -subj "/O=Sluice lab/CN=$host" \
        -addext "subjectAltName=IP:$address,DNS:$host.$site.example" -addext "basicConstraints=critical,CA:FALSE" \
        -keyout "$tls/$host.key" -out "$tls/$host.crt" 2>>"$SLUICE_LAB/log/openssl.log" ||
        fail "openssl could not make the key of $host: $(tail -n 1 "$SLUICE_LAB/log/openssl.log")"
    done
    openssl rand -hex 32 >"$tls/secret$number"
  done < <(chosen_sites)
  chmod 600 "$tls"/*.key "$tls"/secret*
}

# Only routers may change the kernel; every other role gets no capability at all.
role_launch() {
  local host=$1 role
  role=$(role_name "$host")
  local -a command=(node "$repo_dir/dist/cli/main.js" run "$role" -c "$(config_file "$host")")
  if [[ $role == router ]]; then link_rates_leave_to_role "$host"; fi
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
  local -a hosts
  mapfile -t hosts < <(planned_roles)
  configs_derive "${hosts[@]}"
  # Policy servers before the routers and proxies that dial them.
  roles_start "${hosts[@]:0:sites+1}"
  roles_start "${hosts[@]:sites+1}"
  wait_until 5 roles_are_connected || say "lab '$prefix': not every role has reached its policy server yet"
}

# All at once.
roles_start() {
  local host
  for host in "$@"; do role_launch "$host"; done
  for host in "$@"; do role_await "$host"; done
}

# Routers and proxies have their policy server, and the routers have been told their pools.
roles_are_connected() {
  sluice_show peers |
    jq -e --argjson n "$sites" '[.items[] | select(.role | test("^(r|sip)[1-4]$"))]
      | length >= 2 * $n and all(.state == "open")' &&
    sluice_show pools | jq -e --argjson n "$sites" '[.items[].role] | contains([range($n) | "r\(. + 1)"])'
} >/dev/null 2>&1

sluice_show() { node "$repo_dir/dist/cli/main.js" show "$1" --run-dir "$SLUICE_LAB/run" -o json; }

roles_status() {
  local host pid all=0
  while read -r host; do
    pid=$(role_pid "$host")
    if [[ -n $pid ]]; then
      printf '%-24s running  pid %s\n' "$host ($(role_name "$host"))" "$pid"
    else
      printf '%-24s stopped\n' "$host ($(role_name "$host"))"
      all=1
    fi
  done < <(planned_roles)
  return "$all"
}

role_start_verb() {
  local host=${1-}
  (($#)) || usage
  role_name "$host" >/dev/null
  [[ -z $(role_pid "$host") ]] || die "$host is running already"
  configs=$(cat "$SLUICE_LAB/pid/$host.configs" 2>/dev/null || printf '%s' "$configs")
  [[ ${2-} == --configs ]] && configs=${3:?}
  need_config "$host"
  configs_derive "$host"
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
