from flowforge import DQParamsBase, dq_test


class ShareParams(DQParamsBase):
    least: float
    above: float = 0.0


@dq_test("share_above", params_model=ShareParams)
def share_above(executor, table, column, params):
    """Enough of all values are above a limit."""
    sql = f"select avg(case when {column} > {params.above} then 1.0 else 0.0 end) from {table}"
    share = executor.scalar(sql)
    if share is None or share >= params.least:
        return True, None, None
    return False, f"only {share:.0%} are above {params.above:g}, expected {params.least:.0%}", sql
