"""Objects that the garbage collector leaves out, because reference counting alone frees them.

The collector finds cycles of references. A full collection visits every object that it tracks. With a
million cached keys that takes a quarter of a second, and the event loop stands still for as long. The
policy cache holds no cycles: keys refer to lists and workspaces, and nothing refers back except by weak
references. So its objects are untracked: each one is freed when its last reference goes, as before.

Do not add a reference back to a key, list or workspace: such a cycle would never be freed
(docs/adr/0003-garbage-collector.md).
"""

import ctypes
import gc

_untrack = ctypes.pythonapi.PyObject_GC_UnTrack
_untrack.argtypes = [ctypes.py_object]
_untrack.restype = None


def untrack(*objects: object) -> None:
    """Let the garbage collector leave out objects that are part of no cycle.

    CPython tracks a dictionary again once an object is put into it; untrack it again then.
    """
    for candidate in objects:
        if gc.is_tracked(candidate):
            _untrack(candidate)
