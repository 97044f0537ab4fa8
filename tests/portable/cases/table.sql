create table t (
    id integer,
    grp varchar,
    v integer,
    f double precision,
    n decimal(9, 2),
    d date,
    ts timestamp,
    s varchar,
    b boolean
);
insert into t values
    (1, 'a', 10, 1.5, 1.25, date '2024-03-31', timestamp '2024-03-31 13:14:15.5', 'Abc', true),
    (2, 'a', null, 2.5, 2.5, date '2024-12-30', timestamp '2024-12-30 00:00:00', 'abd', false),
    (3, 'b', -7, -2.5, -3.45, null, null, null, null),
    (4, 'b', 7, null, null, date '2021-01-03', timestamp '2021-01-03 23:59:59', '', true);
