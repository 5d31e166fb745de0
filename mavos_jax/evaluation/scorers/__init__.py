"""The protocols of the benchmarks, one module for each: which objects and frames count, and how.

A protocol is two pure functions. One scores the masks of a sequence and returns a row for every
object; the other sums all rows up under the official names, and says by which rule.
"""
