import { severityRank } from '../core/alert.ts'
import type { DeliveryKind, DigestMember, OutboxDelivery } from '../core/delivery.ts'
import { SEVERITIES, type Severity } from '../core/finding.ts'
import { stableId } from '../core/hash.ts'
import { cutText } from '../core/text.ts'

/** One message that stands for many notices to one receiver about what one source sent. Kept in the outbox as JSON. */
export interface Digest {
  readonly kind: 'digest'
  /** The delivery’s id: `digest` of `GET /v1/alerts`. */
  readonly digest_id: string
  /** Which digests come one after the other: those of one receiver, tenant and source. */
  readonly row: string
  readonly tenant: string
  /** Empty for alerts without an event. */
  readonly source: string
  /** When it was made, ISO 8601 UTC. */
  readonly at: string
  /** When the first and the last of the notices were made. */
  readonly first_at: string
  readonly last_at: string
  /** The highest of them. */
  readonly severity: Severity
  /** Notices that it stands for, each about another alert. */
  readonly count: number
  /** The highest first. */
  readonly by_severity: readonly { readonly name: Severity; readonly count: number }[]
  readonly by_rule: Tally
  readonly by_party: Tally
  readonly by_notice: Tally
  /** The most severe, in turns by party. */
  readonly top: readonly DigestEntry[]
}

export interface Tally {
  /** The most frequent first, at most `MAX_NAMES`. */
  readonly names: readonly { readonly name: string; readonly count: number }[]
  /** How many more names there are, and of how many notices. */
  readonly more: { readonly names: number; readonly count: number }
}

export interface DigestEntry {
  readonly alert_id: string
  readonly notice: string
  readonly severity: Severity
  readonly rule: string
  readonly party: string
  readonly title: string
}

/** A digest names so many of its rules and parties, and shows so many titles. */
export const MAX_NAMES = 10
const MAX_NAME_LENGTH = 200

export interface DigestPlace {
  readonly receiver: string
  readonly kind: DeliveryKind
  readonly tenant: string
  readonly source: string
}

/** Which digests come one after the other: a stable id, where notices have that of their alert. */
export const digestRow = ({ receiver, tenant, source }: Omit<DigestPlace, 'kind'>): string =>
  stableId('digests', receiver, tenant, source)

/** Begin of the window that a time is in; both milliseconds since the epoch. */
export const windowStart = (nowMs: number, lengthMs: number): number => nowMs - (nowMs % lengthMs)

/** Those whose delivery was made in the same month as the first of them: what the store takes as one block. */
export function ofOneMonth<Member extends { readonly created_at: string }>(
  members: readonly Member[],
): Member[] {
  const month = ({ created_at }: Member): string => created_at.slice(0, 7)
  const first = members.map(month).sort()[0]
  return members.filter((member) => month(member) === first)
}

/**
 * A digest as a delivery, and the deliveries that it tells as they are after it. Pure: the same members in the same window are
 * the same digest under the same id.
 * @param members of one month and of one receiver, tenant and source, the heaviest first; at least one
 * @param windowMs begin of the window, milliseconds since the epoch
 */
export function makeDigest(
  place: DigestPlace,
  members: readonly DigestMember[],
  { windowMs, nowMs }: { readonly windowMs: number; readonly nowMs: number },
): { readonly digest: OutboxDelivery; readonly members: OutboxDelivery[] } {
  const row = digestRow(place)
  const digestId = stableId('digest', row, windowMs, ...members.map(({ delivery_id }) => delivery_id).sort())
  const times = members.map(({ created_at }) => created_at).sort()
  const severity = members
    .map((member) => member.severity)
    .reduce((highest, one) => (severityRank(one) > severityRank(highest) ? one : highest))
  const at = new Date(nowMs).toISOString()
  const body: Digest = {
    kind: 'digest',
    digest_id: digestId,
    row,
    tenant: place.tenant,
    source: place.source,
    at,
    first_at: times[0] ?? at,
    last_at: times.at(-1) ?? at,
    severity,
    count: members.length,
    by_severity: severitiesOf(members),
    by_rule: tally(members.map(({ rule }) => rule)),
    by_party: tally(members.map(({ party }) => party)),
    by_notice: tally(members.map(({ notice }) => notice)),
    top: topOf(members),
  }
  return {
    digest: {
      delivery_id: digestId,
      version: 1,
      tenant: place.tenant,
      alert_id: row,
      receiver: place.receiver,
      kind: place.kind,
      notice: 'digest',
      sequence: Math.floor(windowMs / 1000),
      // In the month of its members.
      created_at: body.last_at,
      status: 'due',
      attempts: 0,
      next_attempt_at: at,
      attempt_log: [],
      severity,
      score: Math.max(...members.map(({ score }) => score)),
      source: place.source,
      party: '',
      body: JSON.stringify(body),
    },
    members: members.map(({ rule: _rule, title: _title, ...member }) => ({
      ...member,
      version: member.version + 1,
      status: 'digested',
      digest_id: digestId,
      body: '',
    })),
  }
}

// The heaviest of each party, then the next of each: a party with many does not fill the list.
function topOf(members: readonly DigestMember[]): DigestEntry[] {
  const places = new Map<string, number>()
  return members
    .map((member) => {
      const key = `${member.severity} ${member.party}`
      const place = places.get(key) ?? 0
      places.set(key, place + 1)
      return { member, place }
    })
    .sort(
      (a, b) =>
        severityRank(b.member.severity) - severityRank(a.member.severity) ||
        a.place - b.place ||
        b.member.score - a.member.score,
    )
    .slice(0, MAX_NAMES)
    .map(({ member: { alert_id, notice, severity, rule, party, title } }) => ({
      alert_id,
      notice,
      severity,
      rule: cutText(rule, MAX_NAME_LENGTH),
      party: cutText(party, MAX_NAME_LENGTH),
      title: cutText(title, 400),
    }))
}

const severitiesOf = (members: readonly DigestMember[]): Digest['by_severity'] =>
  SEVERITIES.toReversed().flatMap((name) => {
    const count = members.filter(({ severity }) => severity === name).length
    return count === 0 ? [] : [{ name, count }]
  })

function tally(names: readonly string[]): Tally {
  const counts = [...Map.groupBy(names, (name) => name)]
    .map(([name, all]) => ({ name, count: all.length }))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
  const more = counts.slice(MAX_NAMES)
  return {
    names: counts
      .slice(0, MAX_NAMES)
      .map(({ name, count }) => ({ name: cutText(name, MAX_NAME_LENGTH), count })),
    more: { names: more.length, count: more.reduce((sum, { count }) => sum + count, 0) },
  }
}
