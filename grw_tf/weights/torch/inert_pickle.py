"""Reading pickles without running them: nothing that a pickle names is ever called."""

import dataclasses
import pickletools
from collections.abc import Callable

from grw_tf.common.error_text import one_line

_MOST_ATTRIBUTES = 100
# Modules whose functions run code, for which no data has a use.
_RUNNING = {
    *("os", "posix", "nt", "sys", "subprocess", "shutil", "pty", "commands"),
    *("runpy", "importlib", "imp", "code", "codeop", "pickle", "_pickle", "cPickle"),
    *("dill", "cloudpickle", "joblib", "marshal", "operator", "_operator"),
    *("ctypes", "socket", "webbrowser", "timeit", "trace", "pdb", "bdb", "asyncio"),
    *("multiprocessing", "threading", "urllib", "requests", "http", "ftplib"),
}
_RUNNING_FUNCTIONS = {"torch.load", "torch.hub.load", "torch.jit.load", "numpy.load"}
_BUILTINS = {"builtins", "__builtin__"}
# What is only data among the built-in names.
_BUILTIN_DATA = {
    *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int"),
    *("list", "object", "range", "xrange", "set", "slice", "str", "tuple", "long"),
    *("unicode",),
}


@dataclasses.dataclass(frozen=True)
class NamedClass:
    """A class by its name alone.

    Attributes:
      module: where the writer of the pickle had it.
      name: its name there.
    """

    module: str
    name: str


@dataclasses.dataclass(frozen=True)
class NamedInstance:
    """An instance of a class that is known by name alone.

    Attributes:
      named_class: the class.
      state: its attributes, whole numbers.
    """

    named_class: NamedClass
    state: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Function:
    """What stands for a function that pickles may call.

    Attributes:
      apply: takes the tuple of arguments, any values, and returns the result.
    """

    apply: Callable[[tuple], object]


@dataclasses.dataclass(frozen=True, eq=False)
class Unread:
    """Stands for what a pickle makes of classes that are not known here, as a value.

    Nothing is kept of it: neither arguments nor attributes nor items.

    Attributes:
      reason: why it was not read, as a sentence.
    """

    reason: str


def load(data, find_global, load_persistent):
    """Returns what a pickle holds.

    Understood are plain containers, numbers, strings, and what stands for the pickle's
    globals. Anything else that is data becomes `Unread`, also as a dict's key. The
    result may be nested deeply or in itself.

    Args:
      data: bytes of the pickle.
      find_global: takes a module and a name and returns what stands for it: a
        `Function`, a `NamedClass` or another value; or None, and it is `Unread`.
      load_persistent: takes a persistent id, any value, and returns what it stands for.

    Raises:
      ValueError: if the pickle is damaged, names what runs code, or does anything else.
    """
    machine = _Machine(find_global, load_persistent)
    for opcode, argument, _ in _operations(data):
        machine.run(opcode.name, argument)
    return machine.result()


def _operations(data):
    try:
        yield from pickletools.genops(data)
    except ValueError as error:
        raise ValueError(f"its pickle is damaged ({one_line(error)}).") from None


