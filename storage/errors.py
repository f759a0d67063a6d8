"""What can be wrong with what came from outside, as opposed to what is wrong with us."""

from __future__ import annotations


class CaseError(Exception):
    """This case cannot be used, for a reason that lies in its data.

    The case is excluded with this reason, stays in every denominator, and stops nothing else. The verdict is stored, so
    that an unchanged case is not examined again. The message is shown to every user of the dashboard: it carries no
    patient identifier and no path.
    """


class StoreError(Exception):
    """The store cannot be used as it is (other format, damaged artifact, no room); the message says what to do."""
