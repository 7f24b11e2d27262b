"""What a host says, as text that steers no terminal: a host may be broken into."""

import re

# Control characters but tab and the ends of lines; an escape sequence begins with one.
STEERING = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def heard(data: bytes) -> str:
    """`data` as text. What is no text, or would steer a terminal, is U+FFFD."""
    return STEERING.sub("\ufffd", data.decode(errors="replace"))
