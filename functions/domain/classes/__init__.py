"""Classes as a school plans them: class meetings, rosters, series, rooms, Calendar."""
