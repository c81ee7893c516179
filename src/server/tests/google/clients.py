"""Google's own clients, unchanged, against `charmd`: one function a test, named by the first argument.

The second argument is the address of the server; each function works in a project of its own.
"""

import base64
import concurrent.futures
import datetime
import sys
import time
import urllib.request

from google.auth.credentials import AnonymousCredentials
from google.cloud import runtimeconfig
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

URL = sys.argv[2]
PROJECT = "projects/google.com:" + sys.argv[1].replace("_", "-")


def client():
    options = {"api_endpoint": URL}
    credentials = AnonymousCredentials()
    return build("runtimeconfig", "v1beta1", static_discovery=True, client_options=options, credentials=credentials)


CONFIGS = client().projects().configs()
VARIABLES = CONFIGS.variables()
WAITERS = CONFIGS.waiters()
OPERATIONS = CONFIGS.operations()


def new_config(name="cfg"):
    full = f"{PROJECT}/configs/{name}"
    assert CONFIGS.create(parent=PROJECT, body={"name": full}).execute() == {"name": full}
    return full


def write(config, path, text="x", **more):
    body = {"name": f"{config}/variables/{path}", "text": text}
    return VARIABLES.create(parent=config, body=body, **more).execute()


def refused(call, status, code, message=None):
    try:
        answer = call.execute()
    except HttpError as error:
        found = (error.status_code, error.reason)
        assert error.status_code == status, found
        assert message is None or error.reason == message, found
        import json

        body = json.loads(error.content)["error"]
        assert body["status"] == code and body["code"] == status, body
        assert body["errors"][0]["message"] == body["message"], body
        return
    raise AssertionError(f"expected {status} {code}, found {answer}")


def waiter(name, config, success, timeout="60s", failure=None, **more):
    body = {"name": f"{config}/waiters/{name}", "timeout": timeout, "success": {"cardinality": success}}
    if failure:
        body["failure"] = {"cardinality": failure}
    return WAITERS.create(parent=config, body=body, **more)


