"""Was the margin enough?  Breaches counted, tested, and measured by size.

A *breach* is a window whose loss exceeded the margin that was asked for at its start.  Overlapping windows breach
together, so that their breaches are no independent trials: every test here takes non-overlapping windows.  The rate of
overlapping ones is given with a HAC error instead (`overlap`).
"""
