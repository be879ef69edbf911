"""A chat endpoint of our own, over real HTTP: the client's patience and purse, the reasoner `remote`, rewriting."""

from __future__ import annotations

import base64
import http.client
import io
import json
import logging
import pickle
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture
from servers.chat import ChatServer, Hangs, Raw, Says, Status

import terrascope_nb as ts
from terrascope_nb.cot import ImageRef, MaskRef, Record
from terrascope_nb.cot.compose import compose
from terrascope_nb.cot.judging import REASONS, judge
from terrascope_nb.cot.published import read_json
from terrascope_nb.cot.published import write_json as write_jsonl
from terrascope_nb.cot.record import ground_of
from terrascope_nb.cot.rewrite import CAPPED, Cache, Rewriter, facts_of, write_prompt
from terrascope_nb.errors import InvalidInput, NotFound, ReadFailed, TerrascopeError
from terrascope_nb.reason.events import Answer, Mask, Progress, Text
from terrascope_nb.reason.grammar import write_output
from terrascope_nb.reason.remote import Client, Completion, Line, OverBudget, Piece, RemoteReasoner, Stopped
from terrascope_nb.reason.remote.pictures import dates
from terrascope_nb.scene.labelled import Labelled
from terrascope_nb.scene.scene import Scene
from terrascope_nb.stac.retry import Retry
from terrascope_nb.testing import synthetic_pair, synthetic_scene

KEY = "sk-test-5f1d0c9a7b3e"
HELLO = [{"role": "user", "content": "hello"}]
FAST = Retry(tries=4, seconds=5, first=0.01, most=0.03, connect=2, stall=0.4)
SAID = "".join(Says().pieces)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("CHAT_KEY", KEY)
    with ChatServer(KEY) as running:
        yield running


def client(server: ChatServer, **options: Any) -> Client:
    return Client(server.url, "tiny", "CHAT_KEY", **{"retry": FAST, "max_tokens": 100, **options})


@pytest.fixture(scope="module")
def scene() -> Scene:
    return synthetic_pair(np.random.default_rng(5), size=48).scene


# ---- answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_comes_as_a_stream_or_whole(server: ChatServer, whole: bool, stream: bool) -> None:
    server.plan = [Says(whole=whole)]
    mine = client(server, stream=stream)
    assert mine.complete(HELLO) == Completion(SAID, "", "stop", (1000, 20), "tiny")
    asked = server.asked[0]
    assert (asked["model"], asked["messages"], asked["temperature"], asked["seed"]) == ("tiny", HELLO, 0.0, 0)
    assert asked["max_tokens"] == 100 and asked.get("stream", False) == stream
    assert (mine.spent.calls, mine.spent.prompt_tokens, mine.spent.completion_tokens) == (1, 1000, 20)


def test_the_text_comes_piece_by_piece_as_it_is_written(server: ChatServer) -> None:
    server.plan = [Says([f"word{k} " for k in range(5)], pause=0.05)]
    times, texts = [], []
    for item in client(server).stream(HELLO):
        if isinstance(item, Piece):
            times.append(time.monotonic())
            texts.append(item.text)
    assert texts == [f"word{k} " for k in range(5)]
    assert times[-1] - times[0] > 0.1  # not all at the end


def test_letters_of_all_scripts_survive_wherever_the_bytes_are_cut(server: ChatServer) -> None:
    pieces = ["Die Fläche ", "面積は 17,1 %", " 🛰️ ", "מים"]
    for whole in (False, True):
        server.plan = [Says(pieces, whole=whole)]
        assert client(server).complete(HELLO).text == "".join(pieces)


def test_half_letters_become_a_mark(server: ChatServer) -> None:
    server.plan = [Raw(json.dumps({"choices": [{"message": {"content": "a\ud800b"}, "finish_reason": "stop"}]}))]
    assert client(server).complete(HELLO).text == "a\ufffdb"


def test_reasoning_sent_apart_is_told_apart(server: ChatServer) -> None:
    for whole in (False, True):
        server.plan = [Says(["B"], thought="let me see", whole=whole)]
        assert list(client(server).stream(HELLO))[:2] == [Piece("let me see", True), Piece("B")]


def test_fields_of_the_request_are_added_and_left_out(server: ChatServer) -> None:
    mine = client(server, body={"max_tokens": None, "max_completion_tokens": 7, "seed": None})
    mine.complete(HELLO)
    assert server.asked[0]["max_completion_tokens"] == 7
    assert not {"max_tokens", "seed"} & set(server.asked[0])
    with pytest.raises(InvalidInput, match="body may not hold 'messages'"):
        client(server, body={"messages": []})


