"""Runs inside a sandbox: TCP on its loopback, forwarded to unix sockets bound into it.

    python -I -S bridge.py [--filter FD] --listen 127.0.0.1:3128 --to /run/egress.sock [...] -- CMD...

`--filter` is a descriptor with a seccomp filter that binds CMD and not the forwarder: one that takes away
unix sockets, which the forwarder alone needs.

It binds first, leaves a forwarder behind, then *becomes* CMD: pid, signals, terminal and exit code
are CMD's own. The forwarder is nobody's child, in its own session, and ends when CMD ends. If anything
is missing, CMD does not start.

Standard library only, and of that only what is built in or tiny: a sandbox start pays for every import.
The file runs alone, so it imports nothing of this package.
"""

import _signal  # type: ignore[import-not-found]  # `signal` costs 5 ms, this is built in
import _socket
import os
import select
import sys

_USAGE = "usage: bridge.py [--filter FD] --listen 127.0.0.1:PORT --to /SOCKET [--listen ...] -- CMD...\n"
_PIECE = 65536
_MOST_PAIRS = 1024
_SPARE_DESCRIPTORS = 16
# What env(1) and shells answer for these.
_EXIT_USAGE, _EXIT_SETUP, _EXIT_NOT_EXECUTABLE, _EXIT_NOT_FOUND = 2, 125, 126, 127
# linux/prctl.h, linux/seccomp.h; a filter has at most 4096 instructions of 8 bytes (linux/bpf_common.h).
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 4, 22, 2
_MOST_FILTER_BYTES, _INSTRUCTION = 4096 * 8, 8
_READ, _WRITE = select.EPOLLIN, select.EPOLLOUT


class End:
    """One socket of a pair.

    `pending` is what it still has to send; while there is some, its peer is not read, so a pair
    never holds more than one piece in each direction. `finished`: it will say no more.
    """

    __slots__ = ("events", "fd", "finished", "peer", "pending", "sock")

    def __init__(self, sock: _socket.socket) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.pending = b""
        self.finished = False
        self.events = 0
        self.peer: End

    def wanted(self) -> int:
        reading = 0 if self.finished or self.peer.pending else _READ
        return reading | (_WRITE if self.pending else 0)

    def send(self, data: bytes) -> None:
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except (BrokenPipeError, ConnectionResetError):
            # It will hear no more, but what it said before may still wait to be read.
            self.pending = b""
            self.peer.finished = True
            return
        self.pending = data[sent:]
        if not self.pending and self.peer.finished:
            self.sock.shutdown(_socket.SHUT_WR)

    def receive(self) -> None:
        try:
            data = self.sock.recv(_PIECE)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = self.sock.recv(_PIECE)  # a unix socket says this first, and then what came before it
        self.finished = not data
        self.peer.send(data)


