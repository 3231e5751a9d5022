"""What is too long for every run: `make torture` prints figures of faults and loads survived.

Each module has a `TITLE` and `run()`, which returns figures by name and raises if a promise is
broken. The suite runs a smaller size of the same. `README.md` says which test holds which promise.
"""