def test_a_server_that_knows_no_usage_in_streams_is_asked_without(server: ChatServer) -> None:
    def plan(body: dict[str, Any]) -> Any:
        return Status(400, body='{"detail": "unknown field stream_options"}') if "stream_options" in body else Says()

    server.plan = plan
    mine = client(server)
    assert mine.complete(HELLO).text == SAID and mine.complete(HELLO).text == SAID
    assert len(server.asked) == 3  # found out once
    assert mine.spent.guessed_tokens == mine.spent.tokens > 0  # told nothing: the upper guess is counted


# ---- patience -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plan",
    [
        [Status(500), Status(502), Status(503), Says()],
        [Status(504), Says()],
        [Status(529), Says()],
        [Says(cut=1), Says()],
        [Says(cut=1, whole=True), Says()],
        [Says(done=False), Says()],
        [Raw('data: {"choices": [{"delta": {"content": "a"}}]}\n\ndata: {"cho', "text/event-stream"), Says()],
        [Raw('data: {"error": {"message": "engine died"}}\n\n', "text/event-stream"), Says()],
        [Hangs(), Says()],
    ],
    ids=["500s", "504", "529", "cut", "cut whole", "no end", "cut event", "error event", "hang"],
)
def test_what_passes_is_tried_again(server: ChatServer, plan: list[Any]) -> None:
    server.plan = plan
    assert client(server).complete(HELLO).text == SAID
    assert len(server.asked) == len(plan)


def test_a_wish_to_wait_is_heeded(server: ChatServer) -> None:
    server.plan = [Status(429, {"Retry-After": "0.4"}), Says()]
    assert client(server).complete(HELLO).text == SAID
    assert server.times[1] - server.times[0] >= 0.4


@pytest.mark.parametrize(
    ("plan", "error", "words", "tries"),
    [
        ([Status(500)], ReadFailed, "HTTP 500.*after 4 tries", 4),
        ([Hangs()], ReadFailed, "no byte came for 0.3 s, after 2 tries", 2),
        ([Status(429, {"Retry-After": "60"})], ReadFailed, "asks to wait 60 s", 1),
        ([Status(429, body='{"error": {"code": "insufficient_quota", "message": "pay"}}')], ReadFailed, "quota", 1),
        ([Raw("<html>Login</html>", "text/html")], ReadFailed, "no JSON.*«<html>Login</html>».*/v1", 1),
        ([Raw('{"choices": [')], ReadFailed, "no JSON", 1),
        ([Raw('{"choices": []}')], ReadFailed, "no «choices»", 1),
        ([Raw('["a"]')], ReadFailed, "JSON list", 1),
        ([Raw("data: nonsense\n\n", "text/event-stream")], ReadFailed, "no JSON.*nonsense", 1),
        ([Status(404)], NotFound, "HTTP 404.*url end before", 1),
        ([Status(400, body='{"error": {"message": "seed unknown"}}')], InvalidInput, "seed unknown.*body=", 1),
        ([Status(307, {"Location": "https://b.example/v1?sig=abc"})], InvalidInput, "to https://b.example/v1. ", 1),
        ([Status(501, body="")], ReadFailed, "HTTP 501", 1),
    ],
    ids=lambda v: None,
)
def test_what_does_not_pass_is_told(
    server: ChatServer, plan: list[Any], error: type[Exception], words: str, tries: int
) -> None:
    server.plan = plan
    patience = replace(FAST, stall=0.3, tries=2) if isinstance(plan[0], Hangs) else FAST
    with pytest.raises(error, match=words) as caught:
        client(server, retry=patience).complete(HELLO)
    assert f"tiny at {server.url}" in str(caught.value) and len(server.asked) == tries
    assert caught.value.__context__ is None  # inner exceptions hold the request with its key


def test_no_server_is_told() -> None:
    with pytest.raises(ReadFailed, match="refused, or no way leads there, after 2 tries.*Is the endpoint up"):
        Client("http://127.0.0.1:9/v1", "tiny", retry=replace(FAST, tries=2)).complete(HELLO)


def test_a_text_that_breaks_off_after_its_first_piece_is_not_begun_again(server: ChatServer) -> None:
    server.plan = [Says(cut=1)]
    got = []
    with pytest.raises(ReadFailed, match="came in part"):
        for item in client(server).stream(HELLO):
            got.append(item)
    assert got == [Piece(Says().pieces[0])] and len(server.asked) == 1


def test_an_answer_that_drips_is_given_up(server: ChatServer) -> None:
    server.plan = [Says(["a "] * 50, pause=0.05)]
    with pytest.raises(ReadFailed, match=r"not whole after 0\.3 s"):
        client(server, retry=replace(FAST, seconds=0.3)).complete(HELLO)


