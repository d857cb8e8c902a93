"""The gate that adapts how many transfers go on at once."""

from __future__ import annotations

import threading

from mlvc.parallel import Gate


class Line:
    """A clock for transfers whose rate grows with how many go on at once, up to a width."""

    def __init__(self, width: int) -> None:
        self.now, self.width = 0.0, width

    def clock(self) -> float:
        return self.now


def moved(gate: Gate, line: Line, count: int) -> None:
    for _ in range(count):
        with gate.passing(1000):
            line.now += 1 / min(gate.limit, line.width)


def test_it_opens_as_long_as_more_pass_for_it_and_no_further():
    line = Line(width=5)
    gate = Gate(2, 16, line.clock)
    moved(gate, line, 400)
    assert 5 <= gate.limit <= 6


def test_it_never_opens_beyond_its_most():
    line = Line(width=100)
    gate = Gate(2, 4, line.clock)
    moved(gate, line, 400)
    assert gate.limit == 4


def test_it_closes_when_the_line_gets_slower_and_lets_one_through_always():
    line = Line(width=8)
    gate = Gate(4, 8, line.clock)
    moved(gate, line, 200)
    widest = gate.limit
    for factor in (2, 4, 8, 16, 32, 64, 128, 256, 512):
        for _ in range(40):
            with gate.passing(1000):
                line.now += factor
    assert 1 <= gate.limit < widest


def test_no_more_pass_at_once_than_its_limit():
    gate, inside, most = Gate(3, 3), 0, 0
    lock, release = threading.Lock(), threading.Event()

    def go():
        nonlocal inside, most
        with gate.passing(1):
            with lock:
                inside += 1
                most = max(most, inside)
                if inside == 3:
                    release.set()
            release.wait(10)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=go) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 3


def test_a_transfer_that_fails_leaves_its_place():
    gate = Gate(1, 1)
    for _ in range(3):
        try:
            with gate.passing(1):
                raise OSError
        except OSError:
            pass
    with gate.passing(1):
        assert True
