"""LanceDB as we use it: embedded. Its client for remote catalogs, a second of import and 14 MB, is left out."""

import sys
from importlib.util import find_spec, module_from_spec

_CLIENT = "lance_namespace_urllib3_client"
if _CLIENT not in sys.modules and (spec := find_spec(_CLIENT)) is not None:
    # LanceDB needs only data models of this package. Entered without running its '__init__', the package gives these,
    # and the validators of its whole HTTP interface are not built.
    sys.modules[_CLIENT] = module_from_spec(spec)

import lancedb  # noqa: E402  # after the line above, which it is about
from lancedb import index as lance_index  # noqa: E402  # as above
from lancedb import query as lance_query  # noqa: E402  # as above

__all__ = ["lance_index", "lance_query", "lancedb"]