def every_method():
    name = f"{PROJECT}/configs/cfg"
    config = {"name": name, "description": "d"}
    assert CONFIGS.create(parent=PROJECT, requestId="r-1", body=config).execute() == config
    assert CONFIGS.get(name=name).execute() == config
    assert CONFIGS.list(parent=PROJECT, pageSize=2).execute() == {"configs": [config]}
    assert CONFIGS.update(name=name, body={"name": name}).execute() == {"name": name}, "no description clears it"
    policy = CONFIGS.getIamPolicy(resource=name, options_requestedPolicyVersion=3).execute()
    assert policy == {"etag": "ACAB"}, policy
    bindings = [{"role": "roles/viewer", "members": ["allUsers"]}]
    body = {"policy": {"bindings": bindings, "etag": "ACAB"}}
    new = CONFIGS.setIamPolicy(resource=name, body=body).execute()
    assert new["bindings"] == bindings and new["etag"] != "ACAB", new
    assert CONFIGS.getIamPolicy(resource=name).execute() == new
    refused(CONFIGS.setIamPolicy(resource=name, body=body), 409, "ABORTED")
    asked = {"permissions": ["runtimeconfig.configs.get", "runtimeconfig.configs.update"]}
    assert CONFIGS.testIamPermissions(resource=name, body=asked).execute() == asked

    variable = f"{name}/variables/status/success/n-1"
    made = VARIABLES.create(parent=name, body={"name": variable, "text": "hello"}, requestId="v").execute()
    assert set(made) == {"name", "text", "updateTime"} and made["text"] == "hello", made
    assert VARIABLES.get(name=variable).execute() == made
    listed = VARIABLES.list(parent=name, filter=f"{name}/variables/status", pageSize=10).execute()
    assert listed == {"variables": [{"name": variable, "updateTime": made["updateTime"]}]}, listed
    listed = VARIABLES.list(parent=name, returnValues=True).execute()
    assert listed == {"variables": [made]}, listed
    updated = VARIABLES.update(name=variable, body={"text": "w"}).execute()
    assert updated["state"] == "UPDATED" and updated["text"] == "w", updated
    assert updated["updateTime"] > made["updateTime"]
    watched = VARIABLES.watch(name=variable, body={"newerThan": made["updateTime"]}).execute()
    assert watched == updated, watched
    assert VARIABLES.testIamPermissions(resource=variable, body=asked).execute() == asked

    operation = waiter("w1", name, {"path": "/status/success", "number": 2}, timeout="360s").execute()
    assert operation == {"name": f"{name}/operations/waiters/w1"}, operation
    found = WAITERS.get(name=f"{name}/waiters/w1").execute()
    created = found.pop("createTime")
    assert created.endswith("Z"), created
    assert found == {
        "name": f"{name}/waiters/w1",
        "timeout": "360s",
        "success": {"cardinality": {"path": "/status/success", "number": 2}},
    }, found
    assert WAITERS.list(parent=name, pageSize=5).execute()["waiters"][0]["name"] == f"{name}/waiters/w1"
    assert OPERATIONS.get(name=f"{name}/operations/waiters/w1").execute() == operation
    for resource, api in [("waiters/w1", WAITERS), ("operations/waiters/w1", OPERATIONS)]:
        assert api.testIamPermissions(resource=f"{name}/{resource}", body=asked).execute() == asked
    write(name, "status/success/n-2")
    ended = OPERATIONS.get(name=f"{name}/operations/waiters/w1").execute()
    response = ended["response"]
    assert ended["done"] is True and response["done"] is True and "error" not in response, ended
    assert response["@type"] == "type.googleapis.com/google.cloud.runtimeconfig.v1beta1.Waiter", ended

    assert WAITERS.delete(name=f"{name}/waiters/w1").execute() == {}
    refused(OPERATIONS.get(name=f"{name}/operations/waiters/w1"), 404, "NOT_FOUND")
    assert VARIABLES.delete(name=f"{name}/variables/status", recursive=True).execute() == {}
    assert VARIABLES.list(parent=name).execute() == {}
    assert CONFIGS.delete(name=name).execute() == {}
    refused(CONFIGS.get(name=name), 404, "NOT_FOUND", "Requested entity was not found.")
    gone = CONFIGS.testIamPermissions(resource=name, body=asked).execute()
    assert gone == {}, gone


def the_library_of_google_cloud():
    full = new_config()
    project = PROJECT.removeprefix("projects/")
    cloud = runtimeconfig.Client(project=project, credentials=AnonymousCredentials(), client_options={"api_endpoint": URL})
    config = cloud.config("cfg")
    assert config.exists() and not cloud.config("none").exists()
    config.reload()
    assert config.name == "cfg" and config.description is None
    variable = config.variable("status/n1")
    assert not variable.exists()
    variable.text = "hello"
    assert variable.create() is True
    assert config.variable("status/n1").exists()
    again = config.variable("status/n1")
    again.text = "other"
    assert again.create() is False, "it is there already"
    variable.text = "w"
    assert variable.update() is True
    missing = config.variable("none")
    missing.text = "x"
    assert missing.update() is False, "no variable is made by an update"
    assert config.get_variable("none") is None
    found = config.get_variable("status/n1")
    assert (found.text, found.value) == ("w", None) and found.state == "VARIABLE_STATE_UNSPECIFIED", found.state
    assert isinstance(found.update_time, datetime.datetime)
    binary = config.variable("status/n2")
    binary.value = b"\xfb\xff\n"
    assert binary.create() is True
    assert config.get_variable("status/n2").value == b"\xfb\xff\n"
    for number in range(1200):
        write(full, f"many/v{number}")
    names = [variable.name for variable in config.list_variables()]
    assert len(names) == 1202 and names == sorted(names), len(names)
    assert len(list(config.list_variables(page_size=2))) == 2
    found.reload()
    assert found.full_name == f"{full}/variables/status/n1"


