"""Kinds of numbers in a document, each within what any market could show: what is beyond is a slip of the pen."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

#: No price, size or amount of money is larger.
LARGEST: Final = 1e15
#: No price is smaller, but for one that is nothing.
LEAST_PRICE: Final = 1e-12
#: Nothing expires later; seconds.
LATEST_S: Final = 100 * 365 * 86_400

Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
NotNegative = Annotated[float, Field(ge=0.0, le=LARGEST)]
Positive = Annotated[float, Field(gt=0.0, le=LARGEST)]
Price = Annotated[float, Field(ge=LEAST_PRICE, le=LARGEST)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
#: Annual and continuous.
Rate = Annotated[float, Field(ge=-5.0, le=5.0)]
#: Annual; 1000 is 100,000 %.
Vol = Annotated[float, Field(gt=0.0, le=1e3)]
VolOrNone = Annotated[float, Field(ge=0.0, le=1e3)]
#: A parameter of raw SVI, in total variance or log-moneyness.
Wide = Annotated[float, Field(ge=-1e6, le=1e6)]
#: The same, of one that is not negative.
WideNotNegative = Annotated[float, Field(ge=0.0, le=1e6)]