def test_a_call_is_given_up_from_another_thread_while_it_waits(server: ChatServer) -> None:
    server.plan = [Hangs()]
    line = Line()
    threading.Timer(0.2, line.shut).start()
    start = time.monotonic()
    with pytest.raises(Stopped):
        client(server, retry=replace(FAST, stall=20)).complete(HELLO, line)
    assert time.monotonic() - start < 2 and server.gone.wait(2)


# ---- the purse ----------------------------------------------------------------------------------------------------


def test_the_cap_on_tokens_holds_before_the_call(server: ChatServer) -> None:
    mine = client(server, max_tokens_total=3000)
    mine.complete(HELLO)
    mine.complete(HELLO)  # 1,020 each: a third could come to 1,100 more
    with pytest.raises(OverBudget, match=r"max_tokens_total=3,000: 3,140 tokens.*So far 2,040 tokens in 2 calls") as e:
        mine.complete(HELLO)
    assert len(server.asked) == 2 and e.value.spent == mine.spent and isinstance(e.value, TerrascopeError)
    assert pickle.loads(pickle.dumps(e.value)).spent == mine.spent


def test_the_cap_on_cost_holds_before_the_call(server: ChatServer) -> None:
    mine = client(server, max_cost=0.005, prices=(2.0, 10.0))
    mine.complete(HELLO)
    assert mine.spent.cost == pytest.approx((1000 * 2 + 20 * 10) / 1e6)
    with pytest.raises(OverBudget, match=r"max_cost=0\.005: a cost of 0\.0052\d* in all.*cost 0\.0022"):
        mine.complete(HELLO)
    assert len(server.asked) == 1


def test_a_picture_is_reckoned_at_what_it_really_cost(server: ChatServer) -> None:
    server.plan = [Says(usage=(9000, 10))]
    asked = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    mine = client(server, max_tokens_total=17_000, image_tokens=100)
    mine.complete(asked)
    with pytest.raises(OverBudget, match="up to 9,000 tokens in"):
        mine.complete(asked)


def test_threads_share_a_cap(server: ChatServer) -> None:
    mine = client(server, max_tokens_total=6_000, retry=replace(FAST, tries=1))
    mine.complete(HELLO)  # now a call is reckoned at 1,000 + 100
    outcomes: list[str] = []

    def work() -> None:
        try:
            mine.complete(HELLO)
            outcomes.append("answered")
        except OverBudget:
            outcomes.append("refused")

    threads = [threading.Thread(target=work) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(outcomes) == 12 and "refused" in outcomes
    assert mine.spent.tokens <= 6_000 and mine.spent.calls == 1 + outcomes.count("answered") == len(server.asked)


def test_what_was_refused_or_never_arrived_costs_nothing(server: ChatServer) -> None:
    server.plan = [Status(500)]
    mine = client(server)
    with pytest.raises(ReadFailed):
        mine.complete(HELLO)
    assert mine.spent.tokens == mine.spent.calls == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_cost": 1.0}, "needs prices"),
        ({"max_tokens_total": 0}, "at least 1"),
        ({"prices": (1.0, -1.0)}, "none below 0"),
        ({"max_cost": 0.0, "prices": (1.0, 1.0)}, "above 0"),
        ({"max_tokens": 0}, "at least 1"),
        ({"model": " "}, "model is the name"),
        ({"url": "localhost:8000"}, "address of a chat endpoint"),
        ({"url": KEY}, "got a text that is none"),
        ({"url": "https://api.example.org/v1?key=abc"}, "holds a query"),
        ({"url": "https://me:pw@api.example.org/v1"}, "password"),
        ({"key_env": "NO_SUCH_KEY_HERE"}, "NO_SUCH_KEY_HERE is not set"),
        ({"url": "http://api.example.org/v1", "key_env": "CHAT_KEY"}, "unencrypted"),
    ],
)
def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], words: str) -> None:
    monkeypatch.setenv("CHAT_KEY", KEY)
    with pytest.raises(InvalidInput, match=words) as caught:
        Client(**{"url": "http://localhost:1/v1", "model": "tiny", **options})
    assert "abc" not in str(caught.value) and "pw" not in str(caught.value) and KEY not in str(caught.value)


# ---- the key ------------------------------------------------------------------------------------------------------


