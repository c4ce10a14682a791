"""The gate that every HTTP stand-in answers through: it holds calls, and the stand-in's own answers, to Google's rules.

`calls` is what the parts speak of, `json_values` and `field_masks` check values, `discovery` knows Google's discovery
documents, `endpoints` what has none, and `middleware` is what a server puts in front of its application.
"""
