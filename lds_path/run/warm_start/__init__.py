"""Stages of a local run that start from a process which has imported their packages already.

A process that analyses a small slide spends most of its time on imports. Here a server, started with the run,
imports the packages of a stage once, and forks for every job. The command `lds-path` of a rule is
then `client.py`, which hands over its arguments, environment, folder and streams, and passes signals on.
Where there is no server, or it cannot answer, the client is replaced by an ordinary `lds-path`.
"""
