"""Defect 16: a WebSocket dropped for n blocks, and what happened in them was lost."""

import pytest

from keeper.chain.following.log_sync import LogSync
from keeper.chain.following.log_window import Lived
from tests.defects.frame import defect
from tests.ws_life import DEPTH, living, missed

pytestmark = [pytest.mark.chain, pytest.mark.timeout(120)]


def only_what_was_announced(patch):
    """Once it is up to date, each announced head brings its own logs; nobody asks what lies between two of them."""
    walk = LogSync._walk

    def on_head(self, target):
        if not self._window:
            walk(self, target)
        elif all(lived.block.hash != target.hash for lived in self._window):
            (logs,) = self._reader.of((target,))
            self._append(Lived(target, logs.dump()), logs)

    patch.setattr(LogSync, "_walk", on_head)


@defect(16, mutant=only_what_was_announced)
def test_ws__dropped_for_n_blocks__backfilled_and_nothing_lost():
    """HEAD-5: two accounts opened while nobody listened, n blocks apart; both are known once the line is back."""
    with living() as life:
        _, unknown = missed(life, 4 * DEPTH)
        assert not unknown, "HEAD-5"
