#!/usr/bin/env bash
# Installs the programs that the tests use and this machine lacks, when it may (root, apt); otherwise lists them and stops.
# Quick when everything is there: each program is looked for by its command (fonts by their file) before apt is asked.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin" DEBIAN_FRONTEND=noninteractive

# command (or font family)  Debian package
peers='
zstd            zstd
age             age
age-keygen      age
setfattr        attr
getfattr        attr
setfacl         acl
getfacl         acl
tar             tar
gzip            gzip
chromium        chromium
radosgw         radosgw
radosgw-admin   radosgw
ceph-mon        ceph-mon
ceph-osd        ceph-osd
ceph            ceph-common
monmaptool      ceph-common
font:NotoSansCJK fonts-noto-cjk
sqlite3         sqlite3
mkfs.ext4       e2fsprogs
mount           mount
setpriv         util-linux
openssl         openssl
restic          restic
unzip           unzip
/usr/lib/postgresql/15/bin/postgres postgresql-15
/usr/lib/postgresql/15/bin/pg_dump postgresql-client-15
mariadbd        mariadb-server
mariadb-dump    mariadb-client
mariadb-backup  mariadb-backup
redis-server    redis-server
redis-cli       redis-tools
'

is_present() {
  case $1 in
    font:*) compgen -G "/usr/share/fonts/*/*/${1#font:}*" >/dev/null || compgen -G "/usr/share/fonts/${1#font:}*" >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing_packages() {
  local peer package
  while read -r peer package; do
    [[ -z $peer ]] || is_present "$peer" || echo "$package"
  done <<<"$peers" | sort -u
}

missing_peers() {
  local peer package
  while read -r peer package; do
    [[ -z $peer ]] || is_present "$peer" || echo "  ${peer#font:} (Debian package $package)"
  done <<<"$peers"
}

# Mirrors have bad minutes.
three_times() {
  local attempt
  for attempt in 1 2 3; do
    "$@" && return 0
    ((attempt == 3)) || sleep $((attempt * 5))
  done
  return 1
}

explain_and_stop() {
  {
    echo "The tests need programs that are missing here:"
    missing_peers
    echo "$1 Install them on Debian or Ubuntu with:"
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $(missing_packages | tr '\n' ' ')"
  } >&2
  exit 1
}

packages=$(missing_packages)
[[ -n $packages ]] || exit 0
[[ $(id -u) == 0 ]] || explain_and_stop "They are installed by themselves for root only."
command -v apt-get >/dev/null || explain_and_stop "There is no apt-get to install them."

echo "Installing for the tests: ${packages//$'\n'/ }"
apt_options=(-o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o DPkg::Lock::Timeout=300 -qq)
three_times apt-get "${apt_options[@]}" update || explain_and_stop "apt-get update failed."
# shellcheck disable=SC2086 # one word per package
three_times apt-get "${apt_options[@]}" install -y --no-install-recommends $packages >/dev/null ||
  explain_and_stop "apt-get could not install them."

[[ -z $(missing_packages) ]] || explain_and_stop "apt-get installed their packages, yet they were not found."
