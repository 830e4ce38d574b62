"""Text of files, cards and paths made fit for a terminal, and output for streams without UTF-8."""

from __future__ import annotations

import codecs
import io
import unicodedata

#: What a message shows of one value, in characters.
LONGEST = 600
#: Unicode categories that are shown as escapes: control characters (escape sequences of a
#: terminal begin with one), marks that turn the direction of a text, lone surrogates (bytes of a
#: path that are no UTF-8), code points without meaning, ends of lines and of paragraphs.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: Plain characters for the lines and bars of tables. Letters of names are not replaced by others.
_PLAIN = str.maketrans("─━│┃┌┐└┘├┤┬┴┼╸╺╴╶…", "--||+++++++++----.")


def visible(text: str, keep: str = "") -> str:
    """The text with everything that is not seen written as an escape, but the characters `keep`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or not _is_hidden(c) else _escape(c) for c in text)


def shortened(text: str, longest: int = LONGEST) -> str:
    """The text with its middle left out if it is longer than that."""
    if len(text) <= longest:
        return text
    begin, end = longest * 3 // 4, longest // 4
    left_out = len(text) - begin - end
    return f"{text[:begin]} ... ({left_out:,} more characters) ... {text[-end:]}"


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name of a file that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return _SHORT.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def plain(text: str) -> str:
    """The text in ASCII: plain lines, and escapes for the rest."""
    return "".join(c if c.isascii() else _escape(c) for c in text.translate(_PLAIN))


def _handle(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return plain(error.object[error.start : error.end]), error.end


#: The name of the error handler of streams that cannot encode everything.
ERRORS = "fabgen.plain"
codecs.register_error(ERRORS, _handle)


def encode_everything(*streams: object) -> None:
    """Lets streams write plain characters where their encoding has no others."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):  # not if there is none, or a test's
            stream.reconfigure(errors=ERRORS)
