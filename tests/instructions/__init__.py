"""How many instructions a probe and a check of a model cost, counted by valgrind.

The number is the same on a busy machine.

    python -m tests.instructions             count, and compare with reference.json
    python -m tests.instructions --renew     count, and write reference.json

What is counted is ours (`counted.py`): the scheduler, libcurl's engine, recording and the rendered
lines of /metrics, for probes over plain HTTP, one after the other, in user space. Nothing of the
kernel is in it, and nothing of TLS: `make bench` measures those.

A check of a model is counted beside its stream (`checks.py`): reserved, read from pieces that were
recorded, judged, settled and kept on the disk. What libcurl does for a stream is not in it.

An absolute number would be true for one machine: another build of the same Python spends other
numbers of instructions on the same work. So two more things are counted in the same process and
take part in the comparison (`counting.py`): a bare request of libcurl, and a workload of plain
Python.

Ten runs of one commit on two cores shared with twenty other busy programs found 811,387 to 812,468
instructions a probe: 0.13 % apart. Debian's build of Python 3.11 needed 727,033 for the same, which
compared as +0.2 %; without libc's routines for AVX2 and newer it compared as +1.2 %.
"""
