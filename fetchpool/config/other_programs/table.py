"""Maps options of curl, wget, aria2 and HTTPie to those of fetchpool: the table, answers, and its page.

In: the lines of `curl.py`, `wget.py` and `httpie.py`: an option's long name, its short one, a sign, a text.
Out: the answer to an option that does not exist here, and `docs/reference/from-curl-and-wget.md`.

    =  the same here    !  another meaning here    >  another name here    +  always on    -  not offered
"""

from __future__ import annotations

import re
from functools import cache

from msgspec import Struct

from fetchpool.config.other_programs import curl, httpie, wget

MEANINGS = {
    "=": "the same",
    "!": "another meaning",
    ">": "another name",
    "+": "always on",
    "-": "not offered",
}
PROGRAMS = {
    "curl": (curl.OPTIONS, curl.OTHER_PROTOCOLS, "only http and https are fetched"),
    "wget": (
        wget.OPTIONS,
        wget.OTHER_PROTOCOLS,
        "files are saved by their hash, and links are found as browsers do",
    ),
    "HTTPie": (httpie.OPTIONS, "", ""),
}
TITLES = {"curl": "curl 8", "wget": "wget2", "HTTPie": "HTTPie"}
ACCEPTED = ("compressed", "location", "fail", "parallel", "show-error")
"""Options of curl that are always on, and accepted: they are typed by habit."""
_LINE = re.compile(r"(?P<long>[a-z0-9.-]+)(?: -(?P<short>.))? (?P<sign>[=!>+-])(?: +(?P<text>.+))?")
_FLAG = re.compile(r"(?<![\w-])--?[a-z0-9][a-z0-9.-]*", re.IGNORECASE)


class ForeignOption(Struct, frozen=True):
    """An option of another program."""

    long: str
    short: str
    sign: str
    """A key of `MEANINGS`."""
    text: str

    @property
    def flags(self) -> list[str]:
        """The flags: `--location`, `-L`."""
        return [f"--{self.long}", *([f"-{self.short}"] if self.short else ())]

    @property
    def keyword(self) -> str:
        """The keyword argument with the same meaning; empty if the answer is more than a name."""
        is_name = self.sign == ">" and self.text.startswith("--") and _FLAG.fullmatch(self.text)
        return self.text[2:].replace("-", "_").replace(".", "_") if is_name else ""

    @property
    def answer(self) -> str:
        """What to do instead, for an error message."""
        if self.sign == ">":
            is_flag = _FLAG.fullmatch(self.text) is not None
            return f"did you mean {self.text}?" if is_flag else f"use {self.text}"
        return f"always on: {self.text}" if self.sign == "+" else self.text

    @property
    def way(self) -> str:
        """The answer, as part of an answer about several programs."""
        return f"use {self.text}" if self.sign == ">" else self.answer


def parsed(lines: str) -> list[ForeignOption]:
    """Return the options of a table."""
    options = []
    for line in lines.split("\n"):
        if line:
            match = _LINE.fullmatch(line)
            assert match is not None, line
            options.append(
                ForeignOption(match["long"], match["short"] or "", match["sign"], match["text"] or "")
            )
    return options


def others(text: str, why: str) -> list[ForeignOption]:
    """Return the options that make no sense with a list of URLs."""
    pairs = [each.split() for each in text.replace("\n", " ").split(",") if each.strip()]
    return [ForeignOption(pair[0], "".join(pair[1:]).lstrip("-"), "-", why) for pair in pairs]


@cache
def _by_flag() -> dict[str, list[tuple[str, ForeignOption]]]:
    """Return the programs and their options by flag: curl's first; those that make no sense only if no other
    program has the flag."""
    found: dict[str, list[tuple[str, ForeignOption]]] = {}
    named = [(name, option) for name, (lines, _, _) in PROGRAMS.items() for option in parsed(lines)]
    for name, option in named:
        for flag in option.flags:
            found.setdefault(flag, []).append((name, option))
    for name, (_, rest, why) in PROGRAMS.items():
        for option in others(rest, why):
            for flag in option.flags:
                found.setdefault(flag, [(name, option)])
    return found


def foreign(flag: str) -> ForeignOption | None:
    """Return the first option of another program with this flag; `--no-NAME` is that of NAME."""
    known = _by_flag()
    options = known.get(flag) or (known.get(f"--{flag[5:]}") if flag.startswith("--no-") else None)
    return options[0][1] if options else None


def answer(flag: str) -> str:
    """Return what to use instead of an option that does not exist here; empty if no program has it. A letter
    may mean something else in each program."""
    option = foreign(flag)
    if option is None:
        return ""
    meanings = {each.answer: (program, each) for program, each in reversed(_by_flag().get(flag, ()))}
    if len(meanings) < 2 or flag.startswith("--"):
        return option.answer
    return "; ".join(
        f"for {program}'s --{each.long} {each.way}" for program, each in reversed(meanings.values())
    )


def accepted_flags(name: str) -> list[str]:
    """Return the flags of one of `ACCEPTED`."""
    return _option(name).flags


def always_on(name: str) -> str:
    """Return the notice for one of `ACCEPTED`."""
    return f"--{name} is always on: {_option(name).text}"


def _option(name: str) -> ForeignOption:
    option = foreign(f"--{name}")
    assert option is not None
    return option


def page() -> str:
    """Return the page `docs/reference/from-curl-and-wget.md`."""
    lines = [
        "# From curl, wget and HTTPie\n",
        "Every option of curl 8, wget2 and HTTPie: *the same* here, under *another name*, *always on*, or "
        "*not offered*, and why. A name with *another meaning* here is marked. The command answers an option "
        "that it does not have with the text below.\n",
    ]
    for program, (options, rest, why) in PROGRAMS.items():
        lines += [f"## {TITLES[program]}\n", "| Option | Here | |", "|---|---|---|"]
        for option in sorted(parsed(options), key=lambda each: each.long):
            flags = ", ".join(f"`{flag}`" for flag in option.flags)
            text = _FLAG.sub(lambda match: f"`{match[0]}`", option.text).replace("|", "\\|")
            lines.append(f"| {flags} | {MEANINGS[option.sign]} | {text} |")
        if rest:
            named = ", ".join(f"`{flag}`" for option in others(rest, why) for flag in option.flags)
            lines += [f"\nNot offered, since {why}: {named}.\n"]
        else:
            lines.append("")
    return "\n".join(lines)
