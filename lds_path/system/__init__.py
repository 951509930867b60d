"""What operating systems do differently: the one place for calls that Windows or macOS lack.

Each has a fallback in pure Python. The server of local runs (`run/warm_start/`) is for Linux alone and stays as
it is; elsewhere it is not started.
"""
