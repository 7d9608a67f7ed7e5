"""Forks MicroPython: a process that has the interpreter loaded and hands out copies of itself, one per device life.

Run as a script, never imported by the host: it must hold no threads and nothing but the interpreter. A fork costs half
a millisecond where a fresh process costs eleven.

Arguments: the folder that holds `micropython_run`, and the descriptor of the control socket. Each message there is a
JSON object {heap, script, roms: {name: file}} with three descriptors: the wire to the host, where output goes, and the
flash. The answer is the process id. When the host goes away, so does everything here.

ROMs and flash are mapped for reading, as a board maps its flash: modules run where they lie and take no heap for their
bytecode. Whatever changes the flash crosses the wire.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import sys

WIRE = 3
CPU_S = 20
"""A life needs well under a second; this only bounds one that the host lost sight of."""
PR_SET_PDEATHSIG = 1
PROT_READ = 1
MAP_SHARED = 1


def serve(control: socket.socket) -> None:
    """Answers requests until the host closes the control socket."""
    import micropython_run

    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 65536, 3)
        if not message:
            return
        wanted = json.loads(message)
        child = os.fork()
        if child == 0:
            flash = _map(libc, "flash", descriptors[2])
            _become(libc, descriptors[:2])
            roms = [_map(libc, name, os.open(path, os.O_RDONLY)) for name, path in wanted["roms"].items()]
            os.environ["ROMS"] = ",".join(roms)
            os.environ["FLASH"] = flash
            status = micropython_run.run_main(["micropython", "-X", f"heapsize={wanted['heap']}", wanted["script"]])
            os._exit(status or 0)
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(str(child).encode())


def _map(libc: ctypes.CDLL, name: str, descriptor: int) -> str:
    """Maps a file for reading and returns `name:address:size`."""
    size = os.fstat(descriptor).st_size
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    address = libc.mmap(None, size, PROT_READ, MAP_SHARED, descriptor, 0)
    return f"{name}:{address}:{size}"


def _become(libc: ctypes.CDLL, descriptors: list[int]) -> None:
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    wire, output = (os.dup(descriptor) for descriptor in descriptors)
    os.dup2(wire, WIRE)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(WIRE + 1, 256)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    serve(socket.socket(fileno=int(sys.argv[2])))