def test_the_key_is_on_the_wire_and_nowhere_else(
    server: ChatServer, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)  # prints what is sent, for its own connections
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password from-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    opened = RemoteReasoner(server.url, "tiny", "CHAT_KEY", retry=FAST)
    server.plan = [
        Says(["<think>my key is sk-te", f"{KEY[5:]}.", "</think><answer>A</answer>"]),
        Says([f"<answer>{KEY}</answer>"], whole=True),
        Status(400, body=json.dumps({"error": f"bad key {KEY}"})),
        Raw(f"<html>{KEY}"),
        Status(307, {"Location": f"https://b.example/{KEY}"}),
        Raw('data: {"error": "Bearer ' + KEY + '"}\n\n', "text/event-stream"),
    ]  # fmt: skip
    seen: list[str] = [repr(opened), repr(opened.client), str(opened.options), repr(opened.client.endpoint)]
    seen += [str(vars(opened.client)), pickle.dumps(opened.client.endpoint).decode("latin-1")]
    for _ in range(2):
        trace = ts.ask(scene, "Is there water?", ["yes", "no"], reasoner=opened)
        seen += [repr(trace), str(trace.provenance), trace.to_html(tmp_path / "t.html", True).read_text()]
        folder = trace.save(tmp_path / "saved", overwrite=True)
        seen += [f.read_bytes().decode("latin-1") for f in folder.rglob("*") if f.is_file()]
    for _ in range(4):
        with pytest.raises(TerrascopeError) as caught:
            ts.ask(scene, "Is there water?", reasoner=opened)
        seen += ["".join(traceback.format_exception(caught.value)), repr(caught.value.__dict__)]
    monkeypatch.setenv("CHAT_KEY", "sk-another-0123456789")  # read anew for each request
    with pytest.raises(InvalidInput, match="the key in .CHAT_KEY is not accepted") as refused:
        ts.ask(scene, "Is there water?", reasoner=opened)
    seen += ["".join(traceback.format_exception(refused.value)), caplog.text, *capsys.readouterr()]
    assert [h["authorization"] for h in server.headers[:-1]] == [f"Bearer {KEY}"] * (len(server.headers) - 1)
    assert server.headers[-1]["authorization"] == "Bearer sk-another-0123456789"
    for text in seen:
        assert KEY not in text and "sk-another" not in text and "from-netrc" not in text


@pytest.mark.parametrize("given", [KEY, "sk_live_abcdefgh", "a b"])
def test_a_key_given_for_the_name_of_its_variable_is_not_repeated(given: str) -> None:
    with pytest.raises(InvalidInput, match="the \\*name\\* of an environment variable") as caught:
        Client("http://localhost:1/v1", "tiny", given)
    assert given not in str(caught.value)


def test_a_key_that_no_header_can_hold_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_KEY", "sk-first\nX-Evil: second")
    with pytest.raises(InvalidInput, match="CHAT_KEY holds is no key") as caught:
        Client("http://localhost:1/v1", "tiny", "CHAT_KEY")
    assert "first" not in str(caught.value)


def test_without_a_key_none_is_sent(scene: Scene) -> None:
    with ChatServer() as open_server:
        Client(open_server.url, "tiny", retry=FAST).complete(HELLO)
    assert "authorization" not in open_server.headers[0]


# ---- the reasoner -------------------------------------------------------------------------------------------------


def opened(server: ChatServer, **options: Any) -> RemoteReasoner:
    return RemoteReasoner(server.url, "tiny", "CHAT_KEY", **{"retry": FAST, "max_tokens": 100, **options})


def test_a_trace_that_every_view_shows(server: ChatServer, scene: Scene, tmp_path: Path) -> None:
    server.plan = [Says(["<think>In Image: t_1 water covers 17.1 %.", "</think>", "<answer>B</answer>"])]
    trace = ts.ask(scene, "What share of the scene is water?", ["10 %", "17 %"], reasoner=opened(server))
    assert (trace.answer.choice, trace.answer.value, trace.answer.unit, trace.answer.finish) == ("B", 17.0, "%", "stop")
    assert trace.steps == () and trace.problems == () and trace.reasoner == "remote"
    assert {c.verdict for c in trace.claims} == {"not checkable"} and len(trace.claims) == 2
    made = trace.provenance["options"]
    assert "text only" in made["masks"] and made["url"] == server.url and made["key_env"] == "CHAT_KEY"
    assert "at most 1024 pixels" in made["images"]
    assert "→ B" in repr(trace) and "17.1 %" in trace.to_html(tmp_path / "t.html").read_text()
    assert ts.Trace.load(trace.save(tmp_path / "saved")).answer == trace.answer
    bundle = trace._repr_mimebundle_()
    assert {"text/html", "text/plain"} <= set(bundle)


def test_every_image_is_sent_under_its_date(server: ChatServer, scene: Scene) -> None:
    ts.ask(scene, "Is there water?", ["yes", "no"], reasoner=opened(server, max_side=20))
    system, user = server.asked[0]["messages"]
    assert "<think>" in system["content"] and "<answer>" in system["content"]
    texts = [p["text"] for p in user["content"] if p["type"] == "text"]
    assert texts[:-1] == [
        "Image: t_1, optical (true colour), 2023-06-15", "Image: t_1, sar (sar), 2023-06-15",
        "Image: t_2, optical (true colour), 2023-09-13", "Image: t_2, sar (sar), 2023-09-13",
    ]  # fmt: skip
    assert texts[-1].startswith("Is there water?\nA. yes\nB. no\n")
    urls = [p["image_url"]["url"] for p in user["content"] if p["type"] == "image_url"]
    assert len(urls) == 4 and all(u.startswith("data:image/png;base64,") for u in urls)
    got = np.asarray(Picture.open(io.BytesIO(base64.b64decode(urls[0].partition(",")[2]))))
    assert got.shape == (20, 20, 3)
    view = scene.images[0].view.pixels
    assert np.abs(got.mean((0, 1)) - view.mean((0, 1))).max() < 3  # averaged, not picked
    assert dates(scene) == [1, 2, 1, 2]