class Forwarder:
    """One thread, one epoll; closes a pair at the first error of either end."""

    def __init__(self, listeners: dict[int, tuple[_socket.socket, str]], parent: int) -> None:
        self._listeners = listeners
        self._parent = parent
        self._ends: dict[int, End] = {}
        self._epoll = select.epoll()
        self._most = min(_MOST_PAIRS, (os.sysconf("SC_OPEN_MAX") - _SPARE_DESCRIPTORS) // 2)
        self._accepting = False

    def run(self) -> None:
        self._epoll.register(self._parent, _READ)
        while True:
            self._set_accepting(len(self._ends) < 2 * self._most)
            for fd, events in self._epoll.poll():
                if fd == self._parent:
                    return
                if fd in self._listeners:
                    self._accept(*self._listeners[fd])
                elif fd in self._ends:
                    self._move(self._ends[fd], events)

    def _set_accepting(self, wanted: bool) -> None:
        if wanted != self._accepting:
            self._accepting = wanted
            for fd in self._listeners:
                self._epoll.register(fd, _READ) if wanted else self._epoll.unregister(fd)

    def _accept(self, listener: _socket.socket, path: str) -> None:
        try:
            fd, _ = listener._accept()  # type: ignore[attr-defined]  # noqa: SLF001 - `socket` costs 9 ms
        except OSError:
            return  # the client is gone already
        client, upstream = _socket.socket(fileno=fd), _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            upstream.setblocking(False)
            upstream.connect(path)
            client.setblocking(False)
            client.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        except OSError:  # fail closed: no proxy, no connection
            client.close()
            upstream.close()
            return
        one, other = End(client), End(upstream)
        one.peer, other.peer = other, one
        self._ends[one.fd], self._ends[other.fd] = one, other
        self._watch(one)

    def _move(self, end: End, events: int) -> None:
        try:
            if end.pending and events & ~_READ:
                end.send(end.pending)
            if end.wanted() & _READ and events & ~_WRITE:
                end.receive()
        except OSError:
            self._close(end)
            return
        done = end.finished and end.peer.finished and not end.pending and not end.peer.pending
        if done:
            self._close(end)
        else:
            self._watch(end)

    def _watch(self, end: End) -> None:
        """Tell epoll what each end waits for; nothing means out of it, or a hang-up would spin."""
        for one in (end, end.peer):
            wanted = one.wanted()
            if wanted == one.events:
                continue
            if not one.events:
                self._epoll.register(one.fd, wanted)
            elif wanted:
                self._epoll.modify(one.fd, wanted)
            else:
                self._epoll.unregister(one.fd)
            one.events = wanted

    def _close(self, end: End) -> None:
        for one in (end, end.peer):
            del self._ends[one.fd]
            one.sock.close()  # epoll forgets a closed descriptor by itself


def main(arguments: list[str]) -> None:
    """Bind, fork the forwarder, become the command.

    Raises:
        SystemExit: the command was not started.
    """
    descriptor, pairs, command = _parse(arguments)
    try:
        program = None if descriptor is None else _read_filter(descriptor)
        if program is not None:
            # Or the command would reach round its filter, through the forwarder's memory. exec undoes it.
            _prctl(_PR_SET_DUMPABLE, 0)
        listeners = {s.fileno(): (s, path) for s, path in ((_listen(a), _socket_at(p)) for a, p in pairs)}
        _leave_forwarder(listeners)
        if program is not None:
            _load_filter(program)
    except OSError as error:
        raise _failure(_EXIT_SETUP, f"bridge: {error}\n") from None
    # Python ignores these two for itself; an ignored signal would be inherited by the command.
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is the caller's argv
    except FileNotFoundError as error:
        raise _failure(_EXIT_NOT_FOUND, f"bridge: {command[0]}: {error.strerror}\n") from None
    except OSError as error:
        raise _failure(_EXIT_NOT_EXECUTABLE, f"bridge: {command[0]}: {error.strerror}\n") from None


def _parse(arguments: list[str]) -> tuple[int | None, list[tuple[str, str]], list[str]]:
    pairs = []
    descriptor, rest = None, arguments
    if rest[:1] == ["--filter"] and rest[1:2] and rest[1].isdecimal():
        descriptor, rest = int(rest[1]), rest[2:]
    while len(rest) >= 4 and rest[0] == "--listen" and rest[2] == "--to":  # noqa: PLR2004 - two options, two values
        pairs.append((rest[1], rest[3]))
        rest = rest[4:]
    if not pairs or rest[:1] != ["--"] or not rest[1:]:
        raise _failure(_EXIT_USAGE, _USAGE)
    return descriptor, pairs, rest[1:]


def _read_filter(descriptor: int) -> bytes:
    data = os.read(descriptor, _MOST_FILTER_BYTES + 1)
    os.close(descriptor)
    if not data or len(data) % _INSTRUCTION or len(data) > _MOST_FILTER_BYTES:
        raise OSError("not a seccomp filter")
    return data


def _load_filter(data: bytes) -> None:
    """Bind this process, and what it becomes, with a filter."""
    import ctypes

    class Program(ctypes.Structure):  # struct sock_fprog
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))

    code = ctypes.create_string_buffer(data, len(data))
    program = Program(len(data) // _INSTRUCTION, ctypes.addressof(code))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program))


def _prctl(option: int, *arguments: int) -> None:
    import ctypes  # 5 ms, paid only where there is a filter

    library = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_ulong(word) for word in (*arguments, 0, 0, 0, 0)[:4]]
    if library.prctl(ctypes.c_int(option), *words):
        code = ctypes.get_errno()
        raise OSError(code, f"prctl {option}: {os.strerror(code)}")


def _listen(address: str) -> _socket.socket:
    host, _, port = address.rpartition(":")
    if not host.startswith("127.") or not port.isdecimal():
        raise OSError(f"{address} is not 127.x.x.x:PORT")
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    listener.bind((host, int(port)))
    listener.listen(1024)
    listener.setblocking(False)
    return listener


def _socket_at(path: str) -> str:
    probe = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        probe.connect(path)
    except OSError as error:
        raise OSError(f"{path}: {error.strerror}") from None
    finally:
        probe.close()
    return path


def _leave_forwarder(listeners: dict[int, tuple[_socket.socket, str]]) -> None:
    """Fork twice: the command must not find a child that it never started."""
    command = os.pidfd_open(os.getpid())
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if status:
            raise OSError("the forwarder did not start")
        return
    if os.fork():
        os._exit(0)
    try:
        _detach({*listeners, command})
        Forwarder(listeners, command).run()
    finally:
        os._exit(0)


def _detach(kept: set[int]) -> None:
    """Leave session, terminal and inherited descriptors: whoever waits for their end waits for CMD."""
    os.setsid()
    lowest = 0
    for fd in sorted(kept):
        os.closerange(lowest, fd)
        lowest = fd + 1
    os.closerange(lowest, os.sysconf("SC_OPEN_MAX"))


def _failure(code: int, message: str) -> SystemExit:
    sys.stderr.write(message)
    return SystemExit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
