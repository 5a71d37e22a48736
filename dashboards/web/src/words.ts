/** The product's closed vocabularies, with how each word is shown. */

export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'] as const
export type Severity = (typeof SEVERITIES)[number]

export const OUTCOMES = ['success', 'failure', 'denied', 'timeout', 'unknown'] as const

export interface KindOfFinding {
  readonly id: string
  readonly name: string
  /** What it watches, for people who see it for the first time. */
  readonly meaning: string
}

export const KINDS: readonly KindOfFinding[] = [
  { id: 'volume', name: 'Volume', meaning: 'More calls in an hour than this actor’s history allows' },
  { id: 'off-hours', name: 'Off-hours', meaning: 'Calls at local times this actor is never active' },
  { id: 'new-value', name: 'New tool', meaning: 'First use of a tool that few peers use' },
  { id: 'chain', name: 'Chained calls', meaning: 'Steps that together move data where it should not go' },
]

export const kindName = (detector: string): string =>
  KINDS.find((kind) => kind.id === detector)?.name ?? detector

/** One letter a capability, so that colour is never the only sign; the group gives the colour. */
export const CAPABILITIES: Readonly<Record<string, { letter: string; group: string; meaning: string }>> = {
  'ingest-untrusted': { letter: 'U', group: 'inbound', meaning: 'brings in untrusted content' },
  'read-sensitive': { letter: 'S', group: 'secret', meaning: 'reads sensitive data' },
  'read-credential': { letter: 'K', group: 'secret', meaning: 'reads keys or credentials' },
  read: { letter: 'R', group: 'calm', meaning: 'reads' },
  recon: { letter: 'L', group: 'calm', meaning: 'looks around: lists, searches' },
  write: { letter: 'W', group: 'change', meaning: 'writes' },
  execute: { letter: 'X', group: 'power', meaning: 'executes' },
  admin: { letter: 'A', group: 'power', meaning: 'administers' },
  delete: { letter: 'D', group: 'power', meaning: 'deletes' },
  'send-external': { letter: 'E', group: 'outbound', meaning: 'sends data out' },
  unknown: { letter: '?', group: 'none', meaning: 'not in the tool catalogue' },
}

export const capabilityOf = (name: string): { letter: string; group: string; meaning: string } =>
  CAPABILITIES[name] ?? { letter: '?', group: 'none', meaning: name }

export const CLOSE_REASONS = [
  { id: 'true_positive', name: 'True positive', meaning: 'It happened and it was bad' },
  { id: 'benign_positive', name: 'Benign positive', meaning: 'It happened and it was expected' },
  { id: 'false_positive', name: 'False positive', meaning: 'The finding is wrong' },
  { id: 'duplicate', name: 'Duplicate', meaning: 'Handled in another alert' },
  { id: 'other', name: 'Other', meaning: 'See the note' },
] as const

export const closeReasonName = (id: string): string =>
  CLOSE_REASONS.find((reason) => reason.id === id)?.name ?? id
