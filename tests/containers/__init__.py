"""The image and docker-compose.yml, for real: these tests need a Docker engine."""
