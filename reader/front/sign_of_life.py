"""How a process shows gunicorn's arbiter that it lives: by the times of a file that is in memory.

gunicorn makes a temporary file for it, so that no process could start while all folders for such
files are read-only or full.
"""

import os
from typing import Any

from gunicorn.workers.workertmp import WorkerTmp


class SignOfLife(WorkerTmp):  # type: ignore[misc]
    """gunicorn's, without a folder; on a system without `memfd_create` it needs one.

    Args:
        cfg: gunicorn's configuration.
    """

    def __init__(self, cfg: Any) -> None:
        if not hasattr(os, "memfd_create"):
            super().__init__(cfg)
            return
        descriptor = os.memfd_create("wgunicorn")
        if (cfg.uid, cfg.gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, cfg.uid, cfg.gid)  # the process sets the times as that user
        self._tmp = os.fdopen(descriptor, "w+b", 0)