def wrong_input():
    config = new_config()
    bad = "INVALID_ARGUMENT"
    for name in ["-a", "a-", "a b", "x" * 64, "", "ä"]:
        refused(CONFIGS.create(parent=PROJECT, body={"name": f"{PROJECT}/configs/{name}"}), 400, bad)
    refused(CONFIGS.create(parent=PROJECT, body={"name": "cfg2"}), 400, bad)
    refused(CONFIGS.create(parent=PROJECT, body={"name": config}), 409, "ALREADY_EXISTS")
    slash = {"name": f"/{PROJECT}/configs/{'y' * 63}"}
    assert CONFIGS.create(parent=PROJECT, body=slash).execute()["name"] == slash["name"][1:]

    def variable(path, **content):
        return VARIABLES.create(parent=config, body={"name": f"{config}/variables/{path}", **content})

    for path in ["", "/", "-a", "a/-b", "a b", "a/" + "x" * 65, "/".join(["a" * 63] * 4) + "b", ".", ".."]:
        refused(variable(path, text="x"), 400, bad)
    refused(VARIABLES.create(parent=config, body={"name": "x", "text": "x"}), 400, bad)
    refused(variable("a"), 400, bad)
    refused(variable("a", text="x", value="eA=="), 400, bad)
    refused(variable("a", text="x" * 4096), 400, bad)
    refused(variable("a", value=base64.b64encode(b"x" * 4096).decode()), 400, bad)
    refused(variable("a", value="***"), 400, bad)
    refused(variable("a", text=45873492), 400, bad, "Invalid value at 'variable.text' (TYPE_STRING), 45873492")
    unknown = 'Invalid JSON payload received. Unknown name "txt": Cannot find field.'
    refused(variable("a", txt="x"), 400, bad, unknown)
    assert variable("big", text="x" * 4095).execute()["text"] == "x" * 4095
    empty = variable("empty", text="").execute()
    assert empty["text"] == "" and VARIABLES.get(name=empty["name"]).execute()["text"] == ""
    assert variable("//status///n1//", text="x").execute()["name"] == f"{config}/variables/status/n1"
    precondition = ("FAILED_PRECONDITION", "Precondition check failed.")
    refused(variable("status", text="x"), 400, *precondition)
    refused(variable("status/n1/x", text="x"), 400, *precondition)
    refused(variable("status/n1", text="x"), 409, "ALREADY_EXISTS", "Requested entity already exists")
    refused(VARIABLES.delete(name=f"{config}/variables/status"), 400, *precondition)
    refused(VARIABLES.delete(name=f"{config}/variables/none", recursive=True), 404, "NOT_FOUND")
    refused(VARIABLES.get(name=f"{config}/variables/status"), 404, "NOT_FOUND")
    refused(VARIABLES.update(name=f"{config}/variables/none", body={"text": "x"}), 404, "NOT_FOUND")
    other = {"name": f"{config}/variables/other", "text": "x"}
    refused(VARIABLES.update(name=f"{config}/variables/big", body=other), 400, bad)
    refused(VARIABLES.watch(name=f"{config}/variables/none", body={}), 404, "NOT_FOUND")
    refused(VARIABLES.watch(name=f"{config}/variables/big", body={"newerThan": "now"}), 400, bad)
    refused(VARIABLES.list(parent=config, pageSize=-1), 400, bad)
    refused(VARIABLES.list(parent=config, pageToken="abc"), 400, bad)
    refused(VARIABLES.list(parent=config, filter="projects/x/configs/y"), 400, bad)
    refused(VARIABLES.create(parent=config, body={}, requestId="x" * 65), 400, bad)
    assert VARIABLES.delete(name=f"{config}/variables/empty", recursive=True).execute() == {}, "a leaf, too"
    ignored = variable("ignored", text="x", updateTime="2000-01-01T00:00:00Z", state="DELETED").execute()
    assert ignored["updateTime"] > "2024" and "state" not in ignored, ignored
    missing = f"{PROJECT}/configs/none"
    refused(CONFIGS.delete(name=missing), 404, "NOT_FOUND")
    refused(VARIABLES.list(parent=missing), 404, "NOT_FOUND")
    refused(VARIABLES.create(parent=missing, body={"name": f"{missing}/variables/a", "text": "x"}), 404, "NOT_FOUND")

    once = {"path": "/a", "number": 1}
    for timeout in ["-1s", "0s", "0.0000000001s", "360", "6m", "", " 5s", ".5s", "315576000001s", None, 360]:
        refused(waiter("w", config, once, timeout=timeout), 400, bad)
    for success in [{"path": ""}, {}, {"number": 1}, {"path": "/a", "number": -1}, {"path": "/a b"}, {"path": "/a", "number": 2.5}]:
        refused(waiter("w", config, success), 400, bad)
    body = {"name": f"{config}/waiters/w", "timeout": "1s"}
    refused(WAITERS.create(parent=config, body=body), 400, bad)
    refused(WAITERS.create(parent=config, body={**body, "success": {}}), 400, bad)
    refused(WAITERS.create(parent=config, body={**body, "name": "w", "success": {"cardinality": once}}), 400, bad)
    said = {**body, "name": f"{config}/waiters/said", "success": {"cardinality": once}, "done": True, "error": {"code": 1}}
    WAITERS.create(parent=config, body={**said, "createTime": "2000-01-01T00:00:00Z"}).execute()
    made = WAITERS.get(name=said["name"]).execute()
    assert "done" not in made and "error" not in made and made["createTime"] > "2024", made
    for place, (number, found) in enumerate([(0, 1), ("3", 3), (3.0, 3), (None, 1)]):
        name = f"c2d-sql-0{place}_Waiter"
        waiter(name, config, {"path": "missing//x/", "number": number}, timeout="1.5s").execute()
        made = WAITERS.get(name=f"{config}/waiters/{name}").execute()
        cardinality = made["success"]["cardinality"]
        assert cardinality == {"path": "missing//x/", "number": found} and type(cardinality["number"]) is int, made
        assert made["timeout"] == "1.500s", made
        refused(waiter(name, config, once), 409, "ALREADY_EXISTS")