class _Machine:
    def __init__(self, find_global, load_persistent):
        self._find_global = find_global
        self._load_persistent = load_persistent
        self._stack = []
        self._below_marks = []
        self._memo = {}

    def run(self, name, argument):
        match name:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "BININT" | "BININT1" | "BININT2" | "BINFLOAT":
                self._push(argument)
            case "LONG1":
                if argument.bit_length() > 63:
                    argument = Unread(
                        "its pickle has a number of over 8 bytes: refused."
                    )
                self._push(argument)
            case "EMPTY_SET" | "BINBYTES" | "SHORT_BINBYTES" | "BINBYTES8":
                self._push(Unread(_unneeded(name)))
            case "FROZENSET":
                self._pop_to_mark()
                self._push(Unread(_unneeded(name)))
            case "ADDITEMS":
                self._pop_to_mark()
                self._top(Unread)
            case "BINUNICODE" | "SHORT_BINUNICODE" | "BINUNICODE8":
                self._push(argument)
            case "NONE":
                self._push(None)
            case "NEWTRUE" | "NEWFALSE":
                self._push(name == "NEWTRUE")
            case "EMPTY_TUPLE":
                self._push(())
            case "EMPTY_LIST":
                self._push([])
            case "EMPTY_DICT":
                self._push({})
            case "MARK":
                self._below_marks.append(self._stack)
                self._stack = []
            case "TUPLE":
                self._push(tuple(self._pop_to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                self._push(tuple(self._pop(int(name[-1]))))
            case "APPEND":
                self._append(self._pop(1))
            case "APPENDS":
                self._append(self._pop_to_mark())
            case "SETITEM":
                self._set_items(self._pop(2))
            case "SETITEMS":
                self._set_items(self._pop_to_mark())
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = self._top()
            case "MEMOIZE":
                self._memo[len(self._memo)] = self._top()
            case "BINGET" | "LONG_BINGET":
                if argument not in self._memo:
                    raise _damaged(f"{name} of {argument}, which nothing put")
                self._push(self._memo[argument])
            case "GLOBAL":
                self._push_global(*argument.partition(" ")[::2])
            case "STACK_GLOBAL":
                self._push_global(*self._pop(2))
            case "BINPERSID":
                self._push(self._load_persistent(*self._pop(1)))
            case "REDUCE":
                self._reduce(*self._pop(2))
            case "NEWOBJ":
                self._make_instance(*self._pop(2))
            case "BUILD":
                self._build(*self._pop(1))
            case _:
                raise ValueError(_unneeded(name))

    def result(self):
        if self._below_marks or len(self._stack) != 1:
            raise _damaged("it does not end with one value")
        return self._stack[0]

    def _push(self, value):
        self._stack.append(value)

    def _pop(self, count):
        if len(self._stack) < count:
            raise _damaged("a value is missing")
        values = self._stack[-count:]
        del self._stack[-count:]
        return values

    def _pop_to_mark(self):
        if not self._below_marks:
            raise _damaged("a mark is missing")
        values, self._stack = self._stack, self._below_marks.pop()
        return values

    def _top(self, kind=object):
        if not self._stack:
            raise _damaged("a value is missing")
        if not isinstance(self._stack[-1], kind):
            raise _damaged(f"a {_kind(self._stack[-1])} where a {kind.__name__} is due")
        return self._stack[-1]

    def _append(self, values):
        if not isinstance(self._top(), Unread):
            self._top(list).extend(values)

    def _set_items(self, values):
        if len(values) % 2:
            raise _damaged("a key without a value")
        if isinstance(self._top(), Unread):
            return
        keys = [
            key
            if type(key) in (str, int)
            else Unread(f"its pickle has a {_kind(key)} as key: refused.")
            for key in values[::2]
        ]
        self._top(dict).update(zip(keys, values[1::2], strict=True))

    def _push_global(self, module, name):
        if not (isinstance(module, str) and isinstance(name, str)):
            raise _damaged(f"a global named by a {_kind(module)} and a {_kind(name)}")
        found = self._find_global(module, name)
        if found is None:
            reason = (
                f"its pickle names {f'{module}.{name}'!r:.120}, which no weights file"
                " needs: refused; save the state dict alone."
            )
            if _runs_code(module, name):
                raise ValueError(reason)
            found = Unread(reason)
        self._push(found)

    def _reduce(self, function, arguments):
        if isinstance(function, Unread):
            self._push(function)
            return
        if not isinstance(function, Function) or not isinstance(arguments, tuple):
            raise ValueError(
                f"its pickle calls a {_kind(function)} with a {_kind(arguments)}:"
                " refused."
            )
        self._push(function.apply(arguments))

    def _make_instance(self, named_class, arguments):
        if isinstance(named_class, Unread):
            self._push(named_class)
            return
        none = isinstance(arguments, tuple) and not arguments
        if not isinstance(named_class, NamedClass) or not none:
            raise ValueError(
                f"its pickle makes an instance of a {_kind(named_class)} with a"
                f" {_kind(arguments)}: refused."
            )
        self._push(NamedInstance(named_class))

    def _build(self, state):
        target = self._top()
        # The attributes of a dict are those of an OrderedDict, of use to nobody here.
        if isinstance(target, dict) and isinstance(state, dict):
            return
        if isinstance(target, Unread):
            return
        if not isinstance(target, NamedInstance) or not _has_whole_numbers(state):
            raise ValueError(
                f"its pickle sets attributes of a {_kind(target)} by a {_kind(state)},"
                " not those of an instance to whole numbers: refused."
            )
        target.state.update(state)


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
