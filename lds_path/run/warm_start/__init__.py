"""Stages of a local run in processes that have imported their packages already.

A process that analyses a small slide spends most of its time on imports. Here a server, started with the run,
imports the packages of the run's stages once, while no job waits for it, and forks workers, which keep what they have
loaded for the next job. The stages that need torch have a server of their own, so that the others do not hold its
memory. The command `lds-path` of a rule is then `client.py`: it hands over its arguments, environment, folder and
streams, passes signals on, and ends as the command does. Where no server answers, it becomes an ordinary
`lds-path`.

A job still is alone in its process while it runs. A worker takes another one only if its last ended well and has
left little memory in use, and none of a GPU.
"""
