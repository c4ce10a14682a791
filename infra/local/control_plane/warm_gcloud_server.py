"""Run each gcloud command in a fork of a process that has loaded gcloud; gcloud's own Python runs this file.

`python -S warm_gcloud_server.py LIB SOCKET`, needs the folder of gcloud's code and the path of the socket on which it
listens. It writes one line when it listens, and ends when its standard input ends.

A command arrives as its three standard streams and its marshalled arguments, environment and folder. The answer is one
byte: the exit code. This process also loads the modules that a command loaded, so that the next command finds them.
"""

from __future__ import annotations

import array
import atexit
import importlib
import marshal
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

_INTERRUPTED = 130
_LARGEST = 1 << 17


def serve(lib: str, path: str) -> None:
    """Listen until standard input ends."""
    sys.path[:0] = [f"{lib}/third_party", lib]
    main = importlib.import_module("googlecloudsdk.gcloud_main").main
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # each command sends its own answer
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    told, tell = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    selector = selectors.DefaultSelector()
    for source in (sys.stdin, listener, told):
        selector.register(source, selectors.EVENT_READ)
    os.write(1, b"listening\n")
    while True:
        ready = [key.fileobj for key, _ in selector.select()]
        if sys.stdin in ready:
            return
        if told in ready:
            _load(told.recv(_LARGEST).decode().split())
        if listener in ready:
            caller, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _carry_out(main, caller, tell)
            caller.close()


def _load(names: list[str]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001, S112 - the command that needs it loads it, and says so
            continue


def _carry_out(main: Any, caller: socket.socket, tell: socket.socket) -> None:  # noqa: ANN401 - gcloud has no types
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = caller.recvmsg(4, socket.CMSG_SPACE(12))
    order = bytearray()
    while len(order) < int.from_bytes(size, "big"):
        order += caller.recv(_LARGEST)
    arguments, variables, folder = marshal.loads(bytes(order))  # noqa: S302 - from the program next door
    for number, stream in enumerate(array.array("i", streams[0][2])):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["gcloud", *arguments]
    threading.Thread(target=_end_with, args=(caller,), daemon=True).start()
    loaded = set(sys.modules)
    code = _exit_code(main)
    # The modules of the commands themselves are not loaded: gcloud finds and loads them in its own way.
    names = [name for name in sys.modules if name not in loaded and name.partition(".")[0] != "surface"]
    try:
        tell.send(" ".join(names).encode()[:_LARGEST])
        caller.send(bytes([code]))
    finally:
        os._exit(code)


def _end_with(caller: socket.socket) -> None:
    """End the command when its caller has ended, like a signal to the caller's process group."""
    if not caller.recv(1):
        os._exit(_INTERRUPTED)


def _exit_code(main: Any) -> int:  # noqa: ANN401 - gcloud has no types
    """Run a command like Python runs a program; return its exit code."""
    code: object = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except BaseException:  # noqa: BLE001 - as at a program's end
        traceback.print_exc()
        code = 1
    if code is not None and not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    atexit._run_exitfuncs()  # noqa: SLF001 - os._exit leaves them out
    sys.stdout.flush()
    sys.stderr.flush()
    return int(code or 0) & 0xFF


if __name__ == "__main__":
    serve(*sys.argv[1:])
    Path(sys.argv[2]).unlink(missing_ok=True)
