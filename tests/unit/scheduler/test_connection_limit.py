"""How many connections a host bears: fewer after breaks among answers, one more after good ones."""

from fetchpool.scheduler.connection_limit import MIN_BREAKS, NO_LIMIT, RAISE_AFTER, WINDOW, ConnectionLimit

NEVER = float("-inf")


def host(bears: int, at_once: int, requests: int) -> tuple[ConnectionLimit, int]:
    """A host that bears so many, asked with as many at once as may be; how many broke."""
    limit, broken = ConnectionLimit(), 0
    for now in range(requests):
        flying = min(at_once, limit.limit)
        for place in range(flying):
            if place >= bears:
                broken += 1
                limit.record_break(now + 0.1, now, flying - 1, NEVER)
        for _ in range(min(bears, flying)):
            limit.record_response(now + 0.2, now)
    return limit, broken


def test_it_reaches_what_the_host_accepts_and_stays_there():
    for bears in (1, 2, 4, 7):
        limit, broken = host(bears, 10, 400)
        assert bears <= limit.limit <= bears + 1
        assert broken < 40


def test_an_occasional_reset_among_responses_is_no_limit():
    limit = ConnectionLimit()
    for now in range(1000):
        limit.record_response(now, now)
        if now % 20 == 0:
            limit.record_break(now, now, 9, now)
    assert limit.limit == NO_LIMIT


def test_without_any_answer_it_is_no_matter_of_how_many():
    limit = ConnectionLimit()
    for _ in range(100):
        limit.record_break(0.0, 0.0, 9, NEVER)
    assert not limit.is_limited


def test_breaks_that_come_far_apart_are_not_counted_together():
    limit = ConnectionLimit()
    for place in range(10):
        now = place * (WINDOW + 1)
        limit.record_break(now, now, 9, now)
    assert not limit.is_limited


def test_connections_that_waited_while_another_was_served_count():
    limit = ConnectionLimit()
    for _ in range(MIN_BREAKS):
        limit.record_break(30.0, 0.0, 9, 0.5)
    assert limit.limit < 10


def test_after_good_answers_one_more_is_tried_and_more_rarely_when_it_breaks():
    limit = ConnectionLimit()
    for _ in range(MIN_BREAKS):
        limit.record_break(1.0, 0.5, 3, 1.0)
    assert limit.limit == 2
    for needed in (RAISE_AFTER, 2 * RAISE_AFTER, 4 * RAISE_AFTER):
        for _ in range(needed - 1):
            limit.record_response(2.0, 2.0)
        assert limit.limit == 2
        limit.record_response(2.0, 2.0)
        assert limit.limit == 3
        limit.record_break(2.0, 2.0, 2, 2.0)
        assert limit.limit == 2


def test_a_host_that_accepts_as_many_as_before_has_no_limit_any_more():
    limit = ConnectionLimit()
    for _ in range(MIN_BREAKS):
        limit.record_break(1.0, 0.5, 9, 1.0)
    assert limit.is_limited
    for _ in range(20 * RAISE_AFTER):
        limit.record_response(2.0, 2.0)
    assert not limit.is_limited
