"""The Workspace Events API: one subscription for each teacher."""
