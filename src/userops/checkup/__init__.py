"""The parts of the check-up, which :mod:`userops.diagnose` judges together.

Five parts look, each at one side of the business, and give :class:`~userops.checkup.findings.Looked`: ``portrait`` (who the
users are), ``demand`` (what they say), ``targets`` (where the numbers should be), ``behaviour`` (what went otherwise than usual)
and ``content`` (what engages). Below them lies what they share: ``measures`` and ``dailies`` (every number from day to day),
``rhythm`` (customers against themselves), ``decompose`` (why a number changed), ``topics`` (what texts are about). Beside
stand ``audience`` (whom to act on), ``follow`` (what became of it) and ``pictures``.
"""
