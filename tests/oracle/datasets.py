"""The datasets, written down again from datasets.md.

Nothing here is read from the product's contracts: a slip there must show as a difference.
A column is `name` + marks, then its type, then what its values must be.
Marks: * key, ! required, ~ empty means all. `event`: not later than a day after landing.
"""

COLUMNS = {
    "region": """
        code* text; name! text; level! text nation|province|city|county; parent_code text; valid_from date
        valid_to date; successor_code text""",
    "sector": """
        code* text mine|hazchem|fireworks|transport|construction|civil_explosives|metallurgy|fishery|other
        name! text; high_hazard! bool
        department! text emergency|defence_industry|construction|transport|agriculture_fishery|other""",
    "insurer": "code* text; name! text; uscc text credit_code; regulator text",
    "agency": """
        uscc* text credit_code; name! text; qualification text; expert_count int; equipment text
        region_code text region; valid_from date; valid_to date""",
    "service_norm": """
        region_code*~ text region; sector* text sector; size* text L|M|S|XS; effective_from* date; effective_to date
        visits_per_year! int; issued_by text; issued_on date; document_no text""",
    "calendar": "day* date; is_workday! bool",
    "rule": """
        rule_id* text; region_code* text region; sector*~ text sector; effective_from* date; effective_to date
        value! decimal(18,6); unit text; basis text""",
    "unit": """
        unit_id* text; id_kind! text uscc|vessel|permit|project; name! text; region_code! text region
        address text; sector! text sector; industry_code text; size text L|M|S|XS; employees int >=0
        risk_level text red|orange|yellow|blue; standardisation_level int >=1 <=3; status text open|closed|suspended""",
    "roster": """
        unit_id* text; sector* text sector; valid_from* date; valid_to date
        department! text emergency|defence_industry|construction|transport|agriculture_fishery|other
        region_code! text region; kind! text annual|project; reason text""",
    "deferral": """
        unit_id* text; insurer_code* text insurer; valid_from* date; valid_to date; hazard_no text
        document_no text""",
    "policy": """
        policy_no* text; unit_id* text; insurer_code! text insurer; branch_region_code text region
        product_code text; coinsurance_role text none|lead|follow; coinsurance_share decimal(9,6)
        sector! text sector; region_code! text region; policy_type! text annual|project; inception! date
        expiry! date; issued_at timestamp event; premium_written! decimal(18,2) >=0
        commission_rate decimal(9,6) >=0 <=1; death_limit_per_person decimal(18,2) >=0
        aggregate_limit decimal(18,2); insured_persons! int >=0; employees_declared int
        base_rate decimal(9,6); float_factor decimal(6,4); previous_policy_no text; endorsement_no int
        cancelled_on date; cancel_reason text closure|switch|other""",
    "premium_receipt": """
        receipt_no* text; policy_no! text; insurer_code! text insurer; amount! decimal(18,2)
        received_on! date event; payer_kind! text unit|employee|third_party
        funds text safety_fund|project_cost|other""",
    "service": """
        service_no* text; policy_no! text; unit_id! text; insurer_code! text insurer; sector! text sector
        region_code! text region; service_type! text T1|T2|T3|T4|T5|T6|T9; provider_kind! text own|agency
        agency_uscc text credit_code; plan_no text; planned_on date; started_at timestamp event
        finished_at timestamp event; unit_confirmed_at timestamp event; insurer_confirmed_at timestamp event
        place text; items text; measures text; record_uri text; lead_expert text; experts int; attendees int
        satisfaction int >=1 <=5; revisited_on date event; declined_on date event""",
    "hazard": """
        hazard_no* text; service_no! text; unit_id! text; grade! text general|major; category text
        found_at! timestamp event; unit_notified_at timestamp event; department_notified_at timestamp event
        due_on date; rectified_on date event; verified_on date event""",
    "expense": """
        line_no* text; insurer_code* text insurer; service_no text; policy_no text; category! text
        amount! decimal(18,2); incurred_on date event; booked_on! date event; paid_on date event
        payee_uscc text credit_code; voucher_no text; reverses_line_no text; budget_year! int""",
    "budget": """
        insurer_code* text insurer; year* int; amount! decimal(18,2); reported_spend decimal(18,2)""",
    "claim": """
        claim_no* text; policy_no! text; unit_id! text; insurer_code! text insurer; accident_no text
        accident_at! timestamp event; reported_at! timestamp event; filed_at timestamp event
        documents_complete_at timestamp event; assessed_at timestamp event; agreed_at timestamp event
        advance_amount decimal(18,2); advance_paid_at timestamp event; paid_amount decimal(18,2)
        paid_at timestamp event; reserve decimal(18,2) >=0; refused_at timestamp event
        refusal_notified_at timestamp event; closed_at timestamp event; deaths int; injuries int""",
    "accident": """
        accident_no* text; unit_id! text; region_code! text region; sector! text sector
        occurred_at! timestamp event; grade text general|larger|major|extraordinary; deaths int
        serious_injuries int; direct_loss decimal(18,2)""",
    "complaint": """
        complaint_no* text; insurer_code! text insurer; unit_id text; received_at! timestamp event; kind text
        needs_verification bool; replied_at timestamp event; extended_days int >=0 <=30""",
    "visit": """
        visit_no* text
        department* text emergency|defence_industry|construction|transport|agriculture_fishery|other
        subject_kind! text unit|insurer|agency; subject_id! text; region_code! text region; sector text sector
        visited_on! date event""",
    "inspection": """
        finding_no* text; visit_no text; subject_kind! text unit|insurer|agency; subject_id! text
        department! text emergency|defence_industry|construction|transport|agriculture_fishery|other
        region_code! text region; sector text sector; found_on! date event
        violation! text uninsured|under_headcount|under_limit|false_insurance|irregular_underwriting|irregular_service
        penalty_amount decimal(18,2); corrected_on date event""",
}

