// Acts on record, as the events of a host tell them.

const words: Record<string, string> = {
  'alerts.acknowledge': 'Alert acknowledged',
  'enrolment redeemed': 'Enrolled',
  'enrolments.approve': 'Let in',
  'enrolments.reject': 'Turned away',
  'foreign id refused': 'Foreign id refused',
  'host quarantined': 'Quarantined',
  'hosts.bulk': 'Act on many hosts',
  'hosts.bulkTag': 'Tags of many hosts',
  'hosts.pause': 'Paused',
  'hosts.release': 'Released',
  'hosts.remove': 'Removed',
  'hosts.resume': 'Resumed',
  'hosts.rotateKey': 'New key asked for',
  'hosts.update': 'Settings changed',
  'jobs.cancel': 'Job cancelled',
  'jobs.retry': 'Job run again',
  'jobs.run': 'Job started',
  'key replaced': 'Key replaced',
  'pause ended': 'Pause ended',
  'proof refused': 'Connection refused',
  'repositories.create': 'Repository added',
  'repositories.remove': 'Repository removed',
  'repositories.reveal': 'Password shown',
  'repositories.test': 'Repository tested',
  'repositories.update': 'Repository changed',
  'schedules.create': 'Schedule made',
  'schedules.previewRetention': 'Retention previewed',
  'schedules.remove': 'Schedule deleted',
  'schedules.runNow': 'Run now',
  'schedules.setEnabled': 'Schedule switched',
  'schedules.update': 'Schedule changed',
}

/** An act in words; one that has none as the audit log names it. */
export const actWord = (action: string): string => words[action] ?? action
