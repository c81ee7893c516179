#!/bin/sh
# Makes `.venv` at the top of the repository hold what tests/requirements.txt names.
# Does nothing, quickly, when it already does. PYTHON chooses another interpreter than `python3`.
set -eu

setup=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$setup/../.." && pwd)
requirements=$top/tests/requirements.txt
venv=$top/.venv
python=${PYTHON:-python3}

# Scripts of a venv name its absolute path, so a copied or moved one is no longer ours.
wanted=$(printf '%s\n' "$venv" "${PYTHON:-}" && cat "$requirements" "$0")
installed() {
    [ -x "$venv/bin/python" ] && [ "$(cat "$venv/installed" 2>/dev/null)" = "$wanted" ]
}
if installed; then
    exit 0
fi

# Tests that run at the same time may all come here. The second one finds the work done.
if command -v flock >/dev/null; then
    exec 9<"$requirements"
    flock 9
    if installed; then
        exit 0
    fi
fi

command -v "$python" >/dev/null || {
    echo "cannot find \`$python\`: install Python 3.10 or newer with its venv module" >&2
    exit 1
}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    echo "\`$python\` is $("$python" -V), expected Python 3.10 or newer" >&2
    exit 1
}

echo "installing Python packages into .venv"
rm -rf "$venv"
"$python" -m venv "$venv"
pip() {
    "$venv/bin/python" -I -m pip --disable-pip-version-check "$@"
}
# charms.reactive and charmhelpers come as source only. They are built with the pinned tools,
# not with whatever is newest today.
grep -E '^(setuptools|wheel|pbr)==' "$requirements" >"$venv/build-tools.txt"
pip install --quiet --no-deps -r "$venv/build-tools.txt"
pip install --quiet --no-deps --no-build-isolation --use-pep517 -r "$requirements"
pip check --quiet
printf '%s\n' "$wanted" >"$venv/installed"
