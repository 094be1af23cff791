"""Runs an analysis: a little at a time on the kernel's own loop, or inline to the end.

Knows the standard library only: an analysis is an iterator of steps.
"""

from headscope.jobs.home import Home
from headscope.jobs.job import Job
from headscope.jobs.runner import JobRunner
from headscope.jobs.steps import Step, Steps

__all__ = ["Home", "Job", "JobRunner", "Step", "Steps"]
