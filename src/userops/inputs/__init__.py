"""The doors in: files of any format and layout, as canonical frames.

``loading`` opens what is there, ``layouts`` recognises it, ``orders``, ``events`` and ``users`` make it ours by way of
``mapping``, ``inspecting`` shows what was seen.
"""
