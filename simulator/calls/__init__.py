"""The RPC calls that clients make."""
