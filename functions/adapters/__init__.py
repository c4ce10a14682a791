"""One vendor a module. Vendor types and vendor errors stop here."""
