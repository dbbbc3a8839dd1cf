"""Speed and memory, measured: `make bench`. Not a test; figures differ from machine to machine."""
