"""The text form of a trace: pieces cover the text, each `[SEG]` has its piece, what is written is read back."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.grammar import read_output, sentences, spans, write_output

pieces = st.sampled_from((
    SEG, "[SEG", "]", "Water ", "17.1 %", ". ", ".", ", ", "; ", " and ", "\n", "\n\n", "!", "?", "…", "。", ".) ",
    "»", "e.g. ", "1. ", "é", "🌊", "  ", "\t", "\u2028",
))  # fmt: skip
texts = st.lists(pieces | st.text(max_size=6), max_size=30).map("".join)


@given(texts)
@example("")
@example(SEG)
@example(SEG * 3)
@example(f"{SEG}.{SEG}")
@example(f" {SEG}")
def test_pieces_cover_the_text_and_hold_one_seg_each(text: str) -> None:
    found = spans(text)
    assert "".join(text[s.start : s.end] for s in found) == text
    assert all(s.start < s.end for s in found)
    numbered = [s.seg for s in found if s.seg is not None]
    assert numbered == list(range(text.count(SEG)))
    for s in found:
        assert text[s.start : s.end].count(SEG) == (s.seg is not None)


@given(texts)
def test_sentences_cover_the_text(text: str) -> None:
    found = sentences(text)
    assert "".join(text[a:b] for a, b in found) == text
    assert all(a < b for a, b in found)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Water [SEG] covers 17.1 %.", ["Water [SEG] covers 17.1 %."]),
        ("[SEG] is water. So is that.", ["[SEG] is water. ", "So is that."]),
        ("I see water [SEG]", ["I see water [SEG]"]),
        ("Water [SEG] and trees [SEG].", ["Water [SEG] ", "and trees [SEG]."]),
        ("Water [SEG], while trees [SEG] do.", ["Water [SEG], ", "while trees [SEG] do."]),
        ("[SEG][SEG] touch.", ["[SEG]", "[SEG] touch."]),
        ("It covers 3.5 % [SEG] (of 1.5 ha). Done", ["It covers 3.5 % [SEG] (of 1.5 ha). ", "Done"]),
        ("Image: 1.\nwater [SEG]\nImage: 2.\nwater [SEG]",
         ["Image: 1.\n", "water [SEG]\n", "Image: 2.\n", "water [SEG]"]),
    ],
)  # fmt: skip
def test_where_a_text_is_cut(text: str, cut: list[str]) -> None:
    assert [text[s.start : s.end] for s in spans(text)] == cut


plain = st.text(st.characters(codec="utf-8", exclude_characters="<>"), max_size=60).map(str.strip)


@given(plain, plain)
def test_what_is_written_is_read_back(thinking: str, answer: str) -> None:
    assert read_output(write_output(thinking, answer)) == (thinking, answer)


@given(texts.map(lambda t: t.replace("<", "").strip()))
def test_text_without_tags_is_reasoning_without_an_answer(text: str) -> None:
    assert read_output(text) == (text, None)


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("<think>a</think><answer>B</answer>", ("a", "B")),
        ("<think> a", ("a", None)),
        ("<think>a</think><answer> 17", ("a", "17")),
        ("<THINK>a</THINK><ANSWER>b</ANSWER><|im_end|>", ("a", "b")),
        ("<answer></answer>", ("", "")),
        ("<think>1 < 2 [SEG]<REGION><REGION> and 3 > 2</think>", ("1 < 2 [SEG] and 3 > 2", None)),
        ("", ("", None)),
    ],
)
def test_outputs_that_break_off_or_differ(raw: str, read: tuple[str, str | None]) -> None:
    assert read_output(raw) == read


@given(st.text(max_size=80))
def test_any_output_is_read(raw: str) -> None:
    thinking, answer = read_output(raw)
    assert isinstance(thinking, str) and (answer is None or isinstance(answer, str))
