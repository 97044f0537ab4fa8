from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from flowforge.run.scheduler import Stop
from flowforge.run.signals import stop_on_signals

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

_RUN = """
import os, sys, threading
from flowforge.run.scheduler import FailPolicy, NotRun, Stop, schedule
from flowforge.run.signals import stop_on_signals
stuck = sys.argv[1] == "stuck"
stop, cancelled, forever = Stop(), threading.Event(), threading.Event()

def work(name):
    print("runs", flush=True)
    (forever if stuck else cancelled).wait()
    return False

def cancel():
    if not cancelled.is_set():
        print("cancels", flush=True)
        cancelled.set()

with stop_on_signals(stop, enabled=True):
    left = [one.name for one in schedule(
        {"a": (), "b": ("a",)}, work, jobs=2, policy=FailPolicy.KEEP_GOING, stop=stop, cancel=cancel,
        patience=60.0 if sys.argv[1:] == ["stuck", "patient"] else 1.5,
    ) if isinstance(one, NotRun)]
print(left, flush=True)
sys.stdout.flush()
os._exit(128 + stop.signum)
"""


def begin(*how: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", _RUN, *how], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n"
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(("how", "left"), [("cancellable", "['b']"), ("stuck", "['a', 'b']")])
def test_a_signal_ends_the_run_within_two_seconds(number: int, code: int, how: str, left: str) -> None:
    process = begin(how)
    sent = time.monotonic()
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert output.split("\n")[:2] == ["cancels", left]
    assert time.monotonic() - sent < 10  # two seconds are the aim; a loaded machine may take longer


def test_a_second_signal_ends_it_at_once() -> None:
    process = begin("stuck", "patient")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "cancels\n"
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    assert output == ""


def test_handlers_are_put_back_and_other_threads_take_none() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_on_signals(Stop(), enabled=True):
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    seen: list[object] = []

    def elsewhere() -> None:
        with stop_on_signals(Stop(), enabled=True):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    with stop_on_signals(Stop(), enabled=False):
        seen.append(signal.getsignal(signal.SIGINT))
    assert seen == [before[0], before[0]]


def test_the_first_signal_gives_the_reason() -> None:
    stop = Stop()
    stop.set(15)
    stop.set(2)
    assert stop.signum == 15
