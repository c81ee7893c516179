#!/bin/sh
# Makes `target/tools/incus` hold Incus, server and client, taken out of Debian's packages: nothing is installed,
# and the packages of the system stay as they are. What else Incus needs comes with LXD: see debian.sh.
# Does nothing, quickly, when it already does. Needs Debian, of 12 the backports.
set -eu

packages='incus-base incus-client libcowsql0 libraft0'

top=$(cd "$(dirname "$0")/../.." && pwd)
folder=$top/target/tools/incus
if [ -e "$folder/installed" ]; then
    exit 0
fi

# Tests that run at the same time may all come here. The second one finds the work done.
if command -v flock >/dev/null; then
    exec 9<"$0"
    flock 9
    if [ -e "$folder/installed" ]; then
        exit 0
    fi
fi

release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    sed -n "s/^$release //p" | head -n 1)
[ -n "$mirror" ] || {
    echo "cannot find where the packages of \`$release\` come from, expected Debian with apt" >&2
    exit 1
}
[ "$release" != bookworm ] || release=bookworm-backports

echo "unpacking Incus into target/tools"
rm -rf "$folder"
mkdir -p "$folder/apt/parts" "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/debs"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $mirror $release main" >"$folder/apt/sources.list"
# apt with lists of its own.
own_apt() {
    apt-get --quiet=2 -o "Dir::Etc::sourcelist=$folder/apt/sources.list" -o "Dir::Etc::sourceparts=$folder/apt/parts" \
        -o "Dir::State::lists=$folder/apt/lists" -o "Dir::Cache=$folder/apt/cache" -o APT::Sandbox::User=root "$@"
}
own_apt update
# shellcheck disable=SC2086 # one argument a package
(cd "$folder/debs" && own_apt download $packages)
for package in "$folder"/debs/*.deb; do
    dpkg --extract "$package" "$folder"
done
rm -rf "$folder/apt" "$folder/debs"
touch "$folder/installed"
