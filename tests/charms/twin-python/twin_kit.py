"""What handlers of the twin in Python do, and how they tell it: one line of JSON each, in `twin.log`.

`tests/charms/twin-rust/kit.rs` is the same in Rust.
"""

import json
import math
import os
import re
from pathlib import Path

from charmhelpers.core import hookenv
from charms.reactive import clear_flag, endpoint_from_name, get_flags, is_flag_set, set_flag, toggle_flag

CHARM_DIR = Path(os.environ["JUJU_CHARM_DIR"])
ENDPOINTS = ["ask", "cache", "db", "ring", "tell"]
PATTERNS = ("has_responses", "all_responses", "has_requests", "new_requests")
PROGRAM = json.loads((CHARM_DIR / "program.json").read_text())

# How often each handler of the program has run in this dispatch.
runs = {}


def note(handler, **facts):
    """Tells that a handler runs, with the flags of the program that are set."""
    flags = [flag for flag in get_flags() if flag.startswith("f.")]
    line = json.dumps({"handler": handler, "flags": flags, **facts}, ensure_ascii=False)
    with open(CHARM_DIR / "twin.log", "a") as log:
        log.write(line + "\n")
    if hookenv.config("fail") == handler:
        raise RuntimeError(f"{handler} is to fail")


def plain(value):
    """A value that JSON of any language can hold."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return {"integer": str(value)}
    return value


# Everything that can be seen.


def observe():
    note(
        "observe",
        hook=hookenv.hook_name(),
        is_leader=hookenv.is_leader(),
        config={key: plain(value) for key, value in hookenv.config().items()},
        endpoints={name: seen(endpoint_from_name(name)) for name in ENDPOINTS},
        requests=[seen_request(request) for request in endpoint_from_name("tell").all_requests],
        own_requests=[seen_request(request) for request in endpoint_from_name("ask").requests],
        pattern_flags=[flag for flag in get_flags() if flag.endswith(PATTERNS)],
    )


def seen(endpoint):
    return {
        "is_joined": endpoint.is_joined,
        "relations": [seen_relation(relation) for relation in endpoint.relations],
        "units": [seen_unit(unit) for unit in endpoint.all_joined_units],
        "merged": plain(dict(endpoint.all_joined_units.received.items())),
        "departed": departed_units(endpoint),
    }


def seen_relation(relation):
    has_units = len(relation.joined_units) > 0
    return {
        "id": relation.relation_id,
        "application": relation.application_name,
        "units": [unit.unit_name for unit in relation.joined_units],
        "received_app": dict(relation.received_app_raw.items()) if has_units else {},
    }


def seen_unit(unit):
    return {
        "relation": unit.relation.relation_id,
        "unit": unit.unit_name,
        "raw": dict(unit.received_raw.items()),
        "received": plain(dict(unit.received.items())),
    }


def departed_units(endpoint):
    return [
        {"relation": unit.relation.relation_id, "unit": unit.unit_name, "raw": dict(unit.received_raw.items())}
        for unit in endpoint.all_departed_units
    ]


def seen_request(request):
    answer = request.response and plain(request.response.value)
    return {"id": request.request_id, "name": request.name, "data": plain(request.data), "answer": answer}


# Handlers of endpoints.


def joined(endpoint):
    note(f"{endpoint.endpoint_name}.joined")


def alone(endpoint):
    note(f"{endpoint.endpoint_name}.alone")


def changed(endpoint):
    prefix = endpoint.expand_name("changed.")
    flags = [flag for flag in get_flags() if flag.startswith(prefix)]
    note(f"{endpoint.endpoint_name}.changed", keys=[flag[len(prefix) :] for flag in flags])
    for flag in [endpoint.expand_name("changed"), *flags]:
        clear_flag(flag)


def departed(endpoint):
    note(f"{endpoint.endpoint_name}.departed", units=departed_units(endpoint))
    if not hookenv.config("keep-departed"):
        endpoint.all_departed_units.clear()


def forget_departed():
    for name in ENDPOINTS:
        endpoint_from_name(name).all_departed_units.clear()


def answered(endpoint):
    note(f"{endpoint.endpoint_name}.answered")


def all_answered(endpoint):
    note(f"{endpoint.endpoint_name}.all-answered")


def asked(endpoint):
    note(f"{endpoint.endpoint_name}.asked")


def answer(endpoint):
    requests = endpoint.new_requests
    note(f"{endpoint.endpoint_name}.answer", ids=[request.request_id for request in requests])
    for request in requests:
        request.respond(value=[request.name, request.data])


# Operations of the program.


def apply(text):
    for word in text.split():
        toggle_flag(word[1:], word.startswith("+"))


def run_handler(handler):
    note(handler["name"])
    runs[handler["name"]] = runs.get(handler["name"], 0) + 1
    if runs[handler["name"]] > handler["runs_max"]:
        return
    for operation, *arguments in handler["operations"]:
        OPERATIONS[operation](*arguments)


def publish(endpoint, key, value):
    for relation in endpoint_from_name(endpoint).relations:
        relation.to_publish[key] = value


def publish_text(endpoint, key, text):
    for relation in endpoint_from_name(endpoint).relations:
        relation.to_publish_raw[key] = text


def unpublish(endpoint, key):
    for relation in endpoint_from_name(endpoint).relations:
        if key in relation.to_publish_raw:
            del relation.to_publish_raw[key]


def publish_for_application(endpoint, key, value):
    if hookenv.is_leader():
        for relation in endpoint_from_name(endpoint).relations:
            relation.to_publish_app[key] = value


def ask(name, data):
    endpoint = endpoint_from_name("ask")
    for relation in endpoint.relations:
        number = re.sub(".*:", "", relation.relation_id)
        endpoint.REQUEST_CLASS.create(relation, request_id=f"{name}-{number}", name=name, data=data)


def withdraw(name):
    """There is no way to take a request back but to publish nothing in its place."""
    for relation in endpoint_from_name("ask").relations:
        number = re.sub(".*:", "", relation.relation_id)
        key = f"request_{name}-{number}"
        if relation.to_publish_raw.get(key):
            relation.to_publish_raw[key] = None


OPERATIONS = {
    "set": set_flag,
    "clear": clear_flag,
    "toggle": lambda flag: toggle_flag(flag, not is_flag_set(flag)),
    "publish": publish,
    "publish-text": publish_text,
    "publish-for-application": publish_for_application,
    "unpublish": unpublish,
    "ask": ask,
    "withdraw": withdraw,
    "status": hookenv.status_set,
}
