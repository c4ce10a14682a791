"""Each module knows one vendor. Vendor types and vendor errors do not leave this package."""
