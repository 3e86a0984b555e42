-- Grain: one row per county and sector in which one insurer has at least $share of the receipts of
-- $months months up to $as_of. What is looked into is the market, not the insurer.
with
collected as (
    select
        receipt.county,
        receipt.sector,
        receipt.insurer,
        receipt.unit_id,
        receipt.amount
    from placed_receipt as receipt
    where
        receipt.received_on > $as_of - cast(concat(cast($months as varchar), ' months') as interval)
        and receipt.received_on <= $as_of
        and receipt.county is not null
        and receipt.sector is not null
),
market as (
    select
        collected.county,
        collected.sector,
        sum(collected.amount) as amount
    from collected
    group by collected.county, collected.sector
),
insured as (
    select
        collected.county,
        collected.sector,
        count(distinct collected.unit_id) as units
    from collected
    group by collected.county, collected.sector
),
party as (
    select
        collected.county,
        collected.sector,
        collected.insurer,
        sum(collected.amount) as amount
    from collected
    group by collected.county, collected.sector, collected.insurer
)
select
    'market_division' as kind,
    'market' as subject_kind,
    concat(party.county, ',', party.sector) as subject_id,
    party.county as region_code,
    party.sector,
    party.insurer as insurer_code,
    cast($as_of - cast(concat(cast($months as varchar), ' months') as interval) + 1 as date) as since,
    party.amount,
    cast(party.amount as decimal(30, 8)) / market.amount as found,
    $share as required,
    'insurer' as dataset,
    party.insurer as key,
    insurer.batch_id,
    insurer.row_no
from party
inner join market
    on market.county = party.county
    and market.sector = party.sector
inner join insured
    on insured.county = party.county
    and insured.sector = party.sector
left join insurer on insurer.code = party.insurer
where
    market.amount > 0
    and party.amount >= cast($share as decimal(7, 6)) * market.amount
    and insured.units >= $least_units
