"""Pages over the history: blind ratings, and for whoever may see names a gallery, a leaderboard and single jobs."""
