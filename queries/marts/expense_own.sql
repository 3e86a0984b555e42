-- Grain: one row per ledger line seen, judged by itself: which findings would be its own, each true or
-- false. What a reversal really has comes from the line it reverses (expense_reversal).
with
line as (
    select
        expense.insurer_code,
        expense.line_no,
        expense.service_no,
        expense.category,
        expense.amount,
        expense.booked_on,
        expense.paid_on,
        expense.payee_uscc,
        expense.voucher_no,
        expense.budget_year,
        expense.reverses_line_no,
        expense.batch_id,
        expense.row_no
    from seen.expense as expense
),
voucher_used_twice as (
    select
        line.insurer_code,
        line.voucher_no
    from line
    where line.voucher_no is not null and line.reverses_line_no is null
    group by line.insurer_code, line.voucher_no
    having count(*) >= 2
),
spent_on_service as (
    select
        line.service_no,
        sum(line.amount) as amount
    from line
    where line.service_no is not null and line.reverses_line_no is null
    group by line.service_no
),
price as (
    select
        service.service_no,
        service.attendees,
        rule_value(
            concat('price_cap_', service.service_type), service.county, service.sector, service.finished_on
        ) as cap,
        rule_unit(
            concat('price_cap_', service.service_type), service.county, service.sector, service.finished_on
        ) as cap_unit
    from placed_service as service
),
over_price as (
    select spent.service_no
    from spent_on_service as spent
    inner join price on price.service_no = spent.service_no
    where
        spent.amount > case price.cap_unit
            when 'per_visit' then price.cap
            when 'per_person' then price.cap * price.attendees
        end
)
select
    line.insurer_code,
    line.line_no,
    line.service_no,
    line.category,
    line.amount,
    line.booked_on,
    line.paid_on,
    line.budget_year,
    line.reverses_line_no,
    service.service_no is null as unlinked,
    service.service_no is not null and not service.is_valid as service_not_valid,
    case
        when service.service_no is null then line.voucher_no is null
        else service.finished_on is null or coalesce(line.booked_on < service.finished_on, false)
    end as pre_accrued,
    line.voucher_no is null as no_voucher,
    voucher_used_twice.voucher_no is not null and line.reverses_line_no is null as duplicate_voucher,
    coalesce(not eligible_category(line.category), false) as ineligible_category,
    coalesce(service.insurer <> line.insurer_code, false) as wrong_insurer,
    coalesce(
        service.provider_kind = 'agency'
        and not qualified(agency.qualification, agency.valid_from, agency.valid_to, line.booked_on),
        false
    ) as payee_unqualified,
    over_price.service_no is not null as over_price,
    coalesce(line.budget_year <> date_part('year', line.booked_on), false) as wrong_year,
    line.batch_id,
    line.row_no
from line
left join placed_service as service on service.service_no = line.service_no
left join agency on agency.uscc = line.payee_uscc
left join voucher_used_twice
    on voucher_used_twice.insurer_code = line.insurer_code
    and voucher_used_twice.voucher_no = line.voucher_no
left join over_price on over_price.service_no = line.service_no
