"""Exercises: a step of a language without its code, for a learner to write.

An exercise is data in ``docs/exercises/``. ``blank`` takes the code out of a step's file,
``folder`` puts the rest into a folder of the learner's own, ``progress`` runs the vectors there.
"""