def outcomes_of_waiters():
    config = new_config()

    def state(name):
        found = WAITERS.get(name=f"{config}/waiters/{name}").execute()
        operation = OPERATIONS.get(name=f"{config}/operations/waiters/{name}").execute()
        assert operation.get("done") == found.get("done") and operation.get("error") == found.get("error"), operation
        return found.get("done"), found.get("error")

    waiter("counts", config, {"path": "foo", "number": 3}, failure={"path": "/bad/", "number": 2}).execute()
    for path in ["foo/a", "foobar/x", "foo-1", "foo/b/c", "bar"]:
        write(config, path)
    assert state("counts") == (None, None), "whole segments count"
    VARIABLES.delete(name=f"{config}/variables/foo/a").execute()
    write(config, "foo/d")
    assert state("counts") == (None, None), "a removal counts down"
    write(config, "foo/e")
    assert state("counts") == (True, None)
    VARIABLES.delete(name=f"{config}/variables/foo", recursive=True).execute()
    assert state("counts") == (True, None), "latched"
    refused(waiter("counts", config, {"path": "foo"}), 409, "ALREADY_EXISTS")

    failed = (True, {"code": 9, "message": "Failure condition satisfied."})
    waiter("fails", config, {"path": "/s", "number": 1}, failure={"path": "/s/f", "number": 1}).execute()
    write(config, "s/f/1")
    assert state("fails") == failed, "failure first, when one write meets both"
    at_once = waiter("at-once", config, {"path": "/", "number": 4}).execute()
    assert at_once["done"] is True, at_once
    self_counts = waiter("self", config, {"path": "bar", "number": 1}).execute()
    assert self_counts["done"] is True, "the variable at the path itself counts"

    waiter("times-out", config, {"path": "/none", "number": 1}, timeout="0.2s").execute()
    time.sleep(0.4)
    over = (True, {"code": 4, "message": "Timeout expired."})
    assert state("times-out") == over
    write(config, "none/x")
    assert state("times-out") == over, "latched"

    waiter("deleted", config, {"path": "/zzz", "number": 1}).execute()
    assert WAITERS.delete(name=f"{config}/waiters/deleted").execute() == {}
    refused(WAITERS.get(name=f"{config}/waiters/deleted"), 404, "NOT_FOUND")
    waiter("deleted", config, {"path": "/none", "number": 1}).execute()
    assert state("deleted") == (True, None), "another one of the same name"
    names = [found["name"].rsplit("/", 1)[1] for found in WAITERS.list(parent=config).execute()["waiters"]]
    assert names == ["at-once", "counts", "deleted", "fails", "self", "times-out"], names
    page = WAITERS.list(parent=config, pageSize=4).execute()
    rest = WAITERS.list(parent=config, pageSize=4, pageToken=page["nextPageToken"]).execute()
    assert [found["name"].rsplit("/", 1)[1] for found in page["waiters"] + rest["waiters"]] == names
    waiter("under-it", config, {"path": "/zzz", "number": 1}).execute()
    CONFIGS.delete(name=config).execute()
    refused(WAITERS.get(name=f"{config}/waiters/under-it"), 404, "NOT_FOUND")
    new_config()
    assert WAITERS.list(parent=config).execute() == {} and VARIABLES.list(parent=config).execute() == {}


