"""Signals: one that stops is never lost to one that saves."""

import os
import signal

import pytest

from callbacks.saving.signal_inbox import STOP_SIGNALS, SignalInbox, rank_of_signal, signal_of_rank
from lit_an.command_line.stopping import save_signals_ignored


@pytest.mark.parametrize("stop", STOP_SIGNALS)
def test_a_stop_outlives_a_save(stop: int) -> None:
    inbox = SignalInbox()
    inbox.open()
    try:
        for sent in ([signal.SIGUSR1, stop], [stop, signal.SIGUSR1]):
            for number in sent:
                os.kill(os.getpid(), number)
                signal.signal(number, inbox._record)  # a second stop would end this process
            assert (inbox.newest, inbox.take(), inbox.take()) == (stop, stop, 0)
    finally:
        inbox.close()
    ranks = [rank_of_signal(number) for number in (0, signal.SIGUSR1, stop)]
    assert ranks == sorted(set(ranks))
    assert [signal_of_rank(rank) for rank in ranks] == [0, signal.SIGUSR1, stop]


def test_a_signal_to_save_does_not_end_what_has_nothing_to_save() -> None:
    with save_signals_ignored():
        os.kill(os.getpid(), signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
