# shellcheck shell=bash disable=SC2154
# One call between two SIPp processes. Uses: prefix, SLUICE_LAB, script_dir, the table of sites.

readonly scenario_dir=$script_dir/lab/sipp
readonly samples_per_second=8000

call_usage() {
  cat >&2 <<'TEXT'
usage: netns-lab.sh call [options]
  --caller-site S  where the caller is: a (default), b, c or d;   --callee-site S  where the callee is (default b)
  --to USER        callee (default the user of the site);   --from USER  caller (alike)
  --seconds N      how long both ends send media (default 3)
  --uac SCENARIO   caller's behaviour: uac (default), uac-cancel, uac-waits-for-bye
  --uas SCENARIO   callee's behaviour: uas (default), uas-180-without-sdp, uas-busy, uas-silent, uas-rings, uas-bye
  --no-callee      start no callee: another call's callee is there, or none is wanted
  --direct         from UAC to UAS without the proxies (needs no roles)
  --v6             over IPv6
  --sip-port N     caller's SIP port (default 5060);   --media-port N  caller's RTP port (default 6000)
  --lose METHOD    the first message of that method which leaves a UA is lost on the wire (ACK, BYE or CANCEL)
  --expect STATUS  the final SIP status that means success (default 200)
  --patience N     give up after N seconds beyond the media (default 45)
  -o json          the outcome as one JSON object
Exit status 0 if the call ended with the expected status, at both ends as their scenarios say.
TEXT
  exit 2
}

lab_call() {
  call_options "$@"
  need_tools sipp jq sha256sum
  local work caller_rc=0 callee_rc=null callee_pid=
  mkdir -p "$SLUICE_LAB/calls"
  work=$(mktemp -d "$SLUICE_LAB/calls/XXXXXX")
  head -c "$((call_seconds * samples_per_second))" /dev/zero | tr '\0' '\325' >"$work/media.ulaw"
  call_id=$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')@lab
  from_tag=$(head -c 6 /dev/urandom | od -An -tx1 | tr -d ' \n')
  call_lose_install
  # Interrupted: end our own two processes.
  trap 'call_abandon' EXIT INT TERM
  if ((call_callee)); then
    call_agent uas "$call_uas" "$uas_address" 5060 6000 &
    callee_pid=$!
    wait_until 3 callee_listens || fail "the callee does not start: $(tail -n 2 "$work/uas.err" 2>/dev/null | xargs)"
  fi
  # In the background, because bash hears a signal while it waits, not while it runs a program.
  call_agent uac "$call_uac" "$uac_address" "$call_sip_port" "$call_media_port" &
  wait "$!" || caller_rc=$?
  if [[ -n $callee_pid ]]; then
    callee_rc=0
    call_await_callee || callee_rc=$?
  fi
  trap - EXIT INT TERM
  call_lose_remove
  call_report
}

call_options() {
  call_to='' call_from='' call_caller_site=a call_callee_site=b
  call_seconds=3 call_uac=uac call_uas=uas call_callee=1 call_direct=0 call_v6=0
  call_sip_port=5060 call_media_port=6000 call_lose='' call_expect=200 call_patience=45 call_output=text
  while (($#)); do
    case $1 in
      --no-callee) call_callee=0 && shift && continue ;;
      --direct) call_direct=1 && shift && continue ;;
      --v6) call_v6=1 && shift && continue ;;
    esac
    (($# >= 2)) || call_usage
    case $1 in
      --caller-site) call_caller_site=$2 ;;
      --callee-site) call_callee_site=$2 ;;
      --to) call_to=$2 ;;
      --from) call_from=$2 ;;
      --seconds) call_seconds=$2 ;;
      --uac) call_uac=$2 ;;
      --uas) call_uas=$2 ;;
      --sip-port) call_sip_port=$2 ;;
      --media-port) call_media_port=$2 ;;
      --lose) call_lose=$2 ;;
      --expect) call_expect=$2 ;;
      --patience) call_patience=$2 ;;
      -o) call_output=$2 ;;
      *) call_usage ;;
    esac
    shift 2
  done
  [[ -f $scenario_dir/$call_uac.xml ]] || die "no scenario '$call_uac'"
  [[ -f $scenario_dir/$call_uas.xml ]] || die "no scenario '$call_uas'"
  [[ $call_seconds =~ ^[0-9]+$ && $call_patience =~ ^[0-9]+$ ]] || die "--seconds and --patience take whole seconds"
  call_ends
}

# Hosts, users and addresses of the two sites.
call_ends() {
  local caller_network callee_network user
  [[ $call_caller_site != "$call_callee_site" ]] ||
    die "caller and callee are at sites of their own, not both at '$call_caller_site'"
  read -r _ _ caller_network caller_host user < <(call_site "$call_caller_site") || exit 2
  call_from=${call_from:-$user}
  read -r _ _ callee_network callee_host user < <(call_site "$call_callee_site") || exit 2
  call_to=${call_to:-$user}
  uac_address=10.$caller_network.0.10 uas_address=10.$callee_network.0.10 first_hop=10.$caller_network.0.5:5060
  if ((call_v6)); then
    uac_address=fd0$caller_network::10 uas_address=fd0$callee_network::10 first_hop="[fd0$caller_network::5]:5060"
  fi
  if ((call_direct)); then first_hop=$uas_address:5060; fi
  if ((call_direct && call_v6)); then first_hop="[$uas_address]:5060"; fi
}

call_site() {
  site_row "$1" | grep . || die "no site '$1' in lab '$prefix'; there are: $(chosen_sites | cut -c 1 | xargs)"
}

