"""Who gets what, retry, bisect, duplicate, recycle: pure functions of counts and clocks."""

from hwr_batch.schedule.policy import Policy
from hwr_batch.schedule.scheduler import Scheduler
from hwr_batch.schedule.tasks import Kind, Task

__all__ = ["Kind", "Policy", "Scheduler", "Task"]
