"""Whatever an inventory holds, it reaches a config or a shell as that value and no more."""

import json
import re
import subprocess

import dns.rdata
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError

from tasks import quote
from tasks.configs.render import environment

NASTY = ['"', "'", "\\", "\n", "\r", "\t", "$(id)", "`id`", "{{ x }}", "{$HOME}", "]]", "#", "%h"]
HOSTILE = st.one_of(
    st.lists(st.sampled_from(NASTY), max_size=6).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)


def lua_reads(literal: str) -> str:
    """What Lua makes of a short string literal (the lab test asks the real one)."""
    assert literal[0] == literal[-1] == '"'
    body = literal[1:-1]
    assert re.fullmatch(r"([ !#-\[\]-~]|\\\d{3})*", body)
    raw = re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1])]), body.encode())
    return raw.decode()


@given(HOSTILE)
def test_a_yaml_value_reads_back_as_itself(text: str):
    assert yaml.safe_load(f"key: {quote.yaml_string(text)}\n") == {"key": text}


@given(HOSTILE)
def test_a_lua_value_reads_back_as_itself_in_plain_characters(text: str):
    assert lua_reads(quote.lua_string(text)) == text


@given(HOSTILE)
def test_a_pattern_for_caddy_finds_the_text_and_holds_no_mark_of_any_syntax(text: str):
    word = quote.caddy_pattern(text)
    assert word[0] == word[-1] == "`"
    assert re.fullmatch(word[1:-1], text)
    assert re.fullmatch(r"([A-Za-z0-9]|\\x[0-9a-f]{2}|[^\x00-\x7f])*", word[1:-1])


@given(st.dictionaries(HOSTILE, HOSTILE, max_size=3))
def test_a_json_document_reads_back_as_itself(value: dict[str, str]):
    assert json.loads(quote.json_document(value)) == value


@settings(max_examples=25, deadline=None)
@given(HOSTILE.filter(lambda text: "\0" not in text))
def test_a_shell_word_reaches_the_program_as_itself(text: str):
    script = f"printf %s {quote.shell(text)}"
    done = subprocess.run(["sh"], input=script.encode(), capture_output=True)
    assert done.stdout.decode() == text
    assert done.stderr == b""


@given(HOSTILE.filter(lambda text: len(text.encode()) <= 255))
def test_a_text_of_dns_reads_back_as_itself(text: str):
    word = quote.dns_text(text)
    assert re.fullmatch(r'"([A-Za-z0-9]|\\[0-9]{3})*"', word)
    record = dns.rdata.from_text("IN", "TXT", word)
    assert b"".join(record.strings) == text.encode()


def test_a_nul_byte_reaches_no_shell():
    with pytest.raises(quote.UnsafeValue):
        quote.shell("a\0b")


@given(HOSTILE)
def test_a_bare_word_is_plain_or_refused(text: str):
    try:
        assert re.fullmatch(r"[A-Za-z0-9._~/?&=+,:@%*-]+", quote.token(text))
    except quote.UnsafeValue:
        assert text == "" or re.search(r"[^A-Za-z0-9._~/?&=+,:@%*-]", text)


def test_a_template_prints_no_value_that_no_filter_has_seen():
    with pytest.raises(quote.UnsafeValue, match="without a filter"):
        environment().from_string("{{ value }}").render(value="plain")


def test_a_template_prints_no_name_that_it_was_not_given():
    with pytest.raises(UndefinedError):
        environment().from_string("{{ value | token }}").render()
