"""Runs dispatches of charms in Python without starting Python for each.

    server.py SOCKET COMMAND...

Imports charms.reactive once. For each connection a child is forked, which runs the charm's own `dispatch`. Hook
commands, which would be processes, are asked for over the connection.
That both ways come to the same is tested: `a_warm_start_is_a_cold_one`.

Each message is one line of JSON. First comes {"folder", "variables"}; then the child says {"command": [name,
argument...], "stdin"} as often as it wants and is answered {"code", "stdout", "stderr"}; at last it says
{"exit", "stderr"}.
"""

import argparse
import atexit
import builtins
import gc
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback

# charmhelpers refuses systems that it does not know; a charm's `dispatch` does the same.
import charmhelpers.osplatform

charmhelpers.osplatform.get_platform = lambda: "ubuntu"

import charms.reactive
import yaml
from charmhelpers.core import hookenv

# Importing it registers what runs before and after the handlers. A charm may have registered something before that:
# so it is put off until the charm imports it.
CALLBACKS = [(callbacks, list(callbacks)) for callbacks in (hookenv._atstart, hookenv._atexit)]
for callbacks, _ in CALLBACKS:
    callbacks.clear()

# Looking for translations of help texts, which nobody sees, takes longer than all hook commands together.
argparse._ = lambda message: message

HOOK_COMMANDS = frozenset(sys.argv[2:])


def import_charms_reactive(name, *arguments, **options):
    if name.split(".")[:2] == ["charms", "reactive"]:
        while CALLBACKS:
            callbacks, registered = CALLBACKS.pop()
            callbacks.extend(registered)
    return IMPORT(name, *arguments, **options)


IMPORT = builtins.__import__


class Command:
    """A hook command, with the interface of `subprocess.Popen` as far as charmhelpers uses it."""

    connection = None

    def __init__(self, arguments, stdin=None, stdout=None, stderr=None, universal_newlines=False, **_):
        if arguments[0] not in HOOK_COMMANDS:
            raise FileNotFoundError(2, "No such file or directory", arguments[0])
        self.args = arguments
        answer = ask({"command": arguments, "stdin": None})
        self.returncode = answer["code"]
        self.out = answer["stdout"].encode()
        if stderr == subprocess.STDOUT:
            self.out += answer["stderr"].encode()
        elif stderr is None:
            sys.stderr.write(answer["stderr"])
        if universal_newlines:
            self.out = self.out.decode()
        self.is_piped = stdout == subprocess.PIPE

    def communicate(self, input=None, timeout=None):
        return (self.out if self.is_piped else None), None

    def wait(self, timeout=None):
        return self.returncode

    def poll(self):
        return self.returncode

    def kill(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def ask(question):
    Command.connection.write(json.dumps(question).encode() + b"\n")
    Command.connection.flush()
    answer = Command.connection.readline()
    if not answer:
        # The hook was killed, and so are we: nothing is cleaned up.
        os._exit(137)
    return json.loads(answer)


def run_dispatch(connection):
    Command.connection = connection.makefile("rwb")
    task = json.loads(Command.connection.readline())
    os.chdir(task["folder"])
    os.environ.clear()
    os.environ.update(task["variables"])
    subprocess.Popen = Command
    builtins.__import__ = import_charms_reactive
    program = os.path.join(task["folder"], "dispatch")
    sys.argv = [program]
    sys.stderr = io.StringIO()
    code = 0
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    answer = {"exit": code, "stderr": sys.stderr.getvalue()}
    Command.connection.write(json.dumps(answer).encode() + b"\n")
    Command.connection.flush()


def main():
    atexit._clear()
    # Nobody waits for the children.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen()
    # What is here already is shared with the children, and not looked through by them.
    gc.freeze()
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in readable:
            # Whoever started us is gone: nothing is ever written there.
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            # A dispatch is over before there is anything to be collected.
            gc.disable()
            try:
                run_dispatch(connection)
            finally:
                os._exit(0)
        connection.close()


if __name__ == "__main__":
    main()
