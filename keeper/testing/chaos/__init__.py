"""Ten thousand lives of a keeper under faults, restarts and deaths, and the laws that hold after each.

    make chaos N=10000 SEED=1

`scenario` draws, `life` lives one in this process, `killed` ends real processes with SIGKILL, `run` does many.
"""
