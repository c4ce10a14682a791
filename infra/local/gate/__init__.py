"""The gate of every HTTP stand-in: it checks calls, and the stand-in's own answers, against Google's rules.

`calls` defines the common types. `json_values` and `field_masks` check values. `discovery` has the rules from Google's
discovery documents, and `endpoints` the rules for services without such a document. `middleware` is the part that a
server puts in front of its application.
"""
