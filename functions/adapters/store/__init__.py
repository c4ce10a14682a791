"""The attendance store: documents in Firestore or SQLite."""
