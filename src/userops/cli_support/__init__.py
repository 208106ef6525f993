"""What only the command line needs: options, configuration, exit codes, talk on stderr, the guarding parent."""
