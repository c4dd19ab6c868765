// A refusal: the answer to a request that is understood and turned down, with a stable code and one sentence.

/** Each stable code and the class of error it is on the wire (tRPC's words). */
export const refusals = {
  host_not_found: 'NOT_FOUND',
  job_not_found: 'NOT_FOUND',
  repository_not_found: 'NOT_FOUND',
  enrolment_not_found: 'NOT_FOUND',
  schedule_not_found: 'NOT_FOUND',
  operator_not_found: 'NOT_FOUND',
  alert_not_found: 'NOT_FOUND',
  not_signed_in: 'UNAUTHORIZED',
  session_unproven: 'UNAUTHORIZED',
  not_allowed: 'FORBIDDEN',
  second_factor_needed: 'FORBIDDEN', // show the strongest factor again, then repeat the call
  host_quarantined: 'FORBIDDEN',
  host_removed: 'FORBIDDEN',
  host_waiting: 'FORBIDDEN', // an admin has to let it in; it is to ask again
  token_refused: 'FORBIDDEN',
  session_fenced: 'CONFLICT',
  version_stale: 'CONFLICT',
  name_taken: 'CONFLICT',
  request_reused: 'CONFLICT',
  repository_in_use: 'CONFLICT',
  job_ended: 'CONFLICT',
  job_not_ended: 'CONFLICT',
  host_not_waiting: 'CONFLICT',
  host_not_quarantined: 'CONFLICT',
  key_taken: 'CONFLICT',
  setup_done: 'CONFLICT',
  no_second_factor: 'CONFLICT',
  last_way_in: 'CONFLICT',
  hello_first: 'PRECONDITION_FAILED',
  protocol_mismatch: 'PRECONDITION_FAILED',
  schedule_invalid: 'BAD_REQUEST',
  refused_by_policy: 'PRECONDITION_FAILED', // a host told that its own policy forbids this
  risk_not_accepted: 'PRECONDITION_FAILED',
  not_maintenance_host: 'PRECONDITION_FAILED',
  repository_not_on_host: 'PRECONDITION_FAILED',
  repository_busy: 'PRECONDITION_FAILED',
  not_confirmed: 'PRECONDITION_FAILED',
  bad_input: 'BAD_REQUEST',
  too_many: 'TOO_MANY_REQUESTS',
  unavailable: 'SERVICE_UNAVAILABLE',
} as const
export type RefusalCode = keyof typeof refusals

/** One thing that is wrong with what was sent: a stable code, the field it belongs to, a sentence for it. */
export type Complaint = { code: string; field: string; message: string }

/** Thrown where the rule is known, mapped to the wire in one place. `message` says what to do; `complaints` what is wrong with each field. */
export class Refusal extends Error {
  readonly code: RefusalCode
  readonly complaints: readonly Complaint[] | undefined
  constructor(code: RefusalCode, sentence: string, complaints?: readonly Complaint[]) {
    super(sentence)
    this.name = 'Refusal'
    this.code = code
    this.complaints = complaints
  }
}
