"""What the keys of the live display do."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fetchpool.engine.events import Snapshot
from fetchpool.model.steering import Command, Pause, Resize, Resume, Settings, State, Stop
from fetchpool.progress.key_help import explained, hints
from fetchpool.progress.keys import BY, Keys
from fetchpool.progress.view import View
from tests.factories import snapshot

SHOT = snapshot(seq=7, workers=10, settings=Settings(workers=10, ceiling=50, rate=None, per_host=10))


class Run:
    """Notes the commands, and has a latest snapshot."""

    def __init__(self) -> None:
        self.asked: list[Command] = []
        self.latest: Snapshot | None = SHOT
        self.drawn = 0
        self.view = View()
        self._keys = Keys(self, self.view, lambda: self.latest, self._redraw)

    def steer(self, command: Command, by: str) -> None:
        assert by == BY
        self.asked.append(command)

    def _redraw(self) -> None:
        self.drawn += 1

    def press(self, keys: str) -> list[Command]:
        """Return what is asked for by these keys."""
        for key in keys:
            self._keys.press(key)
        asked, self.asked = self.asked, []
        return asked

    def see(self, snapshots: int, **changes: object) -> None:
        """Have the latest snapshot be a later one."""
        assert self.latest is not None
        self.latest = replace(self.latest, seq=self.latest.seq + snapshots, **changes)


@pytest.mark.parametrize("key", ["p", " "])
def test_a_key_pauses_and_resumes(key: str) -> None:
    run = Run()
    assert run.press(key) == [Pause()]
    run.see(2, state=State.PAUSING)
    assert run.press(key) == [Resume()]
    run.see(2, state=State.RUNNING)
    assert run.press(key) == [Pause()]


def test_a_second_press_need_not_wait_for_the_engine() -> None:
    run = Run()
    assert run.press("pp") == [Pause(), Resume()]
    assert run.press("ss") == [Stop(), Resume()]
    assert run.press("+++---") == [Resize(number) for number in (12, 15, 19, 15, 12, 10)]


def test_a_command_without_effect_is_forgotten() -> None:
    run = Run()
    run.press("p+")
    run.see(2)
    assert run.press("p") == [Pause()]
    assert run.press("+") == [Resize(12)]


def test_the_number_of_workers_stays_between_one_and_the_ceiling() -> None:
    run = Run()
    run.see(1, workers=2)
    assert run.press("---+") == [Resize(1), Resize(1), Resize(1), Resize(2)]
    run.see(2, workers=45)
    # One too many: the engine's notice names the option.
    assert run.press("+=-") == [Resize(51), Resize(51), Resize(40)]


def test_a_stop_by_a_key_is_taken_back_and_the_stop_by_a_signal_is_not() -> None:
    run = Run()
    assert run.press("s") == [Stop()]
    run.see(2, state=State.STOPPING)
    assert str(hints(run.latest or SHOT, run.view, 80)).startswith("s resume")
    assert run.press("p") == []
    assert run.press("s") == [Resume()]
    run.see(2, state=State.STOPPING)  # Ctrl-C meanwhile
    assert str(hints(run.latest or SHOT, run.view, 80)).startswith("s stop")
    assert run.press("s") == [Stop()]


def test_keys_change_what_is_shown_and_ask_for_nothing() -> None:
    run = Run()
    assert run.press("df?") == []
    assert (run.view.details, run.view.failures, run.view.help, run.drawn) == (True, True, True, 3)
    assert run.press("df?") == []
    assert (run.view.details, run.view.failures, run.view.help, run.drawn) == (False, False, False, 6)


def test_other_keys_and_keys_before_the_first_snapshot_do_nothing() -> None:
    run = Run()
    assert run.press("qQPS\x1b1") == []
    run.latest = None
    assert run.press("ps+d") == []
    assert not run.view.details


@pytest.mark.parametrize("width", [1, 5, 19, 40, 79])
def test_hints_fit_any_width_and_the_last_to_go_is_the_help(width: int) -> None:
    line = str(hints(SHOT, View(), width))
    assert len(line) <= width
    assert line.endswith("? keys"[:width])
    assert all(len(str(each)) <= width for each in explained(width))


def test_hints_say_what_a_key_would_do_now() -> None:
    view = View()
    assert "p pause" in str(hints(SHOT, view, 79))
    assert "p resume" in str(hints(replace(SHOT, state=State.PAUSED), view, 79))
    view.details = True
    assert "d less" in str(hints(SHOT, view, 79))


def test_a_key_shows_a_new_link_only_if_there_is_a_web_page() -> None:
    shown: list[str] = []
    view = View()

    def show_link(*, read_only: bool = False) -> None:
        shown.append("read-only" if read_only else "link")

    keys = Keys(Run(), view, lambda: SHOT, lambda: None, show_link)
    keys.press("w")
    keys.press("W")
    assert shown == ["link", "read-only"]
    assert "show a new link to the web page" in "".join(map(str, explained(80, has_page=view.has_page)))
    assert Run().press("w") == []
    assert "web page" not in "".join(map(str, explained(80)))
