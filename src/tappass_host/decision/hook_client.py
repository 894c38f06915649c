"""The hook program: asks the decision service about one call and says nothing but yes or no.

Run by absolute path: `/usr/bin/python3 -I -S hook_client.py --socket PATH --dialect NAME --uid N`. Exit code
0 only after a complete reply with this request's nonce and `allow`, from a peer whose credentials are the
daemon's; everything else is exit code 2 with a reason on stderr, the form in which a harness blocks. Nothing
is looked up in PATH, in a configuration of the user or in the environment, and only modules that are part of
the interpreter itself are imported: it has to start in milliseconds, and nobody may put a module in its way.

Kept to what Python 3.6 reads, since the system's own interpreter runs it; nothing of ours is imported.
"""
# ruff: noqa: BLE001, SLF001, UP031 - every way to fail has to end in a denial, on an old interpreter too

try:
    import _signal  # type: ignore[import-not-found]
    import _socket
    import posix
    import sys
except BaseException:
    raise SystemExit(2) from None

MAX_INPUT = 4194304
MAX_REPLY = 65536
MAX_TIMEOUT = 3600
ALLOW, BLOCK = 0, 2
BLOCKED = (
    "tappass: this tool call is blocked, because the decision service gave no valid answer (%s)."
    " Nothing is wrong with the call itself; tell the person who runs this machine.\n"
)


class Options:
    """The arguments. They are written in managed configuration, so anything unusual is refused."""

    def __init__(self, argv: list) -> None:  # type: ignore[type-arg]
        """Read them; ValueError or IndexError on anything unusual."""
        self.socket = self.dialect = ""
        self.uids = []  # type: ignore[var-annotated]
        self.outside = False
        self.timeout = 10.0
        rest = list(argv)
        while rest:
            self.take(rest.pop(0), rest)
        if not self.socket.startswith("/") or not self.dialect or not self.uids:
            raise ValueError("--socket, --dialect and --uid are needed")
        if not 0 < self.timeout <= MAX_TIMEOUT:
            raise ValueError("--timeout is not between 0 and %d" % MAX_TIMEOUT)

    def take(self, name: str, rest: list) -> None:  # type: ignore[type-arg]
        """One option and its value."""
        if name == "--outside":
            self.outside = True
        elif name == "--uid":
            self.uids.append(int(rest.pop(0)))
        elif name == "--timeout":
            self.timeout = float(rest.pop(0))
        elif name == "--socket":
            self.socket = rest.pop(0)
        elif name == "--dialect":
            self.dialect = rest.pop(0)
        else:
            raise ValueError("unknown option " + name)


def main() -> None:
    """Ask, and end; it does not return."""
    try:
        options = Options(sys.argv[1:])
        guard_time(options.timeout)
        nonce = posix.urandom(16).hex()
        effect, text = read_reply(ask(options, request(options.dialect, nonce, read_all())), nonce)
    except BaseException as error:
        block(type(error).__name__ + ": " + str(error))
    if effect == "allow":
        leave(ALLOW, 1, text)
    leave(BLOCK, 2, text or (BLOCKED % "a denial without a reason").encode("ascii"))


def leave(code: int, descriptor: int, text: bytes) -> None:
    """Write and end at once: a flush that fails at the end of the interpreter would change the exit code."""
    try:
        while text:
            text = text[posix.write(descriptor, text) :]
    except BaseException:
        # An allow that could not be said in full is none.
        posix._exit(BLOCK)
    posix._exit(code)


def block(why: str) -> None:
    """Deny, whatever it was."""
    try:
        shown = "".join(c if " " <= c <= "~" else "?" for c in why)[:160]
        leave(BLOCK, 2, (BLOCKED % shown).encode("ascii"))
    finally:
        posix._exit(BLOCK)


def guard_time(seconds: float) -> None:
    """One deadline for everything, and a denial for whoever interrupts."""
    _signal.signal(_signal.SIGALRM, lambda *_: block("it took too long"))
    for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGPIPE):
        _signal.signal(number, lambda *_: block("interrupted"))
    _signal.setitimer(_signal.ITIMER_REAL, seconds)


def read_all() -> bytes:
    """What the harness says on stdin."""
    data = b""
    while True:
        part = posix.read(0, 65536)
        if not part:
            return data
        data += part
        if len(data) > MAX_INPUT:
            raise ValueError("the call is too large to be judged")


def request(dialect: str, nonce: str, body: bytes) -> bytes:
    """The request, whole."""
    head = "POST /v1/hook/%s HTTP/1.1\r\nHost: tappass\r\nTappass-Nonce: %s\r\nContent-Length: %d\r\n\r\n"
    return (head % (dialect, nonce, len(body))).encode("ascii") + body


def ask(options: Options, data: bytes) -> bytes:
    """Send to the daemon, and to nobody else; gives all that it answers."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect(options.socket)
    check_peer(connection, options)
    try:
        while data:
            data = data[connection.send(data) :]
    except (BrokenPipeError, ConnectionResetError):
        pass  # it may have answered before it read everything
    reply = b""
    while True:
        part = connection.recv(65536)
        if not part:
            return reply
        reply += part
        if len(reply) > MAX_REPLY:
            raise ValueError("a reply without end")


def check_peer(connection: "_socket.socket", options: Options) -> None:
    """The kernel says who listens, as this process would see them: pid, uid, gid (unix(7), SO_PEERCRED)."""
    raw = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    pid, uid = int.from_bytes(raw[:4], sys.byteorder), int.from_bytes(raw[4:8], sys.byteorder)
    if uid not in options.uids:
        raise ValueError("the socket belongs to uid %d" % uid)
    # A process in this sandbox has a number here; one outside of it has none.
    if options.outside and pid != 0:
        raise ValueError("the socket belongs to a process of this sandbox")


def read_reply(reply: bytes, nonce: str) -> "tuple[str, bytes]":
    """Effect and text of a complete reply; ValueError on anything else."""
    head, found, body = reply.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if not found or lines[0] != b"HTTP/1.1 200 OK":
        raise ValueError("it answered " + ascii(lines[0][:40])[2:-1])
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        name = name.strip().lower()
        if not colon or name in headers:
            raise ValueError("a malformed reply")
        headers[name] = value.strip()
    if headers.get(b"tappass-nonce") != nonce.encode("ascii"):
        raise ValueError("the reply is not to this request")
    if headers.get(b"content-length") != str(len(body)).encode("ascii"):
        raise ValueError("the reply is not complete")
    effect = headers.get(b"tappass-effect")
    if effect not in (b"allow", b"deny"):
        raise ValueError("the reply has no verdict")
    return effect.decode("ascii"), body


if __name__ == "__main__":
    main()
