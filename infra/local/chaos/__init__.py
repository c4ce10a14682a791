"""The proof that nothing is lost: a school's day full of failures gives the same documents as an undisturbed day."""
