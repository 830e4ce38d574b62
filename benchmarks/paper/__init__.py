"""The parts of `fab_paper.py`: the comparison of A. Kofler et al., MLST 6 (2025) 025061."""