def test_a_picture_within_the_limit_is_sent_pixel_for_pixel(server: ChatServer, scene: Scene) -> None:
    ts.ask(scene, "Is there water?", reasoner=opened(server, max_side=48))
    first = next(p["image_url"]["url"] for p in server.asked[0]["messages"][1]["content"] if p["type"] == "image_url")
    got = np.asarray(Picture.open(io.BytesIO(base64.b64decode(first.partition(",")[2]))))
    assert np.array_equal(got, scene.images[0].view.pixels)


def test_text_streams_and_no_mask_comes(server: ChatServer, scene: Scene) -> None:
    events = list(opened(server).stream(scene, "Is there water?", ["yes", "no"]))
    assert [e.text for e in events if isinstance(e, Text)] == list(Says().pieces)
    assert not any(isinstance(e, Mask) for e in events) and isinstance(events[-1], Answer)


def test_reasoning_sent_apart_is_put_into_its_tags(server: ChatServer, scene: Scene) -> None:
    server.plan = [Says(["A"], thought="So it is B? No.")]
    trace = ts.ask(scene, "Is there water?", ["yes", "no"], reasoner=opened(server))
    assert trace.text == "<think>So it is B? No.</think>A" and trace.answer.choice == "A"


@pytest.mark.parametrize(
    ("says", "finish", "reason"),
    [
        (Says(["<think>Water is"], finish="length"), "limit", "100 tokens were written"),
        (Says(["<think>W"], finish="content_filter"), "limit", "content filter"),
        (Says([]), "abstained", "empty answer"),
    ],
)
def test_how_an_answer_ended_is_told(server: ChatServer, scene: Scene, says: Says, finish: str, reason: str) -> None:
    server.plan = [says]
    answer = ts.ask(scene, "Is there water?", ["yes", "no"], reasoner=opened(server)).answer
    assert (answer.finish, answer.choice) == (finish, None) and reason in answer.reason


@pytest.mark.parametrize(
    ("said", "letter"),
    [("<answer>b) no</answer>", "B"), ("B", "B"), ("<think>A</think>B.", "B"), ("Because", None), ("C", None)],
)
def test_the_letter_is_read_strictly(server: ChatServer, scene: Scene, said: str, letter: str | None) -> None:
    server.plan = [Says([said])]
    assert ts.ask(scene, "Is there water?", ["yes", "no"], reasoner=opened(server)).answer.choice == letter


def test_closing_shuts_the_connection(server: ChatServer, scene: Scene) -> None:
    server.plan = [Says([f"word {k} " for k in range(400)], pause=0.02)]
    events = opened(server).stream(scene, "Is there water?")
    assert any(isinstance(e, Text) for e in iter(lambda: next(events), None) if not isinstance(e, Progress))
    start = time.monotonic()
    events.close()
    assert time.monotonic() - start < 1 and server.gone.wait(3)


def test_waiting_shows_and_can_be_cancelled(server: ChatServer, scene: Scene) -> None:
    server.plan = [Hangs()]
    events = opened(server, retry=replace(FAST, stall=30)).stream(scene, "Is there water?")
    first, second = next(events), next(events)
    assert isinstance(first, Progress) and "waiting for tiny" in second.message
    events.close()
    assert server.gone.wait(2)


def test_an_error_in_the_middle_carries_what_came(server: ChatServer, scene: Scene) -> None:
    server.plan = [Says(["Water is ", "here"], cut=1)]
    with pytest.raises(ReadFailed) as caught:
        ts.ask(scene, "Is there water?", reasoner=opened(server))
    assert caught.value.trace.text == "Water is " and caught.value.trace.answer.finish == "cancelled"


def test_secrets_among_further_fields_stay_out_of_the_record(server: ChatServer, scene: Scene) -> None:
    mine = opened(server, body={"api_key": "hush-hush-1", "top_p": 0.5})
    trace = ts.ask(scene, "Is there water?", ["yes", "no"], reasoner=mine)
    assert server.asked[0]["api_key"] == "hush-hush-1" and server.asked[0]["top_p"] == 0.5
    assert "top_p" in trace.provenance["options"]["body"] and "hush-hush-1" not in str(trace.provenance)


