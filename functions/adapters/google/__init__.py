"""Google's services, one package or module each. Google's libraries are imported only here and in `store.databases`."""
