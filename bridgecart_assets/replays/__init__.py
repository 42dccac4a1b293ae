"""Purchase logs of real shops, as order events.

Belongs here: where a log is and how it is read. Does not: sending it (`operations/replaying.py`), and anything that
is made up (`synthetic/`).
"""
