"""The outcome of every event, in the four terms of Jepsen's total-queue checker."""

import collections

Report = collections.namedtuple("Report", "lost unexpected duplicated recovered")


def judge(calls, arrived):
    """`calls`: the status that each call returned (see producer.py); `arrived`: how often each id reached the service.

    lost: accepted, and never arrived. unexpected: arrived, and no producer tried to send it. duplicated: arrived more than
    once. recovered: arrived although its call returned that it may or may not have been accepted.
    """
    accepted = {call["id"] for call in calls if call["status"] == "ESALES_QUEUED"}
    tried = {call["id"] for call in calls}
    return Report(
        lost=sorted(accepted - set(arrived)),
        unexpected=sorted(set(arrived) - tried),
        duplicated=sorted(name for name, times in arrived.items() if times > 1),
        recovered=sorted(set(arrived) & (tried - accepted)),
    )
