"""Tests of the executors of plans: what they compute is compared with the plan, call by call."""
