"""Who may do what: the grants of all stacks as one table, held against what every role really did."""
