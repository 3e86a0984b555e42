-- Grain: one row per high-hazard sector and size. Its row is the latest norm in effect at $as_of, or the
-- sector where there is none.
with
norm as (
    select
        norm.sector,
        norm.size,
        concat_ws(',', coalesce(norm.region_code, ''), norm.sector, norm.size, norm.effective_from) as key,
        norm.batch_id,
        norm.row_no,
        row_number() over (
            partition by norm.sector, norm.size
            order by norm.effective_from desc, norm.region_code
        ) as place
    from service_norm as norm
    where
        norm.effective_from <= $as_of
        and (norm.effective_to is null or $as_of <= norm.effective_to)
)
select
    sector.code as sector,
    size.column1 as size,
    case when norm.key is not null then 1 else 0 end as numerator,
    1 as denominator,
    case when norm.key is not null then 'service_norm' else 'sector' end as dataset,
    coalesce(norm.key, sector.code) as key,
    case when norm.key is not null then norm.batch_id else sector.batch_id end as batch_id,
    case when norm.key is not null then norm.row_no else sector.row_no end as row_no
from sector
cross join (values ('L'), ('M'), ('S'), ('XS')) as size
left join norm
    on norm.sector = sector.code
    and norm.size = size.column1
    and norm.place = 1
where sector.high_hazard
