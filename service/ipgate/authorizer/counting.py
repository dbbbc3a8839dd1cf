"""Memory that is freed by counting references alone, so that the garbage collector can pass it over.

The collector is there for cycles of references. A full collection looks at every object that it
knows of, which takes a quarter of a second for a million keys, and holds the event loop all the
while. Nothing that the policy cache holds is part of a cycle: keys refer to lists and workspaces,
and nothing refers back but by weak references. So the collector is told to leave all that out: each
such object is freed at the moment when nothing refers to it any more, as before, and everything
else is collected as before. Nothing can leak by it that the collector would have found, unless a
reference back to a key, list or workspace is added one day: do not add one.
"""

import ctypes
import gc

_untrack = ctypes.pythonapi.PyObject_GC_UnTrack
_untrack.argtypes = [ctypes.py_object]
_untrack.restype = None


def leave_to_counting(*things: object) -> None:
    """Lets the garbage collector leave out objects that are part of no cycle.

    A dictionary is looked at again once an object is put into it, and must be given anew then.
    """
    for thing in things:
        if gc.is_tracked(thing):
            _untrack(thing)
