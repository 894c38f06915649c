"""Secrets that the sandbox never holds."""

import pytest

from tappass_host.policy.errors import SchemaError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
HOLDER = "tappass-secret-KEY-0123456789abcdef"
BY_HEADER = {
    "env": "KEY",
    "ref": "env:X",
    "header": "Authorization",
    "prefix": "Bearer ",
    "domains": ["good.test"],
}
BY_PLACEHOLDER = {"env": "KEY", "ref": "env:X", "placeholder": HOLDER, "domains": ["good.test"]}


async def ask(egress, tmp_path, entry, *lines, host="good.test", port=80):
    lab = egress.Lab(
        tmp_path, inject=[entry], allow=["good.test", "good.test:8080", "a.example.com"], opaque=[]
    )
    lab.options["secret"] = {"env:X": "s3cret"}.__getitem__
    async with lab:
        await lab.serve_http(OK, at=(egress.PUBLIC, port))
        request = "\r\n".join([f"GET http://{host}:{port}/ HTTP/1.1", *lines, "", ""])
        answer = await lab.ask(request.encode())
        assert b" 200 " in answer
        assert "s3cret" not in repr(lab.events)
        return lab


CASES = {
    "set": (BY_HEADER, (), {}, b"authorization: Bearer s3cret\r\n", True),
    "the client's own is dropped": (
        BY_HEADER,
        ("AUTHORIZATION: mine",),
        {},
        b"authorization: Bearer s3cret\r\n",
        True,
    ),
    "placeholder": (BY_PLACEHOLDER, (f"X-Key: v1 {HOLDER}",), {}, b"x-key: v1 s3cret\r\n", True),
    "no placeholder, no secret": (BY_PLACEHOLDER, ("X-Key: mine",), {}, b"x-key: mine\r\n", False),
    "another host": (
        BY_PLACEHOLDER,
        (f"X-Key: {HOLDER}",),
        {"host": "a.example.com"},
        HOLDER.encode(),
        False,
    ),
    "another port": (BY_HEADER, (), {"port": 8080}, b"host: good.test:8080\r\n", False),
}


@pytest.mark.parametrize("case", CASES)
async def test_secret(egress, tmp_path, case):
    entry, lines, where, expected, used = CASES[case]
    lab = await ask(egress, tmp_path, entry, *lines, **where)
    head = lab.received[0]
    assert expected in head
    assert (b"s3cret" in head) == used
    assert b"mine" not in head or not used
    notes = [(event["verdict"], event["rule"]) for event in lab.events][1:]
    assert notes == ([("inject", "credentials.secrets[KEY]")] if used else [])


async def test_a_secret_that_is_gone_refuses_the_reload(egress, tmp_path):
    store = {"env:X": "s3cret"}

    def secret(ref):
        if ref not in store:
            raise SchemaError("gone")
        return store[ref]

    lab = egress.Lab(tmp_path, inject=[BY_HEADER])
    lab.options["secret"] = secret
    async with lab:
        store.clear()
        with pytest.raises(SchemaError):
            lab.proxy.reload(lab.config)
        await lab.serve_http(OK)
        await lab.ask(b"GET http://good.test/ HTTP/1.1\r\n\r\n")
        assert b"s3cret" in lab.received[0]


async def test_a_use_that_cannot_be_recorded_sends_nothing(egress, tmp_path):
    def record(event):
        if event["verdict"] == "inject":
            raise OSError("disk full")

    lab = egress.Lab(tmp_path, inject=[BY_HEADER])
    lab.options["secret"] = {"env:X": "s3cret"}.__getitem__
    async with lab:
        lab.record = record
        await lab.serve_http(OK)
        assert (await lab.ask(b"GET http://good.test/ HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
        assert b"".join(lab.received) == b""
