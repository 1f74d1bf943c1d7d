# shellcheck shell=bash disable=SC2034,SC2154
# The lab's plan: which hosts there are, their cables, addresses and routes. Makes nothing. Uses: prefix, SLUICE_LAB,
# repo_dir.
#
#   uac ──┐                                                    ┌── uas
#   sip1 ─┤                                                    ├── sip2
#   pol1 ─┼─ swa ── access R1 core ══ core R2 access ── swb ───┼── pol2
#   load1 ┘                                ch ── ch            └── load2
#
# With a transit router the core is a star, with as many sites as are wanted:
#
#   R1 core ══ r1 T r2 ══ core R2        R3 core ══ r3 T r4 ══ core R4
#
# load1 to load4 take part in no call: they are where a flood of the core links comes from and goes to. With portals each
# site has one more host on its switch, web1 to web4.

# site, its number, K of its network (10.K.0.0/24 and fd0K::/64), terminal, user.
# Networks 2 and 4 are the core's and the clearinghouse's.
readonly site_table='a 1 1 uac alice
b 2 3 uas bob
c 3 5 ua3 dave
d 4 7 ua4 erin'

# What was chosen: --sites, --transit and --portals (0 or 1), --links (empty: as configured), --configs.
sites=2 transit=0 portals=0 link_rate='' configs=$repo_dir/configs/lab

lab_hosts=() lab_switches=()
# Hosts that see each other directly, as host:device; their neighbour entries are fixed.
lab_segments=()
# One a line: host device switch port IPv4 IPv6
lab_links=''
# Links without a switch: host device IPv4 IPv6, twice.
lab_direct_links=''
# host IPv4-destination IPv4-router IPv6-destination IPv6-router
lab_routes=''

# One choice a line, so that later verbs know them.
topology_save() { printf '%s\n' "$sites" "$transit" "$portals" "$link_rate" "$configs" >"$SLUICE_LAB/topology"; }

# The lab that is up, or the default one.
topology_load() {
  if [[ -f $SLUICE_LAB/topology ]]; then
    { read -r sites && read -r transit && read -r portals && read -r link_rate && read -r configs; } <"$SLUICE_LAB/topology"
  fi
  plan_network
}

chosen_sites() { head -n "$sites" <<<"$site_table"; }

# site_row SITE: its line of the table; nothing if this lab does not have it.
site_row() { chosen_sites | awk -v site="$1" '$1 == site'; }

plan_network() {
  local site number network terminal
  lab_hosts=() lab_switches=() lab_segments=() lab_links='' lab_direct_links='' lab_routes=''
  if ((transit)); then lab_hosts=(t); fi
  while read -r site number network terminal _; do
    plan_site "sw$site" "$number" "$network" "$terminal"
    if ((transit)); then plan_spoke "$number" "$network"; fi
  done < <(chosen_sites)
  ((transit)) || plan_direct_core
  plan_clearinghouse
}

# plan_site SWITCH NUMBER K TERMINAL
plan_site() {
  local switch=$1 n=$2 k=$3 terminal=$4 host
  local -a inside=("$terminal" "sip$n" "pol$n" "load$n")
  if ((portals)); then inside+=("web$n"); fi
  lab_hosts+=("${inside[@]}" "r$n")
  lab_switches+=("$switch")
  lab_links+="
$terminal eth0 $switch $terminal 10.$k.0.10/24 fd0$k::10/64
sip$n eth0 $switch sip$n 10.$k.0.5/24 fd0$k::5/64
pol$n eth0 $switch pol$n 10.$k.0.6/24 fd0$k::6/64
load$n eth0 $switch load$n 10.$k.0.99/24 fd0$k::99/64
r$n access $switch r$n 10.$k.0.1/24 fd0$k::1/64"
  if ((portals)); then lab_links+=$'\n'"web$n eth0 $switch web$n 10.$k.0.8/24 fd0$k::8/64"; fi
  lab_segments+=("${inside[*]/%/:eth0} r$n:access")
  for host in "${inside[@]}"; do plan_route "$host" default "10.$k.0.1" default "fd0$k::1"; done
}

plan_direct_core() {
  plan_direct_link "r1 core 10.2.0.1/30 fd02::1/64" "r2 core 10.2.0.2/30 fd02::2/64"
  plan_route r1 10.3.0.0/24 10.2.0.2 fd03::/64 fd02::2
  plan_route r1 10.4.0.0/24 10.2.0.2 fd04::/64 fd02::2
  plan_route r2 10.1.0.0/24 10.2.0.1 fd01::/64 fd02::1
}

# plan_spoke NUMBER K: from an edge router to T, which has all that is not the edge router's own.
plan_spoke() {
  local n=$1 k=$2
  plan_direct_link "r$n core 10.2.$n.1/30 fd02:0:0:$n::1/64" "t r$n 10.2.$n.2/30 fd02:0:0:$n::2/64"
  plan_route "r$n" default "10.2.$n.2" default "fd02:0:0:$n::2"
  plan_route t "10.$k.0.0/24" "10.2.$n.1" "fd0$k::/64" "fd02:0:0:$n::1"
}

plan_clearinghouse() {
  lab_hosts+=(ch)
  plan_direct_link "ch eth0 10.4.0.7/24 fd04::7/64" "r2 ch 10.4.0.1/24 fd04::1/64"
  plan_route ch default 10.4.0.1 default fd04::1
  if ((transit)); then plan_route t 10.4.0.0/24 10.2.2.1 fd04::/64 fd02:0:0:2::1; fi
}

# plan_direct_link "HOST DEVICE IPv4 IPv6" "HOST DEVICE IPv4 IPv6"
plan_direct_link() {
  local host device other other_device
  read -r host device _ <<<"$1"
  read -r other other_device _ <<<"$2"
  lab_direct_links+=$'\n'"$1 $2"
  lab_segments+=("$host:$device $other:$other_device")
}

plan_route() { lab_routes+=$'\n'"$*"; }

has_host() { [[ " ${lab_hosts[*]} " == *" $1 "* ]]; }

lab_namespaces() {
  local host
  for host in "${lab_hosts[@]}" "${lab_switches[@]}"; do printf '%s\n' "$prefix-$host"; done
}

is_namespace() { [[ -e /run/netns/$1 ]]; }

# The lab's namespaces that are there, whichever topology they are of: a crashed lab may not be able to say.
namespaces_left() (
  sites=4 transit=1 portals=1
  plan_network
  while read -r namespace; do
    if is_namespace "$namespace"; then printf '%s\n' "$namespace"; fi
  done < <(lab_namespaces)
)
