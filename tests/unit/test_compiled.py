"""What mypyc asks of the modules it compiles, as far as the uncompiled ones show it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEYWORDS = (
    "alignof asm attribute complex const extension imag inline label real restrict signed thread "
    "typeof volatile"
)


def test_no_attribute_becomes_a_keyword_of_c() -> None:
    """In C an attribute's name has an underscore more: gcc takes `__inline` and `__thread` for its own."""
    named = re.search(r'COMPILED = """(.*?)"""', (ROOT / "setup.py").read_text(), re.DOTALL)
    assert named is not None
    keyword = re.compile(rf"\b_(?:{'|'.join(KEYWORDS.split())})\b")
    found = {
        (name, match[0])
        for name in named[1].split()
        for match in keyword.finditer((ROOT / "fetchpool" / f"{name}.py").read_text())
    }
    assert not found
