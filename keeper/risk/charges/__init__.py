"""The maths of add-ons: closing costs, concentration, penalties of state, short options."""