def test_options_are_checked(server: ChatServer) -> None:
    with pytest.raises(InvalidInput, match="max_side"):
        opened(server, max_side=0)
    with pytest.raises(InvalidInput, match="letter rule"):
        opened(server, letter_rule="strickt")


# ---- rewriting ----------------------------------------------------------------------------------------------------


def square(rows: slice, cols: slice) -> np.ndarray:
    out = np.zeros((40, 40), bool)
    out[rows, cols] = True
    return out


@pytest.fixture(scope="module")
def record() -> Record:
    """Water on 10 %, cropland on 20 % beside it."""
    made = synthetic_scene(np.random.default_rng(1), size=40)
    labelled = Labelled(made.scene, made.maps, made.legend, "k", "p")
    crs, transform = ground_of(labelled)
    water, crops = square(slice(0, 16), slice(0, 10)), square(slice(16, 32), slice(0, 20))
    text = "Water [SEG] covers 10.0 % of the scene, cropland [SEG] covers 20.0 %. Cropland is larger."
    return Record(
        id="r1", kind="l2-spatial", task="comparative_ranking",
        images=(ImageRef("a.png", "optical", "2023-06-15", (40, 40)),), question="Which is larger, water or cropland?",
        answer_text=write_output(text, "B"), masks=(MaskRef.of(water, "water"), MaskRef.of(crops, "cropland")),
        choices={"A": "water", "B": "cropland"}, answer="B", labels=("water", "cropland"), resolution=10.0,
        sensors=("optical",), crs=crs, transform=transform,
    )  # fmt: skip


GOOD = (
    "<think> On 2023-06-15 the water [SEG] covers 10.0 % of the scene, and the cropland [SEG] next to it covers "
    "20.0 %.\nThe cropland is larger than the water. </think><answer> B </answer>"
)


def test_a_good_wording_is_taken_and_the_rest_of_the_record_kept(server: ChatServer, record: Record) -> None:
    server.plan = [Says([GOOD])]
    rewriter = Rewriter(client(server))
    out = rewriter.rewrite(record)
    assert out.accepted, out
    assert out.record == replace(record, answer_text=out.record.answer_text) and out.record.said == "B"
    assert out.record.reasoning.startswith("On 2023-06-15 the water [SEG]") and "\n" not in out.record.answer_text
    assert rewriter.counts == {"accepted": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.replace("10.0 %", "17.1 %"), "wrong claim"),
        (lambda t: t.replace("is larger than", "is smaller than"), "wrong claim"),
        (lambda t: t.replace("next to it covers", "does not touch the water and covers"), "wrong claim"),
        (lambda t: t.replace("The cropland is larger", "About 120 people live here. The cropland is larger"),
         "claim not checkable"),
        (lambda t: t.replace("The cropland is larger", "Forest covers 5 %. The cropland is larger"),
         "claim not checkable"),
        (lambda t: t.replace("the cropland [SEG]", "the cropland"), "citations"),
        (lambda t: t.replace("larger than the water", "larger than the water [SEG]"), "citations"),
        (lambda t: t.replace("the water [SEG]", "the forest [SEG]"), "region not named"),
        (lambda t: t.replace("the water [SEG]", "A region [SEG]"), "region not named"),
        (lambda t: t.replace(" B ", " A "), "answer changed"),
        (lambda t: t.replace(" B ", " Because "), "answer changed"),
        (lambda t: t.replace(". </think>", ", so the answer is A. </think>"), "answer changed"),
        (lambda t: t.replace("2023-06-15", "2021-06-15"), "wrong date"),
        (lambda t: t.replace("The cropland is", "As band 8 shows, the cropland is"), "number not given"),
        (lambda t: t.replace("The cropland is", "1. The cropland is"), "claim not checkable"),
        (lambda t: t.replace("<think>", ""), "form"),
        (lambda t: t + " Done.", "form"),
        (lambda t: t.replace("[SEG] covers", "[SEG]<REGION> covers", 1), "marks"),
        (lambda t: t.replace("water.", "water.\u202e"), "marks"),
        (lambda t: t.replace("water. ", "water. " + "It is so. " * 500), "too long"),
        (lambda t: "<think> Look at water [SEG] and cropland [SEG]. </think><answer> B </answer>", "nothing claimed"),
        (lambda t: "I am sorry, I cannot help with that.", "form"),
    ],
)  # fmt: skip
def test_a_lying_or_careless_wording_is_refused_and_counted(
    server: ChatServer, record: Record, change: Callable[[str], str], reason: str
) -> None:
    assert change(GOOD) != GOOD and reason in REASONS
    server.plan = [Says([change(GOOD)])]
    rewriter = Rewriter(client(server))
    out = rewriter.rewrite(record)
    assert (out.accepted, out.reason) == (False, reason), out.detail
    assert out.record is record and out.detail and rewriter.counts == {reason: 1}


