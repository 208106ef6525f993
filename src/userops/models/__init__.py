"""Models on arrays and parameters: numpy, scipy and scikit-learn live here and nowhere else."""
