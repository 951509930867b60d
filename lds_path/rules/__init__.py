"""What the rules of the workflow compute: the run that is asked for, inputs, arguments."""
