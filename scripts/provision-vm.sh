#!/usr/bin/env bash
# Prepares the Vagrant machine: Node 20, which Debian 12 does not have (it has 18), then what setup.sh does.
# Node comes as the project's own archive, checked against the published sums; nothing from the network is
# run unseen.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

readonly source_dir=${1:-/vagrant}
readonly releases=https://nodejs.org/dist/latest-v20.x

install_node() {
  local machine archive work
  case $(dpkg --print-architecture) in
    amd64) machine=x64 ;;
    arm64) machine=arm64 ;;
    *)
      printf 'provision-vm.sh: no Node archive is known for %s\n' "$(dpkg --print-architecture)" >&2
      exit 2
      ;;
  esac
  apt-get update -q
  apt-get install -qy --no-install-recommends ca-certificates curl xz-utils
  work=$(mktemp -d)
  curl -fsSL "$releases/SHASUMS256.txt" -o "$work/sums"
  archive=$(awk -v end="-linux-$machine.tar.xz" 'index($2, end) { print $2 }' "$work/sums")
  curl -fsSL "$releases/$archive" -o "$work/$archive"
  (cd "$work" && grep " $archive\$" sums | sha256sum --check --status)
  tar -xJf "$work/$archive" -C /usr/local --strip-components=1 --no-same-owner
  rm -rf "$work"
}

command -v node >/dev/null || install_node
"$source_dir/scripts/setup.sh"
printf 'Ready. In the machine: cd %s && sudo npm run demo\n' "$source_dir"
