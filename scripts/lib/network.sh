# shellcheck shell=bash disable=SC2154
# Makes the network that topology.sh has planned, of namespaces, bridges and veth pairs. Uses: prefix, lab_*.
#
# Every device is born inside its namespace: nothing of the lab is ever seen in the namespace of the machine.

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

# Every process in a namespace of this lab, one id a line.
lab_processes() {
  local namespace
  while read -r namespace; do ip netns pids "$namespace" 2>/dev/null; done < <(namespaces_left)
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
    if [[ $host == r? || $host == t ]]; then settings+=(net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1); fi
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
  local host to_v4 via_v4 to_v6 via_v6
  while read -r host to_v4 via_v4 to_v6 via_v6; do
    [[ $host == "$1" ]] || continue
    printf 'route add %s via %s\nroute add %s via %s\n' "$to_v4" "$via_v4" "$to_v6" "$via_v6"
  done <<<"$lab_routes"
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
  while read -r namespace; do ip netns del "$namespace" || rm -f "/run/netns/$namespace"; done < <(namespaces_left)
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
