"""The engines of the snapshot benchmark: the service and its peers, each in a file of its own."""
