"""Models on arrays and parameters: numpy, scipy and scikit-learn live here and nowhere else.

**Repeat buying** (:data:`~userops.models.repeat_buying.MODELS`: ``nbd``, ``bg-nbd``, ``mbg-nbd``, ``pareto-nbd``) is one
contract, :class:`~userops.models.repeat_buying.RepeatBuying`. A model is its parameters, and knows of customers what
:class:`~userops.models.histories.Histories` holds: ``x`` repeat orders, the last at ``t_x``, seen until ``T``, in any one
unit of time, which the horizon then is in too. Group first (in Polars, or ``Histories.of(x, t_x, T).grouped()``): every
answer is one number per row of the histories.

* ``Model.fit(h)`` is a :class:`~userops.models.likelihood.Fit`: ``model``, ``parameters``, ``log_likelihood``,
  ``converged``, ``edge`` (parameters that ran away), ``identified``, ``standard_errors``, ``draws(n, seed)`` (models with
  other parameters that are likely too: the uncertainty of parameters). InputError (``E_NOT_FITTED``) where nobody
  ordered again.
* ``p_alive(h)``; 1 throughout where ``Model.DROPOUT`` is False.
* ``expected_orders(horizon, h)``, ``pmf(n, horizon, h)``: of the time to come, given the history; without ``h`` of a
  new customer (:data:`~userops.models.histories.NEW`). All at one horizon: differences of two horizons discount.
* ``draw_orders(horizon, h, rng)``: one future for each row (the uncertainty of chance; repeat rows by their weight for
  totals). ``simulate(ages, rng)``: histories of new customers.
* Compare ``log_likelihood`` with that of :class:`~userops.models.nbd.Nbd`, which all of them hold as a limit: a gain of
  less than about 1 says that dropout cannot be told from these data, and no P(alive) should be printed.

**Spending** (:class:`~userops.models.gamma_gamma.GammaGamma`): ``fit(Spending.of(x, mean))`` of customers with repeat
orders, values above 0; ``mean`` of all (None where q <= 1: unusable), ``expected_spend``, ``draw_spend(orders, ...)``.

**Subscriptions**: :class:`~userops.models.sbg.Sbg` (``survival``, ``hazard``, ``median``, ``remaining_lifetime``,
``remaining_within``) and :mod:`~userops.models.kaplan_meier` (``curve``, ``log_rank``).
"""
