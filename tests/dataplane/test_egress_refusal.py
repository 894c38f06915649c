import pytest

from tappass_host.dataplane.egress.refusal import RefusedError, Subject, denial_text, printable, response

HOSTILE = {
    "escape sequence": ("\x1b[2J", "\\x1b[2J"),
    "line end": ("a\r\nb", "a\\x0d\\x0ab"),
    "delete": ("\x7f", "\\x7f"),
    "right to left": ("\u202e", "\\u202e"),
    "latin": ("\xe9", "\\xe9"),
    "surrogate": ("\ud800", "\\ud800"),
    "plain": ("a.example.com:443", "a.example.com:443"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_printable(case):
    text, shown = HOSTILE[case]
    assert printable(text) == shown


@pytest.mark.parametrize("size", [0, 1, 50, 5000])
def test_the_text_stays_short_and_keeps_its_ends(size):
    subject = Subject("0123456789abcdef", "CONNECT " + "h" * size, "7 (" + "d" * size + ")")
    text = denial_text(subject, RefusedError("w" * size))
    assert len(text) <= 400
    assert text.startswith("tappass egress proxy: CONNECT ")
    assert text.endswith(" Request 0123456789abcdef.\n")


def test_the_answer_is_whole_http():
    answer = response(Subject("id", "CONNECT a:1", "7"), RefusedError("no", status=407))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}\r\n".encode() in head
    assert b"Proxy-Authenticate: " in head
    assert body == b"tappass egress proxy: CONNECT a:1 refused by policy 7: no. Request id.\n"
