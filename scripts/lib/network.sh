# shellcheck shell=bash disable=SC2154
# The lab's network: namespaces, two switches, veth pairs, addresses, routes. Uses: prefix.
#
#   uac ──┐                                                    ┌── uas
#   sip1 ─┤                                                    ├── sip2
#   pol1 ─┼─ swa ── access R1 core ══ core R2 access ── swb ───┼── pol2
#   load1 ┘                                ch ── ch            └── load2
#
# load1 and load2 take part in no call: they are where a flood of the core link comes from and goes to.
# Every device is born inside its namespace: nothing of the lab is ever seen in the namespace of the machine.

readonly lab_hosts=(uac sip1 pol1 load1 r1 r2 sip2 pol2 load2 uas ch)
readonly lab_switches=(swa swb)

# host device peer-namespace peer-device IPv4 IPv6
readonly lab_links="
uac  eth0   swa uac    10.1.0.10/24 fd01::10/64
sip1 eth0   swa sip1   10.1.0.5/24  fd01::5/64
pol1 eth0   swa pol1   10.1.0.6/24  fd01::6/64
load1 eth0  swa load1  10.1.0.99/24 fd01::99/64
r1   access swa r1     10.1.0.1/24  fd01::1/64
uas  eth0   swb uas    10.3.0.10/24 fd03::10/64
sip2 eth0   swb sip2   10.3.0.5/24  fd03::5/64
pol2 eth0   swb pol2   10.3.0.6/24  fd03::6/64
load2 eth0  swb load2  10.3.0.99/24 fd03::99/64
r2   access swb r2     10.3.0.1/24  fd03::1/64
"
# Links without a switch: host device IPv4 IPv6, twice.
readonly lab_direct_links="
r1 core 10.2.0.1/30 fd02::1/64  r2 core 10.2.0.2/30 fd02::2/64
ch eth0 10.4.0.7/24 fd04::7/64  r2 ch   10.4.0.1/24 fd04::1/64
"
# Hosts that see each other directly; their neighbour entries are fixed.
readonly lab_segments=(
  "uac:eth0 sip1:eth0 pol1:eth0 load1:eth0 r1:access"
  "uas:eth0 sip2:eth0 pol2:eth0 load2:eth0 r2:access"
  "r1:core r2:core"
  "ch:eth0 r2:ch"
)

declare -A lab_v4=() lab_v6=() lab_mac=()

# A hardware address made from the IPv4 address: known beforehand, so nobody has to ask for it.
mac_of() {
  local a b c d
  IFS=./ read -r a b c d _ <<<"$1"
  printf '02:00:%02x:%02x:%02x:%02x' "$a" "$b" "$c" "$d"
}

learn_addresses() {
  local host device v4 v6 other other_device other_v4 other_v6
  while read -r host device _ _ v4 v6; do
    if [[ -n $host ]]; then note_address "$host:$device" "$v4" "$v6"; fi
  done <<<"$lab_links"
  while read -r host device v4 v6 other other_device other_v4 other_v6; do
    [[ -n $host ]] || continue
    note_address "$host:$device" "$v4" "$v6"
    note_address "$other:$other_device" "$other_v4" "$other_v6"
  done <<<"$lab_direct_links"
}

note_address() {
  lab_v4[$1]=$2
  lab_v6[$1]=$3
  lab_mac[$1]=$(mac_of "$2")
}

is_namespace() { [[ -e /run/netns/$1 ]]; }

lab_namespaces() {
  local host
  for host in "${lab_hosts[@]}" "${lab_switches[@]}"; do printf '%s\n' "$prefix-$host"; done
}

# Every process in a namespace of this lab, one id a line.
lab_processes() {
  local namespace
  while read -r namespace; do
    if is_namespace "$namespace"; then ip netns pids "$namespace" 2>/dev/null; fi
  done < <(lab_namespaces)
  return 0
}

network_up() {
  learn_addresses
  # Two labs started at once must not both be the first to make /run/netns.
  exec {lock}>/run/sluice-lab/.lock
  flock "$lock"
  local namespace
  while read -r namespace; do ip netns add "$namespace"; done < <(lab_namespaces)
  exec {lock}>&-
  set_kernel_switches
  ip -batch - <<<"$(links_batch)"
  switches_up
  local host
  for host in "${lab_hosts[@]}"; do ip -n "$prefix-$host" -batch - <<<"$(host_batch "$host")"; done
  offloads_off
}

# Before any device exists, so that the devices inherit it. No duplicate address detection: addresses
# are usable at once. No reverse path filter: where a packet came from is the router's business.
set_kernel_switches() {
  local host settings
  for host in "${lab_hosts[@]}"; do
    settings=(net.ipv4.conf.{all,default}.rp_filter=0 net.ipv4.conf.{all,default}.send_redirects=0
      net.ipv6.conf.{all,default}.accept_dad=0 net.ipv6.conf.{all,default}.accept_ra=0
      net.ipv6.conf.{all,default}.router_solicitations=0)
    if [[ $host == r? ]]; then settings+=(net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1); fi
    ip netns exec "$prefix-$host" sysctl -qw "${settings[@]}"
  done
  for host in "${lab_switches[@]}"; do
    ip -n "$prefix-$host" link set lo up
    ip netns exec "$prefix-$host" sysctl -qw net.ipv6.conf.{all,default}.disable_ipv6=1
  done
}

