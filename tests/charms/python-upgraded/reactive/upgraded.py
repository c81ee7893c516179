"""Fills every family of keys that charms.reactive has."""

import os

from charmhelpers.core import hookenv, unitdata
from charms.reactive import (
    clear_flag,
    data_changed,
    endpoint_from_name,
    only_once,
    set_flag,
    when,
    when_file_changed,
    when_not,
)


def note(text):
    with open(os.path.join(hookenv.charm_dir(), "python-notes"), "a") as notes:
        notes.write(text + "\n")


@when_not("app.installed")
def install():
    set_flag("app.installed")
    set_flag("app.größe 50%")
    unitdata.kv().set("my.note", {"é": [1, 2.5, None, True]})


@only_once
def set_up_once():
    note("set up")


@when_file_changed("watched")
def reload():
    note("reload")


@when("config.changed")
def configured():
    note("config")


@when("endpoint.db.changed")
def changed():
    note("changed")
    for key in ("host", "text", "list", "version", "number", "odd", "name", "nan", "port"):
        clear_flag(f"endpoint.db.changed.{key}")
    clear_flag("endpoint.db.changed")


@when("endpoint.peers.changed")
def peers_changed():
    clear_flag("endpoint.peers.changed")


@when("endpoint.db.joined")
def hosts():
    units = endpoint_from_name("db").all_joined_units
    if data_changed("hosts", sorted(unit.received_raw["host"] or "" for unit in units)):
        note("hosts")
    hookenv.status_set("active", "python")
