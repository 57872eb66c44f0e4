"""What a person writes: a market, a portfolio, orders, as values; and the way from them into the kernel.

    file ─read→ document (checked, named fields) ─price→ keeper.risk.kernel

A document that cannot be used raises `BadInput` naming file and field.  README.md in this folder describes each field.
"""
