"""The scripted model speaks three dialects as a client would read them."""

import http.client
import json
import socket

import pytest

from tappass_host.prove.llm import ScriptedLLM, ToolCall

SCRIPT = [ToolCall("Bash", {"command": "echo 'é'"}), ToolCall("good", {"n": 1}, "mcp__corp")]


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(self.path)


def post(connection, path, body):
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type"), answer.read().decode()


def events(text):
    """Server-sent events as (name, data), read field by field as the standard says."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if fields:
            found.append((fields.get("event", ""), fields["data"]))
    return found


def anthropic_body(results, **more):
    blocks = [
        {"type": "tool_result", "tool_use_id": f"toolu_{n:04d}", "content": f"out {n}", "is_error": n == 1}
        for n in range(results)
    ]
    messages = [{"role": "user", "content": "go"}, *({"role": "user", "content": [b]} for b in blocks)]
    return {"model": "m", "messages": messages, "tools": [{"name": "Bash"}], **more}


def anthropic_read(text, *, stream):
    if not stream:
        message = json.loads(text)
        return message["content"][0], message["stop_reason"]
    seen = [(name, json.loads(data)) for name, data in events(text)]
    assert [name for name, _ in seen] == [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    assert all(name == data["type"] for name, data in seen)
    block, delta = dict(seen[1][1]["content_block"]), seen[2][1]["delta"]
    if block["type"] == "tool_use":
        block["input"] = json.loads(delta["partial_json"])
    else:
        block["text"] += delta["text"]
    return block, seen[4][1]["delta"]["stop_reason"]


def responses_body(results, **more):
    items = [
        {"type": "function_call_output", "call_id": f"toolu_{n:04d}", "output": f"out {n}"}
        for n in range(results)
    ]
    tools = [
        {"type": "function", "name": "Bash"},
        {"type": "namespace", "name": "mcp__corp", "tools": [{"name": "good"}]},
    ]
    return {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": "go"}, *items],
        "tools": tools,
        **more,
    }


def responses_read(text, *, stream):
    if not stream:
        return json.loads(text)["output"][0]
    seen = [(name, json.loads(data)) for name, data in events(text)]
    assert [name for name, _ in seen] == [
        "response.created", "response.output_item.added", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert seen[3][1]["response"]["usage"]["total_tokens"] == 2
    return seen[2][1]["item"]


def chat_body(results, **more):
    said = [
        {"role": "tool", "tool_call_id": f"toolu_{n:04d}", "content": [{"type": "text", "text": f"out {n}"}]}
        for n in range(results)
    ]
    tools = [{"type": "function", "function": {"name": "Bash"}}]
    return {"model": "m", "messages": [{"role": "user", "content": "go"}, *said], "tools": tools, **more}


def chat_read(text, *, stream):
    if not stream:
        choice = json.loads(text)["choices"][0]
        return choice["message"], choice["finish_reason"]
    datas = [data for _, data in events(text)]
    assert datas[-1] == "[DONE]"
    chunks = [json.loads(data) for data in datas[:-1]]
    return chunks[0]["choices"][0]["delta"], chunks[1]["choices"][0]["finish_reason"]


@pytest.fixture
def llm():
    with ScriptedLLM(SCRIPT) as server:
        yield server


@pytest.fixture
def client(llm):
    connection = http.client.HTTPConnection("127.0.0.1", llm.port, timeout=5)
    yield connection
    connection.close()


@pytest.mark.parametrize("stream", [True, False])
def test_anthropic(llm, client, stream):
    said = []
    for results in range(3):
        status, kind, text = post(client, "/v1/messages?beta=true", anthropic_body(results, stream=stream))
        assert (status, kind) == (200, "text/event-stream" if stream else "application/json")
        said.append(anthropic_read(text, stream=stream))
    assert said[0] == (
        {"type": "tool_use", "id": "toolu_0000", "name": "Bash", "input": SCRIPT[0].input},
        "tool_use",
    )
    assert said[1][0]["name"] == "good"
    assert said[2] == ({"type": "text", "text": "DONE"}, "end_turn")
    assert llm.tool_results()["toolu_0001"] == ("toolu_0001", "out 1", True)
    assert llm.offered() == ["Bash"]


@pytest.mark.parametrize("stream", [True, False])
def test_responses(llm, client, stream):
    said = [
        responses_read(post(client, "/v1/responses", responses_body(n, stream=stream))[2], stream=stream)
        for n in range(3)
    ]
    assert (said[0]["name"], json.loads(said[0]["arguments"])) == ("Bash", SCRIPT[0].input)
    assert "namespace" not in said[0]
    assert (said[1]["namespace"], said[1]["name"], said[1]["call_id"]) == ("mcp__corp", "good", "toolu_0001")
    assert said[2]["content"][0]["text"] == "DONE"
    assert llm.offered() == ["Bash", "mcp__corp__good"]
    assert llm.tool_results()["toolu_0000"].text == "out 0"


@pytest.mark.parametrize("stream", [True, False])
def test_chat(llm, client, stream):
    said = [
        chat_read(post(client, "/v1/chat/completions", chat_body(n, stream=stream))[2], stream=stream)
        for n in range(3)
    ]
    call = said[0][0]["tool_calls"][0]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("Bash", SCRIPT[0].input)
    assert [reason for _, reason in said] == ["tool_calls", "tool_calls", "stop"]
    assert said[2][0]["content"] == "DONE"
    assert llm.tool_results()["toolu_0001"].text == "out 1"


def test_a_retry_gets_the_same_answer(client):
    answers = {post(client, "/v1/messages", anthropic_body(1))[2] for _ in range(3)}
    assert len(answers) == 1


def test_a_request_without_tools_is_no_turn_of_the_script(llm, client):
    body = anthropic_body(0)
    del body["tools"]
    assert anthropic_read(post(client, "/v1/messages", body)[2], stream=False)[0]["text"] == "DONE"
    assert llm.calls() == []
    assert len(llm.requests) == 1


def test_side_paths(client):
    status, _, text = post(client, "/v1/messages/count_tokens", anthropic_body(0))
    assert status == 200
    assert json.loads(text)["input_tokens"] > 1
    client.request("GET", "/v1/models?limit=1")
    assert json.loads(client.getresponse().read())["data"][0]["id"] == "scripted"
    client.request("HEAD", "/")
    assert client.getresponse().read() == b""


@pytest.mark.parametrize(
    ("path", "payload", "status"),
    [
        ("/v1/none", "{}", 404),
        ("/v1/messages", "{", 400),
        ("/v1/messages", "[]", 400),
        ("/v1/messages", "", 400),
    ],
)
def test_refusals(client, path, payload, status):
    client.request("POST", path, payload)
    assert client.getresponse().status == status


def test_unix_socket(tmp_path):
    path = tmp_path / "llm.sock"
    with ScriptedLLM(SCRIPT[:1], "end", unix_socket=path) as llm:
        connection = Unix(path)
        block, _ = anthropic_read(post(connection, "/v1/messages", anthropic_body(1))[2], stream=False)
        connection.close()
        assert block["text"] == "end"
        assert llm.requests[0].path == "/v1/messages"
