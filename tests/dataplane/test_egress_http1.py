import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tappass_host.dataplane.egress.http1 import (
    CHUNKED,
    NO_BODY,
    UNTIL_CLOSE,
    Framing,
    end_to_end,
    parse_request,
    parse_response,
    write_request,
)
from tappass_host.dataplane.egress.refusal import RefusedError


def asked(method="GET", version="HTTP/1.1"):
    return parse_request(head(f"{method} http://a.test/ {version}"))


def head(*lines):
    return "\r\n".join(lines).encode("latin-1")


REFUSED = {
    "empty": (head(""), 400),
    "two words": (head("GET http://a.test/"), 400),
    "four words": (head("GET http://a.test/ x HTTP/1.1"), 400),
    "two spaces": (head("GET  http://a.test/ HTTP/1.1"), 400),
    "tab for space": (head("GET\thttp://a.test/ HTTP/1.1"), 400),
    "http 2": (head("GET http://a.test/ HTTP/2.0"), 400),
    "method with a slash": (head("G/T http://a.test/ HTTP/1.1"), 400),
    "origin form": (head("GET / HTTP/1.1"), 403),
    "asterisk": (head("OPTIONS * HTTP/1.1"), 403),
    "https url": (head("GET https://a.test/ HTTP/1.1"), 403),
    "ftp url": (head("GET ftp://a.test/ HTTP/1.1"), 403),
    "file url": (head("GET file:///etc/passwd HTTP/1.1"), 403),
    "user in url": (head("GET http://u:p@a.test/ HTTP/1.1"), 400),
    "allowed host as user": (head("GET http://good.test@evil.test/ HTTP/1.1"), 400),
    "backslash": (head("GET http://good.test\\@evil.test/ HTTP/1.1"), 400),
    "percent in host": (head("GET http://%67ood.test/ HTTP/1.1"), 400),
    "fragment": (head("GET http://a.test/#x HTTP/1.1"), 400),
    "quote in path": (head('GET http://a.test/" HTTP/1.1'), 400),
    "non-ascii path": (head("GET http://a.test/\xe9 HTTP/1.1"), 400),
    "non-ascii host": (head("GET http://g\xf6od.test/ HTTP/1.1"), 400),
    "no host": (head("GET http:///x HTTP/1.1"), 400),
    "port zero": (head("GET http://a.test:0/ HTTP/1.1"), 400),
    "port too big": (head("GET http://a.test:65536/ HTTP/1.1"), 400),
    "port without number": (head("GET http://a.test:/ HTTP/1.1"), 400),
    "signed port": (head("GET http://a.test:+80/ HTTP/1.1"), 400),
    "zone in v6": (head("GET http://[fe80::1%25eth0]/ HTTP/1.1"), 400),
    "connect without port": (head("CONNECT a.test HTTP/1.1"), 400),
    "connect to a url": (head("CONNECT http://a.test:443/ HTTP/1.1"), 400),
    "connect with user": (head("CONNECT good.test@evil.test:443 HTTP/1.1"), 400),
    "two hosts": (head("GET http://a.test/ HTTP/1.1", "Host: a.test", "Host: b.test"), 400),
    "folded header": (head("GET http://a.test/ HTTP/1.1", "X: a", " b"), 400),
    "space before colon": (head("GET http://a.test/ HTTP/1.1", "Host : a.test"), 400),
    "header without colon": (head("GET http://a.test/ HTTP/1.1", "Host"), 400),
    "empty header name": (head("GET http://a.test/ HTTP/1.1", ": x"), 400),
    "bare line feed": (head("GET http://a.test/ HTTP/1.1", "X: a\nContent-Length: 5"), 400),
    "bare carriage return": (head("GET http://a.test/ HTTP/1.1", "X: a\rb"), 400),
    "nul": (head("GET http://a.test/ HTTP/1.1", "X: a\0b"), 400),
    "line feed in request line": (head("GET http://a.test/\n HTTP/1.1"), 400),
    "length and chunked": (head("POST http://a.test/ HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked"), 400),
    "chunked and length": (head("POST http://a.test/ HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 5"), 400),
    "two equal lengths": (head("POST http://a.test/ HTTP/1.1", "Content-Length: 5", "Content-Length: 5"), 400),
    "list of lengths": (head("POST http://a.test/ HTTP/1.1", "Content-Length: 5, 5"), 400),
    "signed length": (head("POST http://a.test/ HTTP/1.1", "Content-Length: +5"), 400),
    "hex length": (head("POST http://a.test/ HTTP/1.1", "Content-Length: 0x5"), 400),
    "unicode digits": (head("POST http://a.test/ HTTP/1.1", "Content-Length: \xb2"), 400),
    "empty length": (head("POST http://a.test/ HTTP/1.1", "Content-Length:"), 400),
    "gzip, chunked": (head("POST http://a.test/ HTTP/1.1", "Transfer-Encoding: gzip, chunked"), 400),
    "chunked twice": (head("POST http://a.test/ HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400),
    "chunked in quotes": (head("POST http://a.test/ HTTP/1.1", 'Transfer-Encoding: "chunked"'), 400),
    "identity": (head("POST http://a.test/ HTTP/1.1", "Transfer-Encoding: identity"), 400),
    "chunked in 1.0": (head("POST http://a.test/ HTTP/1.0", "Transfer-Encoding: chunked"), 400),
    "upgrade": (head("GET http://a.test/ HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade"), 403),
    "upgrade named only": (head("GET http://a.test/ HTTP/1.1", "Connection: upgrade"), 403),
    "h2c": (head("GET http://a.test/ HTTP/1.1", "Upgrade: h2c"), 403),
    "connection names the length": (head("POST http://a.test/ HTTP/1.1", "Content-Length: 5", "Connection: content-length"), 400),
    "connection names the host": (head("GET http://a.test/ HTTP/1.1", "Connection: close, Host"), 400),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_request_refused(case):
    data, status = REFUSED[case]
    with pytest.raises(RefusedError) as caught:
        parse_request(data)
    assert caught.value.status == status


TARGETS = {
    "http://a.test": ("a.test", 80, "/"),
    "HTTP://A.Test/x?y=http://evil.test/": ("a.test", 80, "/x?y=http://evil.test/"),
    "http://a.test?q": ("a.test", 80, "/?q"),
    "http://a.test:8080/x": ("a.test", 8080, "/x"),
    "http://a.test./": ("a.test.", 80, "/"),
    "http://2130706433/": ("2130706433", 80, "/"),
    "http://[::1]:81/": ("[::1]", 81, "/"),
    "http://a_b.test/%00": ("a_b.test", 80, "/%00"),
}


@pytest.mark.parametrize("url", TARGETS)
def test_target(url):
    assert tuple(parse_request(head(f"GET {url} HTTP/1.1")).target) == TARGETS[url]


def test_the_upstream_head_is_origin_form_with_the_host_of_the_url():
    request = parse_request(
        head(
            "POST http://good.test:8080/x HTTP/1.1",
            "Host: evil.test",
            "Proxy-Authorization: Basic c2VjcmV0",
            "Proxy-Connection: keep-alive",
            "Connection: keep-alive, X-Private",
            "Keep-Alive: timeout=5",
            "TE: trailers",
            "X-Private: 1",
            "X-Kept:  two  words ",
            "Content-Length: 3",
        )
    )
    assert write_request(request, end_to_end(request.headers)) == (
        b"POST /x HTTP/1.1\r\nhost: good.test:8080\r\nx-kept: two  words\r\ncontent-length: 3\r\nconnection: close\r\n\r\n"
    )


FRAMINGS = {
    "none": (("Host: a.test",), NO_BODY),
    "length": (("Content-Length: 12",), Framing("length", 12)),
    "chunked in any case": (("Transfer-Encoding: Chunked",), CHUNKED),
}


@pytest.mark.parametrize("case", FRAMINGS)
def test_request_framing(case):
    lines, framing = FRAMINGS[case]
    assert parse_request(head("POST http://a.test/ HTTP/1.1", *lines)).framing == framing


ANSWERS = {
    "length": ("GET", ("HTTP/1.1 200 OK", "Content-Length: 2"), Framing("length", 2)),
    "chunked": ("GET", ("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), CHUNKED),
    "until close": ("GET", ("HTTP/1.0 200",), UNTIL_CLOSE),
    "head": ("HEAD", ("HTTP/1.1 200 OK", "Content-Length: 2"), NO_BODY),
    "no content": ("GET", ("HTTP/1.1 204 No Content",), NO_BODY),
    "not modified": ("GET", ("HTTP/1.1 304 Not Modified", "Content-Length: 2"), NO_BODY),
    "continue": ("POST", ("HTTP/1.1 100 Continue",), NO_BODY),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_answer_framing(case):
    method, lines, framing = ANSWERS[case]
    assert parse_response(head(*lines), asked(method)).framing == framing


def test_an_answer_is_written_anew_without_hop_headers():
    lines = (
        "HTTP/1.1 200 OK",
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "Keep-Alive: 5",
        "Set-Cookie: a",
        "Set-Cookie: b",
    )
    assert parse_response(head(*lines), asked()).head == (
        b"HTTP/1.1 200 OK\r\nset-cookie: a\r\nset-cookie: b\r\nconnection: close\r\n\r\n"
    )


BAD_ANSWERS = {
    "switching protocols": ("HTTP/1.1 101 Switching Protocols", "Upgrade: h2c"),
    "no status": ("HTTP/1.1 OK",),
    "http 2": ("HTTP/2 200",),
    "smtp": ("220 mail.test ESMTP",),
    "length and chunked": ("HTTP/1.1 200 OK", "Content-Length: 1", "Transfer-Encoding: chunked"),
    "two lengths": ("HTTP/1.1 200 OK", "Content-Length: 1", "Content-Length: 2"),
    "folded": ("HTTP/1.1 200 OK", "X: a", "\tb"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_answer_refused(case):
    with pytest.raises(RefusedError):
        parse_response(head(*BAD_ANSWERS[case]), asked())


def test_an_old_client_is_not_answered_in_chunks():
    old = asked(version="HTTP/1.0")
    assert write_request(old, []).startswith(b"GET / HTTP/1.0\r\n")
    with pytest.raises(RefusedError):
        parse_response(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), old)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_what_is_accepted_is_written_on_one_line_each(noise):
    try:
        request = parse_request(b"GET http://a.test/ HTTP/1.1\r\n" + noise)
    except RefusedError:
        return
    written = write_request(request, end_to_end(request.headers))
    assert written.endswith(b"\r\n\r\n")
    assert b"\r\n\r\n" not in written[:-4]
    assert written.replace(b"\r\n", b"").count(b"\n") == 0
