"""Explores the orders in which several clones touch one remote: each runs the real code, and halts at each of its steps there.

Exhaustive up to a number of preemptions: how often one is halted, though it could go on, so that another goes first. Nearly every
race needs one or two (Musuvathi and Qadeer, 'Iterative Context Bounding', PLDI 2007). A halted one may also die there.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

from mlvc.backend.memory import MemoryBackend


class Died(BaseException):
    """The process of an actor ended here."""


class Inline:
    """A thread pool without threads: an actor is one thread, or the order of its steps would not be its own."""

    def __init__(self, *_arguments, **_options):
        return

    def submit(self, work, *arguments):
        done: Future = Future()
        try:
            done.set_result(work(*arguments))
        except Exception as error:  # as a pool does
            done.set_exception(error)
        return done

    def shutdown(self, **_options):
        return


class Stepped(MemoryBackend):
    """One actor's way to the shared memory: what changes it, or what decisions rest on, is a step."""

    def __init__(self, shared: MemoryBackend, halt: Callable[[str], None]) -> None:
        self.__dict__.update(shared.__dict__)  # the same values, the same clock
        self._shared = shared
        self.halt = halt

    def read(self, key):
        if key.startswith("journal/"):
            self.halt(f"read {key[-3:]}")
        return self._shared.read(key)

    def size(self, key):
        return self._shared.size(key)

    def create(self, key, data):
        self.halt(f"create {key}")
        return self._shared.create(key, data)

    def write(self, key, pieces):
        self.halt(f"write {key}")
        self._shared.write(key, pieces)

    def keys(self, prefix, after=""):
        if prefix == "packs/":
            self.halt("list packs")
        return self._shared.keys(prefix, after)

    def folders(self, prefix):
        return self._shared.folders(prefix)

    def delete(self, key):
        self.halt(f"delete {key}")
        self._shared.delete(key)

    def modified_s(self, key):
        return self._shared.modified_s(key)


class _Actor:
    def __init__(self, name: str, work: Callable[[Callable[[str], None]], None]) -> None:
        self.name = name
        self.go, self.halted = threading.Event(), threading.Event()
        self.dies = self.is_done = self.is_dead = False
        self.error: BaseException | None = None
        self.steps: list[str] = []
        self.thread = threading.Thread(target=self._run, args=(work,), daemon=True)

    def _run(self, work):
        try:
            self.halt("begin")
            work(self.halt)
        except Died:
            self.is_dead = True
        except BaseException as error:
            self.error = error
        self.is_done = True
        self.halted.set()

    def halt(self, what: str) -> None:
        if self.dies:
            raise Died
        self.steps.append(what)
        self.halted.set()
        self.go.wait()
        self.go.clear()
        if self.dies:
            raise Died


Plan = tuple[tuple[int, str, bool], ...]
"""(step from which on, who goes first, whether the one halted dies) for each preemption."""


def run(actors: Sequence[tuple[str, Callable]], plan: Plan) -> tuple[list[str], list[tuple[int, str, list[str]]], dict[str, BaseException]]:
    """Runs actors in the order that a plan says; without one, each to its end, in the order given.

    Returns:
        What was done in which order; at which steps others could have gone first; and what failed.
    """
    waiting = [_Actor(*actor) for actor in actors]
    for actor in waiting:
        actor.thread.start()
        actor.halted.wait()
    turns = {step: (who, dies) for step, who, dies in plan}
    order: list[str] = []
    choices: list[tuple[int, str, list[str]]] = []
    current = waiting[0]
    while True:
        alive = [actor for actor in waiting if not actor.is_done]
        if not alive:
            break
        if current.is_done:
            current = alive[0]
        number = len(order)
        if number in turns:
            who, dies = turns[number]
            if dies:
                current.dies = True
                current.halted.clear()
                current.go.set()
                current.halted.wait()
            current = next((a for a in alive if a.name == who and not a.is_done), current)
            if current.is_done:
                continue
        elif not turns or number > max(turns):
            choices.append((number, current.name, [a.name for a in alive if a is not current]))
        order.append(f"{current.name}: {current.steps[-1]}")
        current.halted.clear()
        current.go.set()
        assert current.halted.wait(60), f"{order[-1]} hangs"
    for actor in waiting:
        actor.thread.join()
    return order, choices, {actor.name: actor.error for actor in waiting if actor.error is not None}


def explore(
    begin: Callable[[], Sequence[tuple[str, Callable]]], check: Callable[[list[str], dict[str, BaseException]], None], *, preemptions: int, deaths: bool
) -> int:
    """Runs all schedules with at most so many preemptions, each from a fresh beginning; returns how many there were.

    Args:
        begin: makes the world anew; returns the actors.
        check: looks at what came of it.
        preemptions: at most.
        deaths: whether a halted one may also die.
    """
    count = 0
    waiting: list[Plan] = [()]
    while waiting:
        plan = waiting.pop()
        order, choices, errors = run(begin(), plan)
        count += 1
        check(order, errors)
        if len(plan) < preemptions:
            waiting.extend((*plan, more) for more in _branches(choices, deaths))
    return count


def _branches(choices: list[tuple[int, str, list[str]]], deaths: bool) -> Iterator[tuple[int, str, bool]]:
    for step, _, others in choices:
        for who in others:
            yield step, who, False
            if deaths:
                yield step, who, True


def without_threads(monkeypatch) -> None:
    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", Inline)
