"""YAML as people write it: what keeps a file from being read is one fault, with its line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from nktrace.model.errors import Fault, StudyFaults


@contextmanager
def faults_of_yaml(shown: str) -> Iterator[None]:
    """Around reading, composing and constructing a YAML file.

    Args:
        shown: the name of the file in faults.

    Raises:
        StudyFaults: the one fault for which it can't be read.
    """

    def refused(what: str, mend: str = "", row: int | None = None) -> StudyFaults:
        return StudyFaults([Fault(file=shown, row=row, what=what, mend=mend)])

    try:
        yield
    except FileNotFoundError:
        raise refused("there is no such file", "`nktrace init` writes one.") from None
    except OSError as error:
        raise refused(f"the file can't be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise refused(f"byte {error.start} is not UTF-8", "Save it as UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it can't be parsed"
        mend = "Indent with spaces; put quotes around a text with a colon."
        raise refused(f"this is not YAML: {problem}", mend, mark.line + 1 if mark else None) from None
    except (ValueError, RecursionError) as error:  # a date or number that Python refuses; brackets without end
        raise refused(f"a value can't be read ({error})") from None