# Row rules 4, on typed values; a rule on a missing value passes. Timestamps are microseconds in UTC.
DAY = 86_400_000_000
SHANGHAI = 8 * 3_600_000_000


def day_of(micros):
    """Day number in Asia/Shanghai of an instant."""
    return (micros + SHANGHAI) // DAY


ROW_RULES = {
    "policy": [
        (("expiry", "inception"), lambda expiry, inception: expiry > inception),
        (("cancelled_on", "inception"), lambda cancelled, inception: inception <= cancelled),
        (("cancelled_on", "expiry"), lambda cancelled, expiry: cancelled <= expiry),
    ],
    "service": [(("finished_at", "started_at"), lambda finished, started: finished >= started)],
    "hazard": [
        (("rectified_on", "found_at"), lambda rectified, found: rectified >= day_of(found)),
        (("verified_on", "rectified_on"), lambda verified, rectified: verified >= rectified),
    ],
    "claim": [
        (("advance_paid_at", "reported_at"), lambda advanced, reported: advanced >= reported),
        (("paid_at", "reported_at"), lambda paid, reported: paid >= reported),
    ],
}

# Datasets that others' codes come from load first, then units and rosters, then what happens.
STAGES = [("region", "sector"), ("insurer",), ("agency", "rule"), ("unit", "roster")]


class Column:
    """One column: its type and what its values must be."""

    def __init__(self, text):
        words = text.split()
        marks, words = words[0], words[1:]
        self.name = marks.rstrip("*!~")
        self.key = "*" in marks
        self.empty_means_all = "~" in marks
        self.required = ("!" in marks or "*" in marks) and not self.empty_means_all
        self.kind, words = words[0], words[1:]
        self.scale = None
        if self.kind.startswith("decimal"):
            precision, scale = self.kind[8:-1].split(",")
            self.kind, self.precision, self.scale = "decimal", int(precision), int(scale)
        self.event = "event" in words
        self.credit_code = "credit_code" in words
        self.known = next((word for word in words if word in ("region", "sector", "insurer")), None)
        self.least = next((int(word[2:]) for word in words if word.startswith(">=")), None)
        self.most = next((int(word[2:]) for word in words if word.startswith("<=")), None)
        codes = [word for word in words if "|" in word]
        self.codes = frozenset(codes[0].split("|")) if codes else None

    @property
    def sql_type(self):
        """Its type in DuckDB; instants are naive and in UTC."""
        if self.kind == "decimal":
            return f"decimal({self.precision},{self.scale})"
        return {"text": "varchar", "int": "bigint", "date": "date", "timestamp": "timestamp", "bool": "boolean"}[
            self.kind
        ]


def columns(dataset):
    """The columns of a dataset, in order."""
    parts = [part for line in COLUMNS[dataset].splitlines() for part in line.split(";")]
    return [Column(part.strip()) for part in parts if part.strip()]


def stage(dataset):
    """Its place in the order of publishing."""
    return next((place for place, names in enumerate(STAGES) if dataset in names), len(STAGES))


WEIGHTS_18 = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
WEIGHTS_9 = (3, 7, 9, 10, 5, 8, 4, 2)
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def is_credit_code(code):
    """Both check characters of GB 32100 (domain.md, section 4)."""
    if len(code) != 18 or any(letter not in ALPHABET for letter in code[:8] + code[17]):
        return False
    body = code[8:17]
    if any(letter not in LETTERS for letter in body[:8]):
        return False
    rest = 11 - sum(w * LETTERS.index(c) for w, c in zip(WEIGHTS_9, body)) % 11
    if body[8] != {10: "X", 11: "0"}.get(rest, str(rest)):
        return False
    if any(letter not in ALPHABET for letter in code):
        return False
    total = sum(w * ALPHABET.index(c) for w, c in zip(WEIGHTS_18, code))
    return code[17] == ALPHABET[(31 - total % 31) % 31]