@pytest.fixture(scope="module")
def two_dates(record: Record) -> Record:
    """Water on 10 % of the first date and 20 % of the second."""
    before, after = square(slice(0, 16), slice(0, 10)), square(slice(0, 16), slice(0, 20))
    days = ("2023-06-15", "2023-09-13")
    return replace(
        record, id="r2", task="change", question="Did the water grow?", choices={"A": "yes", "B": "no"}, answer="A",
        images=tuple(ImageRef(f"{d}.png", "optical", d, (40, 40)) for d in days), labels=("water",),
        masks=tuple(MaskRef.of(m, "water", k, d) for k, (m, d) in enumerate(zip((before, after), days, strict=True))),
        answer_text=write_output("Image: t_1 has water [SEG] on 10.0 %, Image: t_2 water [SEG] on 20.0 %.", "A"),
    )  # fmt: skip


GREW = (
    "<think>On 2023-06-15 the water [SEG] covers 10.0 % of the scene. On 2023-09-13 the water [SEG] covers 20.0 %, "
    "a gain of 10.0 percentage points.</think><answer>A</answer>"
)
T_GREW = (
    "<think>In Image: t_1 the water [SEG] covers 10.0 % of the scene. In Image: t_2 the water [SEG] covers 20.0 %."
    "</think><answer>A</answer>"
)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (GREW, ""),
        (T_GREW, ""),
        (GREW.replace("06-15", "x").replace("09-13", "06-15").replace("x", "09-13"), "wrong date"),
        (T_GREW.replace("t_1", "x").replace("t_2", "t_1").replace("x", "t_2"), "wrong date"),
        (T_GREW.replace("t_2", "t_3"), "wrong date"),
        (GREW.replace("10.0 percentage", "12.0 percentage"), "wrong claim"),
        (GREW.replace("points.", "points. The drought of 2025 came later."), "number not given"),
        (GREW.replace("10.0 %", "20.0 %").replace("covers 20.0 %, a", "covers 10.0 %, a"), "wrong claim"),
    ],
)
def test_dates_belong_to_their_masks(two_dates: Record, said: str, reason: str) -> None:
    found = judge(said, two_dates, two_dates.regions())
    assert found.reason == reason, found.detail


def test_the_prompt_of_two_dates_names_them(two_dates: Record) -> None:
    asked = json.loads(write_prompt(two_dates, facts_of(two_dates.regions()))[1]["content"])
    assert [(r["image"], r["date"]) for r in asked["regions"]] == [("t_1", "2023-06-15"), ("t_2", "2023-09-13")]
    assert any(f["fact"] == "net" and f["value"] == "10.0 %" for f in asked["facts"])


RULED = "Water [SEG] covers 10.0 %, cropland [SEG] 20.0 %. Is the share at most 30 %, or over 50 %? At most 30 %."


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (RULED, ""),
        (RULED.replace("at most 30 %, or", "at most 30 % and not"), ""),
        (RULED.replace("at most 30 %, or", "at most 40 %, or"), "number not given"),
        (RULED.replace("at most 30 %, or over 50 %", "over 50 %, or at most 30 %"), "number not given"),
        (RULED.replace("at most 30 %, or", "over 30 %, or"), "number not given"),
    ],
)
def test_limits_in_questions_are_those_of_the_wording_by_rules(record: Record, said: str, reason: str) -> None:
    said, ruled = said.removesuffix(" At most 30 %."), RULED.removesuffix(" At most 30 %.")
    mine = replace(record, answer_text=write_output(ruled, "B"))
    found = judge(write_output(said, "B"), mine, mine.regions())
    assert found.reason == reason, found.detail


def test_every_number_of_a_composed_text_is_watched() -> None:
    """The wordings by rules stand, and none stands any more after one of its numbers was changed."""
    made = synthetic_scene(np.random.default_rng(3), size=40)
    labelled = Labelled(made.scene, made.maps, made.legend, "k", "p")
    images = [ImageRef(f"{k}.png", i.modality, i.day, i.grid.shape) for k, i in enumerate(made.scene.images)]
    kinds = ("l2-spatial", "l2-semantic")
    composed = compose(labelled, np.random.default_rng(0), images=images, kinds=kinds, per_image=(1, 2))
    changed = 0
    assert composed
    for one in composed:
        regions = one.regions()
        assert judge(one.answer_text, one, regions).reason == "", one
        for number in re.finditer(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w-])", one.answer_text.partition("</think>")[0]):
            digits = len(number.group().partition(".")[2])
            other = f"{float(number.group()) * 1.5 + 1:.{digits}f}"
            text = one.answer_text[: number.start()] + other + one.answer_text[number.end() :]
            assert judge(text, one, regions).reason in ("wrong claim", "number not given"), text
            changed += 1
    assert changed > 10