# call_agent END SCENARIO ADDRESS SIP-PORT MEDIA-PORT, END uac or uas. The pause outlasts the media by 400 ms, so
# nobody is still sending when the call is hung up.
call_agent() {
  local end=$1 host=$callee_host target=()
  if [[ $end == uac ]]; then host=$caller_host target=("$first_hop"); fi
  cd "$work" || exit 1
  exec ip netns exec "$prefix-$host" sipp -sf "$scenario_dir/$2.xml" "${target[@]}" -i "$3" -mi "$3" -p "$4" -mp "$5" \
    -m 1 -d "$((call_seconds * 1000 + 400))" -timeout "$((call_seconds + call_patience))s" -timeout_error -nostdin \
    -s "$call_to" -key caller "$call_from" \
    -key caller_domain "$call_caller_site.example" -key callee_domain "$call_callee_site.example" \
    -key from_tag "$from_tag" -cid_str "$call_id" -default_behaviors none \
    -trace_err -error_file "$end.err" -trace_msg -message_file "$end.msg" </dev/null >"$end.out" 2>&1
}

callee_listens() {
  # Ends the waiting also when the callee died; the caller then finds nobody.
  ip netns exec "$prefix-$callee_host" ss -Hlun "sport = :5060" | grep -q . || ! kill -0 "$callee_pid" 2>/dev/null
}

callee_is_gone() { ! kill -0 "$callee_pid" 2>/dev/null; }

# A callee that never heard of the call would wait for ever; one that did has its last words to say.
call_await_callee() {
  if [[ -s $work/uas.msg ]] && wait_until 5 callee_is_gone; then
    wait "$callee_pid"
    return
  fi
  kill -KILL "$callee_pid" 2>/dev/null || true
  wait "$callee_pid" 2>/dev/null || true
  if [[ -s $work/uas.msg && $call_uas != uas-silent ]]; then return 1; fi
}

call_abandon() {
  trap - EXIT INT TERM
  call_lose_remove
  local pid
  for pid in $(jobs -p); do kill -KILL "$pid" 2>/dev/null || true; done
}

# The first packet of a method is taken away where the UA's cable enters the switch.
call_lose_install() {
  [[ -n $call_lose ]] || return 0
  [[ $call_lose =~ ^(ACK|BYE|CANCEL)$ ]] || die "--lose takes ACK, BYE or CANCEL"
  local bytes
  bytes=$(printf '%s' "${call_lose:0:3}" | od -An -tx1 | tr -d ' \n')
  call_lose_remove
  call_lose_at "sw$call_caller_site" "$caller_host"
  call_lose_at "sw$call_callee_site" "$callee_host"
}

call_lose_at() {
  ip netns exec "$prefix-$1" nft -f - <<<"table netdev lossy { chain in {
    type filter hook ingress device $2 priority 0; policy accept;
    udp length > 8 @th,64,24 0x$bytes limit rate 1/hour burst 1 packets counter drop
  }
  }"
}

call_lose_remove() {
  [[ -n $call_lose ]] || return 0
  local site
  for site in "$call_caller_site" "$call_callee_site"; do
    ip netns exec "$prefix-sw$site" nft delete table netdev lossy 2>/dev/null || true
  done
}

# Of the caller's message log: status, phrase, Warning and Retry-After of the INVITE's final answer.
call_final_answer() {
  awk -v RS='\r?\n' '
    /^SIP\/2\.0 [0-9]+/ { status = $2; phrase = $0; sub(/^SIP\/2\.0 [0-9]+ */, "", phrase); warning = retry = "" }
    tolower($1) == "warning:" { warning = $0; sub(/^[^:]*: */, "", warning) }
    tolower($1) == "retry-after:" { retry = $2 }
    tolower($1) == "cseq:" { method = $3 }
    /^$/ && status >= 200 && method == "INVITE" { print status "\n" phrase "\n" warning "\n" retry; status = 0 }
  ' "$work/uac.msg" 2>/dev/null | tail -n 4
}

call_report() {
  local status phrase warning retry session ok=false
  {
    read -r status || status=0
    read -r phrase || phrase=
    read -r warning || warning=
    read -r retry || retry=
  } < <(call_final_answer)
  session=$(printf '%s\0%s' "$call_id" "$from_tag" | sha256sum | cut -c 1-16)
  if [[ ${status:=0} == "$call_expect" && $caller_rc -eq 0 && ($callee_rc == null || $callee_rc -eq 0) ]]; then ok=true; fi
  if [[ $call_output == json ]]; then
    jq -nc --argjson ok "$ok" --argjson status "$status" --arg phrase "$phrase" --arg warning "$warning" \
      --arg retryAfter "$retry" --arg session "$session" --arg callId "$call_id" --arg fromTag "$from_tag" \
      --argjson caller "$caller_rc" --argjson callee "$callee_rc" --arg logs "$work" \
      '{ok: $ok, status: $status, phrase: $phrase, warning: $warning, retryAfter: $retryAfter, session: $session,
        callId: $callId, fromTag: $fromTag, callerExit: $caller, calleeExit: $callee, logs: $logs}'
  else
    printf '%s@%s.example > %s@%s.example: %s %s%s\nsession %s  Call-ID %s\n' \
      "$call_from" "$call_caller_site" "$call_to" "$call_callee_site" "$status" "$phrase" \
      "${warning:+; Warning: $warning}${retry:+; Retry-After: $retry}" "$session" "$call_id"
    if [[ $ok == false ]]; then
      say "expected status $call_expect; SIPp's exit codes: caller $caller_rc, callee $callee_rc; logs in $work"
      tail -n 3 "$work"/*.err >&2 2>/dev/null || true
    fi
  fi
  [[ $ok == true ]]
}