def pages_of_seven():
    config = new_config()
    for number in range(1000):
        write(config, f"a/v{number}")
    write(config, "a-1")
    request = VARIABLES.list(parent=config, pageSize=7, filter="a", returnValues=True)
    seen = []
    while request is not None:
        page = request.execute()
        seen += [variable["name"] for variable in page["variables"]]
        if len(seen) == 70:
            write(config, "a/v0-new")
            VARIABLES.delete(name=f"{config}/variables/a/v999").execute()
        request = VARIABLES.list_next(request, page)
    assert seen == sorted(set(seen)), "none twice, in order"
    assert len(seen) == 999, len(seen)
    assert len(VARIABLES.list(parent=config).execute()["variables"]) == 1000, "one page, for those who never ask for more"
    token = VARIABLES.list(parent=config, pageSize=1).execute()["nextPageToken"]
    refused(VARIABLES.list(parent=config, pageToken=token, returnValues=True), 400, "INVALID_ARGUMENT")
    refused(VARIABLES.list(parent=config, pageToken=token[:-1] + ("A" if token[-1] != "A" else "B")), 400, "INVALID_ARGUMENT")
    for form in [f"{config}/variables/a", f"{config.replace('/configs/', '/config/')}/variables/a/", "/a/*", "a"]:
        found = VARIABLES.list(parent=config, filter=form, pageSize=1000).execute()["variables"]
        assert len(found) == 1000 and not found[0]["name"].endswith("a-1"), (form, len(found))
    long = VARIABLES.list(parent=config, filter="a", pageToken=None, x__xgafv="1", pageSize=3)
    long.uri += "&quotaUser=" + "q" * 2100
    assert len(long.execute()["variables"]) == 3, "a query too long for a URL comes as a body"


def watches():
    config = new_config()
    made = write(config, "v", "one")
    name = made["name"]

    def watch(body):
        return client().projects().configs().variables().watch(name=name, body=body).execute()

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        bodies = [{}, {"newerThan": made["updateTime"]}, {"newer_than": "2999-01-01T00:00:00+01:00"}]
        waiting = [pool.submit(watch, bodies[number % 3]) for number in range(15)]
        time.sleep(1.5)
        assert not any(future.done() for future in waiting)
        updated = VARIABLES.update(name=name, body={"value": "dHdv"}).execute()
        assert all(future.result(5) == updated for future in waiting)
        waiting = [pool.submit(watch, {}) for _ in range(5)]
        time.sleep(1.5)
        VARIABLES.delete(name=name).execute()
        expected = {**updated, "state": "DELETED"}
        assert all(future.result(5) == expected for future in waiting)
        made = write(config, "v", "three")
        assert watch({"newerThan": "2000-01-01T00:00:00.000Z"}) == {**made, "state": "UPDATED"}
        waiting = [pool.submit(watch, {}) for _ in range(3)]
        time.sleep(1.5)
        CONFIGS.delete(name=config).execute()
        assert all(future.result(5)["state"] == "DELETED" for future in waiting)


def a_watch_that_sees_nothing():
    config = new_config()
    made = write(config, "v", "one")
    begin = time.monotonic()
    found = VARIABLES.watch(name=made["name"], body={}).execute()
    assert found == made and 57 < time.monotonic() - begin < 60, "before the client gives up"


