"""Pages for people: answers of the API as HTML that loads nothing else.

typed          texts that people typed, made fit to stand among others
wording        marks, times and durations as people say them
timeline       when somebody was there, as geometry
report         a class meeting with everybody's attendance -> all that its page shows, made of these:
  notices        its state, and what is not complete
  facts          its summary
  class_time     the clock that its times use, and the axis on which they are drawn
  people         its people as rows, in groups
  decisions      marks that were set by hand
register       a class's register of a month -> likewise
rendering      what a page shows -> HTML with its headers
templates/     the pages themselves; they show, and decide nothing

What a page shows depends only on its documents, not on the time or on the person who looks at it.
"""
