"""The charms that are measured, on charms.reactive. `duty.rs` has them in Rust."""

import os

from charms.reactive import clear_flag, endpoint_from_name, hook, when

DUTY = os.environ["BENCH_DUTY"]

if DUTY == "idle":

    @hook("install")
    def install():
        pass


if DUTY == "changed":

    @when("endpoint.db.changed")
    def read():
        for relation in endpoint_from_name("db").relations:
            for unit in relation.joined_units:
                if unit.unit_name == os.environ["JUJU_REMOTE_UNIT"]:
                    assert all(key.startswith("key") and text for key, text in unit.received_raw.items())
        for key in range(10):
            clear_flag(f"endpoint.db.changed.key{key}")
        clear_flag("endpoint.db.changed")


if DUTY == "requests":

    @when("endpoint.db.changed")
    def answer():
        for request in endpoint_from_name("db").new_requests:
            request.respond(text=request.text)
        clear_flag("endpoint.db.changed")
