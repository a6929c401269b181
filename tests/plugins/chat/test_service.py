"""The adapter for services behind a network, against a real server on loopback that misbehaves as it is told."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from io import BytesIO
from pathlib import Path

import attrs
import numpy as np
import PIL.Image
import pytest

from affectlm.errors import AccessError, AffectlmError, BusyError, ConfigError, TransientError
from affectlm.registry import Registry
from affectlm.types import Completion, Message, Request
from affectlm_chat.openai.environment import variable
from affectlm_chat.openai.service import ENDPOINTS, OpenAIChat
from tests.loopback import Json, LoopbackServer, Plan, failure, reply

KEY = "sk-test-0123456789abcdef"
REQUEST = Request("face#0", (Message("system", "You read faces."), Message("user", "valence 0.3, arousal -0.2")))
FACE = np.arange(6 * 5 * 3, dtype=np.uint8).reshape(6, 5, 3)
PLENTY = 5.0  # seconds; a test that needs them has failed


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One key, no proxy, an empty folder, and nothing of whoever runs the tests."""
    for name in ("OPENAI_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "AFFECTLM_DOTENV", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)


def chat(url: str, **options: object) -> OpenAIChat:
    return OpenAIChat(**{"model": "m", "base_url": url, "timeout": PLENTY, **options})  # type: ignore[arg-type]


def ask(plan: Plan, request: Request = REQUEST, **options: object) -> Completion:
    """The completion for one request that is answered by a plan."""
    with LoopbackServer(lambda *_: plan) as server:
        return chat(server.url, **options).complete_one(request)


def sent(request: Request = REQUEST, **options: object) -> dict[str, object]:
    """The body of a request as the server gets it."""
    with LoopbackServer() as server:
        chat(server.url, **options).complete_one(request)
    return server.requests[0].body


def refused(plan: Plan, kind: type[AffectlmError], **options: object) -> AffectlmError:
    """The error that a plan leads to; neither it nor what it came from tells the key."""
    with pytest.raises(AffectlmError) as caught:
        ask(plan, REQUEST, **options)
    assert type(caught.value) is kind
    assert KEY not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


def test_a_good_reply_is_a_completion() -> None:
    """Text, usage, and the name the service gives its model."""
    assert ask(Plan()) == Completion(
        id="face#0",
        text="It looks calm.",
        model="loopback-1",
        usage={"prompt_tokens": 11, "completion_tokens": 5},
    )


def test_a_request_is_the_messages_and_the_options_that_are_set() -> None:
    """What is null is not sent."""
    body = sent(max_new_tokens=7, top_p=0.5, seed=3, extra_body={"top_k": 1})

    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "You read faces."},
            {"role": "user", "content": "valence 0.3, arousal -0.2"},
        ],
        "max_tokens": 7,
        "temperature": 0.0,
        "top_p": 0.5,
        "seed": 3,
        "top_k": 1,
    }


def test_each_repeat_is_asked_with_a_seed_of_its_own() -> None:
    """Under the service's own name for it too; without a seed none is sent."""
    again = attrs.evolve(REQUEST, repeat=2)

    assert OpenAIChat(model="m", seed=3)._body(again)["seed"] == 3 + 1_000_003
    assert OpenAIChat(model="m", extra_body={"random_seed": 3})._body(again)["random_seed"] == 3 + 1_000_003
    assert "seed" not in OpenAIChat(model="m")._body(again)


SCHEMA = {"type": "object", "properties": {"emotion": {"enum": ["joy"]}}, "required": ["emotion"]}


