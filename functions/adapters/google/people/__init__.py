"""Which person an account belongs to: the People API and the Directory API."""
