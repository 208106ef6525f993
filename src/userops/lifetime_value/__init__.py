"""The parts of lifetime value, which :mod:`userops.ltv` puts together.

``customers`` counts what customers did, as they are and as they were. ``fitting`` makes models of that, ``backtest`` tells
which of them would have told the past best. ``cohorts`` adds up what was paid already, against what customers cost.
"""
