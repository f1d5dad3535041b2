"""What ``Checkpointing`` needs: files, signals, and the processes of the run that save together."""
