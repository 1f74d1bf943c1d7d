# shellcheck shell=bash disable=SC2154
# The rate of the core links, where one was chosen. A role shapes by its own queues; while a router has none, its end of
# a link is held to the rate by a token bucket. Uses: prefix, link_rate, lab_segments.

# The rate as configurations write it, from "20Mbit/s" or "20 Mbit/s".
link_rate_of() {
  [[ $1 =~ [1-9] && $1 =~ ^([0-9]{1,6}(\.[0-9]{1,3})?)\ ?([kMG]bit/s)$ ]] ||
    die "--links takes a rate such as '20 Mbit/s', not '$1'"
  printf '%s %s' "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}"
}

# Ends of the core links at a host, one device a line.
core_devices() {
  local segment end
  for segment in "${lab_segments[@]}"; do
    [[ $segment == *:core* ]] || continue
    for end in $segment; do
      if [[ ${end%:*} == "$1" ]]; then printf '%s\n' "${end#*:}"; fi
    done
  done
}

link_rates_set() {
  local host device rate=${link_rate// /}
  [[ -n $link_rate ]] || return 0
  for host in "${lab_hosts[@]}"; do
    while read -r device; do
      ip netns exec "$prefix-$host" tc qdisc add dev "$device" root tbf rate "${rate%/s}" burst 64kb latency 50ms
    done < <(core_devices "$host")
  done
}

# link_rates_leave_to_role HOST: a router's role accepts no queues but its own.
link_rates_leave_to_role() {
  local device
  [[ -n $link_rate ]] || return 0
  while read -r device; do
    if ip netns exec "$prefix-$1" tc qdisc show dev "$device" root | grep -q '^qdisc tbf'; then
      ip netns exec "$prefix-$1" tc qdisc del dev "$device" root
    fi
  done < <(core_devices "$1")
}
