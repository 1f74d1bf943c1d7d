# shellcheck shell=bash disable=SC2034
# What every script of the lab needs: words on stderr, one place for names and paths.

repo_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
readonly repo_dir

# A root shell without the paths of root is common.
PATH=$PATH:/usr/sbin:/sbin

say() { printf '%s\n' "$*" >&2; }
# die MESSAGE: one line on stderr, exit 2 (a wrong call or a machine that cannot do it).
die() {
  say "${0##*/}: $*"
  exit 2
}
# fail MESSAGE: one line on stderr, exit 1 (it was tried and did not work).
fail() {
  say "${0##*/}: $*"
  exit 1
}

need_root() { [[ $EUID -eq 0 ]] || die "needs root; run it with sudo"; }

need_tools() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || die "'$tool' is not installed; run scripts/setup.sh"
  done
}

# wait_until SECONDS COMMAND…: polls every 25 ms; false when the time is over.
wait_until() {
  local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
  shift
  until "$@"; do
    ((${EPOCHREALTIME/[.,]/} < deadline)) || return 1
    sleep 0.025
  done
}
