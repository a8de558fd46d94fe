"""The exercise of lesson 16: choose alarms that notice every bad night, and no good one.

``nights.toml`` is the check: what happened in each night, in minutes after the schedule's time.
"""
