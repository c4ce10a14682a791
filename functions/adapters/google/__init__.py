"""Google's services, one package or module each. Only here and in `store.databases` is Google's code imported."""