def request_ids():
    config = new_config()
    first = write(config, "a", "one", requestId="r")
    assert write(config, "b", "two", requestId="r") == first, "the second body is ignored"
    VARIABLES.update(name=first["name"], body={"text": "new"}).execute()
    assert write(config, "a", "one", requestId="r")["text"] == "new"
    refused(VARIABLES.get(name=f"{config}/variables/b"), 404, "NOT_FOUND")
    VARIABLES.delete(name=first["name"]).execute()
    assert write(config, "b", "two", requestId="r")["text"] == "two", "freed by the deletion"
    again = {"name": f"{PROJECT}/configs/again"}
    for _ in range(2):
        assert CONFIGS.create(parent=PROJECT, body=again, requestId="r").execute() == again
    refused(CONFIGS.create(parent=PROJECT, body=again, requestId="other"), 409, "ALREADY_EXISTS")
    refused(CONFIGS.create(parent=PROJECT, body=again, requestId=""), 409, "ALREADY_EXISTS")
    for path, done in [("/none", None), ("/b", None), ("/b", True)]:
        operation = waiter("w", config, {"path": "/none", "number": 1}, requestId="r").execute()
        assert operation.get("done") == done, "the operation as it is now"
        if path == "/b":
            done or VARIABLES.create(parent=config, body={"name": f"{config}/variables/none/x", "text": ""}).execute()


def the_first_version():
    options = {"api_endpoint": URL}
    v1 = build("runtimeconfig", "v1", static_discovery=True, client_options=options, credentials=AnonymousCredentials())
    assert v1.operations().list(name="operations").execute() == {}
    refused(v1.operations().cancel(name="operations/abc/d", body={}), 501, "UNIMPLEMENTED")
    refused(v1.operations().delete(name="operations/abc"), 501, "UNIMPLEMENTED")


def descriptions():
    """Our discovery document against the one that Google's client brings along, and a client made of ours."""
    import json
    import pathlib

    import googleapiclient

    documents = pathlib.Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    theirs = json.loads((documents / "runtimeconfig.v1beta1.json").read_text())
    ours = json.loads(urllib.request.urlopen(URL + "/$discovery/rest?version=v1beta1").read())

    def shape(value):
        """A description without its words."""
        if isinstance(value, dict):
            # What a field that is called `description` is, stays.
            words = {key for key in ("description", "enumDescriptions") if not isinstance(value.get(key), dict)}
            return {key: shape(inner) for key, inner in value.items() if key not in words}
        return [shape(inner) for inner in value] if isinstance(value, list) else value

    for part in ["resources", "schemas", "parameters", "servicePath", "basePath", "batchPath", "protocol", "id", "kind"]:
        assert shape(ours[part]) == shape(theirs[part]), part
    assert list(ours["auth"]["oauth2"]["scopes"]) == list(theirs["auth"]["oauth2"]["scopes"])
    assert ours["rootUrl"] == ours["baseUrl"] == URL + "/", ours["rootUrl"]

    made = build("runtimeconfig", "v1beta1", discoveryServiceUrl=URL + "/discovery/v1/apis/{api}/{apiVersion}/rest",
                 static_discovery=False, credentials=AnonymousCredentials())
    configs = made.projects().configs()
    config = f"{PROJECT}/configs/cfg"
    assert configs.create(parent=PROJECT, body={"name": config}).execute() == {"name": config}
    assert configs.list(parent=PROJECT).execute() == {"configs": [{"name": config}]}
    batch(made, config)


def batch(made, config):
    """Many requests in one: the client finds the way by the document."""
    variables = made.projects().configs().variables()
    answers, errors = {}, {}

    def seen(name, answer, error):
        if error is None:
            answers[name] = answer
        else:
            errors[name] = error.status_code

    requests = made.new_batch_http_request(callback=seen)
    for number in range(990):
        body = {"name": f"{config}/variables/v/{number}", "text": f"\u00fc \r\n--batch_charmd {'x' * 2000} {number}"}
        requests.add(variables.create(parent=config, body=body), request_id=f"made {number}")
    requests.add(variables.get(name=f"{config}/variables/v/7"), request_id="there")
    requests.add(variables.get(name=f"{config}/variables/none"), request_id="missing")
    requests.add(variables.delete(name=f"{config}/variables/v/8"), request_id="gone")
    requests.add(variables.watch(name=f"{config}/variables/v/7", body={}), request_id="watch")
    requests.execute()
    assert errors == {"missing": 404, "watch": 400}, errors
    assert len(answers) == 992 and answers["gone"] == {}, len(answers)
    assert answers["there"] == answers["made 7"] and answers["there"]["text"].endswith("x 7"), answers["there"]
    assert len(variables.list(parent=config).execute()["variables"]) == 989