def test_a_reply_is_bound_to_the_schema_of_its_request() -> None:
    """In the form that OpenAI publishes, and only if there is one."""
    bound = sent(attrs.evolve(REQUEST, schema=SCHEMA))["response_format"]

    assert bound == {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
    assert "response_format" not in sent()


def test_a_service_that_knows_no_schema_says_what_to_type() -> None:
    """The first such refusal ends the run."""
    plan = Plan(status=400, body=failure("'response_format' of type json_schema is not supported"))

    with pytest.raises(ConfigError, match=r"cannot bind a reply to a JSON schema .*; type prompt.structured=off"):
        ask(plan, attrs.evolve(REQUEST, schema=SCHEMA))


def test_the_limit_of_tokens_goes_under_the_name_the_service_knows() -> None:
    """Old servers know one, new models of OpenAI the other."""
    assert "max_completion_tokens" in sent(limit_parameter="max_completion_tokens")
    assert OpenAIChat(model="m")._body(REQUEST)["max_completion_tokens"] == 128


def test_without_a_face_no_picture_leaves() -> None:
    """The message is the text and nothing else."""
    with LoopbackServer() as server:
        chat(server.url).complete_one(REQUEST)

    assert b"image" not in server.requests[0].content
    assert [type(message["content"]) for message in server.requests[0].body["messages"]] == [str, str]  # type: ignore[attr-defined]


def test_a_face_goes_along_as_one_png_of_that_crop() -> None:
    """Losslessly, beside the text of the last user message."""
    seen = Request(REQUEST.id, REQUEST.messages, face=FACE)
    body = sent(seen)

    parts = body["messages"][-1]["content"]  # type: ignore[index]
    url = parts[1]["image_url"]["url"]
    assert parts[0] == {"type": "text", "text": REQUEST.messages[-1].text}
    assert json.dumps(body).count("base64") == 1
    with PIL.Image.open(BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,")))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), FACE)


def test_the_key_is_the_only_thing_that_tells_about_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another provider gets neither OpenAI's key nor its organisation, and learns nothing of the machine."""
    monkeypatch.setenv("GROQ_API_KEY", "gsk-1")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer other\nX-Secret: 1")
    with LoopbackServer() as server:
        chat(server.url, provider="groq").complete_one(REQUEST)
        chat(server.url, provider="ollama").complete_one(REQUEST)

    first, second = (received.headers for received in server.requests)
    assert first["authorization"] == "Bearer gsk-1"
    assert "authorization" not in second
    told = {name for name in first if name.startswith(("openai", "x-"))}
    assert not told


@pytest.mark.parametrize(
    ("choice", "text", "finish"),
    [
        (reply("I am not", finish="length"), "I am not", "length"),
        (reply("", finish="content_filter"), "", "content_filter"),
        (reply(None), "", "stop"),
        (reply("calm", finish=None), "calm", "stop"),
        (reply(None, refusal="I cannot judge faces."), "I cannot judge faces.", "refusal"),
        (reply("calm", refusal=None), "calm", "stop"),
        (reply(None, finish="tool_calls", tool_calls=[{"id": "1"}]), "", "tool_calls"),
        (reply([{"type": "thinking"}, {"type": "text", "text": "calm"}]), "calm", "stop"),  # type: ignore[arg-type]
        (reply("<think>hm</think>calm"), "calm", "stop"),
        (reply("\ud800 calm"), "\ud800 calm", "stop"),
        (reply("é" * 1_000_000), "é" * 1_000_000, "stop"),
        (reply("a" * 2_000_000), "a" * 2**20, "length"),
    ],
)
def test_what_a_model_says_is_taken_as_it_is(choice: Json, text: str, finish: str) -> None:
    """Odd letters and long replies survive; what has no text is empty."""
    found = ask(Plan(body=choice))

    assert (found.text, found.finish_reason, found.error) == (text, finish, None)


def test_thoughts_stay_when_they_are_wanted() -> None:
    """`strip_reasoning=false` hands on everything."""
    assert ask(Plan(body=reply("<think>hm</think>calm")), strip_reasoning=False).text == "<think>hm</think>calm"


@pytest.mark.parametrize("usage", [None, "many", {}, {"prompt_tokens": "3", "completion_tokens": None}])
def test_a_usage_that_cannot_be_counted_is_none(usage: object) -> None:
    """Sums never meet a text."""
    assert ask(Plan(body={**reply(), "usage": usage})).usage is None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After-Ms": "250", "Retry-After": "7"}, 0.25),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "-3"}, 0.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503, 529])
def test_a_busy_service_says_how_long_to_wait(status: int, headers: dict[str, str], wait: float | None) -> None:
    """In seconds or milliseconds; nonsense is no answer."""
    error = refused(Plan(status=status, headers=headers, body=failure("slow down")), BusyError)

    assert isinstance(error, BusyError)
    assert error.retry_after == wait
    assert "slow down" in str(error)


def test_a_date_to_come_back_at_is_turned_into_seconds() -> None:
    """The other form that HTTP allows."""
    date = formatdate(time.time() + 30, usegmt=True)
    error = refused(Plan(status=429, headers={"Retry-After": date}, body=b""), BusyError)

    assert isinstance(error, BusyError)
    assert 25 < (error.retry_after or 0) <= 30


@pytest.mark.parametrize("status", [408, 409, 500, 502, 504])
@pytest.mark.parametrize("body", [failure("oops"), b"<html>Bad gateway</html>", b""])
def test_a_failing_service_may_be_asked_again(status: int, body: Json | bytes) -> None:
    """Whatever it writes."""
    assert f"HTTP {status}" in str(refused(Plan(status=status, body=body), TransientError))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not a JSON object"),
        (b'{"choices": [{"mess', "not a JSON object"),
        (b"\xff\xfe", "not a JSON object"),
        (b"[" * 200_000, "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"<html>sign in to the WLAN</html>", "not a JSON object"),
        ({"choices": []}, "has no message"),
        ({"id": "1"}, "has no message"),
        ({"choices": [{}]}, "has no message"),
        ({"choices": [{"message": None}]}, "has no message"),
        ({"choices": "none"}, "has no message"),
        (reply("", finish="error"), "has no message"),
        (failure("the model broke"), "the model broke"),
    ],
)
def test_a_reply_that_is_no_completion_may_be_asked_for_again(body: Json | bytes, message: str) -> None:
    """Good status, bad content."""
    assert message in str(refused(Plan(body=body), TransientError))


def test_a_failure_under_a_good_status_counts_as_what_it_says() -> None:
    """OpenRouter's way."""
    assert "rate limited" in str(refused(Plan(body=failure("rate limited", code=429)), BusyError))


@pytest.mark.parametrize("reset", [-1, 0, 20])
def test_a_broken_connection_may_be_tried_again(reset: int) -> None:
    """Before the reply, after its head, in its middle."""
    assert "no answer from" in str(refused(Plan(reset=reset), TransientError))


@pytest.mark.parametrize(
    ("provider", "command"), [("ollama", "`ollama serve`"), ("vllm", "`vllm serve m1`"), ("mine", "start the server")]
)
def test_a_server_on_this_machine_that_was_not_started_is_told_within_seconds(provider: str, command: str) -> None:
    """Waiting does not start it; the sentence says what does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    begun = time.monotonic()

    with pytest.raises(AccessError, match=f"nothing answers at .*{command}"):
        chat(f"http://127.0.0.1:{port}/v1", provider=provider, model="m1").complete_one(REQUEST)
    assert time.monotonic() - begun < 60  # a guard against waiting without end


def test_a_server_that_has_answered_may_come_back() -> None:
    """One that is started anew refuses connections for a while."""
    with LoopbackServer() as server:
        adapter = chat(server.url)
        adapter.complete_one(REQUEST)

    with pytest.raises(TransientError, match="connection refused"):
        adapter.complete_one(REQUEST)


@pytest.mark.parametrize(
    "plan", [Plan(delay=30), Plan(drip=0.05), Plan(drip=0.05, drip_headers=True)], ids=["silent", "body", "head"]
)
def test_the_time_for_a_request_holds_however_slowly_bytes_come(plan: Plan) -> None:
    """A limit for everything together, not for each read."""
    begin = time.monotonic()
    error = refused(plan, TransientError, timeout=0.6)

    assert "within 0.6 s" in str(error)
    assert 0.5 < time.monotonic() - begin < 60


def test_an_endless_reply_is_cut_off() -> None:
    """No more than 16 MB of it are read, and the request is not repeated."""
    found = ask(Plan(body=b" " * 100_000, endless=True), timeout=30)

    assert found.error == "the reply is larger than 16 MB"


def test_a_compressed_reply_is_refused() -> None:
    """It might unfold to any size; what is asked for is plain."""
    refused(Plan(headers={"Content-Encoding": "gzip"}), AccessError)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_is_refused_is_an_error_of_its_own(status: int) -> None:
    """The others go on."""
    found = ask(Plan(status=status, body=failure("maximum context length is 8192", code="context_length_exceeded")))

    assert found.error == f"HTTP {status}: maximum context length is 8192"


@pytest.mark.parametrize(
    "error",
    [
        {"code": "content_filter"},
        {"code": "content_policy_violation"},
        {"code": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}},
    ],
)
def test_a_filtered_question_is_no_error(error: dict[str, object]) -> None:
    """It counts as a refusal, as a filtered reply does."""
    found = ask(Plan(status=400, body=failure("filtered", **error)))

    assert (found.finish_reason, found.text, found.error) == ("content_filter", "", None)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_stops_the_run_and_is_not_repeated(status: int) -> None:
    """Servers like to echo it, whole or with stars; the message names the variable instead."""
    said = f"Incorrect API key provided: {KEY}, sk-proj-********wxyz."
    message = str(refused(Plan(status=status, body=failure(said)), AccessError))

    assert "OPENAI_API_KEY" in message
    assert "sk-" not in message
    assert "wxyz" not in message


def test_a_key_that_google_does_not_know_stops_the_run() -> None:
    """It says so under status 400, in a list."""
    body = json.dumps([failure("API key not valid. Please pass a valid API key.", code=400)]).encode()

    assert "OPENAI_API_KEY" in str(refused(Plan(status=400, body=body), AccessError))


@pytest.mark.parametrize(
    "plan",
    [
        Plan(status=404, body=failure("The model `m` does not exist", code="model_not_found")),
        Plan(status=404, body={"detail": "Not Found"}),
        Plan(status=400, body=failure("Invalid model: m", type="invalid_model")),
    ],
)
def test_a_wrong_model_stops_the_run(plan: Plan) -> None:
    """Model and address are named."""
    assert re.search(r"'http://127\S+/v1' has no model 'm'", str(refused(plan, AccessError)))


@pytest.mark.parametrize(
    "plan",
    [
        Plan(status=429, body=failure("You exceeded your current quota", code="insufficient_quota")),
        Plan(status=429, body=failure("You exceeded your current quota", type="insufficient_quota")),
        Plan(status=402, body=failure("Insufficient credits")),
    ],
)
def test_an_empty_account_stops_the_run(plan: Plan) -> None:
    """Waiting does not fill it."""
    assert "quota" in str(refused(plan, AccessError))


@pytest.mark.parametrize(
    ("parameter", "remedy"),
    [("temperature", "llm.temperature=null"), ("max_tokens", "llm.limit_parameter=max_completion_tokens")],
)
def test_an_option_the_model_does_not_take_stops_the_run(parameter: str, remedy: str) -> None:
    """It would be refused with every request; the message says what to type."""
    body = failure(f"Unsupported: {parameter}", code="unsupported_parameter", param=parameter)

    assert remedy in str(refused(Plan(status=400, body=body), ConfigError))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """The key goes to no other address than the one that was given."""
    with LoopbackServer() as other:
        message = str(refused(Plan(status=status, headers={"Location": f"{other.url}?{KEY}"}), AccessError))

    assert "redirects to 127.0.0.1" in message
    assert other.requests == []


def test_an_echoed_key_is_in_no_completion() -> None:
    """Not even a server that repeats it in its reply gets it into the records."""
    body = {**reply(f"Your key is {KEY}"), "model": KEY}

    assert KEY not in repr(ask(Plan(body=body)))
    assert KEY not in repr(ask(Plan(status=400, body=failure(f"{KEY}\n\x1b[31m is odd"))))


def test_a_stand_in_for_a_key_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some servers want any word; replies that hold it, and JSON itself, stay whole."""
    monkeypatch.setenv("OPENAI_API_KEY", "content")

    assert ask(Plan(body=reply("it looks content"))).text == "it looks content"


@pytest.mark.parametrize("key", ["abcdefghijkl", "123456789012", "abc-12"])
def test_a_key_of_one_kind_of_characters_is_a_secret_when_it_is_long(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stand-in has twelve letters or digits."""
    monkeypatch.setenv("OPENAI_API_KEY", key)

    assert ask(Plan(body=reply(f"your key is {key}"))).text == "your key is ***"


def test_what_a_server_says_is_one_printable_line() -> None:
    """It ends in a terminal and in records."""
    found = ask(Plan(status=400, body=failure("a\n\x1b[31mb\ud800" + "c" * 5000)))

    assert (found.error or "").isprintable()
    assert len(found.error or "") < 400


def test_a_certificate_nobody_signed_stops_the_run(tmp_path: Path) -> None:
    """Asking again would not mend it."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    with LoopbackServer(tls=context) as server, pytest.raises(AccessError, match="certificate is refused") as caught:
        chat(server.url).complete_one(REQUEST)

    assert server.requests == []
    assert KEY not in repr(caught.value)


def test_an_address_without_encryption_is_told_from_a_broken_connection() -> None:
    """One typed https for http."""
    with LoopbackServer() as server, pytest.raises(AccessError, match="no encrypted connection"):
        chat(server.url.replace("http", "https")).complete_one(REQUEST)


def test_many_threads_share_one_adapter() -> None:
    """Each gets the reply to its own request, and all are under way at once."""

    def echo(_: int, body: Mapping[str, object]) -> Plan:
        return Plan(body=reply(body["messages"][-1]["content"]), delay=1.0)  # type: ignore[index]

    requests = [Request(f"r{number}", (Message("user", f"question {number}"),)) for number in range(128)]
    with LoopbackServer(echo) as server, ThreadPoolExecutor(64) as pool:
        llm = chat(server.url, timeout=30)
        found = list(pool.map(llm.complete_one, requests))

    assert [(each.id, each.text) for each in found] == [(each.id, each.messages[0].text) for each in requests]
    assert server.peak == 64


def test_nothing_is_asked_and_no_network_loaded_before_the_first_request() -> None:
    """A run that is answered by the cache makes no connection and does not wait for imports."""
    code = (
        "import sys; from affectlm_chat.openai.service import OpenAIChat; "
        "OpenAIChat(model='m', base_url='http://127.0.0.1:9/v1').describe(); "
        "print([name for name in ('httpcore2', 'dotenv') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, env=None
    )

    assert done.stdout.strip() == "[]"


def test_the_key_is_nowhere_on_the_adapter() -> None:
    """Neither in what is printed, nor in what enters reports and caches, nor among its values."""
    with LoopbackServer() as server:
        llm = chat(server.url)
        llm.complete_one(REQUEST)

    assert KEY not in repr(llm)
    assert KEY not in repr(vars(llm))
    assert llm.describe() == {"base_url": server.url}


def test_a_missing_key_is_told_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable, the file, and a choice that needs none."""
    monkeypatch.delenv("OPENAI_API_KEY")

    with pytest.raises(AccessError, match=r"export OPENAI_API_KEY=.*'\.env'.*no key is needed for llm=smollm2"):
        OpenAIChat(model="m").check_access()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "http://localhost:1/v1", "http://[::1]:1/v1"])
def test_a_server_on_this_machine_needs_no_key(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one that is said to need none."""
    monkeypatch.delenv("OPENAI_API_KEY")

    chat(url).check_access()
    chat("http://192.168.1.5/v1", key_needed=False).check_access()
    chat("http://192.168.1.5/v1", provider="vllm", key_needed=False).check_access()


def test_a_key_never_leaves_this_machine_unencrypted() -> None:
    """http:// to another host is refused while there is a key."""
    with pytest.raises(AccessError, match="would go unencrypted") as caught:
        chat("http://192.168.1.5/v1")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("value", ["sk test", "sk-é", "sk-\x07"])
def test_a_key_that_no_header_can_hold_is_refused_unseen(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable only."""
    monkeypatch.setenv("OPENAI_API_KEY", value)

    with pytest.raises(AccessError, match="OPENAI_API_KEY has") as caught:
        OpenAIChat(model="m")
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@example.org/v1",
        "https://hunter2@example.org/v1",
        "https://example.org/v1?key=hunter2",
        "https://example.org:port/v1",
        "https:///v1",
        "ftp://example.org/v1",
        "example.org",
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused(url: str) -> None:
    """Addresses are written into reports; passwords are not repeated."""
    with pytest.raises(ConfigError, match=r"llm\.base_url .*; expected an address such as") as caught:
        chat(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0},
        {"timeout": 0},
        {"max_new_tokens": 0},
        {"temperature": -1},
        {"top_p": 1.5},
        {"limit_parameter": "tokens"},
        {"provider": "Open AI"},
        {"extra_body": {"stream": True}},
        {"extra_body": "top_k"},
        {"api_key": KEY},
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, object]) -> None:
    """Before anything is asked; there is no option for a key."""
    with pytest.raises(ConfigError, match="openai") as caught:
        Registry.installed().build("llm", {"name": "openai", "model": "m", **options})
    assert KEY not in str(caught.value)


@pytest.fixture
def dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Writes the file `.env` of the working directory."""
    monkeypatch.delenv("OPENAI_API_KEY")
    return lambda text: (tmp_path / ".env").write_text(text, encoding="utf-8") and None  # type: ignore[return-value]


def test_keys_and_addresses_may_come_from_a_dotenv_file(dotenv: Callable[[str], None]) -> None:
    """Of the working directory."""
    with LoopbackServer() as server:
        dotenv(f'OPENAI_API_KEY="{KEY}"\nOPENAI_BASE_URL={server.url}/\n')
        OpenAIChat(model="m").complete_one(REQUEST)

    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert server.requests[0].path == "/v1/chat/completions"


def test_an_exported_key_does_not_follow_an_address_of_the_dotenv_file(
    dotenv: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wrote the folder's file would get the user's key."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with LoopbackServer() as server:
        dotenv(f"OPENAI_BASE_URL={server.url}\n")
        with pytest.raises(AccessError, match=r"OPENAI_BASE_URL is set in \.env .*; set both in one place") as caught:
            OpenAIChat(model="m").complete_one(REQUEST)

        assert server.requests == []
        assert KEY not in str(caught.value)


def test_a_key_of_the_dotenv_file_does_not_follow_an_exported_address(
    dotenv: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rule the other way round."""
    dotenv(f"OPENAI_API_KEY={KEY}\n")
    with LoopbackServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        with pytest.raises(AccessError, match=r"OPENAI_BASE_URL is set in the environment and OPENAI_API_KEY in \.env"):
            OpenAIChat(model="m").complete_one(REQUEST)

        assert server.requests == []


def test_an_address_gets_the_key_of_its_own_place(
    dotenv: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though another of that name is exported."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with LoopbackServer() as server:
        dotenv(f"OPENAI_BASE_URL={server.url}\nOPENAI_API_KEY=sk-of-the-folder\n")
        OpenAIChat(model="m").complete_one(REQUEST)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        OpenAIChat(model="m").complete_one(REQUEST)

    assert [each.headers["authorization"] for each in server.requests] == ["Bearer sk-of-the-folder", f"Bearer {KEY}"]


@pytest.mark.parametrize("exported", [True, False])
def test_a_typed_address_gets_the_key_wherever_it_is(
    exported: bool, dotenv: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user named it; an address in the file does not matter then."""
    if exported:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
    dotenv("OPENAI_BASE_URL=http://127.0.0.1:9\n" + ("" if exported else f"OPENAI_API_KEY={KEY}\n"))
    with LoopbackServer() as server:
        chat(server.url).complete_one(REQUEST)

    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_published_address_is_trusted_with_its_providers_key(dotenv: Callable[[str], None]) -> None:
    """Wherever the key stands."""
    dotenv(f"OPENAI_API_KEY={KEY}\n")

    assert OpenAIChat(model="m")._key() == KEY


def test_what_the_environment_adds_for_openai_goes_to_openai_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Organisation, project and further headers of the environment are for its published address."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Secret: 1")
    with LoopbackServer() as server:
        chat(server.url).complete_one(REQUEST)
        monkeypatch.setitem(ENDPOINTS, "openai", server.url)  # the real one cannot be asked here
        OpenAIChat(model="m").complete_one(REQUEST)

    typed, published = ({**received.headers} for received in server.requests)
    assert {"openai-organization", "openai-project", "x-secret"} & set(typed) == set()
    assert {"openai-organization", "openai-project", "x-secret"} <= set(published)


def test_an_address_that_is_not_the_published_one_is_told_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is asked something should be no surprise."""
    with LoopbackServer() as server:
        llm = chat(server.url)
        llm.complete_one(REQUEST)
        llm.complete_one(REQUEST)
        monkeypatch.setitem(ENDPOINTS, "openai", server.url)
        OpenAIChat(model="m").complete_one(REQUEST)

    assert capsys.readouterr().err == f"affectlm: asking '{server.url}'\n"


def test_the_dotenv_file_has_no_say_about_the_hub(tmp_path: Path) -> None:
    """Its client reads the environment of the process, and the file changes nothing there."""
    (tmp_path / ".env").write_text("HF_ENDPOINT=http://127.0.0.1:9\nHF_TOKEN=hf_x\nGROQ_API_KEY=k\n")
    code = (
        "import os; from affectlm_chat.openai.service import OpenAIChat; OpenAIChat(model='m', provider='groq')\n"
        "from huggingface_hub import constants, get_token\n"
        "print(constants.ENDPOINT, get_token(), os.environ.get('HF_ENDPOINT'))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment["HF_HOME"] = str(tmp_path / "hub")

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=True)

    assert done.stdout.split() == [b"https://huggingface.co", b"None", b"None"]


def test_the_environment_comes_before_the_dotenv_file(
    dotenv: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the file changes nothing in it; `$` stands for itself."""
    dotenv("A=file\nB=x${A}y\nC= \n")
    monkeypatch.setenv("A", "process")

    assert [variable(name) for name in "ABCD"] == ["process", "x${A}y", None, None]
    monkeypatch.setenv("AFFECTLM_DOTENV", "0")
    assert [variable(name) for name in "ABCD"] == ["process", None, None, None]


def test_a_dotenv_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    """As one saved by an editor in UTF-16."""
    (tmp_path / ".env").write_bytes("SOME_KEY=ü".encode("utf-16"))

    with pytest.raises(ConfigError, match=r"'\.env' in this folder cannot be read"):
        variable("SOME_KEY")


@pytest.mark.parametrize("name", ["GOOGLE_API_KEY", "GEMINI_API_KEY"])
def test_gemini_takes_either_name_of_its_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's own and that of the others."""
    monkeypatch.setenv(name, "AIza-1")
    with LoopbackServer() as server:
        chat(server.url, provider="gemini").complete_one(REQUEST)

    assert server.requests[0].headers["authorization"] == "Bearer AIza-1"


def test_an_unknown_provider_needs_an_address() -> None:
    """The variable it could come from is named."""
    with pytest.raises(ConfigError, match="DEEP_SEEK_BASE_URL"):
        OpenAIChat(model="m", provider="deep-seek")


PRESETS = ("anthropic", "gemini", "gpt4o", "gpt4o_mini", "groq", "llamacpp_server", "mistral_api", "ollama", "openai",
           "openrouter", "together", "vllm")  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_asks_its_own_provider(
    preset: str, compose: Callable[..., dict[str, dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its own key, at its own address."""
    section = compose(f"llm={preset}")["llm"]
    provider = str(section["provider"])
    names = {"gemini": "GOOGLE_API_KEY"}
    monkeypatch.setenv(names.get(provider, f"{provider.upper()}_API_KEY"), "k-1")

    llm = Registry.installed().build("llm", section)

    assert isinstance(llm, OpenAIChat)
    assert llm.describe() == {"base_url": ENDPOINTS[provider]}
    with LoopbackServer() as server:
        local = Registry.installed().build("llm", {**section, "base_url": server.url})
        assert isinstance(local, OpenAIChat)
        local.complete_one(REQUEST)
    assert server.requests[0].headers["authorization"] == "Bearer k-1"


def test_a_proxy_is_used_for_others_and_never_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of a server here does not travel."""
    with LoopbackServer() as server, LoopbackServer() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        chat(server.url).complete_one(REQUEST)
        chat("http://llm.example/v1", provider="vllm", key_needed=False).complete_one(REQUEST)

    assert len(server.requests) == 1
    assert [received.path for received in proxy.requests] == ["http://llm.example/v1/chat/completions"]


@pytest.mark.parametrize("proxy", ["gopher://user:hunter2@127.0.0.1:1", "http://user:hunter2@127.0.0.1:x"])
def test_a_proxy_that_cannot_be_used_is_one_sentence(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its password stays where it is."""
    monkeypatch.setenv("http_proxy", proxy)

    with pytest.raises(AccessError, match=r"proxy .* NO_PROXY=llm\.example") as caught:
        chat("http://llm.example/v1", provider="vllm", key_needed=False).complete_one(REQUEST)
    assert "hunter2" not in str(caught.value)


def test_an_interrupted_reply_does_not_spoil_the_next() -> None:
    """A connection that failed is not used again."""
    plans = [Plan(reset=20), Plan(drip=0.05), Plan(body=b"{"), Plan(status=500), Plan()]
    with LoopbackServer(lambda number, _: plans[number]) as server:
        llm = chat(server.url, timeout=0.5)
        for _ in plans[:-1]:
            with pytest.raises(TransientError):
                llm.complete_one(REQUEST)

        assert llm.complete_one(REQUEST).text == "It looks calm."
