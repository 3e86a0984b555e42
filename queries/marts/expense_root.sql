-- Grain: one row per reversal with an original: the line at the end of its chain of reversals, from
-- which all of them have their findings. That line is no reversal, or one without an original. A
-- chain that runs in a circle has no end and no row.
with recursive
link as (
    select
        reversal.insurer_code,
        reversal.line_no,
        original.line_no as original_no
    from expense_own as reversal
    inner join expense_own as original
        on original.insurer_code = reversal.insurer_code
        and original.line_no = reversal.reverses_line_no
),
ancestor as (
    select
        link.insurer_code,
        link.line_no,
        link.original_no
    from link
    union
    select
        ancestor.insurer_code,
        ancestor.line_no,
        link.original_no
    from ancestor
    inner join link
        on link.insurer_code = ancestor.insurer_code
        and link.line_no = ancestor.original_no
)
select
    ancestor.insurer_code,
    ancestor.line_no,
    ancestor.original_no as root_no
from ancestor
left join link as further
    on further.insurer_code = ancestor.insurer_code
    and further.line_no = ancestor.original_no
where further.line_no is null
