"""What ships with a deployed program. Imports only the core's plain data and the standard library at the top."""
