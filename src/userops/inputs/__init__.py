"""The doors in: files of any format and layout, as canonical frames.

``loading`` opens what is there, ``layouts`` recognises it, ``mapping`` makes it ours, ``inspecting`` shows what was seen.
"""
