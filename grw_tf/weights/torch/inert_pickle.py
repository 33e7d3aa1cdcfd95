"""Reads pickles without running them: nothing that a pickle names is ever called.

This is Python's own unpickler with the operations that data needs, and checks before
those that act on values. It is the one in Python, as the one in C cannot be restricted:
it hashes any key (a few nested tuples take forever), calls `__setstate__` of whatever
it finds on the stack (arrays have one), and reserves memory for any position in the
memo.
"""

import dataclasses
import io
import pickle
import pickletools
import struct
from collections.abc import Callable

from grw_tf.common.error_text import one_line

_MOST_ATTRIBUTES = 100
# Modules with functions that run code, which no data needs.
_RUNNING = {
    *("os", "posix", "nt", "sys", "subprocess", "shutil", "pty", "commands"),
    *("runpy", "importlib", "imp", "code", "codeop", "pickle", "_pickle", "cPickle"),
    *("dill", "cloudpickle", "joblib", "marshal", "operator", "_operator"),
    *("ctypes", "socket", "webbrowser", "timeit", "trace", "pdb", "bdb", "asyncio"),
    *("multiprocessing", "threading", "urllib", "requests", "http", "ftplib"),
}
_RUNNING_FUNCTIONS = {"torch.load", "torch.hub.load", "torch.jit.load", "numpy.load"}
_BUILTINS = {"builtins", "__builtin__"}
# The built-in names that are only data.
_BUILTIN_DATA = {
    *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int"),
    *("list", "object", "range", "xrange", "set", "slice", "str", "tuple", "long"),
    *("unicode",),
}
# The operations that data needs.
_READ = (
    *("PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET"),
    *("LONG_BINGET", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2"),
    *("LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "TUPLE"),
    *("EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS"),
    *("EMPTY_DICT", "SETITEM", "SETITEMS", "FROZENSET", "ADDITEMS", "GLOBAL"),
    *("STACK_GLOBAL", "BINPERSID", "REDUCE", "NEWOBJ", "BUILD"),
)
# Those whose values become `Unread`.
_UNREAD = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "EMPTY_SET")


@dataclasses.dataclass(frozen=True)
class NamedClass:
    """A class, known by its name in the module that it was pickled from."""

    module: str
    name: str


@dataclasses.dataclass(frozen=True)
class NamedInstance:
    """An instance of such a class; its state is attributes that are whole numbers."""

    named_class: NamedClass
    state: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Unread:
    """A placeholder for an object of a class that is unknown here.

    It ignores the arguments, attributes and items that a pickle gives the object.

    Attributes:
        reason: Why the object was not read, as a sentence.
    """

    reason: str

    def __call__(self, *_: object) -> "Unread":
        """Returns itself as the object that the unknown class makes."""
        return self

    def append(self, _: object) -> None:
        """Ignores an item."""

    extend = add = append


def load(
    data: bytes,
    find_global: Callable[[str, str], object],
    load_persistent: Callable[[object], object],
) -> object:
    """Returns what a pickle holds.

    Plain containers, numbers and strings are read as they are. Any other data becomes
    `Unread`, also as a key of a dict. The result may be deeply nested or contain
    itself.

    Args:
        data: The pickle.
        find_global: Takes a module and a name and returns what replaces that global: a
            function that the pickle may call, a `NamedClass` or another value; None for
            `Unread`.
        load_persistent: Takes a persistent id, which may be any value, and returns what
            it stands for.

    Raises:
        ValueError: If the pickle is damaged, names a function that runs code, or has an
            operation that data does not need.
    """
    unpickler = _InertUnpickler(data, find_global, load_persistent)
    try:
        value = unpickler.load()
    except EOFError:
        raise _damaged("it ends before its STOP") from None
    except (
        *(AttributeError, IndexError, KeyError, TypeError, UnicodeDecodeError),
        *(pickle.UnpicklingError, struct.error),
    ) as error:
        raise _damaged(one_line(error, 200)) from None
    if unpickler.stack or unpickler.metastack:
        raise _damaged("it does not end with one value")
    return value


class _Handlers(dict):
    """The unpickler's methods by operation; any other operation is an error."""

    def __missing__(self, code):
        if chr(code) not in pickletools.code2op:
            raise _damaged(f"it has the unknown operation {code:#x}")
        raise ValueError(_unneeded(pickletools.code2op[chr(code)].name))


class _InertUnpickler(pickle._Unpickler):
    dispatch = _Handlers()
    stack: list
    metastack: list

    def __init__(self, data, find_global, load_persistent):
        super().__init__(io.BytesIO(data))
        self._find_global = find_global
        self._load_persistent = load_persistent

    def persistent_load(self, pid):
        return self._load_persistent(pid)

    def find_class(self, module, name):
        found = self._find_global(module, name)
        if found is not None:
            return found
        reason = (
            f"its pickle names {f'{module}.{name}'!r:.120}, which no weights file"
            " needs: refused; save the state dict alone."
        )
        if _runs_code(module, name):
            raise ValueError(reason)
        return Unread(reason)

    def load_long1(self):
        super().load_long1()
        if self.stack[-1].bit_length() > 63:
            reason = "its pickle has a number of over 8 bytes: refused."
            self.stack[-1] = Unread(reason)

    def load_frozenset(self):
        self.pop_mark()
        self.append(Unread(_unneeded("FROZENSET")))

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def load_setitems(self):
        self._set_items(self.pop_mark())

    def _set_items(self, items):
        target = self.stack[-1]
        if isinstance(target, Unread):
            return
        if not isinstance(target, dict):
            raise _damaged(f"a {_kind(target)} where a dict is due")
        if len(items) % 2:
            raise _damaged("a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # The hash of a small nested tuple may take forever.
            if type(key) not in (str, int):
                key = Unread(f"its pickle has a {_kind(key)} as key: refused.")
            target[key] = value

    def load_reduce(self):
        if not isinstance(self.stack[-1], tuple):
            raise _damaged(f"a call with a {_kind(self.stack[-1])}")
        super().load_reduce()

    def load_newobj(self):
        arguments, named_class = self.stack.pop(), self.stack.pop()
        match (named_class, arguments):
            case (Unread(), _):
                self.append(named_class)
            case (NamedClass(), ()):
                self.append(NamedInstance(named_class))
            case _:
                raise ValueError(
                    f"its pickle makes an instance of a {_kind(named_class)} with a"
                    f" {_kind(arguments)}: refused."
                )

    def load_build(self):
        state, target = self.stack.pop(), self.stack[-1]
        # The attributes of an OrderedDict are of no use here.
        ignored = isinstance(target, dict) and isinstance(state, dict)
        if ignored or isinstance(target, Unread):
            return
        if not isinstance(target, NamedInstance) or not _has_whole_numbers(state):
            raise ValueError(
                f"its pickle sets attributes of a {_kind(target)} by a {_kind(state)},"
                " not those of an instance to whole numbers: refused."
            )
        target.state.update(state)


def _unread(name):
    """Returns the handler of an operation that discards the value it makes."""
    handler = pickle._Unpickler.dispatch[getattr(pickle, name)[0]]

    def handle(unpickler):
        handler(unpickler)
        unpickler.stack[-1] = Unread(_unneeded(name))

    return handle


for _name in _READ:
    _code = getattr(pickle, _name)[0]
    _method = pickle._Unpickler.dispatch[_code].__name__
    _InertUnpickler.dispatch[_code] = getattr(_InertUnpickler, _method)
for _name in _UNREAD:
    _InertUnpickler.dispatch[getattr(pickle, _name)[0]] = _unread(_name)


def _has_whole_numbers(state):
    # A short pickle may name one long state many times.
    if not isinstance(state, dict) or len(state) > _MOST_ATTRIBUTES:
        return False
    return all(type(key) is str and type(state[key]) is int for key in state)


def _runs_code(module, name):
    root = module.partition(".")[0]
    if root in _BUILTINS:
        return name not in _BUILTIN_DATA
    return root in _RUNNING or f"{module}.{name}" in _RUNNING_FUNCTIONS


def _unneeded(operation):
    return (
        f"its pickle has the operation {operation}, which no weights file needs:"
        " refused."
    )


def _kind(value):
    return type(value).__name__


def _damaged(what):
    return ValueError(f"its pickle is damaged ({what}).")
