"""The kinds of errors that words name, each with the statuses under which they mean that.

Read by `error_texts`, which says what is looked at; the order is the order of asking.
"""

from __future__ import annotations

from exporter.matching import pattern_matches
from exporter.model import Reason


def _statuses(*codes: int) -> frozenset[int]:
    return frozenset(codes)


_REFUSALS = _statuses(400, 401, 402, 403, 412, 422, 429, 456)


class Kind:
    """Words that name a reason, under the statuses where they are an error of that kind.

    Where the words of `unless` stand too, the answer is not of this kind.
    """

    __slots__ = ("pattern", "reason", "statuses", "unless")

    def __init__(
        self, reason: Reason, statuses: frozenset[int], *words: str, unless: str = ""
    ) -> None:
        self.reason, self.statuses, self.pattern = reason, statuses, f"(?i){'|'.join(words)}"
        self.unless = unless and f"(?i){unless}"

    def fits(self, status: int, text: str) -> bool:
        if status not in self.statuses or not pattern_matches(self.pattern, text):
            return False
        return not self.unless or not pattern_matches(self.unless, text)


_OWNER = (
    r"(?:account|organi[sz]ation|project|workspace|team|tenant|subscription|user|consumer|"
    r"application|app|installation|integration|customer|merchant|portal|hub|key owner|developer|"
    r"shop|store)"
)

