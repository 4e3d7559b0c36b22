"""Runs the queued jobs, each in a child process.

loop (claims) -> supervision (one child: lease, cancel, journal, ending)
  -> pipe -> child (lifeline, handler, JobRun)
"""
