/* Requests to valgrind, for tests/instructions/counted.py; without valgrind they do nothing. */
#include <valgrind/callgrind.h>

void start(void) { CALLGRIND_START_INSTRUMENTATION; }

void end_phase(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
