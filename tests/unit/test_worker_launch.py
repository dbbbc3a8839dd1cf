"""How workers are scheduled."""

import os
import threading

from ipgate.app.worker_launch import batch_scheduling


def test_only_the_usual_scheduling_is_changed() -> None:
    """Another policy was somebody's choice: it holds for the workers, and afterwards."""
    seen = []

    def observe() -> None:
        for policy in (os.SCHED_OTHER, os.SCHED_IDLE):  # the latter for good
            os.sched_setscheduler(0, policy, os.sched_param(0))
            with batch_scheduling():
                seen.append(os.sched_getscheduler(0))
            seen.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=observe)
    thread.start()
    thread.join()
    assert seen == [os.SCHED_BATCH, os.SCHED_OTHER, os.SCHED_IDLE, os.SCHED_IDLE]
