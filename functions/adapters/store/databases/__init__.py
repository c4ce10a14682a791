"""Databases of documents: Firestore, and SQLite for one machine."""
