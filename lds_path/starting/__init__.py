"""A folder to run the workflow in, with the installed package: `lds-path init`."""
