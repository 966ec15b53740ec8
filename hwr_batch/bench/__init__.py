"""The benchmark: the same lines read in several ways, in one run, on the same cores.

It stands apart from the rooms: to compare what others write it imports what they would, OpenVINO, OpenCV
and Ray Data included. Every measurement runs in a process of its own, rounds interleaved; start-up is never
timed.
"""