links_batch() {
  local host device switch port v4 other other_device other_v4
  while read -r host device switch port v4 _; do
    [[ -n $host ]] || continue
    printf 'link add %s address %s netns %s type veth peer name %s netns %s\n' \
      "$device" "$(mac_of "$v4")" "$prefix-$host" "$port" "$prefix-$switch"
  done <<<"$lab_links"
  while read -r host device v4 _ other other_device other_v4 _; do
    [[ -n $host ]] || continue
    printf 'link add %s address %s netns %s type veth peer name %s address %s netns %s\n' \
      "$device" "$(mac_of "$v4")" "$prefix-$host" "$other_device" "$(mac_of "$other_v4")" "$prefix-$other"
  done <<<"$lab_direct_links"
}

# A bridge that forwards from the first packet on: no listening phase, no snooping.
switches_up() {
  local switch port
  for switch in "${lab_switches[@]}"; do
    {
      printf 'link add bridge type bridge stp_state 0 forward_delay 0 mcast_snooping 0\nlink set bridge up\n'
      while read -r _ _ at port _; do
        if [[ $at == "$switch" ]]; then printf 'link set %s master bridge up\n' "$port"; fi
      done <<<"$lab_links"
    } | ip -n "$prefix-$switch" -batch -
  done
}

host_batch() {
  local host=$1 end device segment other
  printf 'link set lo up\n'
  for end in "${!lab_v4[@]}"; do
    [[ ${end%:*} == "$host" ]] || continue
    device=${end#*:}
    printf 'addr add %s dev %s\naddr add %s dev %s nodad\nlink set %s up\n' \
      "${lab_v4[$end]}" "$device" "${lab_v6[$end]}" "$device" "$device"
  done
  for segment in "${lab_segments[@]}"; do
    [[ " $segment" == *" $host:"* ]] || continue
    device=${segment#*"$host:"}
    device=${device%% *}
    for other in $segment; do
      [[ ${other%:*} == "$host" ]] && continue
      printf 'neigh replace %s lladdr %s dev %s nud permanent\n' "${lab_v4[$other]%/*}" "${lab_mac[$other]}" "$device"
      printf 'neigh replace %s lladdr %s dev %s nud permanent\n' "${lab_v6[$other]%/*}" "${lab_mac[$other]}" "$device"
    done
  done
  routes_batch "$host"
}

routes_batch() {
  case $1 in
    uac | sip1 | pol1 | load1) printf 'route add default via 10.1.0.1\nroute add default via fd01::1\n' ;;
    uas | sip2 | pol2 | load2) printf 'route add default via 10.3.0.1\nroute add default via fd03::1\n' ;;
    ch) printf 'route add default via 10.4.0.1\nroute add default via fd04::1\n' ;;
    r1)
      printf 'route add 10.%s.0.0/24 via 10.2.0.2\n' 3 4
      printf 'route add fd0%s::/64 via fd02::2\n' 3 4
      ;;
    r2) printf 'route add 10.1.0.0/24 via 10.2.0.1\nroute add fd01::/64 via fd02::1\n' ;;
  esac
}

# Without offloads a capture shows the packets as a wire would carry them. A lab without ethtool works
# too; its captures then show unfinished checksums and large TCP segments.
offloads_off() {
  command -v ethtool >/dev/null || return 0
  local end
  for end in "${!lab_v4[@]}"; do
    ip netns exec "$prefix-${end%:*}" ethtool -K "${end#*:}" tx off rx off tso off gso off gro off >/dev/null 2>&1 || true
  done
}

# Takes away whatever is there of this lab: complete, half built or crashed.
network_down() {
  local namespace
  stop_processes
  while read -r namespace; do
    if is_namespace "$namespace"; then ip netns del "$namespace" || rm -f "/run/netns/$namespace"; fi
  done < <(lab_namespaces)
}

stop_processes() {
  local -a pids
  mapfile -t pids < <(lab_processes | grep -vx "$$")
  ((${#pids[@]})) || return 0
  kill -TERM "${pids[@]}" 2>/dev/null || true
  wait_until 2 processes_gone && return 0
  mapfile -t pids < <(lab_processes | grep -vx "$$")
  if ((${#pids[@]})); then kill -KILL "${pids[@]}" 2>/dev/null || true; fi
  wait_until 2 processes_gone || say "some processes of lab '$prefix' do not end: $(lab_processes | xargs)"
}

processes_gone() { ! lab_processes | grep -qvx "$$"; }
