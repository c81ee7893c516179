#!/bin/sh
# Lays out a Python charm of tests/charms so that Juju, or the simulator, can run it:
#
#     tests/setup/lay-out-python-charm.sh python-provider FOLDER
#
# FOLDER becomes the charm directory. Its `dispatch` names the interpreter in `.venv` by absolute path, because
# the environment of a hook would not find it. That is why laid-out charms are not committed.
set -eu

[ $# = 2 ] || {
    echo "usage: $0 NAME FOLDER" >&2
    exit 2
}
setup=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$setup/../.." && pwd)
base=$top/tests/charms/python-base
charm=$top/tests/charms/$1
folder=$2

[ -f "$charm/metadata.yaml" ] || {
    echo "no charm \`$1\` in tests/charms" >&2
    exit 1
}
"$setup/python.sh"

mkdir -p "$folder"
cp -R "$base/reactive" "$charm/." "$folder"

# The kernel takes a first line of 127 bytes at least, and splits it at blanks. Where that does not do, the file
# begins as a shell script that starts Python on itself; Python reads the same lines as a text.
python=$top/.venv/bin/python
first="#!$python -IB"
case $first in
*' '*' '*) first= ;;
esac
[ ${#first} -le 127 ] || first=
[ -n "$first" ] || first=$(printf "#!/bin/sh\n'''exec' \"%s\" -IB \"\$0\" \"\$@\"\n' '''" "$python")
{
    printf '%s\n' "$first"
    tail -n +2 "$base/dispatch"
} >"$folder/dispatch"
chmod 755 "$folder/dispatch"