def answers_are_packed():
    """Google's clients ask for gzip, and unpack it."""
    config = new_config()
    for number in range(50):
        write(config, f"v/{number}", "x" * 1000)
    request = urllib.request.Request(f"{URL}/v1beta1/{config}/variables?returnValues=true", headers={"Accept-Encoding": "gzip"})
    answer = urllib.request.urlopen(request)
    assert answer.headers["content-encoding"] == "gzip" and len(answer.read()) < 10_000, answer.headers
    assert len(VARIABLES.list(parent=config, returnValues=True).execute()["variables"]) == 50
    library = runtimeconfig.Client(project=PROJECT.split("/")[1], credentials=AnonymousCredentials(), client_options={"api_endpoint": URL})
    assert len(list(library.config("cfg").list_variables())) == 50


def raw_requests():
    import http.client
    import json

    config = new_config()
    write(config, "status/n1")
    host = URL.removeprefix("http://")

    def ask(method, path, body=None, headers={}):
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, dict(answer.getheaders()), text

    base = f"/v1beta1/{config}"
    for path in [
        f"{base}/variables/status%2Fn1", f"{base}/variables//status//n1/", f"/{base}/variables/status/n1",
        f"{base}/variables/%73tatus/n1?alt=json&unknown=x&key=k", f"{base}/variables/status/n1?$.xgafv=1",
    ]:
        status, headers, text = ask("GET", path, headers={"content-length": "0"})
        assert status == 200 and json.loads(text)["text"] == "x", (path, status, text)
        assert headers["content-type"] == "application/json; charset=UTF-8", headers
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "private", headers
    assert len(ask("GET", f"{base}?prettyPrint=false")[2].strip().splitlines()) == 1
    assert len(ask("GET", f"{base}")[2].strip().splitlines()) == 3
    assert json.loads(ask("GET", f"{base}/variables/status/n1?fields=name")[2]) == {"name": f"{config}/variables/status/n1"}
    assert ask("GET", f"{base}?fields=nmae")[0] == 400
    assert ask("GET", f"{base}?alt=proto")[0] == 400
    assert "errors" not in json.loads(ask("GET", f"{base}x?$.xgafv=2")[2])["error"]
    body = json.dumps({"name": f"{config}/variables/curl", "value": "aGkK"})
    status, _, text = ask("POST", f"{base}/variables", body, {"Content-Type": "application:json", "Authorization": "Bearer x"})
    assert status == 200, text
    for method, path in [("PATCH", f"{base}/waiters/w"), ("PUT", f"{base}/waiters/w"), ("GET", "/"), ("GET", "/v2/x"),
                         ("POST", f"{base}:nothing"), ("POST", f"{base}:getIamPolicy"), ("GET", f"{base}/operations/w")]:
        status, _, text = ask(method, path, "{}")
        assert status == 404 and json.loads(text)["error"]["status"] == "NOT_FOUND", (method, path, text)
    for body in ["{", "[]", "null", "\x00", "{'name': 1}", '{"name": 1, "name": 2}']:
        status, _, text = ask("POST", f"{base}/variables", body)
        assert status == 400 and json.loads(text)["error"]["status"] == "INVALID_ARGUMENT", (body, text)
    assert ask("POST", f"{base}/variables", "x" * 2_000_000)[0] == 400
    assert ask("GET", f"{base}/variables/a%20b+c%25/%C3%BC")[0] == 400
    assert ask("GET", f"{base}/variables/%ff")[0] == 400


globals()[sys.argv[1]]()
