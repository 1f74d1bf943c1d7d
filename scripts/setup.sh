#!/usr/bin/env bash
# Makes a Debian 12 machine with Node 20 ready: Debian packages, npm packages, build. Does only what is
# missing, so it may be run before everything. All its words go to stderr.
set -euo pipefail

script_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/common.sh
source "$script_dir/lib/common.sh"
exec 1>&2

readonly packages=(nftables iproute2 tshark tcpdump sip-tester openssl procps util-linux iputils-ping ethtool jq shellcheck
  libxml2-utils iptables ipset python3-scapy chromium fonts-dejavu-core
  python3 make g++)
# The command by which a package is known to be there; kept beside the list because asking dpkg for
# each is slower than looking.
readonly -A probe=([nftables]=nft [iproute2]=ip [sip-tester]=sipp [procps]=sysctl [libxml2-utils]=xmllint [util-linux]=setpriv [iputils-ping]=ping
  [python3-scapy]=scapy)
# A package without a command, and a file of it.
readonly -A probe_file=([fonts-dejavu-core]=/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf)

check_machine() {
  [[ -r /etc/os-release ]] || die "this is not Debian: /etc/os-release is missing"
  local ID='' VERSION_ID='' PRETTY_NAME='an unknown system'
  # shellcheck source=/dev/null
  source /etc/os-release
  [[ $ID == debian ]] || die "needs Debian 12, this is $PRETTY_NAME"
  [[ -z $VERSION_ID || ${VERSION_ID%%.*} -ge 12 ]] || die "needs Debian 12 or newer, this is $PRETTY_NAME"
  need_root
}

check_node() {
  command -v node >/dev/null || die "Node is not installed; install Node 20 (20.19 or newer) with npm"
  command -v npm >/dev/null || die "npm is not installed; it comes with Node 20"
  node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
           process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' ||
    die "Node $(node --version) is too old; install Node 20.19 or newer"
}

install_packages() {
  local package missing=()
  for package in "${packages[@]}"; do
    if [[ -e ${probe_file[$package]:-} ]]; then continue; fi
    PATH=$PATH:/usr/sbin:/sbin command -v "${probe[$package]:-$package}" >/dev/null || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # tshark asks whether ordinary users may capture; only root captures here.
  if command -v debconf-set-selections >/dev/null; then
    printf 'wireshark-common wireshark-common/install-setuid boolean false\n' | debconf-set-selections
  fi
  apt-get update -q || fail "apt-get update failed; check network and /etc/apt/sources.list"
  apt-get install -qy --no-install-recommends "${missing[@]}" || fail "apt-get could not install: ${missing[*]}"
}

install_modules() {
  local installed=node_modules/.package-lock.json
  if [[ -e $installed && ! package-lock.json -nt $installed ]]; then return 0; fi
  say "installing npm packages"
  npm ci --loglevel=error --no-progress || fail "npm ci failed"
  # npm keeps the time of an unchanged file; ours says when it was last found right.
  touch "$installed"
}

build() {
  local stamp=dist/.built
  if [[ -e $stamp && -z $(find src tsconfig.json tsconfig.build.json scripts/build-web.mjs package-lock.json -newer "$stamp" -print -quit) ]]; then
    return 0
  fi
  say "building"
  local started
  started=$(mktemp)
  npm run build --loglevel=error || { rm -f "$started" && fail "the build failed"; }
  # A source that was saved while the build ran is newer than the stamp.
  touch -r "$started" "$stamp"
  rm -f "$started"
}

check_machine
check_node
install_packages
cd "$repo_dir"
install_modules
build
