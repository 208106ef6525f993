"""The parts of the check-up, which :mod:`userops.diagnose` judges together.

Five parts look, each at one side of the business, and give :class:`~userops.checkup.findings.Looked`: ``portrait`` (who the
users are), ``demand`` (what they say), ``targets`` (where the numbers should be), ``behaviour`` (what went otherwise than usual)
and ``content`` (what engages). Behaviour is made of ``suspects`` (what is
unusual, and what shares a cause), ``silence`` (the best customers who go quiet) and ``gaps`` (segments against each other).
Below them lies what they share: ``measures`` and ``dailies`` (every number from day to day),
``rhythm`` (customers against themselves), ``decompose`` (why a number changed), ``topics`` (what texts are about). Beside
stand ``audience`` (whom to act on), ``follow`` (what became of it) and ``pictures``.
"""
