"""pylxd against charmd: `clients.py FUNCTION SOCKET`."""

import json
import sys
import threading
import time
import types
import warnings
from concurrent.futures import ThreadPoolExecutor

import pylxd
from pylxd.client import EventType
from pylxd.exceptions import LXDAPIException, NotFound
from ws4py.client import WebSocketBaseClient
from ws4py.exc import HandshakeError

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


def id_of(url):
    return url.rsplit("/", 1)[1]


def together(count, call):
    """Calls at once, with 0, 1, 2 and so on; gives the results."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def cancelled_while_they_wait(socket):
    client = pylxd.Client(endpoint=socket)
    url = start(client, duration=60)

    def wait_or_cancel(number):
        if number == 0:
            time.sleep(0.5)
            return client.api.operations[id_of(url)].delete().json()["metadata"]
        # Clients of their own: one connection is one request at a time.
        mine = pylxd.Client(endpoint=socket)
        return refusal(lambda: mine.operations.wait_for_operation(url))

    answers = together(4, wait_or_cancel)
    assert answers[0] == {}, answers
    assert all(answer.startswith("cancelled by ") for answer in answers[1:]), answers


def waits_with_limits(socket):
    client = pylxd.Client(endpoint=socket)
    url = start(client, duration=2.5)

    def wait(limit):
        begin = time.monotonic()
        answer = client.api.operations[id_of(url)].wait.get(params={"timeout": limit}, timeout=20)
        return answer.json()["metadata"]["status"], time.monotonic() - begin

    status, took = wait(0)
    assert status == "Running" and took < 0.8, (status, took)
    status, took = wait(1)
    assert status == "Running" and 1 <= took < 1.9, (status, took)
    status, _ = wait(-1)
    assert status == "Success", status
    for limit in (0, 1, -1):
        status, took = wait(limit)
        assert status == "Success" and took < 0.8, (limit, status, took)


def a_thousand_at_once(socket):
    """Started by twenty clients, while one listens to everything."""
    client = pylxd.Client(endpoint=socket)
    lives = {}
    over = threading.Event()

    def received(_, message):
        metadata = json.loads(message.data)["metadata"]
        lives.setdefault(metadata["id"], []).append(metadata["status_code"])
        if sum(life[-1] == 200 for life in lives.values()) == 1000:
            over.set()

    listener = client.events(event_types={EventType.Operation})
    listener.received_message = types.MethodType(received, listener)
    listener.connect()
    threading.Thread(target=listener.run, daemon=True).start()

    def fifty(_):
        mine = pylxd.Client(endpoint=socket)
        return [start(mine, duration=0.2) for _ in range(50)]

    urls = [url for many in together(20, fifty) for url in many]
    assert over.wait(60), len(lives)
    assert {id_of(url) for url in urls} == set(lives)
    assert all(life == sorted(life) for life in lives.values()), "the end is the last that is told"
    listed = client.api.operations.get().json()["metadata"]
    assert sorted(listed["success"]) == sorted(urls)
    assert client.operations.get(urls[0]).status == "Success"


class Echo(WebSocketBaseClient):
    """The websocket that pylxd uses, and what it has heard."""

    heard = b""

    def handshake_ok(self):
        pass

    def received_message(self, message):
        self.heard += message.data
        self.close()


def secrets_are_good_for_once(socket):
    client = pylxd.Client(endpoint=socket)
    answer = client.api.operations.post(json={"kind": "demo", "class": "websocket"})
    operation = answer.json()["metadata"]
    secret = operation["metadata"]["fds"]["0"]

    def connect(secret):
        echo = Echo(f"ws+unix://{socket}")
        echo.resource = f"/1.0/operations/{operation['id']}/websocket?secret={secret}"
        echo.connect()
        return echo

    def is_refused(secret):
        try:
            connect(secret)
        except HandshakeError as error:
            return "403" in str(error)
        return False

    assert is_refused("x")
    echo = connect(secret)
    assert is_refused(secret), "it has been used"
    echo.send("hello")
    echo.run()
    assert echo.heard == b"hello", echo.heard
    ended = client.operations.wait_for_operation(operation["id"])
    assert (ended.status, ended.metadata["echoed"]) == ("Success", 1), ended.metadata


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
