"""The twin in Python: handlers that every twin has, those of its interfaces, then those of its program."""

import atexit
import importlib
import json
import sqlite3

from charmhelpers.core import hookenv
from charms.reactive import (
    get_flags,
    hook,
    register_trigger,
    when,
    when_all,
    when_any,
    when_none,
    when_not,
    when_not_all,
)

import twin_kit

for trigger in twin_kit.PROGRAM["triggers"]:
    watched = {"when": trigger["flag"]} if trigger["edge"] == "set" else {"when_not": trigger["flag"]}
    for effect in ["set_flag", "clear_flag"]:
        for flag in trigger[effect]:
            register_trigger(**watched, **{effect: flag})


@when_not("never.set")
def observe():
    twin_kit.observe()


@when("config.changed.apply")
def apply():
    twin_kit.note("apply")
    twin_kit.apply(hookenv.config("apply"))


@when("config.changed")
def configured():
    twin_kit.note("configured", options=flags_after("config.changed."))


@when_any("config.set.number", "config.default.number")
def has_number():
    twin_kit.note("has-number", options=flags_after("config.set.") + flags_after("config.default."))


@hook("install", "config-changed", "start", "upgrade-charm", "update-status", "leader-elected", "stop", "remove")
def hooked(*_):
    twin_kit.note("hooked", hook=hookenv.hook_name())
    if hookenv.hook_name() == "update-status":
        twin_kit.forget_departed()


@hook("{requires:twin-data}-relation-{joined,changed,departed}", "{peers:twin-ring}-relation-joined")
def hooked_by_relation(endpoint):
    twin_kit.note("hooked-by-relation", hook=hookenv.hook_name())


@hook("{ask,cache,db,ring,tell}-relation-created")
def greet(endpoint):
    twin_kit.note("greet")
    text = hookenv.config("text")
    name = endpoint.endpoint_name
    twin_kit.publish(name, "greeting", text)


@hook("config-changed")
@when("f.a")
def hooked_with_flag():
    twin_kit.note("hooked-with-flag")


@when("leadership.is_leader")
def leads():
    twin_kit.note("leads")


@when_not("leadership.is_leader")
def follows():
    twin_kit.note("follows")


def flags_after(prefix):
    return [flag[len(prefix) :] for flag in get_flags() if flag.startswith(prefix)]


# Handlers run in the order in which they were registered, which is that of imports.
for module in ["twin-data.requires", "twin-ring.peers", "twin-job.provides", "twin-job.requires"]:
    importlib.import_module(f"reactive.relations.{module}")

DECORATORS = {
    "when": when,
    "when-all": when_all,
    "when-any": when_any,
    "when-not": when_not,
    "when-none": when_none,
    "when-not-all": when_not_all,
}


def register(handler):
    # Endpoints are given for some flags.
    def run(*_):
        twin_kit.run_handler(handler)

    # A handler is known by its function's file, line and name.
    run.__code__ = run.__code__.replace(co_name=handler["name"])
    for term, *flags in reversed(handler["terms"]):
        run = DECORATORS[term](*flags)(run)
    if handler["hooks"]:
        hook(*handler["hooks"])(run)


for handler in twin_kit.PROGRAM["handlers"]:
    register(handler)


@atexit.register
def tell_state():
    """Tells what is saved, for those who compare: when everything is over, from the file itself."""
    state = sqlite3.connect(str(twin_kit.CHARM_DIR / ".unit-state.db"))
    saved = dict(state.execute("SELECT key, data FROM kv"))
    state.close()
    flags, departed = "reactive.states.", "reactive.endpoints.departed."
    told = {
        "flags": sorted(key[len(flags) :] for key in saved if key.startswith(flags)),
        "departed": [key[len(departed) :] for key in saved if key.startswith(departed)],
    }
    (twin_kit.CHARM_DIR / "twin-state.json").write_text(json.dumps(told))
