"""The commands of `news`, a file a subject: what they print is data on stdout, what they say is talk on stderr."""
