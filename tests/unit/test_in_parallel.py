"""Jobs in threads of their own: waited for as long as that helps."""

import threading

from keeper.chain.asking.members import in_parallel

FOREVER_S = 60.0


def test_in_parallel__all_quick__all_done_when_it_returns():
    done = []
    in_parallel([lambda at=at: done.append(at) for at in range(5)], longest_s=FOREVER_S)
    assert sorted(done) == [0, 1, 2, 3, 4]


def test_in_parallel__one_hangs__not_waited_for_and_goes_on():
    go_on, finished, quick = threading.Event(), threading.Event(), []

    def hang():
        go_on.wait(FOREVER_S)
        finished.set()

    in_parallel([hang, lambda: quick.append(1)], longest_s=0.2)
    assert quick == [1]
    assert not finished.is_set()
    go_on.set()
    assert finished.wait(FOREVER_S)


def test_in_parallel__enough_after_one__returns_though_another_hangs():
    go_on, said = threading.Event(), []
    in_parallel([lambda: go_on.wait(FOREVER_S), lambda: said.append(1)], longest_s=FOREVER_S, enough=lambda: bool(said))
    assert said == [1]
    go_on.set()


def test_in_parallel__nothing_to_do__returns():
    in_parallel([], longest_s=FOREVER_S)
