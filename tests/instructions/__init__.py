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

What no probe through libcurl can do without, counted once in the same way: Python 3.11, libcurl
8.23, OpenSSL 3.6, the last two lines beside nginx, whose chain of P-256 keys is verified with a
trust store of usual size.

| thousand instructions | a probe | of these a bare request of libcurl |
|---|---|---|
| HTTP, to an address | 548 | 87; some 80 more are the virtual clock of this count |
| HTTP, to a name | 776 | as above; the rest is mostly the resolution, in Python |
| HTTPS, to a name | 5,815 | 5,060: the handshake; libcrypto alone 4,060 |

So 0.87 of a probe over HTTPS is a floor, and all that is ours is 0.13. Of the floor, verification
takes 900. A description of the chain would take 240 more; it is asked for when the chain is new,
failed or ten minutes old. The post-quantum key share that OpenSSL offers by itself would take 940
more, and is not offered. A key share of P-256 in the place of X25519 would take 160 less, but a
second round trip wherever a server insists on X25519.

libcurl reads the trust store once a day, at 40,000, and keeps one for each multi handle: where two
requests in turn have different `ca_file`s it is read again each time, and a probe is nine times as
dear.
"""
