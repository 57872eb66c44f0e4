"""When a written expiry is: `20260327`, `2026-03-27` and `27MAR26` are 08:00 UTC of that day, everywhere.

YYYYMMDD            08:00 UTC; ISO's dashes may be there
YYYYMMDDThhmm[ss]   another time of day, UTC; ISO's dashes, colons and Z may be there
DDMMMYY             Deribit's: 08:00 UTC, years 2000 to 2099
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from keeper.errors import BadInput

#: Seconds after midnight UTC at which a dated instrument expires unless its expiry says otherwise.  Source: Deribit,
#: Derive and Paradex settle at 08:00 UTC.
EXPIRY_TIME_S: Final = 8 * 3600

HINT_EXPIRY: Final = "write 20260327, 20260327T1600 or 27MAR26"

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_OWN: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})?)?", re.ASCII)
_DERIBIT: Final = re.compile(rf"(\d{{1,2}})({'|'.join(_MONTHS)})(\d{{2}})", re.ASCII)


def parse_expiry(text: str, *, of: str = "") -> int:
    """Unix seconds of an expiry; `of` is the name it came from, for the message.

    Raises: `BadInput` if it is none, or a day that does not exist.
    """
    where = f" in {of!r}" if of and of != text else ""
    try:
        found = expiry_or_none(text)
    except ValueError:
        raise BadInput(f"{text!r}{where} is not a day of the calendar", hint=HINT_EXPIRY) from None
    if found is None:
        raise BadInput(f"{text!r}{where} is not an expiry", hint=HINT_EXPIRY)
    return found


def expiry_or_none(text: str) -> int | None:
    """Unix seconds; None where the text has none of the forms.  Raises: `ValueError` for a day that does not exist."""
    upper = text.strip().upper()
    if own := _OWN.fullmatch(upper.replace("-", "").replace(":", "").removesuffix("Z")):
        year, month, day, hour, minute, second = own.groups()
        clock = (int(hour), int(minute), int(second or 0)) if hour else (EXPIRY_TIME_S // 3600, 0, 0)
        return int(datetime(int(year), int(month), int(day), *clock, tzinfo=UTC).timestamp())
    if deribit := _DERIBIT.fullmatch(upper):
        month_number = _MONTHS.index(deribit[2]) + 1
        when = datetime(2000 + int(deribit[3]), month_number, int(deribit[1]), EXPIRY_TIME_S // 3600, tzinfo=UTC)
        return int(when.timestamp())
    return None
