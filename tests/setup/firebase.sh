#!/bin/sh
# Makes `target/tools/firebase` hold Google's command line for Firebase, of one version, from npm.
# Does nothing, quickly, when it already does. Needs Node.js 18 or newer with npm: see debian.sh.
set -eu

version=13.35.1

top=$(cd "$(dirname "$0")/../.." && pwd)
folder=$top/target/tools/firebase
installed() {
    [ "$(cat "$folder/installed" 2>/dev/null)" = "$version" ]
}
if installed; then
    exit 0
fi

# Tests that run at the same time may all come here. The second one finds the work done.
if command -v flock >/dev/null; then
    exec 9<"$0"
    flock 9
    if installed; then
        exit 0
    fi
fi

echo "installing firebase-tools into target/tools"
rm -rf "$folder"
mkdir -p "$folder"
npm install --prefix "$folder" --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error \
    "firebase-tools@$version" >/dev/null
printf '%s\n' "$version" >"$folder/installed"
