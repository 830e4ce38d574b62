"""Points between a surrogate and p^2/q: annealed importance sampling, HMC, the replay buffer."""
