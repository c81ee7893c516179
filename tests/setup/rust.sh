#!/bin/sh
# Adds the target with musl to the Rust toolchain in use, where rustup can do it: charms are packed for it.
# Without it they are packed with the C library of GNU inside, which works, and is larger.
set -eu

target=$(uname -m)-unknown-linux-musl
installed() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]
}

if installed; then
    exit 0
fi
if ! command -v rustup >/dev/null; then
    echo "no rustup to add the target $target: programs are packed with the C library of GNU" >&2
    exit 0
fi
echo "adding the Rust target $target"
if ! rustup target add "$target" || ! installed; then
    echo "cannot add the target $target: programs are packed with the C library of GNU" >&2
fi
