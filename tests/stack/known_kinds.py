"""Every kind there is, found by its descriptor: a plan's tests need no engine to be in order."""

import pkgutil
from importlib import import_module

import weyr.kinds
from weyr.core.kind import Kinds


def _found() -> Kinds:
    names = [module.name for module in pkgutil.walk_packages(weyr.kinds.__path__, "weyr.kinds.") if module.ispkg]
    kinds = [import_module(name).KIND for name in names if name.count(".") == 3]
    return {kind.name: kind for kind in kinds}


KINDS: Kinds = _found()
