"""Switches over P4Runtime: their programs and tables, loaded to stay. Needs the extra `p4`."""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # read when gRPC is imported: it would print what is raised as well
