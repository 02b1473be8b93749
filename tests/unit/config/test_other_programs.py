"""The table of the options of curl, wget and HTTPie is complete, and its answers name options that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fetchpool.config.options.table import OPTIONS
from fetchpool.config.other_programs import table
from fetchpool.config.other_programs.table import ForeignOption

ALL = json.loads(Path(__file__).with_name("other_programs.json").read_text())
"""The long names of all options: curl 8.18, wget2 1.99 and 2.2, HTTPie 3.2."""
OURS = {flag for option in OPTIONS.values() for flag in option.flags} | {"--help", "-h"}
OURS |= {flag for name in table.ACCEPTED for flag in table.accepted_flags(name)}
TABLE = {
    program: [*table.parsed(options), *table.others(rest, why)]
    for program, (options, rest, why) in table.PROGRAMS.items()
}
ROWS = [option for options in TABLE.values() for option in options]
THEIRS = re.compile(r"--rate 10/s|-d @FILE|curl's --\w+|-\w is \w+'s|--http1\.1|-H '[^']*'")
"""What a text says about another program, or with an example."""


@pytest.mark.parametrize("program", TABLE)
def test_every_option_of_another_program_is_in_the_table_once(program: str) -> None:
    names = [option.long for option in TABLE[program]]
    assert len(names) == len(set(names))
    assert set(ALL[table.TITLES[program]]) <= set(names)


@pytest.mark.parametrize("option", ROWS, ids=[option.long for option in ROWS])
def test_a_row_is_true_of_our_own_options(option: ForeignOption) -> None:
    ours = f"--{option.long}" in OURS or option.long in table.ACCEPTED
    same = option.sign in "=!"
    if same:
        assert OURS & set(option.flags), "it has one of our names"
    elif option.long not in table.ACCEPTED:
        assert not ours, "we have an option of this name"
        if option.sign == ">":
            assert option.text
    if option.sign != "=":
        assert option.text, "every other row says why"
    for flag in re.findall(r"(?<![\w-])--[a-z][a-z0-9.-]*", THEIRS.sub("", option.text)):
        assert flag.rstrip(".") in OURS, flag


def test_an_answer_is_a_single_line_that_names_the_way() -> None:
    assert table.answer("--no-such-thing") == ""
    assert {flag: table.answer(flag) for flag in FLAGS} == FLAGS


FLAGS = {
    "--tries": "use --retry N, the number of tries after the first",
    "--no-check-certificate": "did you mean --insecure?",
    "--max-concurrent-downloads": "did you mean --workers?",
    "--input-file": "use INPUT, the files without an option",
    "--spider": "did you mean --head?",
    "--basic": "always on: with -u",
    "--form": "multipart forms are not offered; --data sends a form, --json JSON",
    "-i": "for curl's --show-headers use --keep headers, which puts them into the rows; for wget's "
    "--input-file use INPUT, the files without an option",
    "--ftp-port": "only http and https are fetched",
    "--convert-links": "files are saved by their hash, and links are found as browsers do",
}
