import os

# Before gRPC is imported: its core would add lines of its own, and what they say is in the message.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
