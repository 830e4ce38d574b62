"""Cards without end, without bottom or of many keys: one message, in bounded time and memory."""

from __future__ import annotations

import os

import pytest

from fabgen.card import card_of_process, load_card
from fabgen.card.reader import MAX_BYTES
from fabgen.errors import InputError

PROCESS = 'process = "e+ e- > mu+ mu-"\n'
MANY = 20_000

CARDS = {
    "keys": ("".join(f"key{i} = {i}\n" for i in range(MANY)), "unknown key"),
    "tables": ("".join(f"[key{i}]\n" for i in range(MANY)), "unknown key"),
    "cuts": ("[cuts]\n" + "".join(f"key{i} = 1\n" for i in range(MANY)), "unknown key"),
    "training": ("[training]\n" + "".join(f"k{i} = 1\n" for i in range(MANY)), "unknown key"),
    "dots": ("a" + ".a" * 300_000 + " = 1\n", "too many dots"),
    "lines of dots": ("".join(f"a{i}{'.a' * 101} = 1\n" for i in range(4000)), "too many dots"),
    "lists": ("a = " + "[" * 100_000, "nest too deeply"),
    "deep lists": ("a = " + "[" * 60 + "]" * 60, "nest too deeply"),
    "deep keys": ("a" + ".a" * 60 + " = 1\n", "nest too deeply"),
    "deep tables": ("[a" + ".a" * 60 + "]\n", "nest too deeply"),
    "inline tables": ("a = " + "{a = " * 60 + "1" + "}" * 60, "nest too deeply"),
    "a long value": (f'model = "{"x" * 500_000}"\n', "unknown model"),
    "a long key": (f"{'x' * 500_000} = 1\n", "unknown key"),
    "many digits": (f"training.steps = {'1' * 5000}\n", "too many digits"),
    "digits": (f"training.steps = {'1' * 4000}\n", "out of range"),
    "hexadecimal": (f"training.steps = 0x{'f' * 100_000}\n", "out of range"),
    "digits without bounds": (f"training.log_every = 1{'0' * 30}\n", "of at most 63 bits"),
    "a number of digits": (f"cuts.ptl = {'1' * 4000}\n", "out of range"),
}


@pytest.mark.parametrize(("text", "told"), CARDS.values(), ids=CARDS)
def test_one_short_message(tmp_path, text, told):
    path = tmp_path / "card.toml"
    path.write_text(PROCESS + text)
    with pytest.raises(InputError, match=told) as caught:
        load_card(path)
    assert caught.value.file == str(path) and len(str(caught.value)) < 8000


def test_a_card_of_a_gigabyte(tmp_path):
    path = tmp_path / "card.toml"
    path.write_text(PROCESS)
    os.truncate(path, 1 << 30)  # takes no room
    with pytest.raises(InputError, match=f"at most {MAX_BYTES:,} bytes") as caught:
        load_card(path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/tty0", "fifo"])
def test_what_is_no_file(tmp_path, path):
    if path == "fifo":
        path = str(tmp_path / path)
        os.mkfifo(path)
    with pytest.raises(InputError, match=r"a pipe|a device|does not exist|cannot be read"):
        load_card(path)


def test_a_line_of_dots_as_a_comment(tmp_path):
    (tmp_path / "card.toml").write_text("# " + "." * 1000 + "\n" + PROCESS)
    assert load_card(tmp_path / "card.toml").process == ("e+ e- > mu+ mu-",)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("a" + ".a" * 1000 + "=1", "too many parts"),
        ("training.steps=" + "[" * 60 + "]" * 60, "nest too deeply"),
        ("training.fkld.data=\udcff", "is not text"),
        ("training.steps=" + "x" * 10**6, "wrong type"),
    ],
)
def test_settings(setting, told):
    with pytest.raises(InputError, match=told) as caught:
        card_of_process("e+ e- > mu+ mu-", [setting])
    assert caught.value.file == "--set" and len(str(caught.value)) < 2000
