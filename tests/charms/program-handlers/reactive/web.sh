#!/bin/bash
# Handlers as they are written for charms.reactive.
set -e
source charms.reactive.sh

note() { echo "$*" >>"$CHARM_DIR/notes"; }

@hook install
install_web() {
    set_flag web.installed
    # What follows from a flag is seen at once.
    is_flag_set web.stale
    note "$JUJU_HOOK_NAME: $(charms.reactive get_flags | tr '\n' ' ')"
}

@when web.stale
@when_not web.broken
function configure {
    if [ -e "$CHARM_DIR/break" ]; then
        set_flag web.half
        clear_flag web.stale
        exit 3
    fi
    toggle_flag web.odd False
    clear_flag web.stale
    note configure
}

@only_once
first() { note first; }

@when_file_changed watched
reload() { note reload; }

@hook '{requires:mysql}-relation-{joined,changed}'
related() { note "$JUJU_HOOK_NAME"; set_flag db.seen; }

@when_any db.seen db.unseen
@when_not_all db.seen db.unseen
seen() {
    clear_flag db.seen
    note seen
}

reactive_handler_main "$@"
