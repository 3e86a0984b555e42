-- Grain: one row per policy rated: incepting in [$from, $to), up to the observation day, with
-- premium, persons and limit above 0, in a group of sector and size with at least $least_group.
with
priced as (
    select
        policy.inception,
        policy.county,
        policy.sector,
        policy.size,
        policy.insurer,
        coalesce(policy.sector, 'unknown') as of_sector,
        coalesce(policy.size, 'unknown') as of_size,
        -- In fen above and below: equal prices give equal numbers.
        ln(
            cast(policy.premium_written * 100 as double)
            / cast(policy.insured_persons * policy.death_limit_per_person * 100 as double)
        ) as price,
        policy.dataset,
        policy.key,
        policy.batch_id,
        policy.row_no
    from placed_policy as policy
    where
        policy.premium_written > 0
        and policy.insured_persons > 0
        and policy.death_limit_per_person > 0
),
middle as (
    select
        priced.of_sector,
        priced.of_size,
        median(priced.price) as price
    from priced
    group by priced.of_sector, priced.of_size
    having count(*) >= $least_group
),
spread as (
    select
        middle.of_sector,
        middle.of_size,
        middle.price,
        median(abs(middle.price - priced.price)) as mad
    from middle
    inner join priced
        on priced.of_sector = middle.of_sector
        and priced.of_size = middle.of_size
    group by middle.of_sector, middle.of_size, middle.price
)
select
    priced.county,
    priced.sector,
    priced.size,
    priced.insurer,
    case
        when spread.mad > 0 and spread.price - priced.price > $deviations * $scale * spread.mad then 1
        else 0
    end as numerator,
    1 as denominator,
    priced.dataset,
    priced.key,
    priced.batch_id,
    priced.row_no
from priced
inner join spread
    on spread.of_sector = priced.of_sector
    and spread.of_size = priced.of_size
where
    priced.inception >= $from
    and priced.inception < $to
    and priced.inception <= $observed_until
