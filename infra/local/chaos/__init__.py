"""The proof that nothing is lost: a school's day with everything going wrong gives the documents of a quiet day."""