def test_a_cut_wording_is_refused(server: ChatServer, record: Record) -> None:
    server.plan = [Says([GOOD], finish="length")]
    assert Rewriter(client(server)).rewrite(record).reason == "cut off"


def test_the_wording_by_rules_stands_before_the_judge(record: Record) -> None:
    assert judge(record.answer_text, record, record.regions()).reason == ""


def test_the_prompt_holds_the_facts_and_is_the_same_each_time(record: Record) -> None:
    facts = facts_of(record.regions())
    one, two = write_prompt(record, facts), write_prompt(record, facts_of(record.regions()))
    assert one == two
    asked = json.loads(one[1]["content"])
    assert [r["name"] for r in asked["regions"]] == ["water", "cropland"] and asked["answer"] == "B (cropland)"
    assert {"fact": "share", "of": ["water"], "value": "10.0 %"} in asked["facts"]
    assert {"fact": "adjacent", "of": ["water", "cropland"], "value": True} in asked["facts"]
    assert "[SEG]" in one[0]["content"]


def test_what_was_answered_is_not_paid_again(server: ChatServer, record: Record, tmp_path: Path) -> None:
    server.plan = [Says([GOOD])]
    first = Rewriter(client(server), tmp_path / "cache").rewrite(record)
    again = Rewriter(client(server), tmp_path / "cache").rewrite(record)
    assert (first.cached, again.cached) == (False, True) and again.record == first.record
    assert len(server.asked) == 1
    Rewriter(client(server, seed=1), tmp_path / "cache").rewrite(record)  # another question to the model
    assert len(server.asked) == 2
    kept = [f for f in (tmp_path / "cache").rglob("*") if f.is_file()]
    assert len(kept) == 2 and all(f.suffix == ".json" and KEY not in f.read_text() for f in kept)


def test_a_broken_kept_answer_is_told(server: ChatServer, record: Record, tmp_path: Path) -> None:
    mine = client(server)
    cache = Cache(tmp_path)
    path = cache.path(Cache.key(mine.settings, write_prompt(record, facts_of(record.regions()))))
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(InvalidInput, match="delete it to ask again"):
        Rewriter(mine, cache).rewrite(record)
    assert server.asked == []


def test_many_come_in_order_and_the_cap_keeps_the_wording_by_rules(server: ChatServer, record: Record) -> None:
    server.plan = [Says([GOOD], usage=(3000, 60))]
    records = [replace(record, id=f"r{k}", question=f"Which is larger? ({k})") for k in range(12)]
    rewriter = Rewriter(client(server, max_tokens_total=30_000))
    out = list(rewriter.rewrite_all(records, workers=3, ahead=4))
    assert [o.record.id for o in out] == [r.id for r in records]
    assert rewriter.counts["accepted"] >= 3 and rewriter.counts[CAPPED] >= 1
    assert sum(rewriter.counts.values()) == 12 and set(rewriter.counts) == {"accepted", CAPPED}
    assert all(o.record == r for o, r in zip(out, records, strict=True) if not o.accepted)


def test_an_endpoint_that_is_down_ends_the_rewriting(server: ChatServer, record: Record) -> None:
    server.plan = [Status(500)]
    with pytest.raises(ReadFailed, match="HTTP 500"):
        list(Rewriter(client(server)).rewrite_all([record] * 5, workers=2))


def test_the_command_words_what_is_composed_and_pays_once(
    server: ChatServer, record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from terrascope_nb.cli import main

    plain = replace(record, id="r0", kind="l1")
    lied = replace(record, id="r2", question="Which of water and cropland is the larger one?")
    write_jsonl([plain, record, lied], tmp_path / "in.jsonl")
    out = tmp_path / "out.jsonl"
    command = ["cot", "rewrite", str(tmp_path / "in.jsonl"), "--url", server.url, "--model", "tiny", "--out", str(out),
               "--key-env", "CHAT_KEY", "--workers", "1"]  # fmt: skip
    server.plan = [Says([GOOD]), Says([GOOD.replace("10.0 %", "17.1 %")])]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "accepted 1, wrong claim 1" in said and KEY not in said
    first, second, third = read_json(out)
    assert (first, third) == (plain, lied)
    assert second.reasoning.startswith("On 2023-06-15 the water [SEG]")
    asked = len(server.asked)
    assert main([*command, "--overwrite"]) == 0  # every answer is kept: nobody is asked
    assert len(server.asked) == asked
    assert main(command) == 2 and "overwrite" in capsys.readouterr().err
    assert main([*command[:-1], "1", "--kinds", "l9"]) == 2 and "l2-spatial" in capsys.readouterr().err
