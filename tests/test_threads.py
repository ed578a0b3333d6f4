"""Standing threads: work is shared, errors come back, and nobody waits for a thread that never begins."""

from __future__ import annotations

import multiprocessing
import sys
import threading

import pytest

from flowcore import threads
from flowcore.threads import mapped, together


def test_work_is_done_by_this_thread_and_another_at_once() -> None:
    meeting, seen = threading.Barrier(2, timeout=30), set()

    def work() -> None:
        meeting.wait()  # passes only when two threads are here
        seen.add(threading.get_ident())

    together(work, 2)
    assert len(seen) == 2
    assert threading.get_ident() in seen


def test_one_worker_is_this_thread_alone() -> None:
    seen = []
    together(lambda: seen.append(threading.get_ident()), 1)
    assert seen == [threading.get_ident()]


def test_results_come_in_order_and_every_item_once() -> None:
    assert mapped(lambda value: value * value, range(1000), 4) == [value * value for value in range(1000)]
    assert mapped(str, [], 4) == []


@pytest.mark.parametrize("by_caller", [True, False])
def test_an_error_comes_back_when_all_have_ended(by_caller: bool) -> None:
    meeting, caller, ended = threading.Barrier(2, timeout=30), threading.get_ident(), []

    def work() -> None:
        meeting.wait()
        if (threading.get_ident() == caller) == by_caller:
            raise KeyError("what a call raised")
        ended.append(True)

    with pytest.raises(KeyError, match="what a call raised"):
        together(work, 2)
    assert ended == [True]


def test_a_thread_that_has_not_begun_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "MOST", 1)
    threads._helpers.cache_clear()
    held, release = threading.Event(), threading.Event()
    busy = threads._helpers().submit(lambda: (held.set(), release.wait(30)))
    assert held.wait(30)
    calls: list[int] = []
    together(lambda: calls.append(1), 3)  # the only helper is taken: nested calls must not wait for each other
    assert calls == [1]
    release.set()
    busy.result()
    assert calls == [1]
    threads._helpers.cache_clear()


def _meet() -> int:
    meeting, seen = threading.Barrier(2, timeout=30), []

    def work() -> None:
        meeting.wait()
        seen.append(threading.get_ident())

    together(work, 2)
    return len(set(seen))


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    assert _meet() == 2  # this process's helpers are standing
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_meet).get(timeout=60) == 2
