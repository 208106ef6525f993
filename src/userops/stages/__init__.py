"""The parts of AARRR, which :mod:`userops.aarrr` puts together.

``scan`` makes small tables of the files: who started when, was there on which day, ordered what. ``metrics`` says what every
metric is of these.
"""