# The first kind that fits wins: the more particular words come first.
KINDS = (
    Kind(
        # Named together, nobody knows which it is: the key is to be replaced either way.
        Reason.AUTH_INVALID,
        _statuses(400, 401, 403),
        r"invalid,? (?:or )?(?:expired|revoked|missing)",
        r"(?:expired|revoked|missing),? or (?:is )?invalid",
    ),
    Kind(
        # A minute's limit is no quota, though a plan or an account is named beside it.
        Reason.RATE_LIMITED,
        _statuses(403, 429),
        r"\bper[- _]?(?:second|sec|minute|min|hour)\b",
        r"limit:? (?:of )?[\d,]+[^.;{}]{0,30}(?:/ ?|a |every )(?:s|sec|second|min|minute)\b",
        r"\bover (?:qps|rate)\b",
        r"attempts? (?:limit )?exceeded",
        r"\buser[- _]?rate[- _]?limit[- _]?exceeded",
        r"\blimit (?:has been |was )?(?:exceeded|reached)[^.;{}]{0,20}\b(?:try|retry)\b"
        r"[^.;{}]{0,10}\b(?:in|after) \d+ ?(?:s|sec|second|m|min|minute)s?\b",
        unless=r"per[- ]?(?:day|month)|daily|monthly|\bday\b|\bmonth\b|insufficient|credits|"
        r"suspend|overload|limit: 0\b",
    ),
    Kind(
        # An account that is off for want of money comes back when somebody pays.
        Reason.QUOTA_EXHAUSTED,
        _REFUSALS | {503},
        r"billing account\b[^.;{}]{0,60}?\b(?:disabled|closed|suspended|absent|inactive|"
        r"not active)",
        r"check your (?:plan and )?billing",
        r"billing (?:issue|problem)|due to (?:billing|payment)",
        r"(?:un|non-?)pa(?:id|yment)\b[^.;{}]{0,20}(?:invoice|bill|balance)?",
        r"past[- _]due",
        r"overdue",
        r"insufficient (?:balance|fund|credit)",
        r"recharge your account",
        r"not enough (?:balance|fund|credit)",
        r"(?:invalid|valid|no) payment (?:instrument|method)",
        r"free tier\b[^.;{}]{0,40}?\bexhaust",
        # "Balance not enough", "arrears", "please top up", "quota used up" of vendors in China.
        r"余额不足|欠费|充值|(?:额度|配额)(?:不足|已用尽|已用完|已耗尽)",
        r"payment_issue|(?:failed|incomplete|outstanding) (?:or incomplete )?payment",
        r"used all of your (?:request|call|message)",
        r"(?:run|ran|are) out of (?:api )?(?:request|search|call|quer|message|email|character)",
        r"\bkey has no more (?:request|call)",
        r"arrearage|good standing",
        r"\b(?:no|any) (?:remaining )?credits\b",
        r"budget (?:has been |is |was )?(?:exceed|exhaust|reach)",
        r"out of (?:extra )?usage\b",
        r"(?:subscription|licen[cs]e|plan|membership)\b[^.;{}]{0,20}?\b(?:has |is |was )?"
        r"(?:expired|lapsed|ended|cancell?ed)",
    ),
    Kind(
        Reason.ACCOUNT_DISABLED,
        _REFUSALS | {423, 451},
        rf"{_OWNER}\b[^.;{{}}]{{0,60}}?\b(?:suspend|deactivat|terminat|banned|frozen|on hold|"
        r"not (?:yet )?(?:been )?(?:approved|activated|verified)|unapproved|"
        r"not (?:currently )?active\b|under (?:review|validation|verification|investigation)|"
        r"pending (?:approval|review|activation)|"
        r"inactive|blocked for (?:abuse|violat))",
        # "Access to closed accounts", "may not view locked documents": here a verb is asked for.
        rf"{_OWNER}\b[^.;{{}}]{{0,60}}?\b(?:is|was|been|are|were|be|being|state)\b"
        r"[^.;{}]{0,20}?\b"
        r"(?:disabled|closed|locked|archived|deleted)",
        r"(?:account|organi[sz]ation|project|user|team|workspace|tenant|client|app|portal|hub)"
        r"[_ :-]{0,2}(?:suspended|disabled|deactivated|terminated|banned|closed|locked|archived|"
        r"inactive|restricted|blocked|not_?active)\b",
        r"\b(?:suspended|deactivated|disabled|terminated|banned|inactive|unapproved|"
        r"closed)[_ -](?:account|organi[sz]ation|project|user|workspace|team|tenant)\b",
        r"account_(?:inactive|suspended|disabled|closed|deactivated|invalid_state|on_hold)",
        r"(?:account|organi[sz]ation|team|shop|store) (?:has been|is|was) "
        r"(?:currently |temporarily |permanently )?"
        r"(?:blocked|restricted|rejected|limited|flagged|unavailable)",
        r"activate your (?:\w+ )?account",
        r"account (?:must|needs to|has to) be (?:re)?(?:activated|approved)",
        r"(?:application|app|user|client|project|workspace|tenant) (?:has been|is|was) "
        r"(?:currently |temporarily |permanently )?blocked",
        r"(?:^|\n)\W{0,4}blocked (?:account|user)\b",
        rf"{_OWNER} ?status (?:is )?not ?active",
        r"(?:用户|账户|账号)[^,.;。，]{0,6}(?:封禁|冻结|禁用)",
        r"access (?:was|has been|is) terminated",
        r"project has been denied access",
        r"user (?:is )?inactive",
        r"consumer_suspended",
        r"policy violation",
        r"violat(?:ed|ion of|ing) (?:our|the) (?:terms|usage polic|polic)",
        unless=r"has not been used in project",  # Google: the API is off, not the project
    ),
    Kind(
        Reason.QUOTA_EXHAUSTED,
        _REFUSALS | {503},
        r"insufficient[_ ](?:quota|credit|fund|balance|token)",
        r"(?:credit|token|account) balance",
        r"balance (?:is )?(?:too low|insufficient|exhausted)",
        r"out of [^.;{}]{0,20}(?:credit|fund|quota|token)",
        r"(?:credit|quota|allowance|allotment)s?\b[^.;{}]{0,50}?\b(?:exceed|exhaust|deplet|"
        r"used up|ran out|run out|too low|reached|insufficient|spent)",
        r"(?:exceed|exhaust|deplet|reached|hit|over|used up|run out of|ran out of|"
        r"used all)[^.;{}]{0,40}?\b(?:quota|credit|spend|spending|budget|billing|monthly|daily|"
        r"plan|usage|subscription|free[- ]tier)",
        r"(?:spend|spending|budget|usage|billing|monthly|weekly|daily|hard|plan|key|quota|"
        r"subscription|free[- ]tier|trial|account)[- _]?(?:limit|cap|quota|threshold|"
        r"credit)s?\b[^.;{}]{0,40}?\b(?:exceed|exhaust|reach|hit|deplet|used)",
        r"billing_(?:not_active|hard_limit|limit|error|required|disabled)",
        r"billing_hard_limit_reached",
        r"(?:requires?|enable|check|update|set ?up|activate|inactive)\b[^.;{}]{0,30}?\bbilling",
        r"(?:add|update|requires?|no|without|missing) (?:a |an |your )?(?:valid |active |default )?"
        r"(?:billing|payment method|credit card)",
        r"payment[_ ](?:required|overdue|failed|past)",
        r"billing (?:to be enabled|is (?:off|disabled))",
        r"unpaid",
        r"overdue invoice",
        r"active subscription (?:is )?(?:needed|required)",
        r"past[- _]due",
        r"arrears",
        r"(?:free )?trial (?:has |period )?(?:ended|expired|is over)",
        r"upgrade (?:your|to a)[^.;{}]{0,20}(?:plan|account|paid|subscription)",
        r"free-models-per-day",
        r"per[- ]day\b[^.]{0,20}add",
        r"\b(?:daily|weekly|monthly)\b[^.;{}]{0,30}?\b(?:count|volume|requests?|calls?|capacity|"
        r"credits?)\b[^.;{}]{0,20}?\b(?:exceed|exhaust|reach|used)",
        r"(?:daily|monthly|per[- ](?:day|month))[^.;{}]{0,40}(?:limit|"
        r"quota)[^.;{}]{0,20}(?:exceed|reach|exhaust)",
    ),
    Kind(
        # Our clock is wrong; a new key would be refused as well.
        Reason.CLIENT_ERROR,
        _statuses(400, 401, 403),
        r"request ?time ?too ?skewed",
        r"difference between the request time and the (?:current|server)",
        r"clock skew",
        r"signature (?:has |is )?(?:expired|not yet current)[^;]{0,80}\b(?:earlier|later) than",
        r"\btime ?stamp\b[^.;{}]{0,60}?\b(?:outside|too (?:far|old|new)|not within|skew)",
    ),
    Kind(
        # A key that was switched off, whatever the code beside it says of permissions.
        Reason.AUTH_INVALID,
        _statuses(401, 403),
        r"\b(?:key|token)\b[^.;{}]{0,20}?\b(?:is |was |are |has been |been )+"
        r"(?:currently |temporarily )?"
        r"(?:suspended|deactivated|disabled|inactive|not active|blocked|archived)",
    ),
    Kind(
        # OAuth 2.0 answers 400 to all of this (RFC 6749, 5.2), and calls some of it invalid_grant.
        Reason.PERMISSION,
        _statuses(400, 401, 403),
        r"conditional access polic",
        r"must use multi-?factor",
        r"\b(?:consent|interaction)_required",
        r"(?:organi[sz]ation|account) must be verified to",
        r"only authori[sz]ed for use with",
        r"does not have (?:the )?(?:required )?permission",
        r"\bnot subscribed to\b",
        r"(?:missing|insufficient)[_ ]scope",
        r"does not (?:contain|include|have)[^.;{}]{0,20}\bscopes?\b",
    ),
    Kind(
        Reason.AUTH_EXPIRED,
        _statuses(400, 401, 403, 498),
        r"(?:api[- _]?key|access[- _]?key|key|token|credential|secret|authori[sz]ation|grant|"
        r"session|password)s?\b[^.;{}]{0,30}?\b(?:has |is |have |was |been )*expired",
        r"\bpat\b (?:has |is )*expired",
        r"\bcertificate\b[^.;{}]{0,80}?\b(?:has |is )*expired",
        r"credentials?_expired",
        r"expired[- _]?(?:api|access|authentication|auth|security)?[- _]?"
        r"(?:key|token|credential|authentication|access|jwt|session)",
        r"(?:api_?)?(?:key|token)_?expired",
        r"\b(?:jwt|signature|access)\b (?:has |is )*expired",
        r"authentication_expired",
        r"令牌已过期",
    ),
    Kind(
        Reason.REGION_BLOCKED,
        _REFUSALS | {451},
        r"(?:country|region|territor|location|geograph)[^.;{}]{0,60}?(?:not (?:supported|"
        r"available|allowed|permitted)|unsupported|restrict|blocked|unavailable|prohibit)",
        r"(?:not (?:supported|available|allowed|permitted)|unsupported|unavailable|"
        r"restricted)[^.;{}]{0,40}?\b(?:country|region|territor|location)",
        r"unsupported_country",
        r"geo[- ]?(?:block|restrict|fenc)",
        r"embargo",
        r"sanction",
        r"data residency",
        r"regional hostname",
    ),
    Kind(
        Reason.IP_BLOCKED,
        _statuses(400, 401, 403, 406, 418, 429),
        r"\bip\b[^;{}]{0,60}?(?:not (?:allowed|authori[sz]ed|whitelist|allowlist|permitted|"
        r"in (?:the|your))|block|denied|restrict|forbidden|banned|unauthori[sz]ed)",
        r"(?:block|denied|restrict|unauthori[sz]ed|not allow(?:ed)?|(?:allow|white)[- ]?list|"
        r"banned)[^.;{}]{0,30}?\b(?:from )?(?:this |your |the )?(?:source |client )?ip\b",
        r"\bip\b[^;{}]{0,60}?not (?:on|in) (?:the|an|your|our)\b",
        r"ip[- _](?:not[- _])?(?:allow|white|block|deny|restrict|address[- _]block)[a-z]*",
        r"(?:virtual network|firewall|network)[- ]?(?:acl|rule|polic|access|restrict|security)",
        r"\bip\b[^;{}]{0,60}?(?:deny|black|block) ?list|unrecogni[sz]ed ip|unusual activity",
        r"\bvpn\b[^.;{}]{0,30}(?:detected|not allowed|blocked|denied)",
        r"access from (?:this|your) (?:network|address|host)",
        r"public (?:network )?access is (?:disabled|denied)",
        r"check your network settings",
        r"blocked by (?:our|the) security (?:service|rule|polic)",
    ),
    Kind(
        Reason.RATE_LIMITED,
        _statuses(400, 403, 409, 420, 423, 429, 430, 503, 509, 529),
        r"rate[- _]?limit(?:[^e]|e[^r]|$)",  # a rate limiter that is down limits nobody
        r"rate exceeded",
        r"hourly\b[^.;{}]{0,40}?\bexceed",
        r"throughput\b[^.;{}]{0,40}?\bexceed",
        r"too[- _]many[- _](?:api |concurrent |)?(?:request|connection|call|attempt)",
        r"throttl",
        r"slow ?down",
        r"requests? per (?:second|minute|hour)",
        r"abuse detection",
        r"concurren(?:t|cy)[^.;{}]{0,40}?(?:limit|exceed)",
        r"(?:limit|exceed)[^.;{}]{0,30}?concurren",
        r"requests?[_ ]limit",
        r"calls? per",
        r"secondary limit",
    ),
    # Apigee Edge answers 500 unless a flag of the organization says 429 (docs.apigee.com).
    Kind(Reason.QUOTA_EXHAUSTED, _statuses(500), r"policies\.ratelimit\.QuotaViolation"),
    Kind(Reason.RATE_LIMITED, _statuses(500), r"policies\.ratelimit\.SpikeArrestViolation"),
    Kind(
        Reason.RETIRED,
        _statuses(400, 403, 404, 405, 410, 422, 426, 501),
        r"(?:version|endpoint|model|api|method|resource|route|operation|feature|"
        r"service)\b[^.;{}]{0,60}?\b(?:deprecated|retired|sunset|sunsetted|decommission|"
        r"discontinued|shut ?down|removed|end[- ]of[- ](?:its[- ])?life|"
        r"no longer (?:supported|available|exists?|active|maintained))",
        r"(?:no longer (?:supported|available)|has been (?:retired|sunset|decommission|"
        r"discontinued|deprecated|removed|shut ?down))",
        r"(?:unsupported|deprecated|retired|removed)[- _](?:api[- _]?)?version",
        r"model is marked by (?:its )?provider as legacy",
    ),
    Kind(
        Reason.AUTH_INVALID,
        _statuses(400, 401, 403, 422, 498),
        r"(?:invalid|incorrect|wrong|bad|unknown|unrecogni[sz]ed|malformed|revoked|leaked|"
        r"compromised)[- _]?(?:or (?:missing|expired|revoked) )?(?:oauth[- ]?(?:2(?:\.0)?[- ]?)?)?"
        r"(?:api[- _]?|access[- _]?|"
        r"subscription[- _]?|auth(?:entication|orization)?[- _]?|bearer[- _]?|secret[- _]?|"
        r"x-api-)?(?:key|token|credentials?|grant|signature)s?(?:[^a-z]|$)",
        r"invalid [\w-]{1,20} or (?:api[- _]?)?(?:key|token|secret)s?\b",
        r"missing (?:a |an |the |your )?(?:valid )?(?:api|access|subscription|secret)[- _]?"
        r"(?:key|token)",
        r"(?:missing (?:the |an? )?)authori[sz]ation (?:header|field)",
        r"(?:authori[sz]ation (?:header|field)|authentication (?:parameters?|information|header))s?"
        r" (?:is |are |was |were )?(?:missing|required|not (?:found|present|provided))",
        r"credentials (?:were |was |are )?not (?:provided|supplied|given|present)",
        r"access token must be (?:used|provided|supplied|set)",
        r"\bkey format is (?:not valid|invalid)",
        r"unregistered callers",
        r"令牌(?:无效|不正确)|无效的(?:令牌|密钥)",
        r"(?:api[- _]?key|access[- _]?key|token|credential|authentication key|hapikey|"
        r"secret key)s?\b[^.;{}]{0,60}?\b(?:is |was |are |has been |been |"
        r"reported as )*(?:not valid|invalid|incorrect|not found|revoked|deleted|leaked|"
        r"compromised|unknown|unrecogni[sz]ed|doesn't exist|does not exist)",
        r"api_key_invalid|\bkeyInvalid\b|\binvalid_client\b",
        r"invalid_api_key",
        r"token_revoked",
        r"invalid_auth",
        r"bad credentials",
        r"signature[^.;{}]{0,20} ?does ?not ?match",
        r"invalid credentials",
        r"could not (?:authenticate|be authenticated)|could not validate (?:the |your )?credential",
        r"authenticat(?:e|ion) (?:failed|failure|error)",
    ),
    Kind(
        # A bare "key" or "user" is the credential only where the status says so.
        Reason.AUTH_INVALID,
        _statuses(401, 403),
        r"\buser not found",
        r"no user (?:was )?found",
        r"\bunauthenticated\b|\bnot authenticated\b",
        r"(?:access|api|auth|bearer|security) (?:token|key) (?:is |was )?(?:missing|required|"
        r"needed)",
        r"missing (?:authentication|auth|security) token",
        r"\bkey\b[^.;{}]{0,40}?\b(?:not valid|invalid|incorrect|not found|revoked|deleted|leaked|"
        r"unknown|unrecogni[sz]ed|doesn't exist|does not exist)",
    ),
    Kind(
        # "Authentication is required to access this" names no permission.
        Reason.AUTH_INVALID,
        _statuses(401),
        r"(?:authentication|log ?in|sign ?in) (?:is )?(?:required|needed)",
        unless=r"factor|2fa|mfa|\bsso\b|saml",
    ),
    Kind(
        Reason.PERMISSION,
        _statuses(401, 403),
        r"(?:permission|scope|privilege|entitle|role|access)\b[^.;{}]{0,60}?(?:missing|lack|"
        r"required|insufficient|denied|not (?:granted|have)|does not have|need)",
        r"(?:missing|lack|requires?|insufficient|denied|not (?:granted|have)|does not have|"
        r"doesn't have)[^.;{}]{0,40}?\b(?:permission|scope|privilege|entitle|role|access)",
        r"insufficient[_ ](?:scope|permission|privilege)",
        r"not (?:authorized|authorised|allowed|permitted|entitled) to",
        r"\bsso\b",
        r"saml",
        r"two[- ]factor",
        r"mfa required",
        r"has not been (?:used|enabled)",
        r"(?:api|service) (?:is )?(?:not enabled|disabled)",
        r"access_denied",
    ),
    Kind(
        Reason.OVERLOADED,
        _statuses(400, 408, 425, 429, 498, 500, 502, 503, 504, 529),
        r"overload",
        r"capacity[_ ]exceeded",
        r"over capacity",
        r"at capacity",
        r"no (?:available )?capacity",
        r"server is busy",
        r"too busy",
        r"currently experiencing (?:high|heavy)",
        r"high (?:demand|load|traffic)",
        r"engine_overloaded",
    ),
    Kind(
        Reason.MAINTENANCE,
        _statuses(400, 403),
        r"\b(?:planned|scheduled|undergoing|under) maintenance\b",
    ),
    Kind(
        Reason.MAINTENANCE,
        _statuses(500, 502, 503, 504, 422),
        r"\bmaintenance\b",
    ),
)
