#!/bin/sh
# Installs the programs that tests start, where they are missing. Needs Debian or Ubuntu, and root or sudo,
# but only if something is missing. No service is started: tests start their own, on loopback.
set -eu

# Program and the package that brings it. `-` in front: look for a Python module instead.
programs='
prometheus  prometheus
promtool    prometheus
openssl     openssl
chromium    chromium
zip         zip
go          golang-go
etcd        etcd-server
lxc         lxd-client
lxd         lxd
node        nodejs
npm         npm
musl-gcc    musl-tools
systemd-analyze  systemd
-ensurepip  python3-venv
'

missing=
while read -r program package; do
    case $program in
    '') continue ;;
    -*) python3 -c "import ${program#-}" 2>/dev/null && continue ;;
    *) command -v "$program" >/dev/null && continue ;;
    esac
    case " $missing " in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
    esac
done <<LIST
$programs
LIST

[ -n "$missing" ] || exit 0
missing=${missing# }

command -v apt-get >/dev/null || {
    echo "cannot install without apt-get; please install what these Debian packages hold: $missing" >&2
    exit 1
}

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "cannot install without root or sudo; please run: apt-get install $missing" >&2
        exit 1
    }
    as_root=sudo
fi

# Debian starts a service when it installs one, unless this program says no (exit code 101).
# Containers often have it already; then it stays as it is.
policy=/usr/sbin/policy-rc.d
forbid_services() {
    [ ! -e "$policy" ] || return 0
    trap allow_services EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
}
allow_services() {
    $as_root rm -f "$policy"
}

echo "installing Debian packages: $missing"
forbid_services
install_packages() {
    # shellcheck disable=SC2086 # one argument a package
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends $missing
}
# The list of packages may be old, or empty in a fresh container.
install_packages || {
    $as_root apt-get update --quiet
    install_packages
}

# Not started now must not mean started at the next boot.
for unit in prometheus:prometheus.service etcd-server:etcd.service \
    lxd:lxd.socket lxd:lxd.service lxd:lxd-containers.service lxd:lxcfs.service; do
    case " $missing " in
    *" ${unit%:*} "*)
        if command -v systemctl >/dev/null; then
            $as_root systemctl disable --quiet "${unit#*:}"
        fi
        ;;
    esac
done
