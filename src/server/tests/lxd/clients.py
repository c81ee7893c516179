"""pylxd against charmd: `clients.py FUNCTION SOCKET`."""

import json
import sys
import threading
import types
import warnings

import pylxd
from pylxd.client import EventType
from pylxd.exceptions import LXDAPIException, NotFound

# Newer LXD sends more than this version of pylxd knows, and so do we.
warnings.filterwarnings("ignore", message="Attempted to set unknown attribute")


def start(client, **demo):
    answer = client.api.operations.post(json={"kind": "demo", "input": demo})
    assert answer.status_code == 202, answer.text
    return answer.json()["operation"]


def refusal(call):
    try:
        call()
    except LXDAPIException as error:
        return str(error)
    raise AssertionError("expected LXDAPIException")


def gets_and_waits(socket):
    client = pylxd.Client(endpoint=socket)
    assert client.trusted
    assert client.has_api_extension("operation_wait")
    url = start(client, duration=0.5, steps=2)
    operation = client.operations.get(url)
    assert operation.status == "Running"
    assert operation.may_cancel
    assert operation.wait() is True
    operation = client.operations.get(url.rsplit("/", 1)[1])
    assert (operation.status, operation.status_code, operation.err) == ("Success", 200, "")
    # It is over, and stays there to be asked for.
    assert client.operations.wait_for_operation(url).status == "Success"
    listed = client.api.operations.get().json()["metadata"]
    assert listed == {"success": [url]}, listed


def failures(socket):
    client = pylxd.Client(endpoint=socket)
    url = start(client, duration=0.2, outcome="failure", error="disk full")
    assert refusal(lambda: client.operations.wait_for_operation(url)) == "disk full"
    url = start(client, duration=60)
    client.api.operations[url.rsplit("/", 1)[1]].delete()
    assert refusal(lambda: client.operations.get(url).wait()).startswith("cancelled by ")
    assert refusal(lambda: client.api.operations[url.rsplit("/", 1)[1]].delete()) == (
        "Only running operations can be cancelled"
    )
    try:
        client.operations.get("nothing")
    except NotFound as error:
        assert str(error) == "Operation not found"
    else:
        raise AssertionError("expected NotFound")


def events(socket):
    client = pylxd.Client(endpoint=socket)
    heard = []
    over = threading.Event()

    def received(_, message):
        event = json.loads(message.data)
        heard.append((event["type"], event["metadata"].get("status") or event["metadata"]["action"]))
        if heard[-1][1] == "Cancelled":
            over.set()

    listener = client.events(event_types={EventType.Operation, EventType.Lifecycle})
    listener.received_message = types.MethodType(received, listener)
    listener.connect()
    threading.Thread(target=listener.run, daemon=True).start()
    url = start(client, duration=60)
    client.api.operations[url.rsplit("/", 1)[1]].delete()
    assert over.wait(20), heard
    assert heard == [
        ("operation", "Running"),
        ("operation", "Cancelling"),
        ("lifecycle", "operation-cancelled"),
        ("operation", "Cancelled"),
    ], heard


def projects(socket):
    here, there = pylxd.Client(endpoint=socket), pylxd.Client(endpoint=socket, project="foo")
    url = start(there, duration=60)
    assert there.api.operations.get().json()["metadata"] == {"running": [url]}
    assert here.api.operations.get().json()["metadata"] == {}
    assert there.operations.get(url).status == "Running"


def remote(address, certificate, key, server, token):
    def client():
        return pylxd.Client(endpoint=address, cert=(certificate, key), verify=server)

    stranger = client()
    assert not stranger.trusted
    assert refusal(lambda: stranger.api.operations.get()) == "Forbidden"
    assert refusal(lambda: stranger.authenticate("guess")) == "The trust token is not known"
    stranger.authenticate(token)
    assert stranger.trusted
    known = client()
    assert known.trusted
    url = start(known, duration=0.2)
    assert known.operations.wait_for_operation(url).status == "Success"
    (trusted,) = known.certificates.all()
    trusted.sync()
    assert (trusted.type, trusted.name) == ("client", "pylxd"), trusted.name
    trusted.delete()
    assert refusal(lambda: known.api.operations.get()) == "Forbidden"


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
