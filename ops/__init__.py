"""Running it: the `news` command, the supervisor, embedded services, status."""
