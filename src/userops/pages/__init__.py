"""What people see of each analysis: the blocks of its page and the words on it. Numbers are made elsewhere."""
